"""A thousand inputs that cannot be used, and what each must get: one clear line, exit code 2 (or a status of 4xx)."""

from __future__ import annotations

import atexit
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import TimeoutError as TooLongError
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from random import Random
from signal import SIG_DFL, SIGTERM, signal
from typing import Protocol

from pebble import ProcessExpired, ProcessPool
from spying import Spy, listing

from regrow.cli import DONE, UNUSABLE, main

HERE, MODELS = "HERE", "MODELS"
"""In the words of a command: the input's folder, and the folder of a sound policy and PRM."""

LONGEST_LINE = 500
TIMEOUT_S = 10.0

EXPECTATIONS = ("expected", "did you mean", "should", "must", "see regrow", "to start anew")
"""Words with which a line says what would have been right."""

COUNTS = {
    "config": 200, "words": 170, "problems": 130, "traces": 120, "checkpoint": 140,
    "recorded": 50, "bench": 50, "http": 80, "output": 60,
}  # fmt: skip
"""How many of each kind; a thousand in all."""


class BadInput(Protocol):
    """Something that cannot be used."""

    @property
    def name(self) -> str:
        """What is wrong with it, once among all: `kind/...`."""

    def fault(self, folder: Path) -> str:
        """What was wrong with how it was received; empty if nothing. `folder` is its own and empty."""


@dataclass(frozen=True)
class BadCommand:
    """A command that cannot be carried out.

    Attributes:
        names: The line names one of these.
        make: Puts files into the folder.
        passes: Whether it may also come to an end: what a model says is hostile, yet no mistake of the user.
    """

    name: str
    words: Sequence[str]
    names: Sequence[str]
    make: Callable[[Path], None] = lambda folder: None
    passes: bool = False

    def fault(self, folder: Path) -> str:
        self.make(folder)
        before = listing(folder)
        words = [word.replace(HERE, str(folder)).replace(MODELS, str(models())) for word in self.words]
        with Spy(folder / "run") as spy, chdir(folder):
            code, said = _run(words)
        elsewhere = spy.wrote or sorted(listing(folder).items() ^ before.items())
        return (f"wrote {elsewhere[0]}" if elsewhere else "") or self._unclear(code, said)

    def _unclear(self, code: object, said: str) -> str:
        if "Traceback" in said:
            return f"a traceback: {said.strip().splitlines()[-1]}"
        if self.passes and code == DONE:
            return ""
        if code != UNUSABLE:
            return f"ended with {code}: {said.strip()[-300:]}"
        return unclear_line(said, self.names)


def unclear_line(said: str, names: Sequence[str]) -> str:
    """What a complaint lacks; empty if nothing."""
    *before, last = said.removesuffix("\n").split("\n")
    if not last.startswith("regrow: ") or not all(_PROGRESS.search(line) for line in before):
        return f"not one line: {said!r}"
    if len(last) > LONGEST_LINE:
        return f"{len(said)} characters: {said}"
    if not any(name in said for name in names):
        return f"names none of {list(names)}: {said}"
    if not any(word in said for word in EXPECTATIONS):
        return f"does not say what was expected: {said}"
    return ""


def made(*kinds: str) -> Iterator[BadInput]:
    """All there are of these kinds."""
    import bad_checkpoints
    import bad_configs
    import bad_outputs
    import bad_requests
    import bad_rows
    import bad_stores

    makers: dict[str, Callable[[], Iterator[BadInput]]] = {
        "config": bad_configs.values,
        "words": bad_configs.words,
        "problems": bad_rows.problem_files,
        "traces": bad_stores.stores,
        "checkpoint": bad_checkpoints.checkpoints,
        "recorded": bad_rows.recordings,
        "bench": bad_rows.benches,
        "http": bad_requests.requests,
        "output": bad_outputs.outputs,
    }
    for kind in kinds:
        yield from makers[kind]()


_PROGRESS = re.compile(r": \d+/\d+ in \d+ s")
"""What comes to standard error while a command works."""


def corpus(seed: int = 0) -> list[BadInput]:
    """The thousand, in an order drawn by the seed."""
    chosen: list[BadInput] = []
    for kind, count in COUNTS.items():
        chosen += Random(f"{kind} {seed}").sample(list(made(kind)), count)
    Random(seed).shuffle(chosen)
    return chosen


def faults(inputs: Sequence[BadInput], root: Path, timeout_s: float = TIMEOUT_S) -> Iterator[tuple[BadInput, str]]:
    """Each input with its fault, in their order; all in one process, which is replaced where one hangs or dies.

    The process is a fork of this one: what was imported and compiled here need not be there again.
    """
    with scratch(root):
        _warm_up()
        _TRIED[:] = inputs
        with ProcessPool(max_workers=1, context=get_context("fork")) as pool:
            for number, one in enumerate(inputs):
                folder = root / f"{number:04}"
                folder.mkdir()
                try:
                    fault = pool.schedule(_fault, args=[number, folder], timeout=timeout_s).result()
                except TooLongError:
                    fault = f"took more than {timeout_s:g} s"
                except ProcessExpired as error:
                    fault = f"the process ended: {error}"
                yield one, fault
                shutil.rmtree(folder)


_TRIED: list[BadInput] = []
"""What the forks know by its number."""


def _fault(number: int, folder: Path) -> str:
    try:
        return _TRIED[number].fault(folder)
    except Exception as error:  # noqa: BLE001 - whatever the input itself raises
        return f"could not be tried: {type(error).__name__}: {error}"


@contextmanager
def scratch(root: Path) -> Iterator[None]:
    """Places in a folder that anything may write to."""
    places = {"BAD_INPUTS": root, "TMPDIR": root / "tmp", "HF_HOME": root / "hub"}
    before = {name: os.environ.get(name) for name in places}
    os.environ |= {name: str(place) for name, place in places.items()}
    (root / "tmp").mkdir()
    tempfile.tempdir = None
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)
        tempfile.tempdir = None


def _warm_up() -> None:
    """A search as it should be; raises where that fails."""
    code, said = _run([word.replace(MODELS, str(models())) for word in ("search", "2 3 -> 5", *with_models())])
    if code != DONE:
        raise RuntimeError(said)


@cache
def models() -> Path:
    """The folder of a sound policy and PRM of countdown, made on first use."""
    import bad_checkpoints

    folder = Path(tempfile.mkdtemp(prefix="sound-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    bad_checkpoints.write_models(folder)
    return folder


def with_models() -> list[str]:
    """Overrides of a search that takes a blink."""
    return [
        f"policy.path={MODELS}/policy",
        f"prm.path={MODELS}/prm",
        "budget.tokens=20",
        "scheduler.max_tokens=8",
        "scheduler.max_depth=3",
    ]


def _run(words: Sequence[str]) -> tuple[object, str]:
    """The exit code of `regrow WORDS`, and all that came to standard error, from libraries beneath Python, too."""
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as out, Path(os.devnull).open() as nothing:
        kept = [os.dup(number) for number in (0, 1, 2)]
        streams = sys.stdout, sys.stderr, sys.stdin
        for number, stream in enumerate((nothing, out, said)):
            os.dup2(stream.fileno(), number)
        sys.stdin, sys.stdout, sys.stderr = nothing, out, said
        code: object
        try:
            code = main(words)
        except BaseException as error:  # noqa: BLE001 - that is what is looked for
            code = f"{type(error).__name__}: {error}"
        finally:
            signal(SIGTERM, SIG_DFL)
            said.flush()
            sys.stdout, sys.stderr, sys.stdin = streams
            for number, stream in enumerate(kept):
                os.dup2(stream, number)
                os.close(stream)
        said.seek(0)
        return code, said.read()
