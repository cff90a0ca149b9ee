"""Calibration: from what a PRM reads to a probability that holds, kept beside the weights as readable points."""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mcts.errors import InputError, first_line
from prm.checkpoint import CALIBRATION
from prm.model import SIGMOID, value_of

NONE, TEMPERATURE, ISOTONIC = "none", "temperature", "isotonic"
METHODS = (NONE, TEMPERATURE, ISOTONIC)

TILT = 1e-3
"""Share of its own value that an isotonic value keeps: what lies on one level stays in order."""

COLDEST = 1e-3
"""The least 1/T: a PRM whose logits say nothing about labels, or the contrary, then says the same of all steps."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Temperature:
    """s(z / T): the sigmoid of the logit z over one number (Guo et al., arXiv 1706.04599, section 4.2).

    Raises:
        ValueError: T is not above 0.
    """

    method: ClassVar[str] = TEMPERATURE

    temperature: float

    def __post_init__(self) -> None:
        if not 0.0 < self.temperature < math.inf:
            raise InputError(f"calibration temperature={self.temperature}: expected more than 0")

    def __call__(self, activation: str, logit: float) -> float:
        """The calibrated value. Raises `InputError` unless the activation is the sigmoid."""
        if activation != SIGMOID:
            raise InputError(f"calibration temperature: a PRM with activation {activation}, expected {SIGMOID}")
        return value_of(logit / self.temperature, SIGMOID)

    @classmethod
    def fitted(cls, activation: str, logits: Floats, labels: Floats, weights: Floats) -> Temperature:
        """The likeliest T: 1/T is the coefficient of a logistic regression without intercept. Arguments as `fitted`."""
        from sklearn.linear_model import LogisticRegression

        rows, kinds = np.tile(logits, 2)[:, None], np.repeat([1, 0], len(logits))
        counts = np.concatenate([weights * labels, weights * (1.0 - labels)])
        regression = LogisticRegression(C=np.inf, fit_intercept=False).fit(rows, kinds, counts)
        return cls(1.0 / max(COLDEST, float(regression.coef_[0, 0])))


@dataclass(frozen=True, slots=True)
class Isotonic:
    """The rising curve through points that is nearest to the labels (Zadrozny and Elkan, KDD 2002).

    Straight between the points and level beyond them; `TILT` of the value itself is mixed in.

    Attributes:
        values: [P] ascending, values before calibration.
        calibrated: [P] never falling, the values they become.

    Raises:
        ValueError: The points are no such curve.
    """

    method: ClassVar[str] = ISOTONIC

    values: tuple[float, ...]
    calibrated: tuple[float, ...]

    def __post_init__(self) -> None:
        curve = (self.values, self.calibrated)
        inside = all(0.0 <= number <= 1.0 for points in curve for number in points)
        rises = all(list(points) == sorted(points) for points in curve)
        if not self.values or len(self.values) != len(self.calibrated) or not inside or not rises:
            raise InputError("calibration isotonic: expected as many calibrated as values, in [0, 1], neither falling")

    def __call__(self, activation: str, logit: float) -> float:
        """The calibrated value of a logit."""
        value = value_of(logit, activation)
        if math.isnan(value):
            return value
        at = bisect_right(self.values, value)
        if at in (0, len(self.values)):
            level = self.calibrated[min(at, len(self.values) - 1)]
        else:
            (x, beyond), (y, above) = self.values[at - 1 : at + 1], self.calibrated[at - 1 : at + 1]
            level = min(above, y + (above - y) * (value - x) / (beyond - x))
        return (1.0 - TILT) * level + TILT * value

    @classmethod
    def fitted(cls, activation: str, logits: Floats, labels: Floats, weights: Floats) -> Isotonic:
        """Isotonic regression of the labels on the values. Arguments as `fitted`."""
        from sklearn.isotonic import IsotonicRegression

        values = np.array([value_of(float(logit), activation) for logit in logits])
        regression = IsotonicRegression(y_min=0.0, y_max=1.0).fit(values, labels, sample_weight=weights)
        return cls(tuple(map(float, regression.X_thresholds_)), tuple(map(float, regression.y_thresholds_)))


Calibration = Temperature | Isotonic
"""From activation and logit to a value in [0, 1]. Of two logits the higher never gets the lower value."""

_KINDS: dict[str, type[Calibration]] = {kind.method: kind for kind in (Temperature, Isotonic)}


def fitted(method: str, activation: str, logits: Floats, labels: Floats, weights: Floats) -> Calibration | None:
    """What brings values nearest to labels; None where all labels are of one kind, which tells nothing.

    Args:
        method: `temperature` or `isotonic`.
        logits: [n].
        labels: [n] in [0, 1]; one of .25 counts as a quarter of a good one and three of a bad one.
        weights: [n] above 0.
    """
    if not 0.0 < np.average(labels, weights=weights) < 1.0:
        return None
    return _KINDS[method].fitted(activation, logits, labels, weights)


def write_calibration(path: Path, calibration: Calibration) -> None:
    """Put a calibration beside the weights of a checkpoint, whole or not at all."""
    scratch = path / f".{CALIBRATION}.tmp"
    scratch.write_text(json.dumps({"method": calibration.method} | asdict(calibration), indent=1) + "\n", "utf-8")
    scratch.replace(path / CALIBRATION)


def read_calibration(path: Path) -> Calibration | None:
    """The calibration of a checkpoint, if it has one. Raises `InputError` if it cannot be read."""
    file = path / CALIBRATION
    if not file.exists():
        return None
    try:
        told: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        kind: Callable[..., Calibration] = _KINDS[told.pop("method")]
        return kind(**{name: tuple(given) if isinstance(given, list) else given for name, given in told.items()})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        known = ", ".join(_KINDS)
        raise InputError(f"{file}: {first_line(error)}, expected a method ({known}) and its numbers") from error


def value_from(path: Path, activation: str) -> Callable[[float], float]:
    """From a logit to a value in [0, 1], as the checkpoint in `path` wants it: its activation, then its calibration."""
    calibration = read_calibration(path)
    if calibration is None:
        return partial(value_of, activation=activation)
    return partial(calibration, activation)
