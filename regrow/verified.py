"""A search tree after its solutions were verified and its steps labelled: one unit of the trace store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mcts.labels import StepLabels, infer_labels
from mcts.tree import SearchTree
from mcts.types import Outcome


@dataclass(frozen=True, slots=True)
class VerifiedTree:
    """A finished tree, what the verifier said, and the labels inferred from it.

    Attributes:
        gold: The problem's gold answer. It joins the tree here, after the search.
        outcomes: Final node -> the verifier's outcome.
        labels: One label a node, in the order of the tree's nodes.
        answers: Judged node -> what its solution answers, in the task's form; None where it has no answer. Empty where
            nobody kept them.
    """

    tree: SearchTree
    gold: str
    outcomes: Mapping[int, Outcome]
    labels: StepLabels
    answers: Mapping[int, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        nodes = len(self.tree.steps)
        for name in ("remaining", "hard", "progress", "soft"):
            if (found := getattr(self.labels, name).shape) != (nodes,):
                raise ValueError(f"labels.{name} has shape {found}, expected ({nodes},): one label a node")
        if strays := [node for node in self.outcomes if not 0 <= node < nodes]:
            raise ValueError(f"outcomes name node {strays[0]}, expected nodes of the tree: 0 to {nodes - 1}")
        if strays := [node for node in self.answers if node not in self.outcomes]:
            raise ValueError(f"answers name node {strays[0]}, expected judged nodes")

    @classmethod
    def labelled(
        cls,
        tree: SearchTree,
        gold: str,
        outcomes: Mapping[int, Outcome],
        answers: Mapping[int, str | None] | None = None,
    ) -> VerifiedTree:
        """Infer the labels from the outcomes. Without `answers` the judged nodes have none."""
        kept = dict.fromkeys(outcomes) if answers is None else answers
        return cls(tree, gold, outcomes, infer_labels(tree, outcomes), kept)
