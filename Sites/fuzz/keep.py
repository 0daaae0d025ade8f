"""Copies the smallest inputs of a merged corpus into the tree, a few KiB in all; what is there already stays.

usage: keep.py MERGED KEPT
"""

import pathlib
import sys

BUDGET = 6 << 10

merged, kept = map(pathlib.Path, sys.argv[1:])
left = BUDGET - sum(file.stat().st_size for file in kept.iterdir())
there = {file.read_bytes() for file in kept.iterdir()}
for file in sorted(merged.iterdir(), key=lambda file: (file.stat().st_size, file.name)):
    content = file.read_bytes()
    if content in there or len(content) > left:
        continue
    left -= len(content)
    (kept / file.name[:12]).write_bytes(content)
