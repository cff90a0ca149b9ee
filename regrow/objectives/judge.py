"""Who says which of a model's solutions is the best, where no verifier is asked."""

from __future__ import annotations

from functools import partial

from regrow.objectives.material import Material, Reading, likelihood

LIKELIHOOD, ASKED, VALUE = "likelihood", "asked", "value"
"""The policy's mean log-probability of the solution; its answer when it is asked in words; the PRM's value."""

QUESTION = "Is the solution correct ? Answer yes or no :"


def reading_of(material: Material, judge: str, question: str) -> Reading:
    """What a judge says of solutions; `question` is what one that is asked in words is asked."""
    readings: dict[str, Reading] = {
        LIKELIHOOD: likelihood,
        ASKED: partial(material.readings.asked, question),
        VALUE: material.readings.value,
    }
    return readings[judge]
