"""The rows of a data set: what is said of each solution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from mcts.tree import ROOT
from mcts.types import Outcome
from policy.prompts import PromptFormat
from regrow.evaluation import texts
from regrow.tasks.task import GradedProblem, Task
from regrow.verified import VerifiedTree

DIFFICULTIES = ((0.0, "unsolved"), (1 / 3, "hard"), (2 / 3, "medium"), (1.0, "easy"))
"""Upper ends of the solve rates that a difficulty goes up to."""

_MESSAGES = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


def schema_of(prompt: PromptFormat) -> pa.Schema:
    """Columns of a data set; `prompt` and `completion` are messages where the policy is asked as an assistant."""
    said = _MESSAGES if prompt.chat else pa.string()
    return pa.schema(
        [
            ("problem_id", pa.string()),
            ("problem", pa.string()),
            ("gold", pa.string()),
            ("level", pa.string()),
            ("subject", pa.string()),
            ("prompt", said),
            ("completion", said),
            ("steps", pa.list_(pa.string())),
            ("step_values", pa.list_(pa.float32())),
            ("answer", pa.string()),
            ("outcome", pa.string()),
            ("is_correct", pa.bool_()),
            ("draws", pa.int32()),
            ("tokens", pa.int32()),
            ("solve_rate", pa.float32()),
            ("difficulty", pa.string()),
            ("strategy", pa.string()),
        ]
    )


def rows_of(
    verified: VerifiedTree, graded: GradedProblem, nodes: list[int], task: Task, prompt: PromptFormat
) -> Iterator[dict[str, Any]]:
    """A row a solution."""
    tree, rate = verified.tree, solve_rate(verified)
    for node in nodes:
        steps = tree.path(node)
        said = texts(steps)
        yield {
            "problem_id": graded.problem.id,
            "problem": graded.problem.question,
            "gold": graded.answer,
            "level": graded.level,
            "subject": graded.subject,
            **prompt.example(graded.problem.question, said),
            "steps": said,
            "step_values": _values(verified, node),
            "answer": task.answer(said),
            "outcome": verified.outcomes[node].value,
            "is_correct": verified.outcomes[node] is Outcome.CORRECT,
            "draws": max(1, int(tree.visits[node])),
            "tokens": sum(len(step.token_ids) for step in steps),
            "solve_rate": rate,
            "difficulty": difficulty_of(rate),
            "strategy": tree.strategy,
        }


def solve_rate(verified: VerifiedTree) -> float:
    """The share of the draws that were correct; every simulation of a tree search counts as a draw."""
    tree = verified.tree
    correct = sum(int(tree.visits[node]) for node, outcome in verified.outcomes.items() if outcome is Outcome.CORRECT)
    return min(1.0, correct / max(1, int(tree.visits[ROOT])))


def difficulty_of(rate: float) -> str:
    """The bucket of a solve rate."""
    return next(name for upper, name in DIFFICULTIES if rate <= upper)


def _values(verified: VerifiedTree, node: int) -> list[float | None]:
    """The value of the prefix after each step; None where it was not scored."""
    values: list[float | None] = []
    while node > ROOT:
        value = float(verified.tree.value[node])
        values.append(None if np.isnan(value) else value)
        node = int(verified.tree.parent[node])
    return values[::-1]
