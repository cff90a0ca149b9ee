"""Verified countdown trees without a model: some of the legal moves at each state, one solution among them."""

from dataclasses import replace
from random import Random

import numpy as np

from mcts.seeds import seed_of
from mcts.tree import NO_NODE, Flag, SearchTree
from mcts.types import Outcome, Spent, Step, StepEnd
from regrow.tasks.countdown import Countdown
from regrow.tasks.countdown_truth import moves, solution
from regrow.tasks.task import GradedProblem, Split
from regrow.verified import VerifiedTree

TASK = Countdown(numbers=(3,))


def verified_trees(count: int, width: int = 3) -> list[VerifiedTree]:
    """A tree for each of `count` problems."""
    return [verified_tree(graded, width) for graded in TASK.problems(Split.TRAIN, count, seed=3)]


def verified_tree(graded: GradedProblem, width: int = 3) -> VerifiedTree:
    """`width` moves at each state besides that of a solution, the whole depth."""
    numbers, _, target = graded.problem.question.partition(" -> ")
    given = tuple(map(int, numbers.split()))
    rng = Random(seed_of("grown", graded.problem.id))
    way = {move.text for move in solution(given, int(target), TASK.limit, rng)}
    steps, parent, states = [None], [NO_NODE], [given]
    for node, left in enumerate(states):  # grows while it is walked: breadth first
        legal = list(moves(left, TASK.limit)) if len(left) > 1 else []
        drawn = rng.sample(legal, min(width, len(legal)))
        for move in dict.fromkeys([*(one for one in legal if one.text in way), *drawn]):
            end = StepEnd.FINAL if len(move.left) == 1 else StepEnd.DELIMITER
            steps.append(Step(move.text, (7, 1), (-0.5, -0.25), end))
            parent.append(node)
            states.append(move.left)
    return judged(graded, steps, parent)


def judged(graded: GradedProblem, steps: list[Step | None], parent: list[int]) -> VerifiedTree:
    """A tree of these nodes, each final drawn once, with the task's verdicts; half of the trees answer right."""
    size = len(steps)
    visits = np.zeros(size, np.int32)
    flags = np.zeros(size, np.uint16)
    for leaf, step in enumerate(steps):
        if step is not None and step.end is StepEnd.FINAL:
            flags[leaf] = Flag.FINAL | Flag.CLOSED
            node = leaf
            while node != NO_NODE:
                visits[node] += 1
                node = parent[node]
    tree = SearchTree(
        problem=graded.problem,
        strategy="made by hand",
        seed=0,
        spent=Spent(2 * size, size, size, size, nodes=size),
        answer=NO_NODE,
        steps=tuple(steps),
        parent=np.array(parent, np.int32),
        visits=visits,
        value_sum=np.zeros(size),
        value=np.full(size, np.nan, np.float32),
        prior=np.ones(size, np.float32),
        flags=flags,
    )
    finals = {int(node): [step.text for step in tree.path(int(node))] for node in tree.finals()}
    outcomes = {node: TASK.verify(graded, texts) for node, texts in finals.items()}
    right = [node for node, outcome in outcomes.items() if outcome is Outcome.CORRECT]
    is_right = right and seed_of("answers right", graded.problem.id) % 2
    tree = replace(tree, answer=right[0] if is_right else max(finals, default=NO_NODE))
    return VerifiedTree.labelled(tree, graded.answer, outcomes, {node: TASK.answer(t) for node, t in finals.items()})
