"""Runs one command and says what it took."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Figure:
    wall: float  # Seconds.
    cpu: float  # User and system seconds, of all its processes.
    peak: float  # MiB of memory that one of its processes held at most.


class Fresh:
    """A tmpfs that nobody used before, to restore to; a folder in memory where that cannot be mounted."""

    BYTES = 8 << 30

    def __init__(self, scratch: Path):
        self.path = scratch / "fresh"

    def __enter__(self) -> Path:
        self.path.mkdir(exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", f"size={self.BYTES}", "tmpfs", self.path]
        if os.geteuid() != 0 or subprocess.run(words, capture_output=True).returncode != 0:
            self.path.rmdir()
            self.path = Path(tempfile.mkdtemp(dir="/dev/shm", prefix="breakwater-bench."))
        return self.path

    def __exit__(self, *_) -> None:
        if os.path.ismount(self.path):
            subprocess.run(["umount", self.path], check=True)
        elif self.path.exists():
            shutil.rmtree(self.path)


class Failed(Exception):
    """A command that did not do its work: its figure would be a lie."""


def run(command: list[str], log: Path, cwd: Path | None = None, environment: dict[str, str] | None = None) -> Figure:
    """The output goes to `log`, not to a pipe that somebody would have to empty meanwhile. The peak is asked of GNU time:
    what a child of this process held at most would begin with what Python holds."""
    os.sync()
    peak = log.with_suffix(".peak")
    with open(log, "wb") as output:
        began = time.monotonic()
        child = subprocess.Popen(
            ["time", "-q", "-f", "%M", "-o", peak, *command], stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, cwd=cwd, env=os.environ | (environment or {}), start_new_session=True)
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            raise
        wall = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        tail = log.read_bytes()[-800:].decode(errors="replace")
        raise Failed(f"{' '.join(map(str, command))} ended with {child.returncode}:\n{tail}")
    return Figure(wall, usage.ru_utime + usage.ru_stime, float(peak.read_text()) / 1024)


# MARK: - Comparing


def compare_trees(tree: Path, restored: Path, name: str, deeply: bool) -> None:
    words = ["diff", "-r", "-q", "--no-dereference", tree, restored]
    done = subprocess.run(words, capture_output=True, text=True, errors="replace", env=os.environ | {"LC_ALL": "C"})
    if done.returncode:
        raise Failed(f"what {name} restored is not the tree: {(done.stdout + done.stderr)[:800]}")
    if deeply and listing(tree) != listing(restored):
        raise Failed("modes, owners, times, links or sizes are not what they were")


def listing(tree: Path) -> list[bytes]:
    words = ["find", tree, "-mindepth", "1", "(", "-type", "d", "-printf", r"%P %y %m %U %G %T@\0", ")", "-o"]
    words += ["-printf", r"%P %y %m %U %G %T@ %s %n %l\0"]
    return sorted(subprocess.run(words, capture_output=True, check=True).stdout.split(b"\0"))
