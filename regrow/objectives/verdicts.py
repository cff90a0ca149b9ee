"""What several objectives make of verified trees by their verdicts: traces, pairs, judged solutions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from policy.examples import Example, from_steps
from policy.lessons import Judged
from regrow.objectives.material import Material
from regrow.selection import policy_traces
from regrow.solutions import solutions
from regrow.verified import VerifiedTree


def traces(material: Material, per_problem: int) -> list[Example]:
    """Correct solutions, one of each canonical form, at most `per_problem` a problem."""
    chosen = policy_traces(material.trees, material.task, per_problem=per_problem, seed=material.seed)
    return [from_steps(material.tokenizer, material.prompt, question, steps) for question, steps in chosen]


def verdict_pairs(
    trees: Iterable[VerifiedTree], *, per_problem: int, seed: int
) -> Iterator[tuple[VerifiedTree, int, int]]:
    """A tree, a correct leaf and a wrong one of it; each leaf stands in one pair."""
    for verified in trees:
        for correct, wrong in zip(*solutions(verified, per_problem=per_problem, seed=seed), strict=False):
            yield verified, correct.leaf, wrong.leaf


def judged_solutions(material: Material, per_problem: int) -> list[Judged]:
    """At most `per_problem` correct solutions of a problem and as many wrong ones, with their verdicts."""
    return [
        Judged(material.example(verified.tree, one.leaf), one.is_correct)
        for verified in material.trees
        for group in solutions(verified, per_problem=per_problem, seed=material.seed)
        for one in group
    ]
