"""Whether solutions agree: what stands in for a gold answer where there is none."""

from __future__ import annotations

from collections.abc import Iterable

from mcts.tree import ROOT, SearchTree
from mcts.types import Outcome, Problem
from regrow.pseudo_labels import votes
from regrow.strategy import answers_of
from regrow.tasks.task import Task
from regrow.verified import VerifiedTree


def agreement(tree: SearchTree, task: Task) -> float:
    """The share of a tree's draws that have its most frequent answer (self-consistency, arXiv 2203.11171).

    Draws without an answer agree with none. 0 where nothing was drawn.
    """
    counts = votes(tree, answers_of(task, tree))
    return max((draws for answer, draws in counts.items() if answer), default=0) / max(1, int(tree.visits[ROOT]))


def failures(trees: Iterable[VerifiedTree], task: Task, least: float) -> list[Problem]:
    """The problems that a round could not solve: no solution is correct or, where none was judged, few agree.

    Args:
        least: Agreement below which a tree without verdicts counts as a failure.
    """
    return [verified.tree.problem for verified in trees if _is_failure(verified, task, least)]


def _is_failure(verified: VerifiedTree, task: Task, least: float) -> bool:
    if verified.outcomes:
        return Outcome.CORRECT not in verified.outcomes.values()
    return agreement(verified.tree, task) < least
