"""The tools, each by the same few verbs. All encrypt and compress by zstd at level 3 or their default; the limits
(`tar` into `zstd`, `cp`, `find`) only do what nobody can do without."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


PROJECT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("BREAKWATER") or PROJECT / ".build/release/breakwater").resolve()


def secret(place: Path) -> Path:
    """A file with a passphrase that nobody knows."""
    passphrase = place / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text(os.urandom(24).hex() + "\n")
    return passphrase


class Tool:
    """One tool with repositories of its own below `place`. A verb gives a command, or None where it has none.

    `restore_tree` and `restore_image` also give the folder to start in and where what comes back will lie."""

    name = ""

    def __init__(self, place: Path):
        self.place = place / self.name
        self.environment: dict[str, str] = {}

    def missing(self) -> str | None:
        """Why it cannot take part."""
        return None

    def version(self) -> str:
        return ""

    def begin(self, kind: str) -> None:
        """An empty repository for a kind of data (`tree`, `image`), which the verbs work on from now on."""
        self.place.mkdir(parents=True, exist_ok=True)
        self.vault = self.place / kind
        self.make()

    def use(self, kind: str) -> None:
        self.vault = self.place / kind

    def make(self) -> None: ...

    def stored(self) -> int:
        return sum(path.lstat().st_size for path in self.vault.rglob("*") if path.is_file())

    def end(self) -> None:
        if self.place.exists():
            shutil.rmtree(self.place)

    def backup_tree(self, tree: Path, turn: str): ...
    def look(self, tree: Path): ...
    def restore_tree(self, tree: Path, target: Path): ...
    def check(self): ...
    def check_keyless(self): ...
    def backup_image(self, image: Path, name: str): ...
    def restore_image(self, image: Path, name: str, target: Path): ...

    def quietly(self, command: list) -> str:
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"bench: {' '.join(map(str, command))}: {done.stderr[-800:]}{done.stdout[-800:]}")
        return done.stdout


class Breakwater(Tool):
    name = "breakwater"

    program = PROGRAM

    def __init__(self, place: Path, passphrase: Path):
        super().__init__(place)
        self.environment = {
            "BREAKWATER_PASSPHRASE_FILE": str(passphrase), "BREAKWATER_STATE": str(self.place / "state")}

    def missing(self):
        return None if os.access(self.program, os.X_OK) else f"{self.program} is not built"

    def version(self):
        return "breakwater " + self.quietly([self.program, "--version"]).strip()

    def _command(self, verb: str, *more) -> list:
        return [self.program, "repository", verb, "--vault", self.vault, *more]

    def make(self):
        self.quietly(self._command("init"))

    def backup_tree(self, tree, turn):
        return self._command("backup", "--name", "tree", tree)

    def restore_tree(self, tree, target):
        return self._command("restore", "latest:tree", "--target", target), target, Path(f"{target}{tree}")

    def check(self):
        return self._command("check", "--read-data")

    def check_keyless(self):
        if "--keyless" not in self.quietly([self.program, "repository", "check", "--help"]):
            return None
        return ["env", "-u", "BREAKWATER_PASSPHRASE_FILE", *self._command("check", "--keyless")]

    def backup_image(self, image, name):
        return self._command("backup", "--name", name, "--disk", image)

    def restore_image(self, image, name, target):
        return self._command("restore", f"latest:{name}", "--disk", target / "out.raw"), target, target / "out.raw"

    def forget_all_but_last(self):
        return self._command("forget", "--keep-last", "1", "--yes")

    def collect(self):
        return self._command("collect", "--release-claims")


class Restic(Tool):
    name = "restic"

    def __init__(self, place: Path, passphrase: Path):
        super().__init__(place)
        self.program = os.environ.get("RESTIC", "restic")
        self.environment = {
            "RESTIC_PASSWORD_FILE": str(passphrase), "RESTIC_CACHE_DIR": str(self.place / "cache"),
            "RESTIC_PROGRESS_FPS": "0.1"}

    def missing(self):
        return None if shutil.which(self.program) else "restic is not installed"

    def version(self):
        return " ".join(self.quietly([self.program, "version"]).split()[:2])

    def _command(self, *words) -> list:
        return [self.program, "-q", "-r", self.vault, *words]

    def make(self):
        self.quietly(self._command("init", "--repository-version", "2"))

    def backup_tree(self, tree, turn):
        return self._command("backup", "--compression", "auto", tree)

    def restore_tree(self, tree, target):
        return self._command("restore", "latest", "--target", target), target, Path(f"{target}{tree}")

    def check(self):
        return self._command("check", "--read-data")

    def backup_image(self, image, name):
        return self._command("backup", "--compression", "auto", image)

    def restore_image(self, image, name, target):
        command = self._command("restore", "latest", "--path", image, "--target", target)
        return command, target, Path(f"{target}{image}")


class Borg(Tool):
    name = "borg"

    def __init__(self, place: Path, passphrase: Path, home: Path):
        super().__init__(place)
        self.program = os.environ.get("BORG") or str(home / "bin" / "borg")
        self.home = home
        self.environment = {
            "BORG_PASSCOMMAND": f"cat {passphrase}", "BORG_BASE_DIR": str(self.place / "base"), "LC_ALL": "C.UTF-8"}

    def missing(self):
        """Built by pip where it is not there yet: from source, which takes a minute."""
        if not shutil.which(self.program):
            print("bench: installing borgbackup from PyPI", flush=True)
            done = subprocess.run([sys.executable, "-m", "venv", self.home], capture_output=True, text=True)
            if not done.returncode:
                done = subprocess.run(
                    [self.home / "bin" / "pip", "install", "-q", "borgbackup"], capture_output=True, text=True)
            if done.returncode:
                return "borgbackup could not be installed: " + (done.stderr.strip().splitlines() or ["?"])[-1]
        return None

    def version(self):
        return self.quietly([self.program, "--version"]).strip()

    def make(self):
        # HMAC-SHA-256, which processors with SHA instructions do faster than the other choice, BLAKE2.
        self.quietly([self.program, "init", "-e", "repokey", self.vault])
        self.archives: list[str] = []

    def _create(self, name: str, path: Path) -> list:
        return [self.program, "create", "--compression", "zstd,3", f"{self.vault}::{name}", path]

    def backup_tree(self, tree, turn):
        self.latest = turn
        return self._create(turn, tree)

    def restore_tree(self, tree, target):
        return [self.program, "extract", f"{self.vault}::{self.latest}"], target, Path(f"{target}{tree}")

    def check(self):
        return [self.program, "check", "--verify-data", self.vault]

    def backup_image(self, image, name):
        return self._create(image.stem, image)

    def restore_image(self, image, name, target):
        command = [self.program, "extract", "--sparse", f"{self.vault}::{image.stem}"]
        return command, target, Path(f"{target}{image}")


class TarZstd(Tool):
    name = "tar, zstd -3 -T2"

    def begin(self, kind):
        super().begin(kind)
        self.vault.mkdir(exist_ok=True)

    def backup_tree(self, tree, turn):
        return None if turn != "first" else [
            "tar", "--format=posix", "-I", "zstd -3 -T2", "-cf", self.vault / "tree.tar.zst", "-C", tree.parent, tree.name]

    def restore_tree(self, tree, target):
        return ["tar", "-I", "zstd", "-xf", self.vault / "tree.tar.zst"], target, target / tree.name

    def backup_image(self, image, name):
        return ["zstd", "-q", "-3", "-T2", "-f", image, "-o", self.vault / f"{image.name}.zst"]

    def restore_image(self, image, name, target):
        command = ["zstd", "-q", "-d", self.vault / f"{image.name}.zst", "-o", target / "out.raw"]
        return command, target, target / "out.raw"


class Copy(Tool):
    name = "cp -a"

    def restore_tree(self, tree, target):
        return ["cp", "-a", tree, target], target, target / tree.name

    def restore_image(self, image, name, target):
        return ["cp", "-a", "--sparse=auto", image, target / "out.raw"], target, target / "out.raw"


class Find(Tool):
    name = "find -printf"

    def look(self, tree):
        return ["find", tree, "-printf", r"%y %i %n %m %U %G %s %T@ %C@ %p\n"]
