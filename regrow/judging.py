"""The verifier's part: a finished tree, judged against the gold answer or, where there is none, by pseudo-labels."""

from __future__ import annotations

from collections import Counter

from mcts.tree import SearchTree
from regrow.evaluation import texts
from regrow.pseudo_labels import PseudoLabels
from regrow.strategy import answers_of
from regrow.tasks.task import GradedProblem, Task
from regrow.verified import VerifiedTree


def judged(task: Task, graded: GradedProblem, tree: SearchTree) -> VerifiedTree:
    """Judge every solution of a tree and infer a label for every step. The gold answer joins the tree here."""
    solutions = {int(node): texts(tree.path(int(node))) for node in tree.finals()}
    outcomes = {node: task.verify(graded, steps) for node, steps in solutions.items()}
    return VerifiedTree.labelled(tree, graded.answer, outcomes, answers_of(task, tree))


def judged_without_gold(
    task: Task, labels: PseudoLabels, tree: SearchTree, other: Counter[str] | None = None
) -> VerifiedTree:
    """The same where no gold answer is known: pseudo-labels say what is right. The tree's `gold` stays empty.

    Args:
        other: For `agreement`: how often solutions of the question in other words gave each answer.
    """
    answers = answers_of(task, tree)
    outcomes = labels.outcomes(tree, answers, other)
    return VerifiedTree.labelled(tree, "", outcomes, {node: answers[node] for node in outcomes})
