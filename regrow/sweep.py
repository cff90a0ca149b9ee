"""A sweep: Hydra composes its runs and its launchers hand them out; each is a process of its own, as if started alone.

So nothing goes over from one run to the next, a run that is killed takes no other along, and any launcher's worker will
do. What failed is written into the run's folder; what is finished is not started again.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

import regrow
from mcts.errors import InputError
from regrow import atomic
from regrow.outcome import FAILED, Outcome, Status, read_object, read_outcome, run_folders
from regrow.record import NOT_RECORDED, recorded

LOG = "run.log"
LONGEST_NAME = 120
"""Characters of a folder's name; file systems take 255 bytes."""
_DIGEST = 8
_PLAIN = re.compile(r"[a-z0-9_.-]+")
"""Without capitals, which some file systems do not tell apart."""


class RunFailedError(Exception):
    """A run of a sweep has no figure to give; says why."""


class SweepFolder(Callback):
    """Hydra's callback: `latest` is where the sweep that this process began has its runs."""

    latest: ClassVar[Path | None] = None

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Note the folder."""
        SweepFolder.latest = Path(config.hydra.sweep.dir)


@dataclass(frozen=True, slots=True)
class Sweep:
    """What every run of a sweep is started with.

    Attributes:
        command: `train` or `evaluate`.
        flags: Words of the command line that are no overrides, such as `--config-dir DIR`.
        token: Tells what failed in this sweep from what failed in an earlier one in the same folder.
    """

    command: str
    flags: tuple[str, ...] = ()
    token: str = field(default_factory=lambda: uuid4().hex)

    def run(self, node: DictConfig) -> float | None:
        """Hydra's job: do what is missing of one run.

        Returns:
            The figure that `sweep.figure` names, for a sweeper that optimises; None where it names none.

        Raises:
            RunFailedError: A figure is wanted, and there is none.
        """
        hydra = HydraConfig.get()
        folder, start = Path(hydra.sweep.dir, hydra.sweep.subdir), time.monotonic()
        error = ""
        if is_finished(folder, node):
            print(f"{folder}: was finished", flush=True)
        else:
            error = self._try(folder, list(hydra.overrides.task))
            ended = f"failed: {error}" if error else f"finished, {time.monotonic() - start:.0f} s"
            print(f"{folder}: {ended}", flush=True)
        figure = node.sweep.figure
        if figure is None:
            return None
        if error:
            raise RunFailedError(error)
        return figure_of(read_outcome(folder), figure)

    def failures(self) -> str:
        """What failed in this sweep, in one line; empty if nothing did."""
        folders = run_folders(SweepFolder.latest) if SweepFolder.latest else ()
        notes = {folder: read_object(folder / FAILED) for folder in folders}
        failed = {folder: note for folder, note in notes.items() if note.get("sweep") == self.token}
        if not failed:
            return ""
        named = "; ".join(f"{folder}: {note['error']}" for folder, note in failed.items())
        first = next(iter(failed.values()))["alone"]
        return f"{len(failed)} of {len(notes)} runs failed: {named}. The same command tries them anew; alone: {first}"

    def _try(self, folder: Path, overrides: Sequence[str]) -> str:
        """Start the run or let it go on. Returns why it failed; empty if it did not."""
        words = [self.command, *self.flags, *(one for one in overrides if not one.startswith("run.dir="))]
        words.append(f'run.dir="{folder}"')
        note = folder / FAILED
        note.unlink(missing_ok=True)
        with (folder / LOG).open("w", encoding="utf-8") as log:
            code = _process(words, log)
        if not code:
            return ""
        error = _reason(code, folder / LOG)
        atomic.write_json(note, {"sweep": self.token, "error": error, "alone": shlex.join(["regrow", *words])})
        return error


def run_folder(overrides: Sequence[str]) -> str:
    """The name of a run's folder: `KEY-VALUE+KEY-VALUE` of the overrides that figures depend on, in their order.

    It is a plain value on a command line, where `=` and commas mean something. What had to be changed or cut ends in a
    digest of the whole: different runs have different folders.
    """
    words = [word for word in (one.lstrip("+") for one in overrides) if _key(word).split(".")[0] not in NOT_RECORDED]
    parts = [(_key(word), word.partition("=")[2]) for word in words]
    name = "+".join(f"{key}-{value}" for key, value in parts) or "as-configured"
    if len(name) <= LONGEST_NAME and all(_PLAIN.fullmatch(one) for part in parts for one in part):
        return name
    name = re.sub(r"-+(?=[+-]|$)", "", re.sub(r"[^\w.+-]", "-", name, flags=re.ASCII))
    digest = hashlib.sha256("\n".join(words).encode()).hexdigest()[:_DIGEST]
    return f"{name[: LONGEST_NAME - _DIGEST - 1]}-{digest}"


def is_finished(folder: Path, node: DictConfig) -> bool:
    """Whether the run is done, with the settings that it would have now."""
    with suppress(OmegaConfBaseException, InputError):  # the run itself says what is wrong
        outcome = read_outcome(folder)
        # As a container: what a launcher's worker was sent of the schemas' own classes has lost their fields.
        settings = OmegaConf.to_container(node, resolve=True)
        return outcome.status is Status.FINISHED and outcome.config == recorded(settings)
    return False


def figure_of(outcome: Outcome, name: str) -> float:
    """The value of a figure.

    Raises:
        InputError: The run has no such figure.
    """
    if name not in outcome.figures:
        raise InputError(f"sweep.figure={name}: expected one of {', '.join(outcome.figures)}")
    return outcome.figures[name].value


def _key(word: str) -> str:
    return word.lstrip("~").partition("=")[0]


def _process(words: Sequence[str], log: Any) -> int:
    """Run a command to its end. Returns its exit status, negative for a signal."""
    packages = str(Path(regrow.__file__).parents[1])
    paths = os.pathsep.join(filter(None, (packages, os.environ.get("PYTHONPATH"))))
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "regrow.swept", *words],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        env=os.environ | {"PYTHONPATH": paths},
        start_new_session=True,  # Ctrl-C reaches it through us, once
    )
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
        assert process.stdin is not None
        process.stdin.close()


def _reason(code: int, log: Path) -> str:
    """Why a process ended with `code`: the signal, or what it said last."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1].removeprefix("regrow: ") if lines else f"exit status {code}"


# When the module is imported, since a launcher's worker knows no more of us than what its job needs.
OmegaConf.register_new_resolver("run_folder", lambda overrides: run_folder(list(overrides)), replace=True)
