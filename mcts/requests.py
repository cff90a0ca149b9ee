"""What a search may ask for. A search is a generator: it yields these and receives the replies.

Engine requests (`Draw`, `Value`, `Critique`) go to policy, scorer and critic; the others are answered by the forest, in
one compiled call for all trees that ask the same. A search may yield a tuple of requests: they are answered together.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from mcts.types import Proposal, Role, Step, Until
from mcts.widening import Widening


@dataclass(frozen=True, slots=True)
class Draw:
    """Draw `width` continuations at `node` (and `beyond`, steps that are not in the tree). Reply: `Proposal`.

    Attributes:
        by: `Role.POLICY`, or `Role.FAST`, which is the policy where there is no other.
    """

    node: int
    width: int
    until: Until
    temperature: float
    beyond: tuple[Step, ...] = ()
    by: Role = Role.POLICY


@dataclass(frozen=True, slots=True)
class Value:
    """Score every prefix on the way to `node` in one pass. Reply: float, the last; NaN without such a scorer.

    Attributes:
        by: `Role.SCORER`, from which nodes without a value get theirs; `Role.PRM` or `Role.ORM`, which only tell.
    """

    node: int
    beyond: tuple[Step, ...] = ()
    by: Role = Role.SCORER


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
class SelectUcb:
    """Walk to an unexpanded node by UCB over mean values. Reply: node, or `NO_NODE` where every branch is closed."""

    exploration: float
    log_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class SelectPuct:
    """Walk to an unexpanded node by PUCT over priors and mean values. Reply: node, or `NO_NODE` where nothing is open.

    Of several in one tuple each sees those before it in flight, if they `hold`.

    Attributes:
        c_init: Exploration; 1.25 in AlphaZero.
        c_base: Visits from which exploration grows; 19652 in AlphaZero.
        unvisited_value: Q of a child without visits.
        hold: Put the node in flight: it is not chosen again until a backup or `Release` from it. All selections of a
            tree hold, or none does; at most 255 at a time.
    """

    c_init: float = 1.25
    c_base: float = 19652.0
    unvisited_value: float = 0.0
    hold: bool = False


@dataclass(frozen=True, slots=True)
class SelectPrefix:
    """Choose the prefix to draw the next step from. Reply: node."""

    strength: float
    doubt: float
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
    """Mark `node` as expanded: walks go on to its children. Reply: None.

    Where the policy tells no probabilities, the children's priors become their shares of the draws.
    """

    node: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Let `node` count as a finished solution, though the policy did not end it. Reply: None."""

    node: int


@dataclass(frozen=True, slots=True)
class Revalue:
    """Set the value of `node` and, if it `counts`, count a visit. Reply: None."""

    node: int
    value: float
    counts: bool = True


@dataclass(frozen=True, slots=True)
class BackupChildMean:
    """Back up visit-weighted child means from `leaf` to the root and close what is exhausted. Reply: None."""

    leaf: int


@dataclass(frozen=True, slots=True)
class BackupMean:
    """Count a visit and add `value` from `leaf` to the root, and close what is exhausted. Reply: None.

    `SelectPuct` reads the mean. The value of the nodes themselves stays as it is.
    """

    leaf: int
    value: float


@dataclass(frozen=True, slots=True)
class BackupMax:
    """Count a visit and set each value from `leaf` to the root to the highest among its children's. Reply: None.

    Closes what is exhausted, too.
    """

    leaf: int


@dataclass(frozen=True, slots=True)
class Release:
    """Take `leaf` out of flight without a visit: its simulation came to nothing. Reply: None."""

    leaf: int


@dataclass(frozen=True, slots=True)
class Widen:
    """Let walks end at nodes from `leaf` to the root that are to be given another continuation. After a backup.

    Reply: None.
    """

    leaf: int
    widening: Widening


EngineRequest = Draw | Value | Critique
Select = SelectUct | SelectUcb | SelectPuct | SelectPrefix
Backup = Credit | BackupChildMean | BackupMean | BackupMax | Release
TreeRequest = Grow | Check | Select | Expand | Finish | Revalue | Backup | Widen
Request = EngineRequest | TreeRequest

Simulation = Generator[Request | tuple[Request, ...], Any, bool]
"""One simulation. Returns whether the tree has more to give."""
