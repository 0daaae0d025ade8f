#!/usr/bin/env python3
"""A repository of 100 million chunks, and what opening it, backing up into it and restoring from it take.

    CHUNKS=100000000   chunks
    LIMIT=256          MiB of memory that each command may use, and is told to hold to
    PLACE=DIR          where the vault and the state go, .build/bench-large otherwise; removed afterwards
    KEEP=1             keep them
    WRITE=1            put the table between the marks in ARCHITECTURE.md
    BREAKWATER, BENCH  the programs, .build/release/breakwater and breakwater-bench otherwise

What is synthetic: all chunks but those of one small tree. Their segments, sets, envelopes, manifests and the log's records
are real, made by the code that backups use; their packs are named and not there, since nothing here reads them. The small
tree is backed up before, for real, and what is restored is compared with it byte by byte.

The limit is a memory control group where one can be made (cgroup v2, at once or by systemd-run). Elsewhere the data
segment is limited to twice as much (RLIMIT_DATA), and the peak of resident memory, which the kernel keeps, must stay
within the limit: a command that exceeds it fails the bench either way.
"""

import filecmp
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("BREAKWATER") or PROJECT / ".build/release/breakwater").resolve()
BENCH = Path(os.environ.get("BENCH") or PROJECT / ".build/release/breakwater-bench").resolve()
CHUNKS = int(os.environ.get("CHUNKS") or 100_000_000)
LIMIT = int(os.environ.get("LIMIT") or 256)
# A segment holds 56 bytes a chunk; the kept index 57, and as much again while it is merged.
BYTES_A_CHUNK = 175


def say(text: str) -> None:
    print(f"bench-large: {text}", flush=True)


class Limit:
    """How a command is kept within its memory."""

    def __init__(self) -> None:
        self.group: Path | None = None
        self.prefix: list[str] = []
        self.words = f"peak of resident memory, and a data segment of {2 * LIMIT} MiB"
        own = [line[3:].strip() for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")]
        group = Path("/sys/fs/cgroup" + own[0]) / f"breakwater-{os.getpid()}" if own else None
        try:
            if group and "memory" in (group.parent / "cgroup.subtree_control").read_text().split():
                group.mkdir()
                (group / "memory.max").write_text(str(LIMIT << 20))
                (group / "memory.swap.max").write_text("0")
                self.group = group
                self.words = "a control group (memory.max, no swap)"
                return
        except OSError:
            if group and group.is_dir():
                group.rmdir()
        run = ["systemd-run", "--scope", "--quiet", "-p", f"MemoryMax={LIMIT}M", "-p", "MemorySwapMax=0"]
        if shutil.which("systemd-run") and subprocess.run([*run, "true"], capture_output=True).returncode == 0:
            self.prefix = run
            self.words = "a control group (systemd-run, MemoryMax, no swap)"

    def enter(self) -> None:
        if self.group:
            (self.group / "cgroup.procs").write_text(str(os.getpid()))
        elif not self.prefix:
            resource.setrlimit(resource.RLIMIT_DATA, (2 * LIMIT << 20, 2 * LIMIT << 20))

    def end(self) -> None:
        if self.group:
            self.group.rmdir()


class Bench:
    def __init__(self, place: Path, limit: Limit):
        self.place = place
        self.limit = limit
        self.vault = place / "vault"
        self.rows: list[tuple[str, float, float, float]] = []
        self.key = place / "passphrase"
        self.key.touch(mode=0o600)
        self.key.write_text(os.urandom(24).hex() + "\n")
        self.environment = os.environ | {
            "BREAKWATER_STATE": str(place / "state"), "BREAKWATER_PASSPHRASE_FILE": str(self.key),
            "TMPDIR": str(place)}

    def run(self, row: str | None, *arguments: str | Path) -> None:
        """`breakwater repository ...` under the limit; with a row, its figures go into the table."""
        command = [PROGRAM, "repository", *arguments, "--text", "--quiet"]
        if row:
            command += ["--memory", f"{LIMIT}MiB"]
        peak = self.place / "peak"
        began = time.monotonic()
        child = subprocess.Popen(
            [*self.limit.prefix, "time", "-q", "-f", "%M %U %S", "-o", peak, *command], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=self.environment,
            preexec_fn=self.limit.enter if row else None)
        output, _ = child.communicate()
        wall = time.monotonic() - began
        if child.returncode != 0:
            raise SystemExit(f"bench-large: {' '.join(map(str, command))} ended with {child.returncode}:\n"
                             + output.decode(errors="replace")[-2000:])
        if row:
            kilobytes, user, system = peak.read_text().split()
            self.rows.append((row, wall, float(user) + float(system), int(kilobytes) / 1024))
            say(f"{row}: {wall:.2f} s, {float(user) + float(system):.2f} s of CPU, peak {int(kilobytes) / 1024:.0f} MiB")

    def measure(self) -> None:
        tree, home = self.place / "tree", self.place / "home"
        make_tree(tree)
        self.run(None, "init", "--vault", self.vault)
        self.run(None, "backup", "--vault", self.vault, "--name", "small", tree)
        say(f"making {CHUNKS:,} synthetic chunks")
        began = time.monotonic()
        subprocess.run(
            [BENCH, "--vault", self.vault, "--passphrase-file", self.key, "--chunks", str(CHUNKS)], check=True)
        say(f"made in {time.monotonic() - began:.0f} s")
        # The first compares every record since the last that this machine saw.
        self.run("open, 500 records after the last one seen", "snapshots", "--vault", self.vault)
        self.run("open, list snapshots", "snapshots", "--vault", self.vault)
        change(tree)
        self.run("backup, local index made first", "backup", "--vault", self.vault, "--name", "small", tree)
        change(tree)
        self.run("backup, local index kept", "backup", "--vault", self.vault, "--name", "small", "--read-all", tree)
        self.run("restore", "restore", "--vault", self.vault, "latest:small", "--target", home)
        compare(tree, home / tree.relative_to("/"))
        self.run("list a directory of it", "list", "--vault", self.vault, "latest:small", tree)
        over = [row for row in self.rows if row[3] > LIMIT]
        if over:
            raise SystemExit(f"bench-large: beyond {LIMIT} MiB: {', '.join(row[0] for row in over)}")

    def table(self) -> str:
        size = sum(file.stat().st_size for file in self.vault.rglob("*") if file.is_file())
        kept = sum(file.stat().st_size for file in (self.place / "state").rglob("*") if file.is_file())
        lines = [
            f"{CHUNKS:,} chunks; vault {size / 1e9:.2f} GB without the packs, local index {kept / 1e9:.2f} GB.",
            f"Held to {LIMIT} MiB by {self.limit.words}.", "", "| command | wall s | CPU s | peak MiB |", "|---|---|---|---|",
        ]
        return "\n".join(lines + [f"| {name} | {wall:.2f} | {cpu:.2f} | {peak:.0f} |" for name, wall, cpu, peak in self.rows])


def make_tree(tree: Path) -> None:
    """200 files, 40 MB, of which half compresses."""
    tree.mkdir()
    for number in range(200):
        content = os.urandom(100_000)
        (tree / f"file {number}").write_bytes(content + content.hex().encode()[:100_000])


def change(tree: Path) -> None:
    for number in range(0, 200, 10):
        (tree / f"file {number}").write_bytes(os.urandom(200_000))


def compare(one: Path, other: Path) -> None:
    names = sorted(path.name for path in one.iterdir())
    if names != sorted(path.name for path in other.iterdir()):
        raise SystemExit("bench-large: other names came back than were backed up")
    _, differing, unread = filecmp.cmpfiles(one, other, names, shallow=False)
    if differing or unread:
        raise SystemExit(f"bench-large: came back otherwise: {(differing + unread)[:5]}")


def write(table: str) -> None:
    document = PROJECT / "ARCHITECTURE.md"
    text = document.read_text()
    begin, end = "<!-- bench-large begins -->\n", "<!-- bench-large ends -->"
    before, rest = text.split(begin, 1)
    document.write_text(before + begin + table + "\n" + end + rest.split(end, 1)[1])


def main() -> None:
    place = Path(os.environ.get("PLACE") or PROJECT / ".build/bench-large").resolve()
    place.parent.mkdir(parents=True, exist_ok=True)
    needed = CHUNKS * BYTES_A_CHUNK + (1 << 30)
    free = shutil.disk_usage(place.parent).free
    if free < needed:
        raise SystemExit(f"bench-large: {CHUNKS:,} chunks need {needed / 1e9:.1f} GB in {place.parent}, where "
                         f"{free / 1e9:.1f} GB are free. Name another PLACE, or fewer CHUNKS.")
    if place.exists():
        raise SystemExit(f"bench-large: {place} is there already: remove it, or name another PLACE.")
    place.mkdir()
    limit = Limit()
    try:
        bench = Bench(place, limit)
        bench.measure()
        table = bench.table()
        print(table)
        if os.environ.get("WRITE"):
            write(table)
    finally:
        limit.end()
        if not os.environ.get("KEEP"):
            shutil.rmtree(place)


if __name__ == "__main__":
    sys.exit(main())
