#!/usr/bin/env python3
"""A vault copied over a slow line, and over one that loses packets: how much of the line it gets, and what it sends.

    ROUNDS=3           rounds, interleaved
    MEGABYTES=600      of new data that does not compress
    PLACE=DIR          where vaults, the S3 engine and logs lie, .build/bench-offsite otherwise; removed afterwards
    KEEP=1             keep them
    WRITE=1            put the table between the marks in README.md
    BREAKWATER         the program, .build/release/breakwater otherwise

Two network namespaces are joined by a line of 100 Mbit/s with 35 ms round trip (`wanlink.c`). In the far one stands the S3
engine of the tests (`Sites/ceph`), in the near one the program copies to it ("push": `--to s3://`) and from it ("pull":
`--from s3://`), a vault in a directory each time. The line's own rate is what one plain TCP stream, sent with cubic, gets
where nothing is lost, its first two seconds apart, in the same round; a copy's is the sealed bytes of its vault over the wall
seconds of the whole command. Bytes are counted on the line: "sent" is TCP's payload that arrived, TLS and HTTP and all;
"at the device" is every byte that was given to the line, headers of TCP/IP and what TCP sent again included. What was pushed
is what is then pulled, and every byte of that is checked, off the clock.

Root only: namespaces and TUN devices want it. Nothing here touches the machine's own network.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import measure

PROJECT = Path(__file__).resolve().parents[2]
SITES = PROJECT / "Sites"
PROGRAM = Path(os.environ.get("BREAKWATER") or PROJECT / ".build/release/breakwater").resolve()
ROUNDS = int(os.environ.get("ROUNDS") or 3)
MEGABYTES = int(os.environ.get("MEGABYTES") or 600)
MBIT, ONE_WAY, QUEUE = 100, 17.5, 512
# Packets of a million.
LOSSES = {"no loss": 0, "1 % loss": 10_000}
NEAR_ADDRESS, FAR_ADDRESS = "10.77.0.1", "10.77.0.2"
BEGIN, END = "<!-- make bench-offsite -->", "<!-- /make bench-offsite -->"
# What the S3 engine has room for.
MOST_MEGABYTES = 6000


def say(text: str) -> None:
    print(f"bench-offsite: {text}", flush=True)


# MARK: - The line


@dataclass
class Carried:
    """What one direction of the line was given since the last question."""

    packets: int
    bytes: int
    payload: int
    lost: int
    dropped: int


class Line:
    """Two namespaces and the line between them; it ends with this object's stack."""

    def __init__(self, place: Path, stack: contextlib.ExitStack):
        self.near, self.far = f"breakwater-near-{os.getpid()}", f"breakwater-far-{os.getpid()}"
        for name in (self.near, self.far):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "delete", name)
        program = place / "wanlink"
        subprocess.run(["cc", "-O2", "-o", program, SITES / "bench/wanlink.c"], check=True)
        self.process = subprocess.Popen(
            [program, self.near, self.far, str(MBIT), str(ONE_WAY), str(QUEUE)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, bufsize=1)
        stack.callback(self.end)
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit("bench-offsite: there is no line")
        for name, own, other in ((self.near, NEAR_ADDRESS, FAR_ADDRESS), (self.far, FAR_ADDRESS, NEAR_ADDRESS)):
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", name, "address", "add", own, "peer", other, "dev", "wan0")
            ip("-n", name, "link", "set", "wan0", "up")
            # What Debian's kernel takes unless told otherwise, whatever this machine was told.
            ip("-n", name, "route", "replace", other, "dev", "wan0", "src", own, "congctl", "cubic")

    def set(self, loss: int, seed: int) -> tuple[Carried, Carried]:
        """What was carried there and back since the last call; from now on so many packets of a million are lost."""
        self.process.stdin.write(f"{loss} {seed}\n")
        answer = [int(word) for word in self.process.stdout.readline().split()]
        if len(answer) != 10:
            raise SystemExit("bench-offsite: the line went away")
        return Carried(*answer[:5]), Carried(*answer[5:])

    def end(self) -> None:
        self.process.stdin.close()
        self.process.wait()

    def at_near(self, *command) -> list[str]:
        return ["ip", "netns", "exec", self.near, *map(str, command)]

    def at_far(self, *command) -> list[str]:
        return ["ip", "netns", "exec", self.far, *map(str, command)]

    def stream(self) -> float:
        """Million bits a second of one plain TCP stream from near to far."""
        sink = subprocess.Popen(
            self.at_far(sys.executable, __file__, "sink"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        source = None
        try:
            if sink.stdout.readline() != "ready\n":
                raise SystemExit("bench-offsite: nobody listens at the far end")
            source = subprocess.Popen(self.at_near(sys.executable, __file__, "source"), stdin=subprocess.DEVNULL)
            rate = float(sink.stdout.readline())
        finally:
            for process in (sink, source):
                if process:
                    process.terminate()
                    process.wait()
            sink.stdout.close()
        return rate


STREAM_PORT, STREAM_WARM, STREAM_SECONDS = 5201, 2, 12


def sink() -> None:
    with socket.create_server((FAR_ADDRESS, STREAM_PORT)) as server:
        print("ready", flush=True)
        connection, _ = server.accept()
        with connection:
            room, begun, taken = bytearray(1 << 20), time.monotonic(), 0
            while (at := time.monotonic() - begun) < STREAM_WARM + STREAM_SECONDS:
                count = connection.recv_into(room)
                if count == 0:
                    raise SystemExit("bench-offsite: the stream ended early")
                if at >= STREAM_WARM:
                    taken += count
    print(taken * 8 / 1e6 / STREAM_SECONDS, flush=True)


def source() -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
        connection.connect((FAR_ADDRESS, STREAM_PORT))
        noise = os.urandom(1 << 20)
        with contextlib.suppress(ConnectionError):
            while True:
                connection.sendall(noise)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, stdin=subprocess.DEVNULL)


# MARK: - The measurement


@dataclass
class Row:
    """One thing done at one loss, round by round."""

    rates: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    # In parts of the new sealed bytes.
    sent: list[float] = field(default_factory=list)
    wire: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)


class Bench:
    def __init__(self, place: Path, stack: contextlib.ExitStack):
        self.place = place
        self.line = Line(place, stack)
        self.rows: dict[tuple[str, str], Row] = {}
        self.key = place / "passphrase"
        self.key.touch(mode=0o600)
        self.key.write_text(os.urandom(24).hex() + "\n")
        self.environment = {"BREAKWATER_STATE": str(place / "state"), "TMPDIR": str(place), "no_proxy": "*"}
        self.vault = place / "vault"
        self.make_vault()
        self.start_engine(stack)

    def make_vault(self) -> None:
        say(f"making a vault of {MEGABYTES} MB")
        tree = self.place / "tree"
        tree.mkdir()
        for number in range(MEGABYTES // 50):
            (tree / f"noise {number}").write_bytes(os.urandom(50_000_000))
        passphrase = ["--passphrase-file", self.key]
        self.run("init", [PROGRAM, "repository", "init", "--vault", self.vault, *passphrase])
        self.run(
            "backup", [PROGRAM, "repository", "backup", "--vault", self.vault, *passphrase, "--name", "noise", tree])
        shutil.rmtree(tree)
        self.sealed = sum(file.stat().st_size for file in self.vault.rglob("*") if file.is_file())

    def start_engine(self, stack: contextlib.ExitStack) -> None:
        say("starting the S3 engine")
        ceph = self.place / "ceph"
        stack.callback(subprocess.run, ["bash", SITES / "ceph/down.sh", ceph], check=True)
        subprocess.run(
            self.line.at_far("bash", SITES / "ceph/up.sh", ceph), check=True, stdin=subprocess.DEVNULL,
            env=os.environ | {"BREAKWATER_CEPH_ADDRESS": FAR_ADDRESS})
        endpoint = (ceph / "endpoint").read_text().strip()
        self.environment |= {
            "AWS_ENDPOINT_URL": endpoint, "AWS_CA_BUNDLE": str(ceph / "ca.pem"), "AWS_REGION": "us-east-1",
            "AWS_SHARED_CREDENTIALS_FILE": str(ceph / "credentials"), "AWS_CONFIG_FILE": "/nonexistent"}

    @contextlib.contextmanager
    def bucket(self, name: str):
        """A bucket that is gone afterwards, with all that it holds."""
        ceph = self.place / "ceph"
        access, secret = re.findall(r"= (\w+)", (ceph / "credentials").read_text())
        subprocess.run(
            self.line.at_far(
                "curl", "--silent", "--show-error", "--fail", "--noproxy", "*", "--cacert", ceph / "ca.pem", "--aws-sigv4",
                "aws:amz:us-east-1:s3", "--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD", "--request", "PUT", "--config",
                "-", f"{self.environment['AWS_ENDPOINT_URL']}/{name}"),
            check=True, input=f'user = "{access}:{secret}"\n', text=True, stdout=subprocess.DEVNULL)
        yield
        subprocess.run(
            self.line.at_far("radosgw-admin", "bucket", "rm", f"--bucket={name}", "--purge-objects", "--bypass-gc"),
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=os.environ | {"CEPH_CONF": str(ceph / "ceph.conf")})

    def run(self, name: str, command: list) -> measure.Figure:
        return measure.run(list(map(str, command)), self.place / f"{name}.log", environment=self.environment)

    def round(self, number: int) -> None:
        whole = None
        for words, loss in LOSSES.items():
            self.line.set(loss, 2 * number)
            rate = self.line.stream()
            whole = whole or rate
            row = self.row("one plain stream, cubic", words)
            row.rates.append(rate)
            row.shares.append(rate / whole)
            say(f"round {number}, {words}: one plain stream {rate:.1f} Mbit/s")
            bucket = f"offsite-{number}-{loss}"
            there, here = f"s3://{bucket}/vault", self.place / "pulled"
            with self.bucket(bucket):
                self.copy("push", words, loss, number, self.vault, there, whole)
                self.copy("pull", words, loss, number, there, here, whole)
            self.run("check", [PROGRAM, "repository", "check", "--vault", here, "--keyless"])
            shutil.rmtree(here)

    def copy(self, kind: str, words: str, loss: int, number: int, origin, destination, whole: float) -> None:
        self.line.set(loss, 2 * number + 1)
        figure = self.run(
            kind, self.line.at_near(
                PROGRAM, "repository", "copy", "--from", origin, "--to", destination, "--text", "--quiet"))
        near, far = self.line.set(0, 0)
        sent, back = (near, far) if kind == "push" else (far, near)
        row = self.row(kind, words)
        rate = self.sealed * 8 / 1e6 / figure.wall
        row.rates.append(rate)
        row.shares.append(rate / whole)
        row.sent.append(sent.payload / self.sealed)
        row.wire.append(sent.bytes / self.sealed)
        row.back.append(back.payload / self.sealed)
        row.cpu.append(figure.cpu)
        row.peak.append(figure.peak)
        say(f"round {number}, {words}: {kind} {rate:.1f} Mbit/s, {rate / whole:.1%} of the line, sent "
            f"{row.sent[-1]:.4f}, at the device {row.wire[-1]:.4f}, back {row.back[-1]:.4f}, {figure.cpu:.1f} s of CPU, peak "
            f"{figure.peak:.0f} MiB; lost {sent.lost} and {back.lost}, dropped {sent.dropped} and {back.dropped}")

    def row(self, kind: str, words: str) -> Row:
        return self.rows.setdefault((kind, words), Row())

    # MARK: The table

    def table(self) -> str:
        cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
        lines = [
            f"{self.sealed / 1e6:.0f} MB of sealed bytes; {MBIT} Mbit/s, {2 * ONE_WAY:g} ms round trip, a queue of {QUEUE} KiB; "
            f"{os.cpu_count()} cores, {cpu}. {ROUNDS} {'round' if ROUNDS == 1 else 'rounds'}; medians, (lowest-highest).", "",
            "| | Mbit/s | of the line | sent / sealed | at the device / sealed | sent back / sealed | CPU s | peak MiB |",
            "|---|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for kind in ("one plain stream, cubic", "push", "pull"):
            for words in LOSSES:
                row = self.rows[kind, words]
                cells = [middle(row.rates, "{:.1f}"), middle(row.shares, "{:.1%}")]
                for values in (row.sent, row.wire, row.back):
                    cells.append(middle(values, "{:.3f}"))
                cells += [middle(row.cpu, "{:.1f}"), f"{max(row.peak):.0f}" if row.peak else "-"]
                lines.append(f"| {kind}, {words} | " + " | ".join(cells) + " |")
        lines += ["", "| | target | here | |", "|---|---|---:|---|"]
        for kind in ("push", "pull"):
            for words, least in zip(LOSSES, (0.95, 0.60)):
                row = self.rows[kind, words]
                lines.append(target(f"{kind}, {words}, of the line", f"{least:.0%}", row.shares, "{:.1%}", least, True))
                lines.append(target(f"{kind}, {words}, sent / sealed", "1.02", row.sent, "{:.3f}", 1.02, False))
        peak = [value for row in self.rows.values() for value in row.peak]
        lines.append(target("peak memory, MiB", "256", [max(peak)], "{:.0f}", 256, False))
        return "\n".join(lines) + "\n"


def middle(values: list[float], form: str) -> str:
    if not values:
        return "-"
    spread = f" ({form.format(min(values))}-{form.format(max(values))})" if len(values) > 1 else ""
    return form.format(statistics.median(values)) + spread


def target(what: str, words: str, values: list[float], form: str, limit: float, least: bool) -> str:
    value = statistics.median(values)
    met = value >= limit if least else value <= limit
    return f"| {what} | {words} | {middle(values, form)} | {'met' if met else '**not met**'} |"


def write(table: str) -> None:
    document = PROJECT / "README.md"
    before, mark, rest = document.read_text().partition(BEGIN)
    _, closing, after = rest.partition(END)
    if not mark or not closing:
        raise SystemExit(f"bench-offsite: {document.name} has no place between {BEGIN} and {END}")
    document.write_text(f"{before}{BEGIN}\n{table}{END}{after}")


def main() -> None:
    if os.geteuid() != 0:
        raise SystemExit("bench-offsite: only root may make namespaces and TUN devices")
    if MEGABYTES > MOST_MEGABYTES:
        raise SystemExit(f"bench-offsite: the S3 engine has room for {MOST_MEGABYTES} MEGABYTES")
    place = Path(os.environ.get("PLACE") or PROJECT / ".build/bench-offsite").resolve()
    if place.exists():
        raise SystemExit(f"bench-offsite: {place} is there already: remove it, or name another PLACE.")
    place.mkdir(parents=True)
    # So that the stack is wound up then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with contextlib.ExitStack() as stack:
            bench = Bench(place, stack)
            for number in range(1, ROUNDS + 1):
                bench.round(number)
            table = bench.table()
        print(table)
        if os.environ.get("WRITE"):
            write(table)
    except measure.Failed as failure:
        raise SystemExit(f"bench-offsite: {failure}") from None
    finally:
        if not os.environ.get("KEEP"):
            shutil.rmtree(place)


if __name__ == "__main__":
    {"sink": sink, "source": source}.get(sys.argv[-1], main)()
