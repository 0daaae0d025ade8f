"""How close together a snapshot lies after months, and once what is dead was repacked.

A copy of the tree lives through days of work, one after another, each backed up. Then the last snapshot is restored; all
others are forgotten, what is dead is collected, and the last is restored again; and beside both a first backup of the same
tree into an empty vault. For each: how many packs a restored GiB was read from, what the restore took, what lies in the vault.
"""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from data import Data, Day, say
from measure import Fresh, compare_trees, run
from tools import Breakwater, secret

DAYS = 60


@dataclass
class Age:
    title: str
    packs: int
    restored: int  # Bytes.
    wall: float
    stored: int  # Bytes.


class Aging:
    def __init__(self, data: Data, scratch: Path):
        self.days = 6 if data.small else DAYS
        self.scratch = scratch
        self.data = data
        self.tree = scratch / "aged"
        self.tool = Breakwater(scratch, secret(scratch))

    def run(self) -> list[Age]:
        subprocess.run(["cp", "-a", self.data.tree, self.tree], check=True)
        self.tool.begin("aged")
        self.quietly(self.tool.backup_tree(self.tree, "first"))
        for number in range(self.days):
            say(f"day {number + 1} of {self.days}")
            aside = self.scratch / "aside"
            Day(self.tree, aside, seed=1000 + number).apply()
            shutil.rmtree(aside)
            self.quietly(self.tool.backup_tree(self.tree, "day"))
        ages = [self.restore(f"after {self.days} days")]
        self.quietly(self.tool.forget_all_but_last())
        self.quietly(self.tool.collect())
        self.quietly(self.tool.collect())
        ages.append(self.restore("the others forgotten, collected"))
        self.tool.end()
        self.tool.begin("fresh")
        self.quietly(self.tool.backup_tree(self.tree, "first"))
        ages.append(self.restore("the same tree in an empty vault"))
        self.tool.end()
        return ages

    def quietly(self, words: list) -> None:
        run([str(word) for word in words], self.scratch / "output", self.scratch, self.tool.environment)

    def restore(self, title: str) -> Age:
        with Fresh(self.scratch) as fresh:
            words, folder, restored = self.tool.restore_tree(self.tree, fresh)
            output = self.scratch / "output"
            figure = run([str(word) for word in words], output, folder, self.tool.environment)
            compare_trees(self.tree, restored, title, deeply=True)
        events = [json.loads(line) for line in output.read_text().splitlines() if line.startswith("{")]
        result = next(event for event in events if event["event"] == "result")
        say(f"{title}: {result['packs']} packs, {figure.wall:.2f} s")
        return Age(title, result["packs"], result["bytesWritten"], figure.wall, self.tool.stored())


def render(ages: list[Age], small: bool) -> str:
    lines = ["**Small data: these figures only show that the bench works.**", ""] if small else []
    lines += ["| | packs read | packs a restored GiB | restore, wall s | MB in the vault |", "|---|---:|---:|---:|---:|"]
    for age in ages:
        lines.append(
            f"| {age.title} | {age.packs} | {age.packs / (age.restored / (1 << 30)):.0f} | {age.wall:.2f} | "
            f"{age.stored / 1e6:.0f} |")
    return "\n".join(lines) + "\n"
