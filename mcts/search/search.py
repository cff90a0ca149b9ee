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


def assess(nodes: list[int], prefixes: list[int]) -> Generator[Request | tuple[Request, ...], Any, dict[int, float]]:
    """Score new nodes, ask the checker about those that end a solution, and credit each from there up to its prefix.

    Evidence is the checker's verdict on a finished solution where the task has one, else the scorer's value, of a
    finished solution as of the beginning of one; without either there is none.

    Args:
        nodes: What was drawn; a node that was drawn twice is scored once and credited twice.
        prefixes: What each is evidence for.

    Returns:
        Node -> value, in the order of `nodes`.
    """
    new = list(dict.fromkeys(nodes))
    values: dict[int, float] = dict(zip(new, (yield tuple(Value(node) for node in new)), strict=True))
    verdicts: dict[int, bool | None] = dict(zip(new, (yield tuple(Check(node) for node in new)), strict=True))

    def evidence(node: int) -> float:
        value, verdict = values[node], verdicts[node]
        return float(verdict) if verdict is not None else 0.0 if isnan(value) else value

    yield tuple(Credit(node, prefix, evidence(node)) for node, prefix in zip(nodes, prefixes, strict=True))
    return values
