"""What a command writes, makes, removes or starts where it should not."""

from __future__ import annotations

import os
import sys
from pathlib import Path


class Spy:
    """Notes what Python's own calls write, make, remove or start outside of the run directory and of scratch places."""

    _HOOKED = False
    _watching: Spy | None = None
    _CHANGES = (
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.link",
        "os.truncate",
        "shutil.rmtree",
    )
    _STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn")

    def __init__(self, run: Path) -> None:
        root = os.environ["BAD_INPUTS"]
        self._free = (str(run), f"{root}/tmp", f"{root}/hub", "/dev/", "/proc/")
        self.wrote: list[str] = []

    def __enter__(self) -> Spy:
        if not Spy._HOOKED:
            sys.addaudithook(Spy._heard)
            Spy._HOOKED = True
        Spy._watching = self
        return self

    def __exit__(self, *_: object) -> None:
        Spy._watching = None

    @staticmethod
    def _heard(event: str, told: tuple[object, ...]) -> None:
        spy = Spy._watching
        if spy is None:
            return
        if event == "open" and isinstance(told[0], str | bytes) and isinstance(told[2], int):
            if told[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                spy._note(event, told[0])
        elif event in ("os.remove", "os.rmdir") and isinstance(told[1], int) and told[1] >= 0:
            spy._note(
                event, Path(f"/proc/self/fd/{told[1]}").readlink() / os.fsdecode(told[0])
            )  # beneath an open folder
        elif event in Spy._CHANGES and isinstance(told[0], str | bytes | os.PathLike):
            spy._note(event, told[0])
        elif event in Spy._STARTS and told[0] not in ("git", "uname"):  # asked for the commit and the machine
            spy.wrote.append(f"{event} {told[0]}")

    def _note(self, event: str, path: str | bytes | os.PathLike[str]) -> None:
        full = str(Path(os.fsdecode(path)).absolute())
        is_there = event == "os.mkdir" and Path(full).is_dir()
        if not is_there and not full.startswith(self._free) and "__pycache__" not in full:
            self.wrote.append(f"{event} {full}")


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    """Files and folders, with times and sizes, but for the run directory."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.relative_to(folder).parts[0] != "run" and not path.is_symlink():
            told = path.stat()
            found[str(path)] = (0, 0) if path.is_dir() else (told.st_mtime_ns, told.st_size)
    return found
