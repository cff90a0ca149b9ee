"""LoRA: training low-rank changes of frozen weights (arXiv 2106.09685), with PEFT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcts.errors import InputError

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class Lora:
    """Which weights get a low-rank change.

    Attributes:
        rank: Of the matrices; 0 trains all weights instead.
        alpha: The change is scaled by alpha / rank.
        targets: Names of modules, separated by commas; `all-linear` are all but the unembedding.
        merged: Whether a full checkpoint is written, or an adapter beside the checkpoint it started from.
    """

    rank: int = 0
    alpha: int = 16
    targets: str = "all-linear"
    merged: bool = True

    def __post_init__(self) -> None:
        if self.rank < 0 or self.alpha <= 0 or not self.targets:
            raise InputError(f"{self}: expected rank >= 0, alpha > 0 and targets")


def adapted(model: PreTrainedModel, lora: Lora, seed: int) -> Any:
    """The model, frozen, with a fresh adapter that changes nothing yet; the model itself where rank is 0.

    Raises:
        InputError: The model has no such modules.
    """
    if not lora.rank:
        return model
    import torch
    from peft import LoraConfig, get_peft_model

    targets = lora.targets if lora.targets == "all-linear" else [name.strip() for name in lora.targets.split(",")]
    config = LoraConfig(r=lora.rank, lora_alpha=lora.alpha, target_modules=targets, task_type="CAUSAL_LM")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        try:
            return get_peft_model(model, config)
        except ValueError as error:
            raise InputError(f"lora targets {lora.targets}: {error}, expected names of the policy's modules") from error
