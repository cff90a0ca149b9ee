"""From verified leaves to a label for every step of a tree."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mcts.kernels.records import Ids


@njit(cache=True)
def infer_labels(
    parent: Ids,
    correct: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    remaining: Ids,
    hard: NDArray[np.float32],
    progress: NDArray[np.float32],
) -> None:
    """Process reward inference on one verified tree (ReST-MCTS*, section 3.2 and Eq. 1-2).

    m is the least number of further steps to a correct answer, copied from the nearest right ancestor below a wrong
    step; the hard estimate is 1 where a correct answer was found beneath; v_k = max(0, v_(k-1) + (1 - v_(k-1)) (+-1) /
    (m_k + 1)). Nodes that lead to no verified leaf stay unlabelled, and so does a tree without a correct leaf.

    Args:
        parent: [S] int32 in order of creation (parents first, root 0).
        correct: [S] bool, leaves verified as correct.
        wrong: [S] bool, leaves verified as wrong.
        remaining: [S] int32, written: m, or -1.
        hard: [S] float32, written: hard estimate, or NaN.
        progress: [S] float32, written: v, or NaN.
    """
    count = len(parent)
    remaining[:] = -1
    hard[:] = np.nan
    progress[:] = np.nan
    verified = correct | wrong
    for n in range(count - 1, -1, -1):
        if correct[n]:
            remaining[n] = 0
        if n == 0:
            break
        p = parent[n]
        if verified[n]:
            verified[p] = True
        if remaining[n] >= 0 and (remaining[p] < 0 or remaining[n] + 1 < remaining[p]):
            remaining[p] = remaining[n] + 1
    if remaining[0] < 0:
        return
    hard[0] = 1.0
    progress[0] = 0.0
    for n in range(1, count):
        if not verified[n]:
            continue
        p = parent[n]
        if remaining[n] >= 0:
            hard[n] = 1.0
            sign = 1.0
        else:
            hard[n] = 0.0
            remaining[n] = remaining[p]
            sign = -1.0
        progress[n] = max(0.0, progress[p] + (1.0 - progress[p]) * sign / (remaining[n] + 1))


@njit(cache=True)
def success_rates(
    parent: Ids,
    correct: NDArray[np.bool_],
    wrong: NDArray[np.bool_],
    draws: Ids,
    rates: NDArray[np.float32],
) -> None:
    """Share of the solutions drawn through each node that are correct (soft Monte-Carlo label of Math-Shepherd).

    Args:
        parent: [S] int32 in order of creation.
        correct: [S] bool.
        wrong: [S] bool.
        draws: [S] int32, how often each leaf was drawn.
        rates: [S] float32, written: the rate, or NaN where no verified leaf lies beneath.
    """
    count = len(parent)
    successes = np.zeros(count)
    drawn = np.zeros(count)
    for n in range(count - 1, -1, -1):
        if correct[n] or wrong[n]:
            weight = max(1, draws[n])
            drawn[n] += weight
            if correct[n]:
                successes[n] += weight
        if n > 0:
            successes[parent[n]] += successes[n]
            drawn[parent[n]] += drawn[n]
        rates[n] = successes[n] / drawn[n] if drawn[n] > 0 else np.nan
