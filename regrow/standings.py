"""Who stands where in a contest: accuracy of each strategy at each budget, and what it has above the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from regrow.strategy import Strategy

RESAMPLES = 2_000
CONFIDENCE = 0.95
REFERENCE = "best_of_n"
"""What the others are held against; the first strategy where it does not take part."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One strategy at one budget.

    Attributes:
        strategy: Its name.
        choice: What chose among its solutions.
        budget: Tokens it was allowed to generate, or simulations.
        tokens: Generated on a problem, mean. The last solution begun may go over the budget.
        accuracy: Mean over problems and seeds of the answers that are correct.
        low: Lower end of its 95 % bootstrap interval over problems.
        high: Upper end.
        by_seed: Accuracy with each seed.
        over: The strategy it is held against; itself for that one.
        difference: Mean over problems of what it has above that one.
        difference_low: Lower end of the paired bootstrap interval.
        difference_high: Upper end.
    """

    strategy: str
    choice: str
    budget: int
    tokens: float
    accuracy: float
    low: float
    high: float
    by_seed: tuple[float, ...]
    over: str
    difference: float
    difference_low: float
    difference_high: float


@dataclass(frozen=True, slots=True)
class Entry:
    """What a strategy did with one seed. Axes: B budgets, P problems.

    Attributes:
        correct: [B, P] 1 where the answer was right.
        tokens: [B, P] generated.
    """

    correct: NDArray[np.float64]
    tokens: NDArray[np.float64]


def standings(
    strategies: Sequence[Strategy],
    entries: Mapping[str, Sequence[Entry]],
    budgets: Sequence[int],
    *,
    hides_choice: bool,
) -> list[Standing]:
    """The table: every strategy at every budget, with intervals over problems.

    Args:
        hides_choice: Whether a checker chose, and not what the strategies say.
    """
    names = [strategy.name for strategy in strategies]
    reference = REFERENCE if REFERENCE in names else names[0]
    table = []
    for b, budget in enumerate(budgets):
        baseline = np.mean([entry.correct[b] for entry in entries[reference]], axis=0)
        for strategy in strategies:
            correct = np.asarray([entry.correct[b] for entry in entries[strategy.name]])
            by_problem = correct.mean(axis=0)
            table.append(
                Standing(
                    strategy.name,
                    "checker" if hides_choice else strategy.choice.value,
                    budget,
                    float(np.mean([entry.tokens[b] for entry in entries[strategy.name]])),
                    float(by_problem.mean()),
                    *bootstrap_interval(by_problem),
                    tuple(float(share) for share in correct.mean(axis=1)),
                    reference,
                    float((by_problem - baseline).mean()),
                    *bootstrap_interval(by_problem - baseline),
                )
            )
    return table


def bootstrap_interval(sample: NDArray[np.float64]) -> tuple[float, float]:
    """The 95 % percentile interval of a mean over problems, resampled with a fixed seed.

    Args:
        sample: [P] one figure a problem; for a paired difference, the difference.
    """
    if len(sample) < 2 or np.ptp(sample) == 0.0:
        return float(sample.mean()), float(sample.mean())
    found = stats.bootstrap(
        (sample,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE, method="percentile", rng=0
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)
