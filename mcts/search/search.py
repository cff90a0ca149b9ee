"""The Search port: what the scheduler drives."""

from __future__ import annotations

from collections.abc import Generator
from math import isnan
from typing import Any, Protocol

from mcts.forest import Forest, Tree
from mcts.requests import Check, Credit, Request, Simulation, Value


class Search(Protocol):
    """A search algorithm: settings, and one simulation at a time.

    What a tree counts lives in the forest, so that a simulation can be started, paused and replayed at will.
    """

    @property
    def name(self) -> str:
        """The name under which results are reported."""

    @property
    def temperature(self) -> float:
        """Sampling temperature of its draws."""

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        """Grow `tree` by one simulation; return False when it has nothing more to give."""


def credit_solutions(leaves: list[int], prefix: int) -> Generator[Request | tuple[Request, ...], Any, None]:
    """Score finished solutions, ask the checker, and credit the evidence from each leaf up to `prefix`.

    Evidence is the checker's verdict where the task has one, else the scorer's value of the finished solution; without
    either there is none.
    """
    values: tuple[float, ...] = yield tuple(Value(leaf) for leaf in leaves)
    verdicts: tuple[bool | None, ...] = yield tuple(Check(leaf) for leaf in leaves)
    evidence = [
        float(verdict) if verdict is not None else 0.0 if isnan(value) else value
        for value, verdict in zip(values, verdicts, strict=True)
    ]
    yield tuple(Credit(leaf, prefix, e) for leaf, e in zip(leaves, evidence, strict=True))
