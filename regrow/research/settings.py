"""Settings to compare: strategies in the words of a contest, of which one may stand for a grid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import product

from mcts.errors import InputError
from regrow.build import strategy_of
from regrow.compose import search_grid
from regrow.config import Config
from regrow.strategy import Strategy
from regrow.tasks.task import Task

MOST_VALUES = 10_000
"""Of one range: more is a slip."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A strategy, and the words that ask for it alone."""

    words: str
    strategy: Strategy


def settings_of_grids(strategies: Sequence[str], config: Config, task: Task) -> list[Setting]:
    """Every setting that `strategies` ask for, once each.

    A strategy is a preset with settings behind it, as in a contest. A setting may have several values, with commas
    between, and ranges `FROM:TO:STEP`, both ends included: `"rollout_branching root_share=0.1:0.9:0.1 strength=1,3"`.

    Raises:
        InputError: A strategy, setting or value that cannot be; or there is none.
    """
    if not strategies:
        raise InputError("no strategies, expected strategies=['rollout_branching root_share=0.1:0.9:0.1',...]")
    found: dict[str, Setting] = {}
    for words in strategies:
        name, axes = _axes(words)
        for node, asked in zip(search_grid(name, axes), _combined(name, axes), strict=True):
            found.setdefault(asked, Setting(asked, strategy_of(node, config, task)))
    return list(found.values())


def _combined(name: str, axes: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for values in product(*axes.values()):
        yield " ".join([name, *(f"{key}={value}" for key, value in zip(axes, values, strict=True))])


def _axes(words: str) -> tuple[str, dict[str, list[str]]]:
    name, *settings = words.split() or [""]
    axes = {}
    for setting in settings:
        key, equals, values = setting.partition("=")
        if not (key and equals and values):
            raise InputError(f"config strategies: {setting} in '{words}', expected setting=value")
        axes[key] = [value for part in values.split(",") for value in _values(part, f"{setting} in '{words}'")]
    return name, axes


def _values(part: str, where: str) -> list[str]:
    """The values of a range, or the one that stands there."""
    if ":" not in part:
        return [part]
    try:
        first, last, step = map(Decimal, part.split(":"))
        count = int((last - first) / step) + 1 if step > 0 else 0
    except (InvalidOperation, ValueError):
        count = 0
    if not 0 < count <= MOST_VALUES:
        raise InputError(f"config strategies: {where}, expected a range FROM:TO:STEP that ascends, such as 0.1:0.9:0.1")
    return [str(first + i * step) for i in range(count)]
