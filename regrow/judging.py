"""The verifier's part: a finished tree, judged against the gold answer."""

from __future__ import annotations

from mcts.tree import SearchTree
from regrow.evaluation import texts
from regrow.tasks.task import GradedProblem, Task
from regrow.verified import VerifiedTree


def judged(task: Task, graded: GradedProblem, tree: SearchTree) -> VerifiedTree:
    """Judge every solution of a tree and infer a label for every step. The gold answer joins the tree here."""
    solutions = {int(node): texts(tree.path(int(node))) for node in tree.finals()}
    outcomes = {node: task.verify(graded, steps) for node, steps in solutions.items()}
    answers = {node: task.answer(steps) for node, steps in solutions.items()}
    return VerifiedTree.labelled(tree, graded.answer, outcomes, answers)
