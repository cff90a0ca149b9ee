"""The traces that a line of models learns from: those of the round, and a share of those before."""

from __future__ import annotations

from regrow.manifest import Stage
from regrow.selection import is_replayed
from regrow.trace_store import read_trees
from regrow.verified import VerifiedTree


class Replay:
    """The stages with verified trees of all rounds so far, but for those behind models that a gate refused.

    Args:
        share: Of the problems of earlier rounds, how many are learned from again.
        seed: Which they are.
    """

    def __init__(self, share: float, seed: int) -> None:
        self._share = share
        self._seed = seed
        self._stages: list[Stage] = []

    def add(self, traces: Stage) -> None:
        """Learn from a round's traces, too."""
        self._stages.append(traces)

    def drop_last(self) -> None:
        """Leave the last traces out from now on, if there are any: they may have misled a model."""
        del self._stages[-1:]

    def last(self) -> list[VerifiedTree]:
        """The trees of the last round that is learned from; none before the first."""
        return [tree for stage in self._stages[-1:] for tree in read_trees(stage.folder)]

    def digests(self) -> list[str]:
        """For the inputs of a stage."""
        return [stage.digest for stage in self._stages]

    def trees(self, number: int) -> list[list[VerifiedTree]]:
        """The trees that round `number` learns from, a list for each round so far."""
        past = [
            [tree for tree in read_trees(stage.folder) if is_replayed(tree, self._share, self._seed, number)]
            for stage in self._stages[:-1]
        ]
        return [*past, *(read_trees(stage.folder) for stage in self._stages[-1:])]
