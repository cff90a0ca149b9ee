"""Ways to make a problem of others (AlphaLLM, arXiv 2404.12253, section 4.2: any transformation by the policy).

A way says which problems it starts from; in what words the policy is asked is configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from policy.prompts import QUESTION

EXAMPLES = "{examples}"
"""The place of some more questions in a template, a blank line between them."""


class Start(StrEnum):
    """Which problems a way starts from.

    * `problems`: those that are trained on.
    * `failures`: those that the round before could not solve.
    """

    PROBLEMS = "problems"
    FAILURES = "failures"


@dataclass(frozen=True, slots=True)
class Way:
    """A way to make problems.

    Attributes:
        start: What its prompts show.
        places: One of these must be in its template; none where it need not show any problem.
    """

    name: str
    start: Start = Start.PROBLEMS
    places: tuple[str, ...] = (QUESTION,)

    def complaint(self, template: str) -> str | None:
        """What is wrong with a template of this way; None where nothing is."""
        if not template.strip():
            return "is empty, expected what the policy is asked"
        if self.places and not any(place in template for place in self.places):
            return f"shows no problem, expected {' or '.join(self.places)} in it"
        return None


REPHRASE = Way("rephrase")
"""The same problem in other words (MetaMath, arXiv 2309.12284, section 3.2)."""

NUMBERS = Way("numbers")
"""The same story with other numbers. Its answer is another, which only solving it tells."""

SELF_VERIFICATION = Way("self_verification")
"""A number becomes x, and the answer is stated as a fact of the story (arXiv 2212.09561; MetaMath, section 3.3).

The papers state the gold answer. Here nobody has one: the policy states what it takes the answer to be, and if that is
wrong, the new problem is another problem, or one that cannot be solved.
"""

BACKWARD = Way("backward")
"""A number becomes x, and the answer is given behind the question (FOBAR, arXiv 2308.07758; MetaMath, section 3.3).

The answer is the policy's, as with `self_verification`.
"""

NEW = Way("new", places=())
"""A whole pair of problem and solution (SELF-GUIDE, arXiv 2407.12874).

The question is made first, after a few examples where the template has a place for them. Its solutions are drawn by
the same policy as those of every other way.
"""

CHALLENGE = Way("challenge", Start.FAILURES, (QUESTION, EXAMPLES))
"""More of what could not be solved (Self-Challenge, arXiv 2408.08978).

There a model sums up failures as patterns, people mend these, and problems are made of the patterns. Here nobody mends
any, so the failures themselves are shown.
"""

WAYS = {way.name: way for way in (REPHRASE, NUMBERS, SELF_VERIFICATION, BACKWARD, NEW, CHALLENGE)}
