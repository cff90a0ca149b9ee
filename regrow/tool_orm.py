"""An outcome reward model with a tool: a calculator looks for false equations (after AlphaLLM's ORM for MATH)."""

from __future__ import annotations

from concurrent.futures import Future, wait

from mcts.ports import StepScorer
from mcts.types import Outcome, Score, Ticket, Values
from regrow import provenance
from regrow.claims import claims
from regrow.grader import Grader

Check = Future[Outcome]


class ToolOrm:
    """The values of another scorer, and 0 from the first step on that claims a false equation. A `StepScorer`.

    AlphaLLM (arXiv 2404.12253) gives its ORM a program to run; here the equations that a solution claims are checked.
    Plain arithmetic is decided at once, powers and LaTeX fractions in the grader's workers. What they cannot read, what
    ends them, and what may be a matter of rounding is no evidence.

    Args:
        orm: Whose values they are; with a constant 1 the tool judges alone.
        grader: Whose workers compute.
    """

    def __init__(self, orm: StepScorer, grader: Grader) -> None:
        self._orm = orm
        self._grader = grader
        self._checks: dict[Ticket, list[list[Check]]] = {}
        self._valued: dict[Ticket, Values] = {}

    @property
    def fingerprint(self) -> str:
        """Digest of everything but the request that decides a reply."""
        return provenance.digest(["tool", self._orm.fingerprint])

    def submit(self, ticket: Ticket, request: Score) -> None:
        """Queue a request. Returns at once."""
        self._orm.submit(ticket, request)
        self._checks[ticket] = [self._checked(step.text) for step in request.state.steps]

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Values]]:
        """Take the finished replies. Workers are waited for, too, if there is any time for it."""
        self._valued.update(self._orm.poll(timeout_s))
        under_way = {ticket: [one for step in self._checks[ticket] for one in step] for ticket in self._valued}
        if timeout_s > 0:
            wait([one for checks in under_way.values() for one in checks], timeout_s)
        done = [ticket for ticket, checks in under_way.items() if all(one.done() for one in checks)]
        return [(ticket, self._told(self._valued.pop(ticket), self._checks.pop(ticket))) for ticket in done]

    def _checked(self, text: str) -> list[Check]:
        """What is to be said of a step's claims, but for those that hold."""
        checks: list[Check] = []
        for claim in claims(text):
            holds = claim.holds()
            if holds is None and not claim.is_rounded:
                checks.append(self._grader.submit(claim.left, claim.right))
            elif holds is False:
                false: Check = Future()
                false.set_result(Outcome.WRONG)
                checks.append(false)
        return checks

    @staticmethod
    def _told(values: Values, steps: list[list[Check]]) -> Values:
        """Values of all prefixes, the bare problem first, and nothing from the first false step on."""
        first = next(
            (i for i, checks in enumerate(steps) if any(one.result() is Outcome.WRONG for one in checks)), None
        )
        return values if first is None else tuple(v if i <= first else 0.0 for i, v in enumerate(values))
