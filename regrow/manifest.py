"""The run directory: which command and config own it, and which of its stages are done.

    with open_run(Path("runs/demo"), "train", config, ignore={"output"}) as run:
        found = run.stage("round-1/search", inputs={"policy": base.digest}, work=search)
        run.stage("round-1/label", inputs={"search": found.digest}, work=label)

A stage is a folder that appears whole, with its `stage.json`. Run again, a done stage is not repeated.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from mcts.errors import InputError
from regrow import atomic, provenance

SCHEMA = 1
MANIFEST = "manifest.json"
HYDRA = ".hydra"
_NAMED_DIFFERENCES = 4
_ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Manifest:
    """Who owns a run directory: `manifest.json`.

    Attributes:
        schema: Version of this format.
        command: The command that runs here, such as `train`.
        config: The resolved config, plain JSON values.
        commit: Source the run was started from.
        created: When, UTC, ISO 8601.
    """

    schema: int
    command: str
    config: dict[str, Any]
    commit: str
    created: str


@dataclass(frozen=True, slots=True)
class Stage:
    """A finished stage: `stage.json` in its folder.

    Attributes:
        inputs: What the work depended on, usually digests.
        seconds: Wall-clock of the work; of the last attempt where earlier ones were killed.
        outputs: Digest of the files the work left in the folder.
        result: What the work returned.
    """

    folder: Path
    inputs: dict[str, Any]
    seconds: float
    outputs: str
    result: dict[str, Any]

    @property
    def digest(self) -> str:
        """Stands for what the stage produced, as an input of the next; the clock is not in it."""
        return provenance.digest([self.outputs, self.result])


class Run:
    """A run directory held by this process. Made by `open_run`; a context manager that lets go of it.

    Attributes:
        folder: The run directory.
        manifest: Its manifest.
    """

    def __init__(self, folder: Path, manifest: Manifest, lock: IO[str]) -> None:
        self.folder = folder
        self.manifest = manifest
        self._lock = lock

    def stage(self, name: str, *, inputs: Mapping[str, Any], work: Callable[[Path], Mapping[str, Any]]) -> Stage:
        """Do `work` once: give it an empty folder that becomes `folder/name` when it returns its result.

        Args:
            name: Relative folder, such as `round-1/search`.
            inputs: JSON values the work depends on. A done stage with equal inputs is returned as it is.
            work: Fills the folder and returns a JSON object (no NaN: None says "not known").

        Raises:
            InputError: The stage was done from other inputs, or its folder is not a stage's.
        """
        inputs = _plain(inputs)
        if (done := self.stage_done(name)) is not None:
            if differences := _differences(done.inputs, inputs, frozenset()):
                raise InputError(f"{done.folder} was made from other inputs: {differences}; {_anew(self.folder)}")
        else:
            done = self._do(name, inputs, work)
        shutil.rmtree(self._scratch(name), ignore_errors=True)
        return done

    def stage_done(self, name: str) -> Stage | None:
        """The finished stage `name`, or None. Raises `InputError` if its folder has no readable `stage.json`."""
        folder = self.folder / name
        if not folder.exists():
            return None
        record = _read_object(folder / provenance.STAGE_RECORD, {field.name for field in fields(Stage)} - {"folder"})
        return Stage(folder, **record)

    def scratch(self, name: str) -> Path:
        """A working folder of stage `name` that survives a crash; removed once the stage is done."""
        folder = self._scratch(name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _do(self, name: str, inputs: dict[str, Any], work: Callable[[Path], Mapping[str, Any]]) -> Stage:
        target = self.folder / name
        with atomic.directory(target) as folder:
            start = time.perf_counter()
            result = _plain(work(folder))
            seconds = time.perf_counter() - start
            stage = Stage(target, inputs, seconds, provenance.digest_dir(folder), result)
            record = asdict(stage)
            del record["folder"]
            atomic.write_json(folder / provenance.STAGE_RECORD, record)
        return stage

    def _scratch(self, name: str) -> Path:
        stage = self.folder / name
        return stage.with_name(f".{stage.name}.scratch")

    def close(self) -> None:
        """Let other processes have the run directory."""
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, InputError) and not self._is_begun():
            (self.folder / MANIFEST).unlink(missing_ok=True)  # the mended configuration is no other one
        self.close()

    def _is_begun(self) -> bool:
        """Whether any stage was; Hydra keeps a record of its own beside them."""
        return any(path.is_dir() and path.name != HYDRA for path in self.folder.iterdir())


def open_run(folder: Path, command: str, config: Mapping[str, Any], *, ignore: Collection[str] = ()) -> Run:
    """Create the run directory `folder`, or go on with the one that is there.

    Args:
        command: The command that runs here.
        config: The resolved config, JSON values.
        ignore: Dotted keys of the config (with all beneath) in which a later start may differ.

    Raises:
        InputError: Not writable, held by another process, a broken manifest, or one of another command or config.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _hold(folder)
    except OSError as error:
        raise InputError(f"run.dir={folder} is not writable ({error.strerror}), expected a folder of yours") from error
    try:
        atomic.sweep(folder)
        return Run(folder, _manifest(folder, command, _plain(config), frozenset(ignore)), lock)
    except BaseException:
        lock.close()
        raise


def _hold(folder: Path) -> IO[str]:
    """Lock `folder` for as long as the returned file is open; the system lets go when the process ends."""
    lock = (folder / ".lock").open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise InputError(
            f"run.dir={folder} is in use by process {holder}: wait for it or use another run.dir"
        ) from error
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")
    lock.flush()
    return lock


def _manifest(folder: Path, command: str, config: dict[str, Any], ignore: frozenset[str]) -> Manifest:
    path = folder / MANIFEST
    if not path.exists():
        created = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(SCHEMA, command, config, provenance.commit(), created)
        atomic.write_json(path, asdict(manifest))
        return manifest
    manifest = Manifest(**_read_object(path, {field.name for field in fields(Manifest)}))
    if manifest.schema != SCHEMA:
        raise InputError(f"{path}: schema {manifest.schema}, expected {SCHEMA}; {_anew(folder)}")
    if manifest.command != command:
        raise InputError(f"{folder} belongs to `{manifest.command}`, not `{command}`; {_anew(folder)}")
    if differences := _differences(manifest.config, config, ignore):
        raise InputError(f"{folder} was started with another config: {differences}; {_anew(folder)}")
    return manifest


def _read_object(path: Path, keys: set[str]) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not readable JSON; {_anew(path.parent)}") from error
    if not isinstance(found, dict) or set(found) != keys:
        raise InputError(f"{path} is broken, expected an object with {', '.join(sorted(keys))}; {_anew(path.parent)}")
    return found


def _differences(before: dict[str, Any], now: dict[str, Any], ignore: frozenset[str]) -> str:
    """What differs, in one line; empty if nothing does."""
    old, new = _flat(before), _flat(now)
    keys = [key for key in sorted({*old, *new}) if not _ignored(key, ignore)]
    found = [
        f"{key} was {old.get(key, _ABSENT)}, is now {new.get(key, _ABSENT)}"
        for key in keys
        if old.get(key) != new.get(key)
    ]
    more = len(found) - _NAMED_DIFFERENCES
    return "; ".join(found[:_NAMED_DIFFERENCES]) + (f"; and {more} more" if more > 0 else "")


def _flat(value: object, prefix: str = "") -> dict[str, str]:
    """Dotted key -> JSON of the leaf."""
    if not isinstance(value, dict) or (prefix and not value):
        return {prefix: json.dumps(value, ensure_ascii=False)}
    flat: dict[str, str] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{prefix}.{key}" if prefix else key)
    return flat


def _ignored(key: str, ignore: frozenset[str]) -> bool:
    return any(key == name or key.startswith(f"{name}.") for name in ignore)


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """As it will read back from JSON: tuples as lists, keys as strings."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(value), allow_nan=False))
    return plain


def _anew(folder: Path) -> str:
    return f"to start anew use another run.dir or delete {folder}"
