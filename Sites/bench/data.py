"""What the bench works on, made from Debian packages that are downloaded and unpacked, never installed.

The same packages give the same data: names are walked in order, choices come from seeded generators, file systems get
fixed identifiers. (Only the times at which files were unpacked, which mke2fs copies into inodes, are of the day.)
Everything is made once and kept; a changed recipe, or another version of a package, makes it anew.

- `tree`: 100,000 files and more. `Day` turns it into the same tree a day later, and back.
- `image-1.raw`: an ext4 file system on a disk of 2 GiB. `image-2.raw`: its clone, with scattered writes and new files.
  `image-1-day2.raw`: the first, with single blocks of 4 KiB written over, far apart.
"""

import hashlib
import json
import os
import random
import shutil
import subprocess
from pathlib import Path

# Raised when what is made below changes.
RECIPE = 1

# Many small files, documents, sources, programs, fonts and pictures. The first two are the small trial.
TREE = """
    vim-runtime python3-sympy
    breeze-icon-theme golang-1.19-src libboost1.74-dev libstdc++-12-doc openjdk-17-doc rust-src gimp-help-en
    libreoffice-common libreoffice-core chromium fonts-noto-cjk python3-scipy python3.11-doc node-typescript
    mono-devel emacs-common
""".split()
# The programs and data of a desktop. The first two are the small trial.
IMAGE = """
    postgresql-15 emacs-common
    firefox-esr golang-1.19-go openjdk-17-jre-headless libllvm14 python3-pandas r-base-core mono-devel blender-data
    freeciv-data libreoffice-core libreoffice-common
""".split()
# Fixed, so that two makings of one file system are the same.
IDENTIFIER = "5b2f0f5e-6c3b-4d0e-9d3a-0b7ea4b7e001"
MOMENT = "1700000000"
BLOCK = 4096
MEBIBYTE = 1 << 20


class Data:
    """The data below a place, and facts about it."""

    def __init__(self, place: Path, debs: Path, small: bool):
        self.place = place
        self.debs = debs
        self.small = small
        self.tree = place / "tree"
        self.images = [place / name for name in ("image-1.raw", "image-2.raw", "image-1-day2.raw")]
        self.disk_bytes = (256 if small else 2048) * MEBIBYTE
        self.facts: dict = {}

    @property
    def day(self) -> "Day":
        return Day(self.tree, self.place / "undo")

    def make(self) -> None:
        """Makes what is not there."""
        self.place.mkdir(parents=True, exist_ok=True)
        self.day.undo()  # A run that was killed may have left the tree a day older.
        tree, image = (TREE[:2], IMAGE[:2]) if self.small else (TREE, IMAGE)
        packages = {name: self._package(name) for name in dict.fromkeys(tree + image)}
        names = [str(path.name) for path in packages.values()]
        stamp = hashlib.sha256(json.dumps([RECIPE, self.small, tree, image, names]).encode()).hexdigest()
        facts = self.place / "facts.json"
        if facts.exists():
            self.facts = json.loads(facts.read_text())
            if self.facts.get("stamp") == stamp:
                return
            facts.unlink()
        say("unpacking the tree")
        unpack([packages[name] for name in tree], self.tree)
        say("making the images")
        self._make_images([packages[name] for name in image])
        self.facts |= self._measure_tree() | {"stamp": stamp, "packages": stamp[:12]}
        facts.write_text(json.dumps(self.facts, indent=1))

    def warm(self) -> None:
        """Reads everything once, so that nobody is the first."""
        for path in [*self.images, *(self.tree / name for name in os.listdir(self.tree))]:
            subprocess.run(f"tar --sparse -cf - {path.name} | cat >/dev/null", cwd=path.parent, shell=True, check=True)

    # MARK: - Packages

    def _package(self, name: str) -> Path:
        self.debs.mkdir(parents=True, exist_ok=True)
        found = sorted(self.debs.glob(f"{name}_*.deb"))
        if not found:
            say(f"downloading {name}")
            done = subprocess.run(["apt-get", "-q", "download", name], cwd=self.debs, capture_output=True, text=True)
            found = sorted(self.debs.glob(f"{name}_*.deb"))
            if done.returncode or not found:
                raise SystemExit(f"bench: {name} cannot be downloaded; try `apt-get update`\n{done.stderr[-800:]}")
        return found[-1]

    def _measure_tree(self) -> dict:
        files = entries = size = 0
        for folder, folders, names in os.walk(os.fsencode(self.tree)):
            entries += len(folders) + len(names)
            for name in names:
                status = os.lstat(os.path.join(folder, name))
                if os.path.isfile(os.path.join(folder, name)) and not os.path.islink(os.path.join(folder, name)):
                    files += 1
                    size += status.st_size
        return {"files": files, "entries": entries, "bytes": size}

    # MARK: - Images

    def _make_images(self, packages: list[Path]) -> None:
        first, second, later = self.images
        root = self.place / "root"
        unpack(packages, root)
        first.unlink(missing_ok=True)
        command = ["mke2fs", "-q", "-F", "-t", "ext4", "-b", str(BLOCK), "-U", IDENTIFIER]
        command += ["-E", f"hash_seed={IDENTIFIER},nodiscard", "-d", str(root), str(first)]
        file_system(command + [f"{self.disk_bytes // 1024}k"])
        shutil.rmtree(root)
        sparse_copy(first, second)
        sparse_copy(first, later)
        pool = self._pool()
        generator = random.Random(2)
        # New files first: debugfs wants a file system that is whole.
        new = self.place / "new"
        new.mkdir(exist_ok=True)
        commands = []
        for number in range(4 if self.small else 40):
            start = generator.randrange(len(pool) - MEBIBYTE)
            (new / f"{number}").write_bytes(pool[start : start + generator.randrange(100_000, MEBIBYTE)])
            commands.append(f"write {new}/{number} /new-{number}")
        (new / "commands").write_text("\n".join(commands) + "\n")
        file_system(["debugfs", "-w", "-f", str(new / "commands"), str(second)])
        shutil.rmtree(new)
        scatter(second, generator, pool, count=40 if self.small else 800, longest=16)
        touched = scatter(later, random.Random(3), pool, count=60 if self.small else 1000, longest=1)
        self.facts["image"] = {
            "disk": self.disk_bytes,
            "used": sum(end - start for start, end in extents(first)),
            "scattered": (60 if self.small else 1000) * BLOCK,
            "touched": len(touched) * MEBIBYTE,
            "touchedCompressed": compressed(later, touched),
        }

    def _pool(self) -> bytes:
        """Real bytes to write over others: what changes on a disk is as compressible as what was there."""
        pool = bytearray()
        for folder, folders, names in os.walk(self.tree):
            folders.sort()
            for name in sorted(names):
                path = os.path.join(folder, name)
                if not os.path.islink(path) and os.path.getsize(path) > 20_000:
                    pool += Path(path).read_bytes()[:MEBIBYTE]
                if len(pool) > 24 * MEBIBYTE:
                    return bytes(pool)
        return bytes(pool)


class Day:
    """A day of work on the tree: 2 % of the files changed, half of them with their bytes shifted, some new and some
    gone, and folders renamed. What it does is written down first, so that `undo` finds the way back from anywhere.
    Another seed is another day."""

    def __init__(self, tree: Path, aside: Path, seed: int = 1):
        self.tree = os.fsencode(tree)
        self.aside = os.fsencode(aside)
        self.journal = aside / "journal.json"
        self.seed = seed

    def apply(self) -> None:
        self.undo()
        generator = random.Random(self.seed)
        files, counts = self._survey()
        chosen = generator.sample(files, max(4, len(files) // 50))
        gone = generator.sample(sorted(set(files) - set(chosen)), max(1, len(files) // 1000))
        folders = sorted(path for path, count in counts.items() if len(files) / 500 <= count <= len(files) / 50)
        renamed: list[bytes] = []
        for folder in generator.sample(folders, len(folders)):
            within = [other for other in renamed if (folder + b"/").startswith(other + b"/")]
            around = [other for other in renamed if (other + b"/").startswith(folder + b"/")]
            if len(renamed) < 5 and not within and not around:
                renamed.append(folder)
        new = [os.path.join(os.path.dirname(path), b"new-%d" % index) for index, path in enumerate(gone)]
        os.makedirs(self.aside, exist_ok=True)
        steps = {"aside": chosen + gone, "new": new, "renamed": renamed}
        text = {key: [os.fsdecode(path) for path in paths] for key, paths in steps.items()}
        self.journal.write_text(json.dumps(text))

        for index, path in enumerate(chosen + gone):
            os.rename(path, self._kept(index))
        for index, path in enumerate(chosen):
            self._rewrite(path, index, generator)
        for path in new:
            write(path, b"".join(b"berth %d: %s\n" % (n, generator.randbytes(12).hex().encode()) for n in range(500)))
        for folder in renamed:
            os.rename(folder, folder + b" renamed")

    def undo(self) -> None:
        if not self.journal.exists():
            return
        steps = {key: [os.fsencode(path) for path in paths] for key, paths in json.loads(self.journal.read_text()).items()}
        for folder in reversed(steps["renamed"]):
            if os.path.isdir(folder + b" renamed"):
                os.rename(folder + b" renamed", folder)
        for path in steps["new"]:
            if os.path.lexists(path):
                os.unlink(path)
        for index, path in enumerate(steps["aside"]):
            if os.path.lexists(self._kept(index)):
                os.replace(self._kept(index), path)
        self.journal.unlink()

    def _kept(self, index: int) -> bytes:
        return os.path.join(self.aside, b"%d" % index)

    def _survey(self) -> tuple[list[bytes], dict[bytes, int]]:
        """Regular files in order, and how many lie below each folder."""
        files, counts = [], {}
        for folder, _, names in os.walk(self.tree):
            here = [os.path.join(folder, name) for name in names]
            here = [path for path in here if os.path.isfile(path) and not os.path.islink(path)]
            files += here
            above = folder
            while len(above) > len(self.tree):
                counts[above] = counts.get(above, 0) + len(here)
                above = os.path.dirname(above)
        return sorted(files), counts

    def _rewrite(self, path: bytes, index: int, generator: random.Random) -> None:
        kept = self._kept(index)
        with open(kept, "rb") as file:
            content = file.read()
        middle = generator.randrange(len(content) + 1)
        line = b"changed %d: %s\n" % (index, generator.randbytes(40).hex().encode())
        match index % 4:
            case 0:  # In place.
                content = content[:middle] + line[: len(content) - middle] + content[middle + len(line) :]
            case 1:  # Every byte shifted.
                content = line + content
            case 2:  # Half of them.
                content = content[:middle] + line + content[middle:]
            case _:
                content = content + line * 4
        write(path, content)
        shutil.copymode(kept, path)


# MARK: - Steps


def say(text: str) -> None:
    print(f"bench: {text}", flush=True)


def write(path: bytes, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


def unpack(packages: list[Path], into: Path) -> None:
    fresh = into.with_name(into.name + ".new")
    for path in (fresh, into):
        if path.exists():
            shutil.rmtree(path)
    for package in packages:
        subprocess.run(["dpkg-deb", "-x", package, fresh], check=True)
    fresh.rename(into)


def file_system(command: list[str]) -> None:
    environment = os.environ | {"E2FSPROGS_FAKE_TIME": MOMENT, "SOURCE_DATE_EPOCH": MOMENT}
    environment["PATH"] += ":/usr/sbin:/sbin"
    subprocess.run(command, env=environment, check=True, capture_output=True)


def sparse_copy(source: Path, target: Path) -> None:
    subprocess.run(["cp", "--sparse=always", source, target], check=True)


def extents(image: Path) -> list[tuple[int, int]]:
    """Where the file is no hole."""
    found = []
    with open(image, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        at = 0
        while at < size:
            try:
                start = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError:
                break
            at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            found.append((start, at))
    return found


def scatter(image: Path, generator: random.Random, pool: bytes, count: int, longest: int) -> set[int]:
    """Writes runs of 1 to `longest` blocks over what is there, far apart. Gives the MiB that were touched."""
    blocks = [block for start, end in extents(image) for block in range(start // BLOCK, end // BLOCK)]
    touched = set()
    with open(image, "r+b") as file:
        for block in generator.sample(blocks, count):
            length = generator.randint(1, longest) * BLOCK
            start = generator.randrange(len(pool) - length)
            file.seek(block * BLOCK)
            file.write(pool[start : start + length])
            touched |= {block * BLOCK // MEBIBYTE}
    return touched


def compressed(image: Path, mebibytes: set[int]) -> int:
    """What these MiB take by zstd -3, each by itself as a store of such blocks would have them."""
    total = 0
    with open(image, "rb") as file:
        for number in sorted(mebibytes):
            file.seek(number * MEBIBYTE)
            block = file.read(MEBIBYTE)
            total += len(subprocess.run(["zstd", "-3", "-c"], input=block, capture_output=True, check=True).stdout)
    return total
