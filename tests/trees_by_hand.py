"""Small verified trees whose columns are known, and a large one."""

from random import Random

import numpy as np

from mcts.tree import NO_NODE, Flag, SearchTree
from mcts.types import Outcome, Problem, Spent, Step, StepEnd
from regrow.verified import VerifiedTree

HOSTILE = (
    "</script><script>alert(1)</script>",
    '<img src=x onerror="alert(2)">',
    "<!-- <script> ]]> & &lt; \"double\" 'single' `back` ${alert(3)}",
    "line\u2028separator\u2029and \u202ereversed\u202c, half \ud800 of a character, \x00 and \x1b[31m",
)


def tree_of(
    texts: list[str], parent: list[int], verdicts: dict[int, Outcome], *, answer: int = NO_NODE, name: str = "p1"
) -> VerifiedTree:
    """Nodes of two tokens each; value, prior and evidence follow from the node's number."""
    size = len(texts)
    finals = {node: Flag.FINAL | Flag.CLOSED for node in verdicts}
    visits = np.zeros(size, np.int32)
    for node in range(size - 1, 0, -1):
        visits[node] += node in verdicts
        visits[parent[node]] += visits[node]
    tree = SearchTree(
        problem=Problem(name, "What is 1 + 2?"),
        strategy="by_hand",
        seed=0,
        spent=Spent(2 * size, size, size, size, nodes=size),
        answer=answer,
        steps=(
            None,
            *(
                Step(text, (1, 2), (-0.1, -0.2), StepEnd.FINAL if node in verdicts else StepEnd.DELIMITER)
                for node, text in enumerate(texts[1:], 1)
            ),
        ),
        parent=np.array(parent, np.int32),
        visits=visits,
        value_sum=np.arange(size) / 2.0,
        value=np.array([np.nan, *(1 / (1 + node) for node in range(1, size))], np.float32),
        prior=np.array([0.0, *(1 / (1 + node) for node in range(1, size))], np.float32),
        flags=np.array([finals.get(node, 0) for node in range(size)], np.uint16),
    )
    return VerifiedTree.labelled(tree, "3", verdicts, {node: f"a{node}" for node in verdicts})


def small(**settings) -> VerifiedTree:
    """Question; 1 and 2 beneath it; 3 (right) and 4 (wrong) beneath 1; 5 (unparsed) beneath 2."""
    texts = ["", "first add", "guess", "it is 3", "it is 4", "no idea"]
    verdicts = {3: Outcome.CORRECT, 4: Outcome.WRONG, 5: Outcome.UNPARSED}
    return tree_of(texts, [-1, 0, 0, 1, 1, 2], verdicts, **({"answer": 3} | settings))


def large(size: int) -> VerifiedTree:
    """Three children a node or so, to a depth of some eight; a verdict at every leaf."""
    rng = Random(0)
    parent = [NO_NODE, *(rng.randrange(max(0, node // 3 - 3), node // 3 + 1) for node in range(1, size))]
    leaves = set(range(1, size)) - set(parent)
    verdicts = {leaf: rng.choice([Outcome.CORRECT, Outcome.WRONG, Outcome.WRONG]) for leaf in leaves}
    texts = [f"step {node} adds {rng.randrange(99)} to {rng.randrange(99)}" for node in range(size)]
    return tree_of(texts, parent, verdicts, answer=size - 1)
