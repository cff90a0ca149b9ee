"""What a search may ask for. A search is a generator: it yields these and receives the replies.

Engine requests (`Draw`, `Value`, `Critique`) go to policy, scorer and critic; the others are answered by the forest, in
one compiled call for all trees that ask the same. A search may yield a tuple of requests: they are answered together.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from mcts.types import Proposal, Step, Until


@dataclass(frozen=True, slots=True)
class Draw:
    """Draw `width` continuations at `node` (and `beyond`, steps that are not in the tree). Reply: `Proposal`."""

    node: int
    width: int
    until: Until
    temperature: float
    beyond: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Value:
    """Score every prefix on the way to `node` in one pass; nodes without a value get theirs. Reply: float, the last."""

    node: int
    beyond: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Critique:
    """Ask the critic whether the state at `node` is a finished solution. Reply: bool, False without a critic."""

    node: int
    beyond: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Grow:
    """Add continuations beneath `node`; a step that is there already is not added again.

    Reply: list[int], the node each continuation ends at (equal for duplicates).
    """

    node: int
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Check:
    """Ask the task's checker about the solution that ends at `node`.

    Reply: bool, or None without a checker and where the solution has not ended yet.
    """

    node: int


@dataclass(frozen=True, slots=True)
class SelectUct:
    """Walk to an unexpanded node by UCT. Reply: node, or `NO_NODE` where every branch is closed."""

    exploration: float
    log_factor: float
    unvisited_bonus: float


@dataclass(frozen=True, slots=True)
class SelectPrefix:
    """Choose the prefix to draw the next step from. Reply: node."""

    strength: float
    root_share: float
    opening: int


@dataclass(frozen=True, slots=True)
class Credit:
    """Count a visit and add `evidence` in [0, 1] to all nodes from `leaf` up to `prefix`. Reply: None."""

    leaf: int
    prefix: int
    evidence: float


@dataclass(frozen=True, slots=True)
class Expand:
    """Mark `node` as expanded: its children are all it will get. Reply: None."""

    node: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Let `node` count as a finished solution, though the policy did not end it. Reply: None."""

    node: int


@dataclass(frozen=True, slots=True)
class Revalue:
    """Set the value of `node` and count a visit. Reply: None."""

    node: int
    value: float


@dataclass(frozen=True, slots=True)
class BackupChildMean:
    """Back up visit-weighted child means from `leaf` to the root and close what is exhausted. Reply: None."""

    leaf: int


EngineRequest = Draw | Value | Critique
TreeRequest = Grow | Check | SelectUct | SelectPrefix | Credit | Expand | Finish | Revalue | BackupChildMean
Request = EngineRequest | TreeRequest

Simulation = Generator[Request | tuple[Request, ...], Any, bool]
"""One simulation. Returns whether the tree has more to give."""
