"""The same questions in other words, and what is answered to them: for labels by agreement (Co-Reward, 2508.00410)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mcts.tree import SearchTree
from mcts.types import Problem
from regrow.build import policy_of
from regrow.experiment import Experiment
from regrow.imagine.asking import drawn
from regrow.imagine.rephrasings import rephrasings
from regrow.judging import judged, judged_without_gold
from regrow.lazy import Lazy
from regrow.pseudo_labels import PseudoLabels, votes
from regrow.sampling import sampler, tokens_of
from regrow.strategy import answers_of
from regrow.tasks.task import GradedProblem, Task
from regrow.trace_store import read_trees, write_trees
from regrow.verified import VerifiedTree

_MARK = ":reworded:"


def reword(it: Experiment, policy: Path, problems: Sequence[Problem], folder: Path, *, name: str) -> dict[str, Any]:
    """Write the policy's solutions of its own rewordings to `folder`, a tree a wording; no gold answer is in reach.

    Args:
        policy: Who rewords and solves.
        name: The stage's, which seeds the draws.

    Returns:
        `tokens_generated` and the number of `rewordings`.
    """
    labels = it.pseudo_labels
    said = rephrasings(it, policy, problems, labels.rephrasings, name=name)
    asked = [
        Problem(f"{problem.id}{_MARK}{i}", question)
        for problem in problems
        for i, question in enumerate(said.questions[problem.id])
    ]
    scratch, what = it.run.scratch(name) / "solved", "solving the same in other words"
    strategy = sampler(it, labels.samples)
    solves = Lazy(policy_of, it.config, policy)
    trees = drawn(it, solves, asked, strategy, scratch, name=f"{name}, solved", what=what).trees
    write_trees(folder, (VerifiedTree.labelled(tree, "", {}) for tree in trees))
    return {"tokens_generated": said.tokens_generated + tokens_of(trees), "rewordings": len(asked)}


class Rewordings:
    """What was answered to other wordings of a round's questions.

    Args:
        folder: Where `reword` wrote.
    """

    def __init__(self, task: Task, folder: Path) -> None:
        self._task = task
        self._trees = defaultdict(list)
        self._votes: dict[str, Counter[str]] = defaultdict(Counter)
        for one in read_trees(folder):
            problem, _, _ = one.tree.problem.id.partition(_MARK)
            self._trees[problem].append(one.tree)
            self._votes[problem] += votes(one.tree, answers_of(task, one.tree))

    def answers(self, problem: Problem) -> Counter[str]:
        """How often each answer was given to the problem in other words."""
        return self._votes[problem.id]

    def judged(self, labels: PseudoLabels, problem: Problem, said: Counter[str]) -> list[VerifiedTree]:
        """The trees of the problem in other words, judged by what was answered to the problem itself.

        Args:
            said: How often each answer was given to it.
        """
        return [judged_without_gold(self._task, labels, tree, said) for tree in self._trees[problem.id]]


def all_judged(
    task: Task, graded: GradedProblem, tree: SearchTree, labels: PseudoLabels, others: Rewordings | None
) -> list[VerifiedTree]:
    """A tree, judged, and behind it those of the same problem in other words, if there are any."""
    if graded.answer:
        return [judged(task, graded, tree)]
    if others is None:
        return [judged_without_gold(task, labels, tree)]
    own = votes(tree, answers_of(task, tree))
    return [
        judged_without_gold(task, labels, tree, others.answers(graded.problem)),
        *others.judged(labels, graded.problem, own),
    ]
