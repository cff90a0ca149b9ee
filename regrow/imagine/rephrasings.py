"""Problems in other words, for labels by agreement across them (Co-Reward, arXiv 2508.00410)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcts.types import Problem
from regrow.experiment import Experiment
from regrow.imagine.asking import Asking, rendered, replies
from regrow.imagine.filters import Dropped
from regrow.imagine.imagine import sieve_of
from regrow.imagine.ways import REPHRASE
from regrow.sampling import tokens_of


@dataclass(frozen=True, slots=True)
class Rephrasings:
    """Problems in other words.

    Attributes:
        questions: Problem id -> its rewordings, all different from it and from each other; at most as many as were
            asked for, and none where every reply was dropped.
        tokens_generated: What they cost.
    """

    questions: dict[str, list[str]]
    tokens_generated: int


def rephrasings(
    it: Experiment, policy: Path | None, problems: Sequence[Problem], count: int, *, name: str
) -> Rephrasings:
    """Ask the policy for `count` rewordings of each problem.

    Whether one asks for the same as its problem is not known. What is held out, or has numbers and nearly the words of
    another rewording, is dropped.

    Args:
        policy: Its directory; None where there is none here.
        problems: Training problems.
        name: The stage's, which seeds the draws; its scratch folder holds the journal, in `rephrased`.

    Raises:
        InputError: There is no template for it.
    """
    template = it.imagination.template(REPHRASE.name)
    asked = [
        Asking(REPHRASE.name, Problem(f"{problem.id}:{i}", rendered(template, [problem])), (problem,))
        for problem in problems
        for i in range(count)
    ]
    scratch = it.run.scratch(name) / "rephrased"
    said, trees, _ = replies(it, policy, asked, scratch, name=f"{name}, rephrased", what="rephrasing")
    sieve = sieve_of(it, [problem.question for problem in problems])
    found: dict[str, list[str]] = {problem.id: [] for problem in problems}
    for asking, reply in zip(asked, said, strict=True):
        question = sieve.question(reply)
        if not isinstance(question, Dropped):
            found[asking.parents[0].id].append(question)
    return Rephrasings(found, tokens_of(trees))
