"""Where a result comes from: which source, which machine, which bytes."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

STAGE_RECORD = "stage.json"
"""What a run keeps beside the outputs of a stage, in their folder (`regrow.manifest.Stage`); it tells times."""

_DIGEST_BYTES = 16
_SOURCE = Path(__file__).resolve().parents[1]


def commit(source: Path = _SOURCE) -> str:
    """The git commit of `source`, with "+dirty" where tracked files differ from it; else the package's version."""
    if (source / ".git").exists():
        head = _git(source, "rev-parse", "HEAD")
        changes = _git(source, "status", "--porcelain", "--untracked-files=no")
        if head is not None and changes is not None:
            return head + ("+dirty" if changes else "")
    return _version("regrow")


def hardware() -> dict[str, Any]:
    """What figures of speed depend on. No host name, user or path."""
    import torch

    accelerators = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {
        "cpu": _cpu_model(),
        "cores": _usable_cores(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "accelerators": accelerators,
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
    }


def digest(value: object) -> str:
    """BLAKE2b of the canonical JSON of `value`: equal for equal content, whatever the order of keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).hexdigest()


def digest_file(path: Path) -> str:
    """BLAKE2b of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=_DIGEST_BYTES)).hexdigest()


def digest_dir(folder: Path) -> str:
    """Digest of every file beneath `folder`, names relative to it included, but for its `STAGE_RECORD`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / STAGE_RECORD)
    return digest([[path.relative_to(folder).as_posix(), digest_file(path)] for path in files])


def _git(source: Path, *arguments: str) -> str | None:
    command = ["git", "-C", str(source), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
