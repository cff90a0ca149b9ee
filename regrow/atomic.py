"""Writes that happen whole or not at all: a temporary sibling first, then one rename."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def file(path: Path) -> Iterator[Path]:
    """Give a temporary sibling to write; it becomes `path` on clean exit and is removed on error."""
    sibling = _sibling(path)
    try:
        yield sibling
        _flush_to_disk(sibling)
        sibling.replace(path)
    finally:
        sibling.unlink(missing_ok=True)


@contextmanager
def directory(path: Path) -> Iterator[Path]:
    """Give an empty sibling directory; it replaces `path` on clean exit and is removed on error.

    What stood at `path` is moved aside before the rename and deleted after it.
    """
    sibling, old = _sibling(path), _sibling(path)
    sibling.mkdir(parents=True)
    try:
        yield sibling
        if path.exists():
            path.replace(old)
        try:
            sibling.replace(path)
        except OSError:
            if old.exists() and not path.exists():
                old.replace(path)
            raise
    finally:
        shutil.rmtree(sibling, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8."""
    with file(path) as sibling:
        sibling.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON, keys in the order given. NaN is refused: it is not JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sweep(folder: Path, name: str = "") -> None:
    """Remove what killed writers, or those of `name` alone, left beneath `folder`. Not while any can be at work."""
    for sibling in [path for path in folder.rglob(".*.tmp") if name in path.name]:
        if sibling.is_dir():
            shutil.rmtree(sibling)
        else:
            sibling.unlink(missing_ok=True)  # it may have gone with its folder


def _sibling(path: Path) -> Path:
    """An unused name beside `path`: in the same file system, so that the rename is atomic."""
    return path.parent / f".{path.name}.{uuid4().hex[:12]}.tmp"


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
