"""A tree as the page takes it: columns of JSON values, node by node, with nothing that the page does not show."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mcts.tree import UNKNOWN_PRIOR, Flag, SearchTree
from mcts.types import Outcome, StepEnd
from regrow.verified import VerifiedTree

Data = dict[str, Any]

DIGITS = 4
"""Significant digits of what is no count."""


def tree_data(verified: VerifiedTree, where: str) -> Data:
    """The columns of a tree; [N] each, null where nothing is known.

    `q` is the evidence a visit, value_sum / visits. What is said of few nodes has the node as its key: `verdicts` of
    solutions, `answers` that were read of them, `ends` other than a delimiter.

    Args:
        where: What tells this tree from others of its problem, such as the round; may be empty.
    """
    tree = verified.tree
    columns = {
        "where": where,
        "strategy": tree.strategy,
        "failure": tree.failure,
        "spent": dataclasses.asdict(tree.spent),
        "answer": tree.answer,
        "parent": tree.parent.tolist(),
        "text": [step.text if step else "" for step in tree.steps],
        "tokens": [len(step.token_ids) or None if step else None for step in tree.steps],
        "visits": tree.visits.tolist(),
        "q": evidence(tree.value_sum.tolist(), tree.visits.tolist()),
        "value": numbers(tree.value.tolist()),
        "prior": [None if prior == UNKNOWN_PRIOR else prior for prior in numbers(tree.prior.tolist())],
        "soft": numbers(verified.labels.soft.tolist()),
    }
    ends = {node: step.end.value for node, step in enumerate(tree.steps) if step and step.end is not StepEnd.DELIMITER}
    answers = {node: answer for node, answer in verified.answers.items() if answer is not None}
    return columns | {"verdicts": _verdicts(tree, verified.outcomes), "answers": answers, "ends": ends}


def problem_data(name: str, question: str, gold: str, trees: Sequence[Data]) -> Data:
    """A problem with its trees. `gold` is empty where it is not known."""
    return {"id": name, "question": question, "gold": gold, "trees": list(trees)}


def numbers(values: Iterable[float | None]) -> list[float | None]:
    """The values to `DIGITS` digits; None where there is no finite one."""
    return [float(f"{value:.{DIGITS}g}") if value is not None and math.isfinite(value) else None for value in values]


def evidence(sums: Iterable[float], visits: Iterable[int]) -> list[float | None]:
    """Evidence a visit; None where there was no visit."""
    return numbers(total / count if count else None for total, count in zip(sums, visits, strict=True))


def _verdicts(tree: SearchTree, outcomes: Mapping[int, Outcome]) -> dict[int, str]:
    """What the verifier said of a solution or, where nobody asked it, what the checker of the search said."""
    said = {Flag.ACCEPTED: Outcome.CORRECT.value, Flag.REJECTED: Outcome.WRONG.value}
    checked = {int(node): word for node in tree.finals() for flag, word in said.items() if int(tree.flags[node]) & flag}
    return checked | {node: outcome.value for node, outcome in outcomes.items()}
