"""What a generation would cost."""

from __future__ import annotations

from itertools import islice

from regrow import estimate
from regrow.generate.plan import Plan


def show_estimate(plan: Plan) -> None:
    """Print requests, tokens, seconds at the measured rate, and disk. Nothing is left behind."""
    queries = [plan.query(graded.problem) for graded in islice(plan.problems(), estimate.PILOT)]
    total = plan.total or sum(1 for _ in plan.problems())
    part = estimate.reckoned(
        "generate", total, queries, lambda asked: plan.engines.scheduler(plan.config.scheduler).run(asked)
    )
    estimate.show([part], ["Solutions that are dropped as duplicates or as over a cap are paid for, too."])
