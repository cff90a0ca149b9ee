"""PUCT: AlphaZero's tree search with steps for moves and a reward model for the value network."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan

from mcts.forest import Forest, Tree
from mcts.requests import BackupMean, Check, Draw, Expand, Grow, Release, SelectPuct, Simulation, Value, Widen
from mcts.search.bounds import check_bounds
from mcts.tree import NO_NODE
from mcts.types import Proposal, Until
from mcts.widening import FIXED, Widening


@dataclass(frozen=True, slots=True)
class Puct:
    """Search by prior and mean value (AlphaZero, arXiv 1712.01815; constants of its published pseudo-code).

    A step's prior is the policy's probability of it; where the policy tells none, its share of the draws. A finished
    solution is evaluated when it is drawn, by the checker or else the scorer, and never selected. A node that is given
    one more continuation passes the visit on to what is new there.

    Attributes:
        width: Steps drawn at a leaf.
        widening: Which nodes are given more, later on.
        in_flight: Leaves expanded at once; their visits count while they are under way (WU-UCT, arXiv 1810.11755).
        unvisited_value: Q of a child without visits.
    """

    width: int = 4
    in_flight: int = 1
    c_init: float = 1.25
    c_base: float = 19_652.0
    unvisited_value: float = 0.0
    widening: Widening = FIXED
    temperature: float = 1.0
    name: str = "puct"

    def __post_init__(self) -> None:
        check_bounds(self, amounts=("c_init", "c_base", "temperature"))
        if self.width < 1 or not 1 <= self.in_flight <= 255:
            raise ValueError(f"expected width of 1 or more and in_flight of 1 to 255, got {self}")

    def simulate(self, forest: Forest, tree: Tree) -> Simulation:
        """Select leaves, expand and evaluate them, back up."""
        select = SelectPuct(self.c_init, self.c_base, self.unvisited_value, hold=True)
        chosen: tuple[int, ...] = yield (select,) * self.in_flight
        leaves = [leaf for leaf in chosen if leaf != NO_NODE]
        if not leaves:
            return False
        fresh = [leaf for leaf in leaves if forest.draws(leaf) == 0]
        proposals: tuple[Proposal, ...] = yield tuple(
            Draw(leaf, max(1, self.width - forest.draws(leaf)), Until.STEP, self.temperature) for leaf in leaves
        )
        known = len(tree.nodes)
        grown: tuple[list[int], ...] = yield tuple(map(Grow, leaves, proposals))
        new = set(tree.nodes[known:])
        yield tuple(map(Expand, leaves))
        below = [
            child
            for leaf, children in zip(leaves, grown, strict=True)
            for child in dict.fromkeys(children)
            if child in new and not (leaf in fresh and forest.is_open(child))
        ]
        evaluated = [*fresh, *below]
        values: tuple[float, ...] = yield tuple(map(Value, evaluated))
        verdicts: tuple[bool | None, ...] = yield tuple(map(Check, evaluated))
        yield tuple(
            BackupMean(node, float(verdict) if verdict is not None else _known(value))
            for node, value, verdict in zip(evaluated, values, verdicts, strict=True)
        )
        yield tuple(Release(leaf) for leaf in leaves if leaf not in fresh)
        if not self.widening.is_fixed:
            yield tuple(Widen(leaf, self.widening) for leaf in leaves)
        return True


def _known(value: float) -> float:
    """Without a value there is no evidence."""
    return 0.0 if isnan(value) else value
