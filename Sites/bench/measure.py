"""Runs one command and says what it took."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Figure:
    wall: float  # Seconds.
    cpu: float  # User and system seconds, of all its processes.
    peak: float  # MiB of memory that one of its processes held at most.


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
