"""Crashes on purpose: a command in a child process that is killed, or hindered, where it hurts; and what is left.

Children are forked by a server that has imported everything, so that an attempt costs no more than its work. The
failing file system is the real one. A limit on the size of files tears a write at a given byte, whoever writes, Python
or not: the signal that comes with it kills, or is ignored, and then the write fails. And an audit hook counts what
Python does to files in the run directory, and kills, or raises, before the nth of it.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from random import Random
from typing import Any

PRELOADED = [
    "regrow.training",
    "regrow.generate.door",
    "regrow.serve.app",
    "policy.transformers_policy",
    "prm.scorer",
    "transformers.trainer",
    "transformers.models.llama.modeling_llama",
    "pyarrow.parquet",
]
CLOCKS = ("seconds", "created")
"""Keys of JSON files that tell times."""

OWN = (".hydra", ".lock", "report.html")
"""What differs from start to start: Hydra's record of the words given, who holds the run, a page that shows seconds."""

_OPERATIONS = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_STUCK_S = 300.0


class Kind(StrEnum):
    """How an attempt is hindered, and what `Fault.at` counts."""

    KILL = "kill -9 after so many seconds"
    KILL_BEFORE = "kill -9 before the nth file operation"
    KILL_WITHIN = "killed within the write that goes beyond the nth byte of a file"
    FULL_WITHIN = "EFBIG within the write that goes beyond the nth byte of a file"
    INTERRUPT = "SIGINT after so many seconds"
    TERMINATE = "SIGTERM after so many seconds"
    NO_SPACE = "ENOSPC at the nth file operation"
    BROKEN = "EIO at the nth file operation"
    NO_ACCESS = "EACCES at the nth file operation"

    @property
    def kills(self) -> bool:
        """Whether the process dies of it; else it ends by itself and says why."""
        return self in (Kind.KILL, Kind.KILL_BEFORE, Kind.KILL_WITHIN)


_SIGNALS = {Kind.KILL: signal.SIGKILL, Kind.INTERRUPT: signal.SIGINT, Kind.TERMINATE: signal.SIGTERM}
_ERRORS = {Kind.NO_SPACE: errno.ENOSPC, Kind.BROKEN: errno.EIO, Kind.NO_ACCESS: errno.EACCES}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    kind: Kind
    at: float

    def __str__(self) -> str:
        return f"{self.kind} ({self.at:.4g})"


@dataclass(frozen=True)
class Whole:
    """A run that nobody disturbed: what others must come to, and how much there is to disturb.

    Attributes:
        sizes: Of its files, in bytes.
        operations: File operations of Python's.
    """

    folder: Path
    seconds: float
    sizes: tuple[int, ...]
    operations: int

    def fault(self, kind: Kind, rng: Random) -> Fault:
        """Somewhere between the beginning and the end."""
        if kind in _SIGNALS:
            return Fault(kind, rng.uniform(0.0, self.seconds))
        if kind in (Kind.KILL_WITHIN, Kind.FULL_WITHIN):
            return Fault(kind, rng.randrange(1, rng.choice(self.sizes) + 1))
        return Fault(kind, rng.randint(1, self.operations))


@dataclass(frozen=True)
class Attempt:
    """A start of a command, and how it ended.

    Attributes:
        code: Its exit code; of one that was killed, minus the signal's number.
        said: Its standard error.
        operations: File operations of Python's, of one that was not killed.
    """

    code: int
    said: str
    seconds: float
    operations: int

    @property
    def is_killed(self) -> bool:
        """Whether it died."""
        return self.code < 0


class Server:
    """Forks children that have imported everything."""

    def __init__(self) -> None:
        self._context: ForkServerContext = get_context("forkserver")
        self._context.set_forkserver_preload(PRELOADED)

    def run(self, words: Sequence[str], folder: Path, fault: Fault | None = None) -> Attempt:
        """Run `regrow WORDS run.dir=FOLDER`, with a fault.

        Raises:
            RuntimeError: It hangs.
        """
        counted = folder.with_suffix(".operations")
        counted.write_text("0")
        listener, mouth = self._context.Pipe(duplex=False)  # to a file, the limit on sizes would hold, too
        arguments = [*words, f"run.dir={folder}"], folder, fault, mouth, counted
        child = self._context.Process(target=_child, args=arguments)
        start = time.monotonic()
        child.start()
        mouth.close()
        if fault and fault.kind in _SIGNALS:
            child.join(fault.at)
            if child.is_alive() and child.pid:
                os.kill(child.pid, _SIGNALS[fault.kind])
        child.join(_STUCK_S)
        if is_stuck := child.is_alive():
            child.kill()
            child.join()
        seconds = time.monotonic() - start
        with listener, os.fdopen(os.dup(listener.fileno()), errors="replace") as ear:
            said = ear.read()
        if is_stuck:
            raise RuntimeError(f"hangs with {fault}: {said[-500:]}")
        assert child.exitcode is not None
        return Attempt(child.exitcode, said, seconds, int(counted.read_text() or 0))

    @contextmanager
    def serving(self, words: Sequence[str]) -> Iterator[tuple[str, BaseProcess]]:
        """A server that was started with `regrow WORDS`: where it answers, and the process, which dies at the end."""
        listener, mouth = self._context.Pipe(duplex=False)
        child = self._context.Process(target=_child, args=([*words], None, None, mouth, None))
        child.start()
        mouth.close()
        try:
            with listener, os.fdopen(os.dup(listener.fileno()), errors="replace") as ear:
                told = next((line for line in ear if line.startswith("serving ")), "")
                if not told:
                    raise RuntimeError(f"regrow {words[0]} ended before it served")
                yield told.split()[-1], child
        finally:
            child.kill()
            child.join()

    def whole(self, words: Sequence[str], folder: Path) -> Whole:
        """Run it through, undisturbed."""
        attempt = self.run(words, folder)
        if attempt.code:
            raise RuntimeError(f"the undisturbed run ended with {attempt.code}: {attempt.said[-500:]}")
        sizes = tuple(sorted(path.stat().st_size for path in _files(folder)))
        return Whole(folder, attempt.seconds, sizes, attempt.operations)


def complaints(attempt: Attempt, fault: Fault) -> Iterator[str]:
    """What is wrong with the way in which an attempt ended."""
    if "Traceback" in attempt.said:
        yield f"a traceback: {attempt.said[-600:]}"
    if fault.kind.kills or not attempt.code:
        return
    is_signal = fault.kind in _SIGNALS
    if is_signal and attempt.is_killed and not attempt.said:  # before it listened to signals: there is nothing to save
        return
    codes, start = ((130,), "regrow: interrupted; what was done is saved.") if is_signal else ((1, 2), "regrow: ")
    last = attempt.said.strip().splitlines()[-1:]
    if attempt.code not in codes or not last or not last[0].startswith(start):
        yield f"exit code {attempt.code}, expected {codes} and a line that begins with {start!r}: {attempt.said[-300:]}"


def differences(folder: Path, whole: Path) -> Iterator[str]:
    """What two runs differ in, but for times and places."""
    found, expected = ({path.relative_to(root) for path in _files(root)} for root in (folder, whole))
    for path in sorted(found ^ expected):
        yield f"{path}: {'left over' if path in found else 'missing'}"
    for path in sorted(found & expected):
        if _content(folder / path) != _content(whole / path):
            yield f"{path}: differs"


def journals(folder: Path) -> dict[Path, list[bytes]]:
    """The whole records of the journals that are there."""
    found = {path: path.read_bytes().split(b"\n")[:-1] for path in folder.rglob("journal*.txt")}
    return {path: records for path, records in found.items() if records}


def broken_promises(before: dict[Path, list[bytes]], after: dict[Path, list[bytes]]) -> Iterator[str]:
    """A journal keeps what it held, in its order, as long as it is there; and no ticket is paid for twice."""
    for path, records in after.items():
        tickets = [tuple(json.loads(record.partition(b" ")[2])[:2]) for record in records]
        if repeated := len(tickets) - len(set(tickets)):
            yield f"{path}: {repeated} tickets were paid for twice"
        if records[: len(before.get(path, []))] != before.get(path, []):
            yield f"{path}: records were lost or changed by a start"


# --- the child --------------------------------------------------------------------------------------------------------


def _child(words: list[str], folder: Path | None, fault: Fault | None, mouth: Connection, counted: Path | None) -> None:
    """Run the command with its standard error in a pipe; the process ends with its exit code."""
    from regrow.cli import main

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a fork server ignores it
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(mouth.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    hindrance = Hindrance(folder, fault)
    with hindrance.at_work():
        code = main(words)
    if counted is not None:
        counted.write_text(str(hindrance.operations))
    sys.exit(code)


class Hindrance:
    """Counts the operations of this process on files beneath a folder, and does what a fault says."""

    def __init__(self, folder: Path | None, fault: Fault | None) -> None:
        self.operations = 0
        self._folder = str(folder)
        self._fault = fault
        self._is_at_work = False

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Hinder what is done within."""
        fsync, fault = os.fsync, self._fault

        def flush(descriptor: int) -> None:
            self._count()
            fsync(descriptor)

        if fault and fault.kind in (Kind.KILL_WITHIN, Kind.FULL_WITHIN):
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL if fault.kind.kills else signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(fault.at), resource.RLIM_INFINITY))
        sys.addaudithook(self._hear)  # there is no way to take it off again
        os.fsync, self._is_at_work = flush, True
        try:
            yield
        finally:
            os.fsync, self._is_at_work = fsync, False
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_at_work or (event != "open" and event not in _OPERATIONS):
            return
        is_change = event != "open" or bool(isinstance(arguments[2], int) and arguments[2] & _WRITING)
        if is_change and self._is_inside(arguments):
            self._count()

    def _is_inside(self, arguments: tuple[Any, ...]) -> bool:
        with suppress(TypeError):
            return os.fsdecode(os.fspath(arguments[0])).startswith(self._folder)
        return False

    def _count(self) -> None:
        self.operations += 1
        if self._fault is None or self.operations != self._fault.at:
            return
        if self._fault.kind is Kind.KILL_BEFORE:
            os.kill(os.getpid(), signal.SIGKILL)
        if number := _ERRORS.get(self._fault.kind):
            raise OSError(number, os.strerror(number), self._folder)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(part in OWN for part in path.relative_to(folder).parts):
            yield path


def _content(path: Path) -> object:
    if path.suffix != ".json":
        return path.read_bytes()
    return _timeless(json.loads(path.read_text(encoding="utf-8")))


def _timeless(value: object) -> object:
    if isinstance(value, dict):
        return {key: _timeless(inner) for key, inner in value.items() if key not in CLOCKS}
    return [_timeless(inner) for inner in value] if isinstance(value, list) else value
