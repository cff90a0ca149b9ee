"""Figures of each round for TensorBoard and Weights & Biases, beside the report. Both are off unless asked for."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mcts.errors import InputError
from regrow.config import LogConfig
from regrow.report import Round

Write = Callable[[int, Mapping[str, float]], None]
"""Takes a round's number and its figures."""

LOGS = "logs"
"""In the run directory; loggers have folders of their own in it."""


def loggers_of(log: LogConfig) -> tuple[str, ...]:
    """The names of the loggers that are asked for.

    Raises:
        InputError: The package of one is not installed.
    """
    names = tuple(name for name in OPENED if getattr(log, name))
    for name in names:
        if importlib.util.find_spec(name) is None:
            raise InputError(f"log.{name}=true: {name} is not installed, expected `pip install 'regrow[log]'`")
    return names


@contextmanager
def open_logbook(
    log: LogConfig, folder: Path, settings: Mapping[str, Any]
) -> Iterator[Callable[[Sequence[Round]], None]]:
    """Give what takes all rounds so far, and writes those that are new.

    Args:
        folder: The run directory.
        settings: Its configuration, JSON values.
    """
    with ExitStack() as stack:
        writers = [stack.enter_context(OPENED[name](folder / LOGS, settings)) for name in loggers_of(log)]
        written: set[int] = set()

        def write(rounds: Sequence[Round]) -> None:
            for done in rounds:
                if done.round not in written:
                    written.add(done.round)
                    for writer in writers:
                        writer(done.round, figures_of(done))

        yield write


def figures_of(done: Round) -> dict[str, float]:
    """All numbers of a round that are worth a curve, by a name with slashes; what is not known is left out."""
    found: dict[str, float | None] = {f"accuracy/{name}": row.accuracy for name, row in done.eval.items()}
    for teacher, control in done.controls.items():
        found |= {f"{teacher}/accuracy/{name}": row.accuracy for name, row in control.eval.items()}
    if quality := done.prm_eval:
        found |= {f"prm/{name}": getattr(quality, name) for name in ("auroc", "brier_skill", "own_success_skill")}
    found |= {f"alarms/{one.name}": one.value for one in done.alarms}
    found |= {f"gate/{one.of}": one.test.difference if one.test else None for one in done.verdicts}
    found |= {f"gate/{one.of}_is_kept": float(one.is_kept) for one in done.verdicts}
    found |= {"tokens/generated": float(done.tokens_generated), "tokens/gate": float(done.gate_tokens)}
    found |= {f"seconds/{stage}": spent for stage, spent in done.seconds.items()}
    return {name: value for name, value in found.items() if value is not None}


@contextmanager
def _tensorboard(folder: Path, settings: Mapping[str, Any]) -> Iterator[Write]:
    """A start writes all rounds; those that an earlier one wrote are purged."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder / "rounds"), purge_step=0) as writer:

        def write(number: int, figures: Mapping[str, float]) -> None:
            for name, value in figures.items():
                writer.add_scalar(name, value, number)
            writer.flush()

        yield write


@contextmanager
def _wandb(folder: Path, settings: Mapping[str, Any]) -> Iterator[Write]:
    """One run a start, made when the start ends: trainings have runs of their own meanwhile.

    Offline (`wandb sync` sends the folder) unless the environment says otherwise.
    """
    rounds: dict[int, Mapping[str, float]] = {}
    try:
        yield rounds.__setitem__
    finally:
        if rounds:
            os.environ.setdefault("WANDB_MODE", "offline")
            os.environ.setdefault("WANDB_SILENT", "true")
            import wandb

            folder.mkdir(parents=True, exist_ok=True)
            name, anew = folder.parent.name, "create_new"  # not the run that a training may have left open
            with wandb.init(project="regrow", name=name, dir=str(folder), config=dict(settings), reinit=anew) as run:
                for number, figures in rounds.items():
                    run.log(dict(figures), step=number)


OPENED: dict[str, Callable[[Path, Mapping[str, Any]], AbstractContextManager[Write]]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
}
"""Name of a logger, which is also its package's -> what opens it."""
