"""The configuration: typed by the dataclasses of the code it configures, filled from `conf/`.

Settings live beside the code that uses them as frozen dataclasses; `schema_of` mirrors them for Hydra (which refuses
frozen schemas), `settings_of` turns the resolved node back into the frozen object.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, TypeVar, get_type_hints

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from mcts.errors import InputError
from mcts.search import Auto, BestOfN, EtaMcts, MctsStar, Puct, RolloutBranching, Search, StepBeam, TreeOfThoughtsDfs
from policy.base import PolicySize
from policy.critic import CriticFormat, JudgeFormat
from policy.prompts import PromptFormat
from policy.recorded import RecordedSettings
from policy.server_settings import ServerSettings
from policy.train import TrainPolicy
from policy.vllm_settings import VllmSettings
from prm.peers import Peers
from prm.train import TrainPrm
from regrow.alarms import Alarms
from regrow.dist.settings import Dist
from regrow.gate import Gate
from regrow.generate.selection import Selection
from regrow.imagine.imagination import Imagination
from regrow.objectives import OBJECTIVES
from regrow.pseudo_labels import PseudoLabels
from regrow.serve.settings import ServeSettings
from regrow.tasks.problems import Columns

T = TypeVar("T")

LABELS = ("progress", "hard", "soft", "simple", "outcome")
"""What a PRM may be trained to predict; see `PrmConfig`."""

WEIGHTS = ("none", "visits", "confidence", "ppr")
"""How much a label may count; see `regrow.selection.node_weights`."""

SERVER, RECORDED, LASER = "server", "recorded", "laser"
ENGINES = ("transformers", "vllm", SERVER, RECORDED)
"""What generates; see `policy`."""

CRITICS = {"prm": "process", "orm": "outcome"}
"""Critics that may be trained, and what they are among `regrow.models.Models`."""

WITHOUT_WEIGHTS = (SERVER, RECORDED)
"""Policies that are no checkpoint here: nothing can be fitted from them."""

PRM_ENGINES = ("hf", "vllm", RECORDED, LASER)
"""What runs the PRM; see `prm`."""

PRM_MEMORY = 0.15
"""Share of a device's memory for the PRM's engine, beside the policy's."""

CONTROLS = ("base_only", "rest_em")
"""What may be learned beside the loop, to hold it against; see `regrow.learner.Teacher`."""

SEARCHES: dict[str, type[Search]] = {
    "auto": Auto,
    "best_of_n": BestOfN,
    "eta_mcts": EtaMcts,
    "mcts_star": MctsStar,
    "puct": Puct,
    "rollout_branching": RolloutBranching,
    "step_beam": StepBeam,
    "tot_dfs": TreeOfThoughtsDfs,
}
VALUES = ("prm", "oracle", "constant", "inverted")
"""What the searches of a contest may be told about steps; see `regrow.diagnosis`."""

STRATEGY = ("aggregate", "choice")
"""Settings that every search has beside its own; null takes what the task has."""


def schema_of(settings: type, **extra: str | None) -> Any:
    """A mutable mirror of a frozen dataclass: the same fields, types and defaults, and `extra` texts before them."""
    hints = get_type_hints(settings)
    fields: list[tuple[str, Any, Any]] = [(name, str | None, field(default=text)) for name, text in extra.items()]
    for item in dataclasses.fields(settings):
        if isinstance(part := hints[item.name], type) and dataclasses.is_dataclass(part):
            fields.append((item.name, Any, field(default_factory=schema_of(part))))
            continue
        if item.default_factory is not dataclasses.MISSING:
            default = field(default_factory=item.default_factory)
        else:
            default = field(default=MISSING if item.default is dataclasses.MISSING else item.default)
        fields.append((item.name, hints[item.name], default))
    travels = {"__reduce__": lambda self: (_revived, (settings, extra, vars(self)))}  # it has no name to be found by
    return dataclasses.make_dataclass(settings.__name__, fields, namespace=travels)


def _revived(settings: type, extra: Mapping[str, str | None], values: Mapping[str, Any]) -> Any:
    """What a mirror was, in another process."""
    return schema_of(settings, **extra)(**values)


def settings_of(settings: type[T], node: Mapping[str, Any], where: str) -> T:
    """The frozen object that a resolved configuration node describes."""
    hints = get_type_hints(settings)
    try:
        parts = {
            name: hints[name](**vars(value)) if dataclasses.is_dataclass(hints.get(name)) else value
            for name, value in node.items()
        }
        return settings(**parts)
    except (TypeError, ValueError) as error:
        raise InputError(f"config {where}: {error}") from error


@dataclass
class RunConfig:
    """Where a run lives."""

    name: str = "demo"
    dir: str = "runs/${run.name}"


@dataclass
class TaskConfig:
    """Which problems; `options` go to the task as they are."""

    name: str = MISSING
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class BaseConfig:
    """The embedded base policy: fitted once to the plateau of its validation loss, cached."""

    seed: int = 0
    demonstrations: int = 160_000
    validation: int = 1_000
    size: Any = field(default_factory=schema_of(PolicySize))
    train: Any = field(default_factory=schema_of(TrainPolicy))


@dataclass
class PolicyConfig:
    """The generator. `path` starts from a checkpoint instead of the embedded base policy.

    `engine`: `transformers` (in process, the same bits in any company), `vllm`, `server` (an HTTP endpoint of the
    OpenAI kind), or `recorded` (solutions in a file); `policy=vllm` and so on choose the others. With a server, `path`
    is the directory of the served model's tokenizer, and there need be none.

    `critic`: how the policy is asked whether a solution is finished, by searches with `asks_critic`; `judge`: whether
    two steps say the same, by those with `merging.likeness=judge`.
    """

    path: str | None = None
    engine: str = "transformers"
    batch_rows: int = 512
    vllm: Any = field(default_factory=schema_of(VllmSettings))
    server: Any = field(default_factory=schema_of(ServerSettings))
    recorded: Any = field(default_factory=schema_of(RecordedSettings))
    critic: Any = field(default_factory=schema_of(CriticFormat))
    judge: Any = field(default_factory=schema_of(JudgeFormat))
    base: BaseConfig = field(default_factory=BaseConfig)
    train: Any = field(default_factory=schema_of(TrainPolicy))


@dataclass
class PrmZeroConfig:
    """PRM 0: fitted before round 1 on known solutions of training problems and corrupted steps, cached."""

    seed: int = 0
    problems: int = 5_000
    train: Any = field(default_factory=schema_of(TrainPrm))


@dataclass
class PrmConfig:
    """The process reward model. `path` starts from a checkpoint instead of PRM 0.

    `labels`: `soft` (share of correct solutions drawn beneath a step), `hard` (whether there was one), `progress` (the
    value v of ReST-MCTS*), `simple` (d/K along the accepted solution, less beside it; no verifier is asked), or
    `outcome` (whether a solution is right, at its last step alone: an outcome reward model). PRM 0 has no draws yet:
    soft and hard start from whether an answer is still in reach.
    `loss`: `auto` (squared error of `progress` and `simple`, cross-entropy of the others) or `pairwise` (comparisons of
    steps taken from one state and of finished solutions; see `prm.losses.pairwise`).
    `weights`: how much a label counts: `none` (1), `visits` (the draws beneath its step), `confidence` (how narrow the
    interval of its soft label is) or `ppr` (how far the value that the search saw and the outcomes agree). `balance`
    gives good and bad labels the same total weight.
    `noise`: what is done about wrong labels: `none`, or `peer`: two PRMs choose each other's labels, as `peers` says;
    PRM 0, whose labels are known, has none.
    `restart`: every round trains PRM 0 anew on all traces, instead of going on from the last round's PRM.
    `calibration`: `none`, `temperature` or `isotonic`, fitted after training on the steps of a `calibration_share` of
    the problems, which are kept out of it; they also tell when to stop, with `train.patience`.
    `engine`: `hf` (in process, the same bits in any company), `vllm`, `recorded` (the scores beside recorded
    solutions), or `laser` (no PRM: `path` is a policy trained with objective=laser); `prm=vllm` and so on choose them.
    `format`: how a PRM of others is read, a name of `prm.formats`; null goes by the checkpoint's config.json.
    `aggregate`: how the value of a prefix is read off those of its steps: `last`, `min`, `product` or `mean`.
    `replay`: solutions as PRM 0 was fitted to, known ones and slips, mixed in per labelled solution of the rounds.
    `bench` are files of solutions with judged steps (ProcessBench's or PRMBench's form), on which `regrow evaluate`
    measures the PRM: a step is called wrong below `threshold`, or below the best one for the file `threshold_from`.
    `yardstick` also trains, each round, the same model on exact labels of the same steps, where the task knows them.
    """

    path: str | None = None
    labels: str = "hard"
    loss: str = "auto"
    weights: str = "none"
    balance: bool = False
    noise: str = "none"
    peers: Any = field(default_factory=schema_of(Peers))
    restart: bool = False
    calibration: str = "none"
    calibration_share: float = 0.05
    head: str = "hidden"
    aggregate: str = "last"
    engine: str = "hf"
    format: str | None = None
    batch_rows: int = 256
    vllm: Any = field(default_factory=lambda: schema_of(VllmSettings)(gpu_memory_utilization=PRM_MEMORY))
    states_per_problem: int = 16
    replay: float = 0.0
    yardstick: bool = False
    bench: list[str] = field(default_factory=list)
    threshold: float = 0.5
    threshold_from: str | None = None
    zero: PrmZeroConfig = field(default_factory=PrmZeroConfig)
    train: Any = field(default_factory=schema_of(TrainPrm))


@dataclass
class CriticsConfig:
    """Whom eta-MCTS asks beside policy and PRM, which is then its value function; null goes without.

    `prm` values steps, `orm` finished solutions, `fast` is a smaller policy for rollouts: checkpoints, which may be the
    same. `train` names those of `prm` and `orm` that every round retrains from its traces, on `prm_labels` and
    `orm_labels`, else as `prm` says; where there is no checkpoint, they begin as PRM 0 does, with these labels.
    `shared`: the round's PRM has all three roles; its hard and soft labels are outcomes at the end of a solution.
    `tool`: a solution is worth nothing to the ORM from its first false equation on; without an ORM it is worth 1 else.
    """

    prm: str | None = None
    orm: str | None = None
    fast: str | None = None
    train: list[str] = field(default_factory=list)
    prm_labels: str = "hard"
    orm_labels: str = "outcome"
    shared: bool = False
    tool: bool = False


@dataclass
class BudgetConfig:
    """What one search may spend, whichever limit is reached first (see `mcts.budget.Budget`)."""

    tokens: int | None = None
    tokens_scored: int | None = None
    calls: int | None = None
    nodes: int | None = None
    seconds: float | None = None
    simulations: int | None = None


@dataclass
class SchedulerConfig:
    """How many trees are searched at once, how far a branch may go, and how long engines may say nothing at all."""

    trees_at_once: int = 1024
    max_depth: int = 16
    max_tokens: int = 128
    silence_s: float = 1800.0


@dataclass
class RoundConfig:
    """The loop: how many rounds, on how many fresh problems, with which traces.

    Every round goes on from the last policy or, with `restart`, from the first. `traces_replay` is the share of the
    problems of earlier rounds that is learned from again: 1 for the traces of all rounds so far, 0 for this round's
    alone. `replay` is the number of base demonstrations mixed in per selected trace, against forgetting; lessons that
    are no traces, such as pairs, get none. The group `objective` says what is made of the traces. With
    `policy.train.patience`, the lessons of a share `validation` of the problems are kept out of the policy's training;
    they tell when to stop and which weights to keep.
    `controls` are learned beside the loop for comparison: `base_only`, `rest_em` (see `regrow.learner.Teacher`).
    """

    count: int = 3
    problems: int = 512
    traces_per_problem: int = 2
    traces_replay: float = 1.0
    replay: float = 1.0
    validation: float = 0.05
    restart: bool = False
    controls: list[str] = field(default_factory=list)
    budget: BudgetConfig = field(default_factory=BudgetConfig)


@dataclass
class EvaluateConfig:
    """Held-out evaluation.

    Greedy decoding is measured on `problems`; sampling and searches on the first `drawn` of them. `diagnosis` adds the
    search with the exact truth for a scorer, and with values that mean nothing. A contest is held with `seeds` seeds,
    from `seed` on, at budgets of `unit` (`tokens` or `simulations`), and with `values` of the PRM, or `oracle`,
    `constant`, `inverted` in their place.
    """

    problems: int = 200
    drawn: int = 200
    samples: int = 8
    seeds: int = 1
    unit: str = "tokens"
    split: str = "test"
    diagnosis: bool = False
    values: str = "prm"
    budget: BudgetConfig = field(default_factory=BudgetConfig)


@dataclass
class LogConfig:
    """Where the figures of each round go beside the report; both need `pip install 'regrow[log]'`.

    Both write to `logs/` in the run directory. `wandb` stays offline unless `WANDB_MODE` says otherwise.
    """

    tensorboard: bool = False
    wandb: bool = False


@dataclass
class SweepConfig:
    """What a sweep (`-m`) wants of each run beside its report.

    `figure`: what a sweeper that optimises is told: an evaluation of the last round (`greedy`, `search` and so on),
    `auroc`, or `STRATEGY@BUDGET` of a contest; a grid needs none.
    """

    figure: str | None = None


@dataclass
class GenerateConfig:
    """A data set; `regrow generate KEY=...` sets these without `generate.` before them.

    `count`: how many problems, of the task's own or the first of `problems=`. `samples_per_problem`: simulations of the
    search; of best-of-N, solutions. `budget`: its limits beside these. `decontaminate`: test sets (files or data sets)
    whose questions must not come up: a problem that shares `ngram` words in a row with one is left out.
    """

    count: int | None = None
    samples_per_problem: int = 8
    problems_per_shard: int = 512
    decontaminate: list[str] = field(default_factory=list)
    ngram: int = 13
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    selection: Any = field(default_factory=schema_of(Selection))


@dataclass
class ExportConfig:
    """What `regrow export` writes; `regrow export KEY=...` sets these without `export.` before them.

    `traces`: a trace store, a run, or a folder of stores; null pushes the folder `out` as it is. `format`: a name of
    `regrow.export.formats`. `labels`: which labels are values, and tell which of two steps is better; good and bad
    steps are told by hard ones. `per_problem`: at most so many correct solutions of a problem, and as many wrong ones;
    null for all. `margin`: by how much two steps must differ for a step preference. `hub`: a place on the Hugging Face
    hub to push `out` to.
    """

    traces: str | None = None
    format: str | None = None
    out: str | None = None
    split: str = "train"
    per_problem: int | None = 4
    margin: float = 0.5
    labels: str = "soft"
    rows_per_file: int = 100_000
    hub: str | None = None


@dataclass
class ViewConfig:
    """What `regrow view` shows; `regrow view KEY=...` sets these without `view.` before them.

    One of `traces` (a trace store, or a folder of stores), `run` (a run's folder: curves, and held-out problems round
    by round) and `search` (a file of what `regrow search ... output=json tree=true` printed). `problem`: the one
    problem to show; null for the first `count`. `out`: the page.
    """

    traces: str | None = None
    run: str | None = None
    search: str | None = None
    problem: str | None = None
    count: int = 50
    out: str | None = None


@dataclass
class ResearchConfig:
    """What `regrow research` replays; `regrow research KEY=...` sets these without `research.` before them.

    `traces`: a trace store, a run, or a folder of stores. `values`: what the searches are told about steps: `prm` (the
    scores that were stored or, with `prm.path`, those of that PRM), `none`, or what means nothing: `constant`,
    `inverted`, `shuffled`. `show`: rows of the table for each budget; the file `out` has them all.
    """

    traces: str | None = None
    values: str = "prm"
    show: int = 20


@dataclass
class Config:
    """Everything a command can be told.

    `dry_run`: print what a long command would cost, and do nothing.
    `output`: how answers are written: `text`, `json` or, by `regrow search` to the file `out`, `parquet`; `tree` adds
    the whole tree.
    `problems`: a JSONL or parquet file, or a data set as OWNER/NAME[:SUBSET[:SPLIT]]; `columns` says what is where.

    `checker`: whether searches may see the verdicts of the task's own checker, where it has one. `strategies` and
    `budgets` make `regrow evaluate` a contest; a strategy is a search, or `"search setting=value ..."`.
    """

    run: RunConfig = field(default_factory=RunConfig)
    seed: int = 0
    output: str = "text"
    out: str | None = None
    tree: bool = False
    problems: str | None = None
    columns: Any = field(default_factory=schema_of(Columns))
    cache: str | None = "${oc.env:REGROW_CACHE,null}"
    task: TaskConfig = field(default_factory=TaskConfig)
    prompt: Any = field(default_factory=schema_of(PromptFormat))
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    prm: PrmConfig = field(default_factory=PrmConfig)
    critics: CriticsConfig = field(default_factory=CriticsConfig)
    search: Any = MISSING
    objective: Any = MISSING
    checker: bool = True
    strategies: list[str] = field(default_factory=list)
    budgets: list[int] = field(default_factory=list)
    budget: BudgetConfig = field(default_factory=BudgetConfig)
    scheduler: SchedulerConfig = field(default_factory=SchedulerConfig)
    dist: Any = field(default_factory=schema_of(Dist))
    round: RoundConfig = field(default_factory=RoundConfig)
    pseudo_labels: Any = field(default_factory=schema_of(PseudoLabels))
    gate: Any = field(default_factory=schema_of(Gate))
    alarms: Any = field(default_factory=schema_of(Alarms))
    imagine: Any = field(default_factory=schema_of(Imagination))
    evaluate: EvaluateConfig = field(default_factory=EvaluateConfig)
    log: LogConfig = field(default_factory=LogConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    generate: GenerateConfig = field(default_factory=GenerateConfig)
    export: ExportConfig = field(default_factory=ExportConfig)
    view: ViewConfig = field(default_factory=ViewConfig)
    research: ResearchConfig = field(default_factory=ResearchConfig)
    serve: Any = field(default_factory=schema_of(ServeSettings))
    dry_run: bool = False


def register() -> None:
    """Make the schemas known to Hydra. YAML files in `conf/` build on them."""
    store = ConfigStore.instance()
    store.store(name="schema", node=Config)
    for name, search in SEARCHES.items():
        store.store(group="search", name=f"{name}_schema", node=schema_of(search, kind=name, **dict.fromkeys(STRATEGY)))
    for name, objective in OBJECTIVES.items():
        store.store(group="objective", name=f"{name}_schema", node=schema_of(objective, kind=name))


def resolve(node: DictConfig) -> Config:
    """The composed configuration as plain objects, every interpolation resolved.

    Raises:
        InputError: A number is none, or so large that nothing can be counted with it.
    """
    config = OmegaConf.to_object(node)
    assert isinstance(config, Config)
    _check_numbers(dataclasses.asdict(config))
    return config


def _check_numbers(value: Any, where: str = "") -> None:
    """Look at every number beneath a setting."""
    if isinstance(value, dict | list | tuple):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in parts:
            _check_numbers(part, f"{where}.{key}" if where else str(key))
    elif isinstance(value, float) and not isfinite(value):
        raise InputError(f"config {where}={value}: expected a finite number")
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InputError(f"config {where}={value}: expected a number of 64 bits")
