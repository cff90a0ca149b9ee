"""Paired comparisons: the same held-out problems answered by two models or two strategies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mcts.errors import InputError


@dataclass(frozen=True, slots=True)
class Comparison:
    """By how much one is better than the other, problem by problem.

    Attributes:
        of: What is measured, such as `greedy`.
        over: What it is held against, such as `base`, `best_of_n` or, at a gate, `old`.
        difference: Mean over the problems of the difference in the share of correct answers.
        low: Lower end of its interval (Student's t over problems), 95 % unless a gate was told otherwise.
        high: Upper end.
        p_value: Two-sided, of the hypothesis that there is no difference (paired t-test).
        n: Problems.
    """

    of: str
    over: str
    difference: float
    low: float
    high: float
    p_value: float
    n: int


def compare(
    of: str, over: str, ours: Sequence[float], theirs: Sequence[float], *, confidence: float = 0.95
) -> Comparison:
    """Compare two lists of scores in [0, 1], one a problem and in the same order.

    Raises:
        InputError: The lists differ in length, or hold fewer than two problems.
    """
    if len(ours) != len(theirs) or len(ours) < 2:
        raise InputError(f"comparison of {of} over {over}: {len(ours)} and {len(theirs)} scores, expected equally many")
    differences = np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)
    mean, n = float(differences.mean()), len(differences)
    if np.ptp(differences) == 0.0:  # nothing varies: t is not defined
        return Comparison(of, over, mean, mean, mean, 1.0 if mean == 0.0 else 0.0, n)
    test = stats.ttest_1samp(differences, 0.0)
    interval = test.confidence_interval(confidence)
    return Comparison(of, over, mean, float(interval.low), float(interval.high), float(test.pvalue), n)
