"""The objective of a policy's retraining: which lessons are made of a round's trees, and which loss learns them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from mcts.errors import InputError
from policy.lessons import Lesson, Pair
from policy.losses import Dpo, Loss
from regrow.objectives.material import Material, Need


@dataclass(frozen=True)
class Objective(ABC):
    """What a policy is trained for. Immutable; its fields are its settings.

    Attributes:
        restarts: Whether it always starts from the first model.
        rate: Share of `policy.train.learning_rate` that it is learned at. A rate that is right for traces throws a
            policy that learns preferences out of its language.

    Raises:
        InputError: A setting that cannot be.
    """

    restarts: ClassVar[bool] = False

    rate: float = 1.0

    def __post_init__(self) -> None:
        above_zero(self, "rate")

    def needs(self) -> dict[Need, int]:
        """What has to be drawn before lessons can be chosen: solutions a problem."""
        return {}

    @abstractmethod
    def lessons(self, material: Material) -> list[Lesson]:
        """What is learned from a round's material; all of one kind. Without any the policy stays as it is."""

    @abstractmethod
    def loss(self, material: Material) -> Loss:
        """By which loss. Raises `InputError` where the policy's tokenizer has no words for what it takes."""


@dataclass(frozen=True)
class PairObjective(Objective):
    """Learned from pairs of a better and a worse way to go on.

    Attributes:
        beta: How much a log-probability counts against the reference's.
        per_problem: Most pairs of a problem.
    """

    rate: float = 0.1
    beta: float = 0.1
    per_problem: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        above_zero(self, "beta", "per_problem")

    def lessons(self, material: Material) -> list[Lesson]:
        """The pairs."""
        return list(self.pairs(material))

    @abstractmethod
    def pairs(self, material: Material) -> list[Pair]:
        """Which of two is the better."""


@dataclass(frozen=True)
class DpoObjective(PairObjective):
    """Learned by the loss of DPO (`policy.losses.Dpo`), the reference being the model to start from.

    Attributes:
        likelihood: Share of the chosen one's own negative log-likelihood, as in RPO (arXiv 2404.19733): DPO alone is
            content with a chosen solution that becomes less likely, as long as the rejected one does so faster.
    """

    likelihood: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        expect(self.likelihood >= 0, f"likelihood={self.likelihood}", "0 or more")

    def loss(self, material: Material) -> Loss:
        """DPO's, with its likelihood."""
        return Dpo(self.beta, likelihood=self.likelihood)


def expect(holds: bool, found: str, expected: str) -> None:
    """Raise `InputError` unless a setting `holds`."""
    if not holds:
        raise InputError(f"objective {found}: expected {expected}")


def above_zero(objective: Objective, *names: str) -> None:
    """Raise `InputError` unless these settings are more than 0."""
    for name in names:
        expect(getattr(objective, name) > 0, f"{name}={getattr(objective, name)}", "more than 0")
