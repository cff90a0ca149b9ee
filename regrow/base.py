"""The start of every run: the base policy and PRM 0, fitted once on training problems and cached."""

from __future__ import annotations

import dataclasses
import fcntl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from mcts.errors import InputError
from mcts.types import Problem, State, Step, StepEnd
from policy import checkpoint
from policy.base import PolicySize, create
from policy.examples import Example, from_demonstration
from policy.prompts import PromptFormat
from policy.train import TrainPolicy
from policy.train import train as train_policy
from prm import model as prm_model
from prm.labels import LabelledState
from prm.peers import NONE
from prm.train import TrainPrm
from regrow import atomic, provenance
from regrow.build import critic_prm, fields_of, predicts_progress
from regrow.config import CRITICS, RECORDED, BaseConfig, Config, PrmConfig, settings_of
from regrow.prm_training import train_prm
from regrow.progress import track
from regrow.selection import PROGRESS
from regrow.sources import source_digests
from regrow.tasks import embedded
from regrow.tasks.task import Split, Task, ValuedSteps

_POLICY_MAKERS = ("policy.base", "policy.examples", "policy.train")
_DECIDING_PRM = ("head", "labels", "loss", "balance", "calibration", "calibration_share")
"""Settings of the PRM that PRM 0 depends on, beside those of its own."""
_PRM_MAKERS = ("prm.model", "regrow.prm_training")
_MAKING = ("policy", "prm", "regrow.tasks", "regrow.prm_training")


def base_policy(config: Config, task: Task) -> Path:
    """The embedded base policy's directory; fitted on first use to the plateau of its validation loss."""
    base = config.policy.base

    def make(folder: Path) -> None:
        create(
            embedded(task).words(),
            settings_of(PolicySize, fields_of(base.size), "policy.base.size"),
            folder,
            seed=base.seed,
        )
        train, validation = base_examples(task, folder, base)
        train_settings = settings_of(TrainPolicy, fields_of(base.train), "policy.base.train")
        with track("base policy") as advance:
            train_policy(
                folder, train, folder, train_settings, seed=base.seed, validation=validation, progress=reporter(advance)
            )

    settings = {"task": task_settings(config), "base": dataclasses.asdict(base)}
    return _cached(config, "base", settings, (type(task).__module__, *_POLICY_MAKERS), make)


def base_examples(task: Task, policy: Path, base: BaseConfig) -> tuple[list[Example], list[Example]]:
    """Training and validation examples of the base policy's data: language and arithmetic, not planning."""
    tokenizer = checkpoint.load_tokenizer(policy)
    demonstrations = embedded(task).demonstrations(base.demonstrations + base.validation, base.seed)
    examples = [from_demonstration(tokenizer, PromptFormat(), d.question, d.steps) for d in demonstrations]
    return examples[base.validation :], examples[: base.validation]


def prm_zero(config: Config, task: Task, policy: Path | None) -> Path:
    """PRM 0's directory: the paper's D_V0, that is known solutions at k/K and corrupted steps (section 3.1, App. B).

    Args:
        policy: Whose weights it starts from.

    Raises:
        InputError: There are none.
    """
    if policy is None:
        engine = config.policy.engine
        other = " or prm=recorded" if engine == RECORDED else ""
        raise InputError(f"policy={engine}: no policy's weights to fit PRM 0 from, expected prm.path=DIR{other}")
    zero = config.prm.zero
    settings = {
        "task": task_settings(config),
        **{name: getattr(config.prm, name) for name in _DECIDING_PRM},
        "zero": dataclasses.asdict(zero),
        "policy": checkpoint.digest(policy),
    }

    def make(folder: Path) -> None:
        start = folder / "start"
        prm_model.create(policy, start, head=config.prm.head, activation=activation_of(config.prm), seed=zero.seed)
        problems = task.problems(Split.TRAIN, zero.problems, zero.seed)
        data = [labelled(valued, config.prm.labels) for valued in embedded(task).valued_steps(problems, zero.seed)]
        held_out = len(data) // 20
        train = settings_of(TrainPrm, fields_of(zero.train), "prm.zero.train")
        with track("PRM 0") as advance:
            train_prm(
                dataclasses.replace(config.prm, noise=NONE),
                start,
                data[held_out:],
                folder,
                train,
                seed=zero.seed,
                validation=data[:held_out],
                progress=reporter(advance),
            )

    return _cached(config, "prm", settings, (type(task).__module__, *_PRM_MAKERS), make)


def critics(
    config: Config, task: Task, policy: Path | None, keep: Callable[[str, Callable[[], Path]], Path] | None = None
) -> dict[str, Path | None]:
    """The directories of `config.critics`, by what they are among `regrow.models.Models`; None where there is none.

    One that is to be trained and not given is fitted as PRM 0 is, with labels of its own.

    Args:
        keep: What makes a directory of its own, by name, of one that is fitted; None leaves it in the cache.
    """
    found: dict[str, Path | None] = {}
    for name, model in CRITICS.items():
        given = getattr(config.critics, name)
        found[model] = Path(given) if given else None
        if not given and name in config.critics.train:
            fit = partial(prm_zero, dataclasses.replace(config, prm=critic_prm(config, name)), task, policy)
            found[model] = keep(f"critic-{name}", fit) if keep else fit()
    return found


def known_steps(task: Task, kind: str, count: int, seed: int) -> list[LabelledState]:
    """`count` solutions of training problems, right ones and such with a slip, with a label of `kind` for each step."""
    if not count:
        return []
    # Every problem gives as many: its solution, and one a kind of slip.
    known = embedded(task)
    each = len(known.valued_steps(task.problems(Split.TRAIN, 1, seed), seed))
    problems = task.problems(Split.TRAIN, -(-count // each), seed)
    return [labelled(valued, kind) for valued in known.valued_steps(problems, seed)][:count]


def activation_of(prm: PrmConfig) -> str:
    """How the head's output becomes a value: the paper's clipped progress value, or a probability."""
    return "clip" if predicts_progress(prm) else "sigmoid"


def labelled(valued: ValuedSteps, kind: str) -> LabelledState:
    """What is known about each step as training labels; the bare problem counts as on the way, with no progress."""
    last = StepEnd.FINAL if valued.is_complete else StepEnd.DELIMITER
    ends = [StepEnd.DELIMITER] * (len(valued.steps) - 1) + [last]
    steps = tuple(Step(text, end=end) for text, end in zip(valued.steps, ends, strict=True))
    if kind in PROGRESS:
        labels = (0.0, *valued.values)
    elif kind == "outcome":
        # What a slip broke off can only end wrong: its last step stands for the end.
        labels = (float("nan"),) * len(steps) + (float(valued.reachable[-1]),)
    else:
        labels = (float("nan"), *(float(reachable) for reachable in valued.reachable))
    return LabelledState(State(Problem("", valued.question), steps), labels)


def task_settings(config: Config) -> dict[str, Any]:
    """What decides the task's data."""
    return {"name": config.task.name, "options": config.task.options}


def reporter(advance: Callable[..., None]) -> Callable[[int, int, float], None]:
    """A training callback that shows steps and loss on a progress bar."""
    return lambda step, total, loss: advance(step, f"loss {loss:.4f}", total)


def _cached(
    config: Config, kind: str, settings: dict[str, Any], makers: Sequence[str], make: Callable[[Path], None]
) -> Path:
    """The directory that `make` fills, made once for these settings and the code that makes it.

    Args:
        makers: The modules that do; a cache of older sources of them, or of what they import, is not used.
    """
    key = provenance.digest([settings, source_digests(makers, _MAKING)])[:16]
    target = Path(config.cache or Path.home() / ".cache/regrow") / f"{config.task.name}-{kind}-{key}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            if not target.exists():
                atomic.sweep(target.parent, target.name)
                with atomic.directory(target) as folder:
                    make(folder)
    return target


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Wait until no other process makes `target`."""
    with target.with_name(f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
