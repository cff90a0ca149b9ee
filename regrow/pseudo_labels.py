"""Outcomes where no gold answer is known: what a tree's solutions, or a critic, say of each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from mcts.choice import Choice, weigh
from mcts.errors import InputError
from mcts.seeds import seed_of
from mcts.tree import SearchTree
from mcts.types import Outcome, Problem

THRESHOLD, MAJORITY, AGREEMENT = "threshold", "majority", "agreement"
KINDS = (THRESHOLD, MAJORITY, AGREEMENT)

Outcomes = dict[int, Outcome]
"""Final node -> outcome; a solution that nothing is known of is missing."""


@dataclass(frozen=True, slots=True)
class PseudoLabels:
    """Which problems are learned from without their gold answer, and who says what is right instead.

    * `threshold`: a solution is right whose value is at least `least`: of an ORM, which eta-MCTS puts in a solution's
      value, or else of the scorer (AlphaLLM, arXiv 2404.12253, 4.4: f(x, y) > gamma).
    * `majority`: right is what most draws of the tree answer, if their share is at least `least` (self-consistency
      training, arXiv 2210.11610; TTRL, arXiv 2504.16084).
    * `agreement`: right is what most solutions of the same question in other words answer, if their share is at least
      `least`; and these are judged by the tree's own majority (Co-Reward, arXiv 2508.00410).

    Attributes:
        share: Of a round's problems, chosen by hash, that are without gold; 0 none, 1 all.
        by: One of `KINDS`.
        least: Between 0 and 1; see above. What falls short says nothing: no solution of the problem is learned from,
            but with `threshold`, where it is wrong.
        rephrasings: For `agreement`: other wordings of a question that the policy writes.
        samples: For `agreement`: solutions of each wording.

    Raises:
        InputError: A setting that cannot be.
    """

    share: float = 0.0
    by: str = MAJORITY
    least: float = 0.5
    rephrasings: int = 2
    samples: int = 4

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1 or not 0 <= self.least <= 1:
            raise InputError(f"pseudo_labels share={self.share} least={self.least}: expected numbers from 0 to 1")
        if self.by not in KINDS:
            raise InputError(f"pseudo_labels.by={self.by}: expected one of {', '.join(KINDS)}")
        if self.rephrasings < 1 or self.samples < 1:
            told = f"rephrasings={self.rephrasings} samples={self.samples}"
            raise InputError(f"pseudo_labels {told}: expected 1 or more")

    def covers(self, problem: Problem, seed: int) -> bool:
        """Whether the problem's gold answer is not to be used."""
        return seed_of(seed, "without gold", problem.id) < self.share * 2**64

    def outcomes(self, tree: SearchTree, answers: Mapping[int, str | None], other: Counter[str] | None) -> Outcomes:
        """What is right in a tree.

        Args:
            answers: Final node -> what it answers, None where it has no answer.
            other: For `agreement`: how often solutions of other wordings gave each answer.
        """
        if self.by == THRESHOLD:
            return by_threshold(tree, answers, self.least)
        return by_answer(answers, common(votes(tree, answers) if other is None else other, self.least))


def by_threshold(tree: SearchTree, answers: Mapping[int, str | None], least: float) -> Outcomes:
    """A solution is right that has an answer and a value of `least` or more."""
    return {
        node: Outcome.UNPARSED if answer is None else _outcome(bool(tree.value[node] >= least))
        for node, answer in answers.items()
    }


def by_answer(answers: Mapping[int, str | None], right: str | None) -> Outcomes:
    """A solution is right that gives the `right` answer; without one nothing is known of any."""
    if right is None:
        return {}
    return {node: Outcome.UNPARSED if answer is None else _outcome(answer == right) for node, answer in answers.items()}


def votes(tree: SearchTree, answers: Mapping[int, str | None]) -> Counter[str]:
    """How many draws of a tree came to each answer; to none counts under the empty one, which is never right."""
    draws = weigh(tree, Choice.MAJORITY, list(answers))
    count: Counter[str] = Counter()
    for node, answer in answers.items():
        count[answer or ""] += int(draws[node])
    return count


def common(count: Counter[str], least: float) -> str | None:
    """The most common answer, if its share of all draws is `least` or more; of equals the first."""
    total = count.total()
    answer, draws = max(((one, n) for one, n in count.items() if one), key=lambda pair: pair[1], default=("", 0))
    return answer if answer and draws >= least * total else None


def _outcome(is_right: bool) -> Outcome:
    return Outcome.CORRECT if is_right else Outcome.WRONG
