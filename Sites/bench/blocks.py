#!/usr/bin/env python3
"""What other ways of cutting disks would store, on the images that `make bench` left: a trial for ARCHITECTURE.md.

    blocks.py [FOLDER]        .build/bench otherwise

Fixed blocks of several sizes, and cuts where the content says so but only on multiples of 4 KiB (a page ends a block
when one in so many of its hashes does; at least a quarter of the average, at most four times). Each way goes through
image 1, its clone and image 1 a day later; what is new of each is put together into frames of 1 MiB and compressed by
`zstd -3`. Zeros are left out.
"""

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = 4096
FRAME = 1 << 20
IMAGES = ["image-1.raw", "image-2.raw", "image-1-day2.raw"]


def pages(path: Path) -> list[bytes]:
    """The hash of each page; nothing for zeros."""
    zeros = bytes(PAGE)
    with path.open("rb") as file:
        found = []
        while page := file.read(PAGE):
            found.append(b"" if page == zeros[: len(page)] else hashlib.blake2b(page, digest_size=16).digest())
    return found


def fixed(size: int):
    count = size // PAGE
    return lambda hashes: range(count, len(hashes) + count, count)


def by_content(average: int):
    """Where blocks end, in pages."""
    count = average // PAGE

    def ends(hashes: list[bytes]):
        start = 0
        for index, page in enumerate(hashes):
            length = index + 1 - start
            is_cut = page and length >= count // 4 and int.from_bytes(page[:4], "big") % count == 0
            if is_cut or length == 4 * count:
                yield index + 1
                start = index + 1
        yield len(hashes)

    return ends


WAYS = [(f"fixed, {size >> 10} KiB", fixed(size)) for size in (4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20)]
WAYS += [(f"by content on 4 KiB, {size >> 10} KiB", by_content(size)) for size in (16 << 10, 64 << 10, 256 << 10)]


def compressed(path: Path, stretches: list[tuple[int, int]]) -> int:
    """Bytes of the stretches, each frame of them compressed by itself."""
    with path.open("rb") as image, tempfile.NamedTemporaryFile() as new:
        for start, end in stretches:
            image.seek(start)
            new.write(image.read(end - start))
        new.flush()
        if new.tell() == 0:
            return 0
        words = ["zstd", "-3", "-b3", "-i0", f"-B{FRAME}", new.name]
        output = subprocess.run(words, check=True, capture_output=True, text=True)
        return int((output.stdout + output.stderr).split("->")[-1].split()[0])


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".build/bench")
    hashes = {name: pages(folder / name) for name in IMAGES}
    print("| cut | blocks of image 1 | image 1, MB | clone, MB | a day later, MB |\n|---|---:|---:|---:|---:|")
    for name, ends in WAYS:
        known: set[bytes] = set()
        blocks = 0
        sizes = []
        for image in IMAGES:
            start = 0
            new = []
            for end in ends(hashes[image]):
                block = hashes[image][start:end]
                if any(block):
                    digest = hashlib.blake2b(b"".join(page or b"0" for page in block), digest_size=16).digest()
                    blocks += image == IMAGES[0]
                    if digest not in known:
                        known.add(digest)
                        new.append((start * PAGE, end * PAGE))
                start = end
            sizes.append(compressed(folder / image, new))
        print(f"| {name} | {blocks} | " + " | ".join(f"{size / 1e6:.1f}" for size in sizes) + " |", flush=True)


if __name__ == "__main__":
    main()
