"""From configuration to the objects it describes."""

from __future__ import annotations

import dataclasses
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from mcts.aggregate import Aggregate
from mcts.budget import Budget, Unit
from mcts.choice import Choice
from mcts.errors import InputError
from mcts.ports import Checker, Policy, StepScorer
from policy.prompts import PromptFormat
from policy.recorded import RecordedSet, RecordedSettings, recorded_set
from policy.server_settings import ServerSettings
from policy.vllm_settings import VllmSettings
from prm.calibration import METHODS, NONE, TEMPERATURE
from prm.formats import FORMATS, OURS
from prm.model import HEADS
from prm.peers import NOISE, PEER
from prm.train import AUTO, LOSSES
from regrow.checker import TaskChecker
from regrow.config import (
    CONTROLS,
    CRITICS,
    ENGINES,
    LABELS,
    LASER,
    PRM_ENGINES,
    RECORDED,
    SEARCHES,
    SERVER,
    STRATEGY,
    VALUES,
    WEIGHTS,
    BudgetConfig,
    Config,
    PrmConfig,
    settings_of,
)
from regrow.dist.settings import RAY, Dist
from regrow.objectives import OBJECTIVES, Objective
from regrow.selection import PROGRESS
from regrow.strategy import Strategy, reading
from regrow.tasks import make_task, options_of
from regrow.tasks.problems import Columns
from regrow.tasks.task import Split, Task

W = TypeVar("W", bound=StrEnum)


def task_of(config: Config) -> Task:
    """The task. Raises `InputError` for an unknown name or option."""
    options = dict(config.task.options)
    if "columns" in options_of(config.task.name):
        options["columns"] = columns_of(config)
    try:
        return make_task(config.task.name, **options)
    except (TypeError, ValueError) as error:
        raise InputError(f"config task: {error}") from error


def columns_of(config: Config) -> Columns:
    """Under which names the rows of problem files have what."""
    return settings_of(Columns, fields_of(config.columns), "columns")


def checker_of(config: Config, task: Task) -> Checker | None:
    """The checker whose verdicts a search may use; None in the hidden world, and where `checker=false` hides it."""
    return TaskChecker(task) if config.checker and task.is_checkable else None


def strategy_of(node: Any, config: Config, task: Task) -> Strategy:
    """The strategy that a search's configuration describes; what it leaves open is the task's.

    By itself a search answers with the solution that its checker accepted or, where there is none, by the vote.
    """
    fields = fields_of(node)
    kind = str(fields.pop("kind"))
    aggregate, choice = (fields.pop(name) for name in STRATEGY)
    default = Choice.BEST if checker_of(config, task) else Choice.VOTE
    search = reading(settings_of(SEARCHES[kind], fields, "search"), task)
    where = f"search {search.name}"
    return Strategy(
        search,
        word_of(Aggregate, aggregate or config.prm.aggregate, f"{where}: aggregate"),
        word_of(Choice, choice or default, f"{where}: choice"),
    )


def objective_of(config: Config) -> Objective:
    """What the policy is retrained for. Raises `InputError` for a setting that cannot be."""
    fields = fields_of(config.objective)
    return settings_of(OBJECTIVES[str(fields.pop("kind"))], fields, "objective")


def word_of(known: type[W], word: str, where: str) -> W:
    """The member of an enumeration that a word of the configuration names."""
    if word not in list(known):
        raise InputError(f"config {where}={word}: expected one of {', '.join(known)}")
    return known(word)


def check_choices(config: Config, outputs: tuple[str, ...] = ("text", "json")) -> None:
    """Hold settings that are one of a few words, or counts, against what there is."""
    choices = {
        "policy.engine": (config.policy.engine, ENGINES),
        "prm.engine": (config.prm.engine, PRM_ENGINES),
        "prm.format": (config.prm.format, (None, *FORMATS)),
        "prm.labels": (config.prm.labels, LABELS),
        "prm.loss": (config.prm.loss, LOSSES),
        "prm.weights": (config.prm.weights, WEIGHTS),
        "prm.noise": (config.prm.noise, NOISE),
        "prm.calibration": (config.prm.calibration, METHODS),
        "prm.head": (config.prm.head, HEADS),
        "prm.aggregate": (config.prm.aggregate, tuple(Aggregate)),
        "evaluate.split": (config.evaluate.split, tuple(split.value for split in Split)),
        "evaluate.values": (config.evaluate.values, VALUES),
        "evaluate.unit": (config.evaluate.unit, tuple(Unit)),
        "output": (config.output, outputs),
    }
    choices |= {f"critics.{name}_labels": (getattr(config.critics, f"{name}_labels"), LABELS) for name in CRITICS}
    choices |= {f"critics.train[{i}]": (name, tuple(CRITICS)) for i, name in enumerate(config.critics.train)}
    choices |= {f"round.controls[{i}]": (name, CONTROLS) for i, name in enumerate(config.round.controls)}
    for key, (chosen, known) in choices.items():
        if chosen not in known:
            raise InputError(f"config {key}={chosen}: expected one of {', '.join(word or 'null' for word in known)}")
    if config.prm.format not in (None, OURS) and not config.prm.path:
        raise InputError(f"config prm.format={config.prm.format}: expected prm.path to name a checkpoint of it")
    if dist_of(config).kind == RAY and not find_spec(RAY):
        raise InputError("config dist=ray: ray is not installed, expected pip install 'regrow[ray]'")
    _check_prm(config.prm)
    _check_critics(config)
    if config.prm.engine == RECORDED != config.policy.engine:
        raise InputError(f"config prm=recorded with policy={config.policy.engine}: expected policy=recorded beside it")
    if config.prm.engine == LASER and not config.prm.path:
        raise InputError("config prm=laser: expected prm.path to name a policy that was trained with objective=laser")
    counts = {
        "round.problems": config.round.problems,
        "round.traces_per_problem": config.round.traces_per_problem,
        "evaluate.problems": config.evaluate.problems,
        "evaluate.drawn": config.evaluate.drawn,
        "evaluate.samples": config.evaluate.samples,
        "evaluate.seeds": config.evaluate.seeds,
        "policy.batch_rows": config.policy.batch_rows,
        "policy.base.validation": config.policy.base.validation,
        "prm.batch_rows": config.prm.batch_rows,
        "prm.states_per_problem": config.prm.states_per_problem,
        "scheduler.trees_at_once": config.scheduler.trees_at_once,
        "scheduler.max_depth": config.scheduler.max_depth,
        "scheduler.max_tokens": config.scheduler.max_tokens,
        "prm.zero.problems": config.prm.zero.problems,
        "policy.base.demonstrations": config.policy.base.demonstrations,
        "generate.problems_per_shard": config.generate.problems_per_shard,
        "generate.ngram": config.generate.ngram,
        "generate.samples_per_problem": config.generate.samples_per_problem,
    }
    for key, count in counts.items():
        if count < 1:
            raise InputError(f"config {key}={count}: expected at least 1")
    _check_amounts(config)


def _check_amounts(config: Config) -> None:
    for key, path in (("policy", config.policy.path), ("prm", config.prm.path)):
        if path is not None and (not path.strip() or "\0" in path):
            raise InputError(f"config {key}.path={path!r}: expected a folder, or null")
    amounts = {"round.count": config.round.count, "round.replay": config.round.replay, "prm.replay": config.prm.replay}
    for key, amount in amounts.items():
        if amount < 0:
            raise InputError(f"config {key}={amount}: expected 0 or more")
    if not config.scheduler.silence_s > 0.0:
        raise InputError(f"config scheduler.silence_s={config.scheduler.silence_s}: expected more than 0")
    if not 0.0 < config.prm.threshold <= 1.0:
        raise InputError(f"config prm.threshold={config.prm.threshold}: expected more than 0, at most 1")
    if not 0.0 < config.round.validation < 1.0:
        raise InputError(f"config round.validation={config.round.validation}: expected a share between 0 and 1")
    if not 0.0 <= config.round.traces_replay <= 1.0:
        raise InputError(f"config round.traces_replay={config.round.traces_replay}: expected a share from 0 to 1")


def predicts_progress(prm: PrmConfig) -> bool:
    """Whether a PRM's values rise from 0 to 1 along a correct solution; else they tell how good its chances are."""
    return prm.labels in PROGRESS and prm.loss == AUTO


def critic_prm(config: Config, name: str) -> PrmConfig:
    """How the critic `name` of `config.critics` is trained: as the PRM is, on labels of its own."""
    return dataclasses.replace(config.prm, labels=getattr(config.critics, f"{name}_labels"))


def _check_critics(config: Config) -> None:
    """What cannot be wanted of critics together."""
    critics = config.critics
    if config.search.kind != "eta_mcts" and critics.train:
        raise InputError(f"config critics.train with search={config.search.kind}: expected search=eta_mcts, which asks")
    if critics.shared and (critics.train or critics.prm or critics.orm):
        raise InputError(
            "config critics.shared: the PRM has all roles, expected no critics.prm, orm and train beside it"
        )
    for name in critics.train:
        _check_prm(critic_prm(config, name), f"critics.{name}_labels")


def _check_prm(prm: PrmConfig, labels: str = "prm.labels") -> None:
    """What cannot be wanted of a PRM together, or of a critic, whose `labels` are a setting of their own."""
    if prm.balance and (prm.labels in PROGRESS or prm.loss != AUTO):
        why = f"{labels}={prm.labels}" if prm.labels in PROGRESS else f"prm.loss={prm.loss}"
        raise InputError(f"config prm.balance with {why}: expected labels that are good or bad, one by one")
    if prm.noise == PEER and prm.loss != AUTO:
        raise InputError(f"config prm.noise=peer with prm.loss={prm.loss}: expected labels that are learned one by one")
    if prm.weights != NONE and prm.labels == "simple":
        raise InputError(f"config prm.weights={prm.weights} with {labels}=simple: expected labels of judged draws")
    if prm.calibration == TEMPERATURE and predicts_progress(prm) and prm.format in (None, OURS):
        raise InputError(f"config prm.calibration=temperature with {labels}={prm.labels}: expected isotonic")
    if not 0.0 < prm.calibration_share < 1.0:
        raise InputError(f"config prm.calibration_share={prm.calibration_share}: expected a share between 0 and 1")


def budget_of(node: BudgetConfig, where: str, *, stop_when_solved: bool = False) -> Budget:
    """The budget a configuration node describes."""
    return settings_of(Budget, {**fields_of(node), "stop_when_solved": stop_when_solved}, where)


def prompt_of(config: Config) -> PromptFormat:
    """How questions are put to the policy."""
    return settings_of(PromptFormat, fields_of(config.prompt), "prompt")


def recorded_of(config: Config) -> RecordedSet:
    """The solutions that `policy=recorded` draws from. Raises `InputError` if there is no such file."""
    if config.policy.recorded.path is None:
        raise InputError("policy=recorded: no file, expected policy.recorded.path=FILE")
    return recorded_set(Path(config.policy.recorded.path))


def policy_of(config: Config, path: Path | None) -> Policy:
    """The policy of a checkpoint directory; None where there is no such directory here."""
    if config.policy.engine == RECORDED:
        from policy.recorded_policy import RecordedPolicy

        settings = settings_of(RecordedSettings, fields_of(config.policy.recorded), "policy.recorded")
        return RecordedPolicy(recorded_of(config), prompt_of(config), seed=config.seed if settings.shuffled else None)
    if config.policy.engine == SERVER:
        from policy.server_policy import ServerPolicy

        server = settings_of(ServerSettings, fields_of(config.policy.server), "policy.server")
        return ServerPolicy(path, server, prompt_of(config))
    assert path is not None
    if config.policy.engine == "vllm":
        from policy.vllm_policy import VllmPolicy

        vllm = settings_of(VllmSettings, fields_of(config.policy.vllm), "policy.vllm")
        return VllmPolicy(path, prompt=prompt_of(config), settings=vllm)
    from policy.transformers_policy import TransformersPolicy

    return TransformersPolicy.load(path, prompt=prompt_of(config), batch_rows=config.policy.batch_rows)


def scorer_of(config: Config, path: Path) -> StepScorer:
    """The step scorer of a checkpoint directory."""
    if config.prm.engine == "vllm":
        return _vllm_scorer(config, path)
    if config.prm.engine == LASER:
        from policy.laser_scorer import LaserScorer
        from policy.loss_record import laser_of

        return LaserScorer.load(path, laser_of(path), prompt_of(config), batch_rows=config.prm.batch_rows)
    import torch

    from prm.scorer import HfScorer

    # vLLM's engine computes meanwhile, and keeps a core busy.
    threads = max(1, torch.get_num_threads() - 1) if config.policy.engine == "vllm" else None
    return HfScorer.load(path, format=config.prm.format, batch_rows=config.prm.batch_rows, threads=threads)


def _vllm_scorer(config: Config, path: Path) -> StepScorer:
    """A PRM in vLLM: `prm` knows what to ask, `policy` how an engine is run."""
    from policy.vllm_engine import PRM, VllmEngine, engine_of
    from prm.vllm_scorer import VllmScorer

    settings = settings_of(VllmSettings, fields_of(config.prm.vllm), "prm.vllm")

    def start(served: Path, digest: str, dtype: str, runner: str) -> VllmEngine:
        return engine_of(served, digest, settings, settings.dtype or dtype, role=PRM, runner=runner)

    return VllmScorer(path, start, settings=repr(settings), format=config.prm.format)


def dist_of(config: Config) -> Dist:
    """Where searches run."""
    return settings_of(Dist, fields_of(config.dist), "dist")


def end_engines() -> None:
    """Give back the memory of engines that run beside us, and of workers: models are about to be trained here.

    They start again when they are needed; vLLM can only sleep where there is a GPU.
    """
    from policy.vllm_engine import end
    from regrow.dist import fleet

    end()
    fleet.end()


def fields_of(node: Any) -> dict[str, Any]:
    """The fields of a resolved configuration node."""
    return {item.name: getattr(node, item.name) for item in dataclasses.fields(node)}
