"""What a search answers: the chosen solution, what speaks for it, and what it cost."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from mcts.tree import NO_NODE, Flag, SearchTree
from regrow.strategy import Strategy
from regrow.tasks.task import Task


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished search, or one that goes on.

    Attributes:
        tree: Its `answer` is the chosen solution.
    """

    tree: SearchTree

    @classmethod
    def of(cls, strategy: Strategy, task: Task, tree: SearchTree) -> Answer:
        """The answer that a strategy chooses in a tree, finished or not."""
        return cls(dataclasses.replace(tree, answer=strategy.chosen(task, tree)))

    @property
    def question(self) -> str:
        """What was asked, as the task writes it."""
        return self.tree.problem.question

    @property
    def is_found(self) -> bool:
        """Whether there is a solution."""
        return self.tree.answer != NO_NODE

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps of the chosen solution; none where there is no solution."""
        path = self.tree.path(self.tree.answer) if self.is_found else ()
        return tuple(step.text for step in path)

    @property
    def text(self) -> str:
        """The chosen solution, a step a line."""
        return "\n".join(self.steps)

    @property
    def score(self) -> float | None:
        """What the scorer says of it; None where nobody said anything."""
        value = float(self.tree.value[self.tree.answer]) if self.is_found else float("nan")
        return None if np.isnan(value) else value

    @property
    def accepted(self) -> bool | None:
        """What the task's checker said; None if nobody asked it."""
        return verdict_of(int(self.tree.flags[self.tree.answer])) if self.is_found else None

    @property
    def tokens(self) -> int:
        """Generated tokens of the whole search."""
        return self.tree.spent.tokens_generated

    def row(self) -> dict[str, Any]:
        """All of it but the tree, as JSON values."""
        return {
            "id": self.tree.problem.id,
            "question": self.question,
            "solution": list(self.steps) if self.is_found else None,
            "score": self.score,
            "accepted": self.accepted,
            "answer_node": self.tree.answer,
            "strategy": self.tree.strategy,
            "spent": dataclasses.asdict(self.tree.spent),
            "nodes": len(self.tree.parent),
        }

    def nodes(self) -> list[dict[str, Any]]:
        """The tree's nodes in order of creation, as JSON values."""
        tree = self.tree
        return [
            {
                "node": node,
                "parent": int(tree.parent[node]),
                "text": step.text if step else None,
                "tokens": len(step.token_ids) if step else 0,
                "visits": int(tree.visits[node]),
                "value_sum": float(tree.value_sum[node]),
                "value": None if np.isnan(tree.value[node]) else float(tree.value[node]),
                "prior": float(tree.prior[node]),
                "is_final": bool(tree.flags[node] & Flag.FINAL),
                "accepted": verdict_of(int(tree.flags[node])),
            }
            for node, step in enumerate(tree.steps)
        ]

    def _repr_html_(self) -> str:
        """For notebooks."""
        steps = "".join(f"<li>{escape(step)}</li>" for step in self.steps) or "no complete solution"
        score = "no score" if self.score is None else f"score {self.score:.3f}"
        return f"<b>{escape(self.question)}</b><ol>{steps}</ol><small>{score}, {self.tokens} tokens</small>"


def verdict_of(flags: int) -> bool | None:
    """What the checker said of a node; None if nobody asked it."""
    return True if flags & Flag.ACCEPTED else False if flags & Flag.REJECTED else None
