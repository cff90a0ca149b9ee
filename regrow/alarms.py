"""Alarms: figures that tell of a loop going wrong while its accuracy may still look well.

An alarm reads a round's figure beside that of round 0 or of the round before, so that higher is always worse, and rings
above its threshold. It decides nothing: it is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mcts.errors import InputError

Figures = Mapping[str, float | None]
"""Name of an alarm -> the round's figure (`regrow/figures.py`); None, or no entry, where it is not known."""

Value = Callable[[float, float, float], float]
"""What an alarm reads: of the round's figure, that of the round before, and that of round 0."""


@dataclass(frozen=True, slots=True)
class Alarms:
    """The threshold of each alarm: it rings above, and never where this is None. `ALARMS` says what is read.

    Raises:
        ValueError: A threshold below 0.
    """

    length: float | None = 1.5
    repetition: float | None = 0.1
    entropy: float | None = 0.8
    inflation: float | None = 0.1
    gap: float | None = 0.15
    length_bias: float | None = 0.5
    unsolved: float | None = 0.9
    labels: float | None = 0.02

    def __post_init__(self) -> None:
        for name in ALARMS:
            if (threshold := getattr(self, name)) is not None and threshold < 0.0:
                raise InputError(f"alarms.{name}={threshold}: expected 0 or more, or null for none")


@dataclass(frozen=True, slots=True)
class Alarm:
    """How a figure is read: in words, what it is a sign of, and as a number."""

    reads: str
    says: str
    value: Value


@dataclass(frozen=True, slots=True)
class Reading:
    """An alarm in a round.

    Attributes:
        name: Of `ALARMS`.
        figure: The round's own figure; None where it is not known.
        value: What the alarm reads; None where the figure or its reference is not known.
        threshold: Above which it rings; None where it never does.
        rang: Whether it did.
    """

    name: str
    figure: float | None
    value: float | None
    threshold: float | None
    rang: bool

    def __str__(self) -> str:
        alarm = ALARMS[self.name]
        return f"{self.name} is {self.value:.3f}, above {self.threshold}: {alarm.says} ({alarm.reads})"


ALARMS = {
    "length": Alarm(
        "tokens of a sample, as a multiple or a fraction of round 0's",
        "solutions have grown or shrunk",
        lambda now, _, first: max(now / first, first / now),
    ),
    "repetition": Alarm(
        "share of samples that repeat themselves, above round 0's",
        "the policy falls into loops",
        lambda now, _, first: now - first,
    ),
    "entropy": Alarm(
        "share of round 0's entropy a token that is lost",
        "the policy has become sure of itself, and leaves a search nothing to find",
        lambda now, _, first: 1.0 - now / first,
    ),
    "inflation": Alarm(
        "mean value less share right among samples, above the round before's if that was above 0",
        "values rise without the solutions",
        lambda now, before, _: now - max(0.0, before),
    ),
    "gap": Alarm(
        "value less share right of the samples that the PRM likes best, above the round before's if that was above 0",
        "the PRM likes what the verifier does not",
        lambda now, before, _: now - max(0.0, before),
    ),
    "length_bias": Alarm(
        "how much oftener the longer of two equally right solutions has the higher value than the shorter",
        "the PRM goes by length",
        lambda now, *_: now,
    ),
    "unsolved": Alarm(
        "share of training problems without a right solution",
        "there is little to learn from",
        lambda now, *_: now,
    ),
    "labels": Alarm(
        "share of training labels that are others when the verifier is asked again",
        "labels are corrupt, or the verifier is not to be relied on",
        lambda now, *_: now,
    ),
}


def readings(thresholds: Alarms, now: Figures, before: Figures, first: Figures) -> tuple[Reading, ...]:
    """All alarms of a round, in the order of `ALARMS`.

    Args:
        before: Figures of the round before; for round 0 its own.
        first: Figures of round 0. What these do not know is compared with the round's own.
    """
    return tuple(_reading(name, thresholds, now, before, first) for name in ALARMS)


def _reading(name: str, thresholds: Alarms, now: Figures, before: Figures, first: Figures) -> Reading:
    threshold: float | None = getattr(thresholds, name)
    figure = now.get(name)
    if figure is None:
        return Reading(name, None, None, threshold, rang=False)
    references = [figure if (known := side.get(name)) is None else known for side in (before, first)]
    try:
        value = ALARMS[name].value(figure, *references)
    except ZeroDivisionError:  # a figure without a scale: neither alike nor unlike
        return Reading(name, figure, None, threshold, rang=False)
    return Reading(name, figure, value, threshold, rang=threshold is not None and value > threshold)
