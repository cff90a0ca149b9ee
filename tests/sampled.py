"""A problem's judged samples, made by hand."""

from dataclasses import replace

import numpy as np

from mcts.tree import NO_NODE, Flag, SearchTree
from mcts.types import Outcome, Problem, Spent, Step, StepEnd
from regrow.verified import VerifiedTree

OUTCOMES = {"+": Outcome.CORRECT, "-": Outcome.WRONG, "?": Outcome.TIMEOUT}


def samples(*drawn: tuple[str, int], problem: str = "p", logprob: float = -0.5) -> VerifiedTree:
    """Solutions, each with how often it was drawn: `("a bb +", 2)` is steps `a` and `bb`, right, drawn twice.

    `-` ends a wrong one, `?` one that the verifier gave up, `~` one that was cut off. A step has as many tokens as
    letters, each of the same log-probability.
    """
    nodes: dict[tuple[str, ...], int] = {(): 0}
    visits, ends, outcomes = [0], [StepEnd.DELIMITER], {}
    for text, times in drawn:
        *steps, mark = text.split()
        for k in range(len(steps) + 1):
            key = tuple(steps[:k])
            if key not in nodes:
                nodes[key] = len(nodes)
                visits.append(0)
                ends.append(StepEnd.DELIMITER)
            visits[nodes[key]] += times
        leaf = nodes[tuple(steps)]
        ends[leaf] = StepEnd.TRUNCATED if mark == "~" else StepEnd.FINAL
        if mark in OUTCOMES:
            outcomes[leaf] = OUTCOMES[mark]
    paths = list(nodes)
    made = [Step(way[-1], tuple(way[-1].encode()), (logprob,) * len(way[-1]), ends[nodes[way]]) for way in paths[1:]]
    count = len(paths)
    tree = SearchTree(
        problem=Problem(problem, problem),
        strategy="sample",
        seed=0,
        spent=Spent(sum(len(step.token_ids) * visits[n] for n, step in enumerate(made, start=1))),
        answer=NO_NODE,
        steps=(None, *made),
        parent=np.array([NO_NODE, *(nodes[way[:-1]] for way in paths[1:])], np.int32),
        visits=np.array(visits, np.int32),
        value_sum=np.zeros(count),
        value=np.full(count, np.nan, np.float32),
        prior=np.ones(count, np.float32),
        flags=np.array([Flag.FINAL | Flag.CLOSED if end is StepEnd.FINAL else 0 for end in ends], np.uint16),
    )
    return VerifiedTree.labelled(tree, "", outcomes)


def values(verified: VerifiedTree, **of: float) -> VerifiedTree:
    """The same with these values of steps, named by their texts; all others have none."""
    found = [np.nan if step is None else of.get(step.text, np.nan) for step in verified.tree.steps]
    return replace(verified, tree=replace(verified.tree, value=np.array(found, np.float32)))
