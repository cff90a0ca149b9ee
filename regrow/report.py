"""The report of a run, `report.json`: what was run, on what, and how good each round's policy and PRM are."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import NormalDist, fmean
from typing import Any, Self, TypeVar, cast

from mcts.errors import InputError
from regrow import provenance
from regrow.comparison import Comparison
from regrow.manifest import Manifest

SCHEMA = 2
EVAL_NAMES = ("greedy", "sample", "search", "best_of_n", "oracle", "shuffled")
"""Names of a round's evaluations; from `search` on they spend equal tokens, the last two with other scorers."""

T = TypeVar("T")


def wilson_interval(share: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The score interval of a proportion (Wilson 1927).

    Args:
        share: Mean of `n` results in [0, 1]. Where these are shares themselves the interval is too wide, never too
            narrow: no variable in [0, 1] varies more than a coin of the same mean.
        n: Independent results.
    """
    if n < 1 or not 0.0 <= share <= 1.0:
        raise ValueError(f"proportion {share} of {n}, expected a share in [0, 1] of at least one result")
    z2 = NormalDist().inv_cdf((1.0 + confidence) / 2.0) ** 2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = (z2 * share * (1 - share) / n + (z2 / (2 * n)) ** 2) ** 0.5 / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, slots=True)
class EvalRow:
    """One strategy on held-out problems.

    Attributes:
        strategy: The search that was run.
        selected_by: What chose among its solutions, such as `prm`, `checker` or `none`.
        tokens_per_problem: Generated tokens, mean over the problems.
        accuracy: Mean over the problems of the share answered correctly.
        low: Lower end of its 95 % Wilson interval.
        high: Upper end.
        n: Problems.
    """

    strategy: str
    selected_by: str
    tokens_per_problem: float
    accuracy: float
    low: float
    high: float
    n: int


def eval_row(strategy: str, selected_by: str, tokens_per_problem: float, scores: Sequence[float]) -> EvalRow:
    """Sum up a strategy from `scores`, [problems] share of correct answers in [0, 1]."""
    if not scores:
        raise InputError(f"evaluation of {strategy}: no problems, expected at least one")
    accuracy = fmean(scores)
    low, high = wilson_interval(accuracy, len(scores))
    return EvalRow(strategy, selected_by, tokens_per_problem, accuracy, low, high, len(scores))


@dataclass(frozen=True, slots=True)
class PrmQuality:
    """A PRM held against the truth about each step. None where a figure is not defined.

    Attributes:
        auroc: Against reachability of a correct answer.
        auroc_by_depth: Number of the step, 1 the first -> AUROC among the steps of that depth.
        depth_only_auroc: Of values that tell depths apart and nothing else; a constant has 0.5.
        brier_skill: 1 - Brier score / Brier score of the base rate.
        within_tenth: Share of values within 0.1 of the truth.
        constant_within_tenth: The same for the best constant.
        depth_only_within_tenth: The same for the best constant per depth.
        n: Steps judged.
        own_success_skill: Brier skill as forecasts of its own policy's success from each step on.
    """

    auroc: float | None
    auroc_by_depth: dict[str, float | None]
    depth_only_auroc: float | None
    brier_skill: float | None
    within_tenth: float | None = field(metadata={"key": "within_0.1"})
    constant_within_tenth: float | None = field(metadata={"key": "constant_within_0.1"})
    depth_only_within_tenth: float | None = field(metadata={"key": "depth_only_within_0.1"})
    n: int
    own_success_skill: float | None


@dataclass(frozen=True, slots=True)
class Control:
    """What another teacher made of the same base in the same round; see `regrow.learner.Teacher`.

    Attributes:
        policy: Checkpoint of the policy that was evaluated.
        tokens_generated: Likewise for training data.
        seconds: Stage -> wall-clock seconds.
        eval: `greedy` and `sample`.
    """

    policy: str
    tokens_generated: int
    seconds: dict[str, float]
    eval: dict[str, EvalRow]


@dataclass(frozen=True, slots=True)
class Round:
    """One round. Round 0 is the models to start from.

    Attributes:
        policy: Checkpoint of the policy that was evaluated.
        prm: Likewise.
        tokens_generated: What the round's search generated.
        seconds: Stage -> wall-clock seconds.
        eval: Name of `EVAL_NAMES` -> its result.
        prm_eval: None where the task knows no truth about steps.
        prm_exact_eval: Of the yardstick: the same model trained on exact labels; None where there is none.
        controls: Name of the teacher -> what it reached.
        comparisons: Paired tests on the held-out problems: over round 0 (`base`), the controls, best-of-N.
    """

    round: int
    policy: str
    prm: str
    tokens_generated: int
    seconds: dict[str, float]
    eval: dict[str, EvalRow]
    prm_eval: PrmQuality | None
    prm_exact_eval: PrmQuality | None
    controls: dict[str, Control]
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """A run's report. `config` and `hardware` are JSON objects, `commit` names the source."""

    schema: int
    command: str
    commit: str
    config: dict[str, Any]
    hardware: dict[str, Any]
    seed: int
    rounds: tuple[Round, ...]

    @classmethod
    def of(cls, command: str, manifest: Manifest, seed: int, rounds: Sequence[Round]) -> Self:
        """The report of a run on this machine, held against its own format: parts of `rounds` may be plain JSON."""
        hardware = provenance.hardware()
        report = cls(SCHEMA, command, manifest.commit, manifest.config, hardware, seed, tuple(rounds))
        return cls.from_dict(report.as_dict())

    def as_dict(self) -> dict[str, Any]:
        """The JSON object, keys in the order of the fields."""
        return cast(dict[str, Any], _plain(self))

    @classmethod
    def from_dict(cls, data: object, name: str = "report") -> Self:
        """Read back what `as_dict` gave. Raises `InputError` naming the first key that is not as expected."""
        report = _record(cls, data, name)
        if report.schema != SCHEMA:
            raise InputError(f"{name}.schema is {report.schema}, expected {SCHEMA}")
        for index, done in enumerate(report.rounds):
            if unknown := done.eval.keys() - set(EVAL_NAMES):
                raise InputError(f"{name}.rounds[{index}].eval has {min(unknown)}, expected {', '.join(EVAL_NAMES)}")
        return report


def read_report(path: Path) -> Report:
    """Read `report.json`. Raises `InputError` if it is missing, broken or of another schema."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not readable JSON, expected a report") from error
    return Report.from_dict(data, str(path))


def _key(one: dataclasses.Field[Any]) -> str:
    """The JSON key of a field: its name, unless that key is no identifier."""
    return str(one.metadata.get("key", one.name))


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value):
        return {_key(one): _plain(getattr(value, one.name)) for one in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    return value


def _record(kind: type[T], value: object, where: str) -> T:
    """Build the dataclass `kind` from plain JSON, by the types of its fields."""
    entries = _expect(dict, value, where)
    hints = typing.get_type_hints(kind)
    names = {_key(one): one.name for one in dataclasses.fields(cast(Any, kind))}
    if odd := sorted(names.keys() ^ entries.keys()):
        state = "missing" if odd[0] in names else "unknown"
        raise InputError(f"{where}.{odd[0]} is {state}, expected {', '.join(names)}")
    return kind(**{name: _value(hints[name], entries[key], f"{where}.{key}") for key, name in names.items()})


def _value(hint: object, value: object, where: str) -> object:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return None if value is None else _value(arguments[0], value, where)
    if origin is dict:
        entries = _expect(dict, value, where)
        return {key: _value(arguments[1], inner, f"{where}.{key}") for key, inner in entries.items()}
    if origin is tuple:
        items = _expect(list, value, where)
        return tuple(_value(arguments[0], inner, f"{where}[{index}]") for index, inner in enumerate(items))
    if hint is Any:
        return value
    kind = cast(type, hint)
    return _record(kind, value, where) if dataclasses.is_dataclass(kind) else _expect(kind, value, where)


def _expect(kind: type[T], value: object, where: str) -> T:
    accepted: tuple[type, ...] = (int, float) if kind is float else (kind,)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not isinstance(value, accepted) or (kind in (int, float) and not is_number):
        raise InputError(f"{where} is {value!r:.40}, expected {kind.__name__}")
    return cast(T, value)
