"""PUCT: AlphaZero's tree search with steps for moves and a reward model for the value network."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from mcts.forest import Forest, Tree
from mcts.requests import BackupMean, Check, Draw, Expand, Grow, SelectPuct, Simulation, Value
from mcts.tree import NO_NODE
from mcts.types import Proposal, Until


@dataclass(frozen=True, slots=True)
class Puct:
    """Search by prior and mean value (AlphaZero, arXiv 1712.01815; constants of its published pseudo-code).

    A step's prior is the policy's probability of it; without probabilities there is no exploration. A finished solution
    is evaluated when it is drawn, by the checker or else the scorer, and never selected.

    Attributes:
        width: Steps drawn at a leaf.
        in_flight: Leaves expanded at once; their visits count while they are under way (WU-UCT, arXiv 1810.11755).
        unvisited_value: Q of a child without visits.
    """

    width: int = 4
    in_flight: int = 1
    c_init: float = 1.25
    c_base: float = 19_652.0
    unvisited_value: float = 0.0
    temperature: float = 1.0
    name: str = "puct"

    def __post_init__(self) -> None:
        if self.width < 1 or not 1 <= self.in_flight <= 255:
            raise ValueError(f"expected width of 1 or more and in_flight of 1 to 255, got {self}")

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        """Select leaves, expand and evaluate them, back up."""
        select = SelectPuct(self.c_init, self.c_base, self.unvisited_value, hold=True)
        chosen: tuple[int, ...] = yield (select,) * self.in_flight
        leaves = [leaf for leaf in chosen if leaf != NO_NODE]
        if not leaves:
            return False
        proposals: tuple[Proposal, ...] = yield tuple(
            Draw(leaf, self.width, Until.STEP, self.temperature) for leaf in leaves
        )
        grown: tuple[list[int], ...] = yield tuple(map(Grow, leaves, proposals))
        yield tuple(map(Expand, leaves))
        finished = [child for children in grown for child in dict.fromkeys(children) if not forest.is_open(child)]
        values: tuple[float, ...] = yield tuple(Value(node) for node in (*leaves, *finished))
        verdicts: tuple[bool | None, ...] = yield tuple(Check(node) for node in finished)
        evaluated = [*zip(finished, values[len(leaves) :], verdicts, strict=True)]
        yield tuple(
            BackupMean(node, float(verdict) if verdict is not None else _known(value))
            for node, value, verdict in evaluated
        )
        yield tuple(BackupMean(leaf, _known(value)) for leaf, value in zip(leaves, values, strict=False))
        return True


def _known(value: float) -> float:
    """Without a value there is no evidence."""
    return 0.0 if isnan(value) else value
