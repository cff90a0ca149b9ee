"""How well a PRM's values tell wrong steps from right ones: the figures of ProcessBench and PRMBench.

A step counts as wrong where its value lies under a threshold. Figures are ratios of counts over solutions, so that
they are taken from the counts of any sample of the solutions alike.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mcts.types import Values
from regrow.marked import Benchmark, MarkedSolution
from regrow.standings import CONFIDENCE, RESAMPLES

Counts = NDArray[np.float64]
"""[..., 4] What was counted: see `process_bench_counts` and `prm_bench_counts`."""

Figures = dict[str, NDArray[np.float64]]
"""Name -> [...] figure; NaN where nothing was there to be counted. The last one is the benchmark's own score."""

MOST_THRESHOLDS = 200


def counts_of(
    benchmark: Benchmark, solutions: Sequence[MarkedSolution], values: Sequence[Values], threshold: float
) -> Counts:
    """What each solution adds to the counts.

    Args:
        values: Of the steps of each solution, without that of the bare problem.

    Returns:
        [solutions, 4].
    """
    count = process_bench_counts if benchmark is Benchmark.PROCESS_BENCH else prm_bench_counts
    pairs = zip(solutions, values, strict=True)
    return np.asarray([count(one, [value < threshold for value in its]) for one, its in pairs], np.float64)


def process_bench_counts(solution: MarkedSolution, called_wrong: Sequence[bool]) -> list[int]:
    """Whether the first wrong step was found, of a solution with one; whether none was, of a solution without."""
    told = called_wrong.index(True) if True in called_wrong else None
    if solution.wrong:
        return [int(told == solution.wrong[0]), 1, 0, 0]
    return [0, 0, int(told is None), 1]


def prm_bench_counts(solution: MarkedSolution, called_wrong: Sequence[bool]) -> list[int]:
    """Steps: right called right, wrong called right, right called wrong, wrong called wrong."""
    counts = [0, 0, 0, 0]
    for i, is_called_wrong in enumerate(called_wrong):
        counts[2 * is_called_wrong + (i in solution.wrong)] += 1
    return counts


def figures_of(benchmark: Benchmark, sums: Counts) -> Figures:
    """The figures of summed counts."""
    return (process_bench_figures if benchmark is Benchmark.PROCESS_BENCH else prm_bench_figures)(sums)


def process_bench_figures(sums: Counts) -> Figures:
    """Accuracy where there is an error and where there is none, and the harmonic mean of both."""
    found, erring, passed, flawless = np.moveaxis(sums, -1, 0)
    error, correct = _ratio(found, erring), _ratio(passed, flawless)
    score = np.where(error + correct == 0.0, 0.0, _ratio(2.0 * error * correct, error + correct))
    return {"error_accuracy": error, "correct_accuracy": correct, "score": score}


def prm_bench_figures(sums: Counts) -> Figures:
    """F1 of the right steps and of the wrong ones, and PRMScore, half of each; of the former alone where none is wrong.

    F1 is 2 true / (2 true + all that is confused), which is 0 where none was found, and not known where there is none.
    """
    right, missed, alarms, wrong = np.moveaxis(sums, -1, 0)
    confused = missed + alarms
    f1 = np.where(right + alarms > 0, _ratio(2.0 * right, 2.0 * right + confused), np.nan)
    negative = np.where(wrong + missed > 0, _ratio(2.0 * wrong, 2.0 * wrong + confused), np.nan)
    halves = np.where(np.isnan(f1), negative, 0.5 * f1 + 0.5 * negative)
    return {"f1": f1, "negative_f1": negative, "score": np.where(np.isnan(negative), f1, halves)}


def interval(benchmark: Benchmark, counts: Counts) -> tuple[float, float]:
    """The 95 % percentile interval of the score, solutions resampled with a fixed seed.

    Args:
        counts: [solutions, 4].
    """
    rng = np.random.default_rng(0)
    drawn = [counts[rng.integers(len(counts), size=len(counts))].sum(axis=0) for _ in range(RESAMPLES)]
    scores = figures_of(benchmark, np.asarray(drawn))["score"]
    known = scores[~np.isnan(scores)]
    if not known.size:
        return float("nan"), float("nan")
    tail = (1.0 - CONFIDENCE) / 2.0
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return float(low), float(high)


def best_threshold(benchmark: Benchmark, solutions: Sequence[MarkedSolution], values: Sequence[Values]) -> float:
    """The threshold of the highest score, of the values there are; the lowest of several."""
    flat = np.concatenate([np.asarray(its) for its in values])
    tried = np.unique(np.quantile(flat, np.linspace(0.0, 1.0, MOST_THRESHOLDS), method="nearest"))

    def score(threshold: float) -> float:
        sums = counts_of(benchmark, solutions, values, threshold).sum(axis=0)
        return float(np.nan_to_num(figures_of(benchmark, sums)["score"]))

    return max(map(float, tried), key=score)


# --- what no PRM at all reaches ---------------------------------------------------------------------------------------


def constant_values(values: Sequence[Values]) -> list[Values]:
    """The same for every step: none is wrong."""
    return [(1.0,) * len(its) for its in values]


def depth_values(benchmark: Benchmark, solutions: Sequence[MarkedSolution], values: Sequence[Values]) -> list[Values]:
    """The best of values that know a step's number and nothing else: 0 for steps that they call wrong, else 1.

    They are fitted to the very solutions that they are measured on, so this is more than such values are worth.
    """
    deepest = max(map(len, values))
    if benchmark is Benchmark.PROCESS_BENCH:  # all that counts is the first number that is called wrong
        tried = [[k < first for k in range(deepest)] for first in range(deepest + 1)]
    else:  # the numbers at which steps are wrong most often, as many as is best
        wrong, there = np.zeros(deepest), np.zeros(deepest)
        for one in solutions:
            there[: len(one.steps)] += 1
            wrong[list(one.wrong)] += 1
        order = np.argsort(-_ratio(wrong, there), kind="stable")
        tried = [[bool(is_right) for is_right in ~np.isin(np.arange(deepest), order[:n])] for n in range(deepest + 1)]
    made = [[tuple(map(float, by_number[: len(its)])) for its in values] for by_number in tried]

    def score(candidate: list[Values]) -> float:
        sums = counts_of(benchmark, solutions, candidate, 0.5).sum(axis=0)
        return float(np.nan_to_num(figures_of(benchmark, sums)["score"]))

    return max(made, key=score)


def shuffled_values(values: Sequence[Values], seed: int) -> list[Values]:
    """The PRM's own values dealt out anew among the steps of the same number: their scale, not their sense."""
    rng = np.random.default_rng(seed)
    dealt = [list(its) for its in values]
    for k in range(max(map(len, values))):
        holders = [its for its in dealt if len(its) > k]
        for its, value in zip(holders, rng.permutation([its[k] for its in holders]).tolist(), strict=True):
            its[k] = value
    return [tuple(its) for its in dealt]


def _ratio(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The ratio; NaN where `b` is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(b > 0.0, a / b, np.nan)
