"""Rows for verl: one a problem, the prompt as messages and the gold answer for a reward function."""

from __future__ import annotations

from collections.abc import Iterator

from regrow.export.recipe import Recipe
from regrow.export.rows import Row
from regrow.verified import VerifiedTree


def verl(verified: VerifiedTree, recipe: Recipe, index: int) -> Iterator[Row]:
    """`data_source`, `prompt`, `ability`, `reward_model`, `extra_info`; nothing where no gold answer is known."""
    if not verified.gold:
        return
    problem = verified.tree.problem
    yield {
        "data_source": f"regrow/{recipe.task}",
        "prompt": recipe.prompt.messages(problem.question),
        "ability": "math",
        "reward_model": {"style": "rule", "ground_truth": verified.gold},
        "extra_info": {"split": recipe.split, "index": index, "problem_id": problem.id},
    }
