"""Losses of a PRM, a file each: what they read of labelled solutions, and what the model's logits there cost."""

from __future__ import annotations

from mcts.errors import InputError
from prm.losses.loss import Batch, Example, StepLoss
from prm.losses.pairwise import Pairwise
from prm.losses.pointwise import Pointwise
from prm.model import CLIP

__all__ = ["Batch", "Example", "Pairwise", "Pointwise", "StepLoss", "loss_of"]


def loss_of(*, is_pairwise: bool, activation: str, root_weight: float) -> StepLoss:
    """The loss for a model with this activation.

    Raises:
        InputError: Comparisons do not teach a value that is clipped where it stands: beyond 0 and 1 all are equal.
    """
    if is_pairwise and activation == CLIP:
        raise InputError("PRM loss pairwise: the PRM's values are clipped, expected one with activation sigmoid")
    return Pairwise() if is_pairwise else Pointwise(is_squared=activation == CLIP, root_weight=root_weight)
