"""How good a PRM is, held against the exact truth of every step."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

from mcts.errors import InputError

SUCCESS, PROGRESS = "success", "progress"
TOLERANCE = 0.1

_ROUNDING = 1e-6
"""float32 predictions a hair beyond the tolerance count as within."""

PrmQuality = TypedDict(
    "PrmQuality",
    {
        "auroc": float | None,
        "auroc_by_depth": dict[str, float | None],
        "depth_only_auroc": float | None,
        "brier_skill": float | None,
        "within_0.1": float,
        "constant_within_0.1": float,
        "depth_only_within_0.1": float,
        "n": int,
    },
)
"""Quality of the values a PRM gave to n steps.

* `auroc`: the chance that a step from which a correct answer can follow is valued above one from which none can;
  None where all steps are of one kind. `auroc_by_depth` asks the same among steps of one depth; `depth_only_auroc` is
  what is reached by telling depths apart and nothing else (a constant reaches 0.5).
* `brier_skill`: 1 - MSE(value, target) / MSE(mean target, target); 0 is a constant, 1 is exact; None where the
  target itself is constant. For a probability of success this is the Brier skill score over the base rate.
* `within_0.1`: share of values within 0.1 of their target (ReST-MCTS*, Eq. 38). Beside it what no PRM at all reaches:
  the best constant, and the best constant for each depth. Constants do well where most targets are equal.
"""


def measure(
    predictions: ArrayLike, v_star: ArrayLike, reachable: ArrayLike, depth: ArrayLike, *, target: str
) -> PrmQuality:
    """Hold `n` predicted values against the truth.

    Args:
        predictions: [n] values in [0, 1].
        v_star: [n] exact progress values.
        reachable: [n] whether a correct answer can still follow.
        depth: [n] number of steps taken.
        target: What was predicted: `success` is held against `reachable` as 0 or 1, `progress` against `v_star`.

    Raises:
        ValueError: No steps, arrays of different length, a value that is not a number, or an unknown target.
    """
    if target not in (SUCCESS, PROGRESS):
        raise InputError(f"PRM quality target {target!r}: expected {SUCCESS} or {PROGRESS}")
    predicted, progress = np.asarray(predictions, np.float64), np.asarray(v_star, np.float64)
    success, depths = np.asarray(reachable, np.bool_), np.asarray(depth, np.int64)
    shapes = {values.shape for values in (predicted, progress, success, depths)}
    if shapes != {(predicted.size,)} or predicted.size == 0:
        raise InputError(f"PRM quality: arrays of shapes {sorted(shapes)}, expected four of one length above 0")
    truth = progress if target == PROGRESS else success.astype(np.float64)
    if not (np.isfinite(predicted).all() and np.isfinite(truth).all()):
        raise InputError("PRM quality: a value is not a number, expected predictions and truth in [0, 1]")
    at_depth = {int(d): depths == d for d in np.unique(depths)}
    base_rates = np.zeros_like(predicted)
    for here in at_depth.values():
        base_rates[here] = success[here].mean()
    return {
        "auroc": _auroc(predicted, success),
        "auroc_by_depth": {str(d): _auroc(predicted[here], success[here]) for d, here in at_depth.items()},
        "depth_only_auroc": _auroc(base_rates, success),
        "brier_skill": _skill(predicted, truth),
        "within_0.1": float(np.mean(np.abs(predicted - truth) <= TOLERANCE + _ROUNDING)),
        "constant_within_0.1": _most_within(truth) / truth.size,
        "depth_only_within_0.1": sum(_most_within(truth[here]) for here in at_depth.values()) / truth.size,
        "n": int(truth.size),
    }


def _auroc(predicted: NDArray[np.float64], success: NDArray[np.bool_]) -> float | None:
    if success.all() or not success.any():
        return None
    return float(roc_auc_score(success, predicted))


def _skill(predicted: NDArray[np.float64], truth: NDArray[np.float64]) -> float | None:
    """Share of the constant's squared error that the prediction removes."""
    if np.ptp(truth) == 0.0:
        return None
    return float(1.0 - np.mean((predicted - truth) ** 2) / np.var(truth))


def _most_within(truth: NDArray[np.float64]) -> int:
    """How many targets the best constant is within the tolerance of: the fullest window of twice its width."""
    ordered = np.sort(truth)
    ends = np.searchsorted(ordered, ordered + 2.0 * (TOLERANCE + _ROUNDING), side="right")
    return int(np.max(ends - np.arange(ordered.size)))
