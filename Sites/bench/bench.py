#!/usr/bin/env python3
"""Breakwater beside its peers and beside the limits of this machine, on the same data, in interleaved rounds.

    ROUNDS=7        rounds: in each, every operation is done by all tools one after another, who begins changes
    PART=rounds     only these; PART=aging only what comes after them (aging.py)
    SMALL=1         small data, to try the bench itself; its figures say nothing
    WRITE=1         put the tables between the marks in README.md
    RESTIC, BORG    other programs than the installed ones
    BREAKWATER      the program, .build/release/breakwater otherwise

The data is made from Debian packages and kept below .build/bench (data.py). Every restore goes to a fresh tmpfs and is
compared with its source before its figure counts.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import aging
import report
from data import Data, say
from measure import Failed, Figure, Fresh, compare_trees, run
from tools import PROJECT, Borg, Breakwater, Copy, Find, Restic, TarZstd, Tool, secret


class Bench:
    def __init__(self, data: Data, scratch: Path, home: Path):
        self.data = data
        self.scratch = scratch
        passphrase = secret(scratch)
        every = [
            Breakwater(scratch, passphrase), Restic(scratch, passphrase),
            Borg(scratch, passphrase, home / "borg"), TarZstd(scratch), Copy(scratch), Find(scratch),
        ]
        self.absent = {tool.name: reason for tool in every if (reason := tool.missing())}
        if "breakwater" in self.absent:
            raise SystemExit(f"bench: {self.absent['breakwater']}")
        self.tools = [tool for tool in every if tool.name not in self.absent]
        self.round = 0
        # operation -> tool -> figures, in the order of rounds; and what it stored, in bytes.
        self.figures: dict[str, dict[str, list[Figure]]] = defaultdict(lambda: defaultdict(list))
        self.sizes: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        self.rates: dict[str, list[float]] = defaultdict(list)

    # MARK: - One round

    def run_round(self) -> None:
        data = self.data
        tree, (first, second, later) = data.tree, data.images
        for tool in self.tools:
            tool.begin("tree")
        self.each("tree", lambda tool: tool.backup_tree(tree, "first"), grows=True)
        self.each("unchanged", lambda tool: tool.look(tree) or tool.backup_tree(tree, "again"))
        self.each_restore("restore tree", lambda tool, fresh: tool.restore_tree(tree, fresh), self.compare_trees)
        self.each("check", lambda tool: tool.check())
        self.check_keyless()
        day = data.day
        day.apply()
        try:
            self.each("changed day", lambda tool: tool.backup_tree(tree, "day"), grows=True)
        finally:
            day.undo()
        for tool in self.tools:
            tool.end()
            tool.begin("image")
        self.each("image 1", lambda tool: tool.backup_image(first, "image-1"), grows=True)
        self.each("image 2", lambda tool: tool.backup_image(second, "image-2"), grows=True)
        self.each("image 1, day 2", lambda tool: tool.backup_image(later, "image-1"), grows=True)
        self.each_restore(
            "restore image", lambda tool, fresh: tool.restore_image(later, "image-1", fresh),
            self.compare_images)
        for tool in self.tools:
            tool.end()
        self.round += 1

    def in_turn(self) -> list[Tool]:
        """Who begins changes with every round."""
        start = self.round % len(self.tools)
        return self.tools[start:] + self.tools[:start]

    def each(self, operation: str, command, grows: bool = False) -> None:
        for tool in self.in_turn():
            words = command(tool)
            if not words:
                continue
            before = tool.stored() if grows else 0
            figure = self.measure(operation, tool, words, self.scratch)
            self.figures[operation][tool.name].append(figure)
            if grows:
                self.sizes[operation][tool.name].append(tool.stored() - before)

    def each_restore(self, operation: str, command, compare) -> None:
        for tool in self.in_turn():
            with Fresh(self.scratch) as fresh:
                found = command(tool, fresh)
                if found:
                    words, folder, restored = found
                    figure = self.measure(operation, tool, words, folder)
                    compare(tool, restored)
                    self.figures[operation][tool.name].append(figure)

    def measure(self, operation: str, tool: Tool, words: list, folder: Path) -> Figure:
        words = [str(word) for word in words]
        figure = run(words, self.scratch / "output", folder, tool.environment)
        say(f"{operation:<16} {tool.name:<18} {figure.wall:7.2f} s {figure.cpu:7.2f} CPU s {figure.peak:6.0f} MiB")
        return figure

    def check_keyless(self) -> None:
        """Bytes a second, beside SHA-256 by OpenSSL on as many cores."""
        tool = self.tools[0]
        words = tool.check_keyless()
        if not words:
            return
        figure = self.measure("check keyless", tool, words, self.scratch)
        self.figures["check keyless"][tool.name].append(figure)
        self.rates["check keyless"].append(tool.stored() / figure.wall)
        command = ["openssl", "speed", "-mr", "-seconds", "3", "-bytes", "1048576", "-multi", str(os.cpu_count())]
        output = subprocess.run([*command, "-evp", "sha256"], capture_output=True, text=True).stdout
        rate = next((line.split(":")[-1] for line in output.splitlines() if line.startswith("+F:")), None)
        if rate:
            self.rates["sha256"].append(float(rate))

    # MARK: - Comparing

    def compare_trees(self, tool: Tool, restored: Path) -> None:
        compare_trees(self.data.tree, restored, tool.name, deeply=tool.name == "breakwater")

    def compare_images(self, tool: Tool, restored: Path) -> None:
        done = subprocess.run(["cmp", self.data.images[2], restored], capture_output=True, text=True)
        if done.returncode:
            raise Failed(f"what {tool.name} restored is not the image: {done.stdout}{done.stderr}")


# MARK: - From start to end


def sweep(place: Path) -> None:
    """What a run that was killed left behind."""
    for left in place.glob("run.*"):
        if os.path.ismount(left / "fresh"):
            subprocess.run(["umount", left / "fresh"], check=False)
        shutil.rmtree(left, ignore_errors=True)


def main() -> None:
    rounds = int(os.environ.get("ROUNDS") or 7)
    small = os.environ.get("SMALL") == "1"
    cache = PROJECT / ".build" / "bench"
    place = PROJECT / ".build" / "bench-small" if small else cache
    place.mkdir(parents=True, exist_ok=True)
    lock = open(place / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit("bench: another bench is running")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    sweep(place)
    data = Data(place, cache / "debs", small)
    scratch = Path(tempfile.mkdtemp(dir=place, prefix="run."))
    part = os.environ.get("PART")
    texts: dict[str, str] = {}
    try:
        data.make()
        if part != "aging":
            bench = Bench(data, scratch, cache)
            data.warm()
            for number in range(rounds):
                say(f"round {number + 1} of {rounds}")
                bench.run_round()
                (place / "results.json").write_text(json.dumps(
                    {"figures": bench.figures, "sizes": bench.sizes, "rates": bench.rates}, default=vars, indent=1))
            texts["make bench"] = report.render(bench, data)
        if part != "rounds":
            texts["make bench, aging"] = aging.render(aging.Aging(data, scratch).run(), data.small)
    except Failed as failure:
        raise SystemExit(f"bench: {failure}")
    except KeyboardInterrupt:
        raise SystemExit(130)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        data.day.undo()
        shutil.rmtree(scratch, ignore_errors=True)
    for mark, text in texts.items():
        print("\n" + text)
        if os.environ.get("WRITE") == "1":
            report.write(PROJECT / "README.md", mark, text)


if __name__ == "__main__":
    main()
