"""The tables, in Markdown: what was measured, and how it stands to the targets."""

import os
import statistics
from pathlib import Path

OURS = "breakwater"
PEERS = ("restic", "borg")
TAR, COPY, FIND = "tar, zstd -3 -T2", "cp -a", "find -printf"

TITLES = {
    "tree": "tree, first", "unchanged": "tree, unchanged", "changed day": "tree, changed day",
    "restore tree": "restore tree to tmpfs", "check": "check, every byte of the tree",
    "check keyless": "check without keys", "image 1": "image 1", "image 2": "image 2, a clone",
    "image 1, day 2": "image 1, day 2", "restore image": "restore image to tmpfs",
}


def render(bench, data) -> str:
    return "\n".join([*heading(bench, data), "", *measured(bench), "", *targets(bench, data)]) + "\n"


def write(readme: Path, mark: str, text: str) -> None:
    """Puts a table between the marks of its name."""
    begin, end = f"<!-- {mark} -->", f"<!-- /{mark} -->"
    before, opening, rest = readme.read_text().partition(begin)
    _, closing, after = rest.partition(end)
    if not opening or not closing:
        raise SystemExit(f"bench: {readme.name} has no place between {begin} and {end}")
    readme.write_text(f"{before}{begin}\n{text}{end}{after}")


# MARK: - What was measured


def heading(bench, data) -> list[str]:
    tree, image = data.facts, data.facts["image"]
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "?")
    text = f"{tree['files']} files in {tree['entries']} entries, {tree['bytes'] / 1e9:.2f} GB; images of "
    text += f"{image['disk'] / (1 << 30):g} GiB, {image['used'] / 1e9:.2f} GB used (packages {tree['packages']}). "
    text += f"{os.cpu_count()} cores, {cpu}. {', '.join(tool.version() for tool in bench.tools if tool.version())}. "
    text += f"{bench.round} {'round' if bench.round == 1 else 'rounds'}, interleaved; medians, (lowest-highest)."
    lines = ["**Small data: these figures only show that the bench works.**", ""] if data.small else []
    lines += [text]
    for name, reason in bench.absent.items():
        lines += ["", f"**Missing: {name}** ({reason})."]
    return lines


def measured(bench) -> list[str]:
    names = [tool.name for tool in bench.tools]
    lines = ["| wall s (lowest-highest) / CPU s | " + " | ".join(names) + " |", "|---|" + "---:|" * len(names)]
    for operation, title in TITLES.items():
        figures = bench.figures.get(operation)
        if not figures:
            continue
        cells = [time_cell(figures.get(name)) for name in names]
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    for operation, title in TITLES.items():
        sizes = bench.sizes.get(operation)
        if not sizes:
            continue
        cells = [f"{statistics.median(sizes[name]) / 1e6:.1f}" if sizes.get(name) else "-" for name in names]
        lines.append(f"| {title}: MB stored | " + " | ".join(cells) + " |")
    cells = []
    for name in names:
        peaks = [figure.peak for figures in bench.figures.values() for figure in figures.get(name, [])]
        cells.append(f"{max(peaks):.0f}" if peaks else "-")
    lines.append("| peak memory of all, MiB | " + " | ".join(cells) + " |")
    return lines


def time_cell(figures) -> str:
    if not figures:
        return "-"
    walls = [figure.wall for figure in figures]
    spread = f" ({min(walls):.2f}-{max(walls):.2f})" if len(walls) > 1 else ""
    return f"{statistics.median(walls):.2f}{spread} / {statistics.median(f.cpu for f in figures):.2f}"


# MARK: - Targets


def targets(bench, data) -> list[str]:
    lines = ["| | target | here | |", "|---|---|---:|---|"]

    def row(what: str, target: str, values: list[float] | None, most: float | None, least: bool = False) -> None:
        """Ratios of rounds: met when their median is."""
        if not values:
            lines.append(f"| {what} | {target} | - | not measured |")
            return
        middle = statistics.median(values)
        spread = f" ({min(values):.2f}-{max(values):.2f})" if len(values) > 1 else ""
        verdict = "" if most is None else "met" if (middle >= most if least else middle <= most) else "**not met**"
        lines.append(f"| {what} | {target} | {middle:.2f}{spread} | {verdict} |")

    def against(operation: str, other: str | None, part: str = "wall") -> list[float] | None:
        """Ours over another's, round by round; None for the best of the peers."""
        figures = bench.figures.get(operation, {})
        other = other or best(figures, part)
        return ratios(figures.get(OURS), figures.get(other), part)

    def peer(operation: str) -> str:
        return best(bench.figures.get(operation, {}), "wall") or "peers"

    def size(operation: str, other: str) -> list[float] | None:
        sizes = bench.sizes.get(operation, {})
        return [a / b for a, b in zip(sizes.get(OURS, []), sizes.get(other, [])) if b] or None

    row(f"first tree, wall, against {peer('tree')}", "1/2", against("tree", None), 0.5)
    row("first tree, CPU, against the best peer", "1/2", against("tree", None, "cpu"), 0.5)
    row(f"first tree, wall, against {TAR}", "1.3", against("tree", TAR), 1.3)
    row(f"first tree, size, against {TAR}", "1", size("tree", TAR), 1)
    row("unchanged tree, wall, against restic", "1/3", against("unchanged", "restic"), 1 / 3)
    row(f"unchanged tree, wall, against {FIND}", "close", against("unchanged", FIND), None)
    row("changed day, wall, against restic", "1/2", against("changed day", "restic"), 0.5)
    row("changed day, size, against restic", "30/44", size("changed day", "restic"), 30 / 44)
    row(f"first image, wall, against {peer('image 1')}", "1/2", against("image 1", None), 0.5)
    row(f"cloned image, wall, against {peer('image 2')}", "1/4", against("image 2", None), 0.25)
    image = data.facts["image"]
    stored = bench.sizes.get("image 1, day 2", {}).get(OURS, [])
    row(
        f"{image['scattered'] // 4096} scattered 4 KiB writes, stored, against blocks of 1 MiB, compressed", "1/8",
        [size / image["touchedCompressed"] for size in stored], 1 / 8)
    for operation, what in (("restore tree", "restore tree"), ("restore image", "restore image")):
        row(f"{what}, wall, against {peer(operation)}", "1/2", against(operation, None), 0.5)
        row(f"{what}, wall, against {COPY}", "1.5", against(operation, COPY), 1.5)
    rates = bench.rates
    row(
        "check without keys, bytes a second, against SHA-256 on all cores", "0.7",
        [a / b for a, b in zip(rates.get("check keyless", []), rates.get("sha256", []))], 0.7, least=True)
    peaks = [figure.peak for figures in bench.figures.values() for figure in figures.get(OURS, [])]
    row("peak memory, MiB", "256", [max(peaks)] if peaks else None, 256)
    return lines


def best(figures: dict, part: str) -> str | None:
    """The peer with the lowest median."""
    there = [name for name in PEERS if figures.get(name)]
    return min(there, key=lambda name: statistics.median(getattr(f, part) for f in figures[name]), default=None)


def ratios(ours, theirs, part: str) -> list[float] | None:
    if not ours or not theirs:
        return None
    return [getattr(a, part) / max(getattr(b, part), 0.001) for a, b in zip(ours, theirs)]
