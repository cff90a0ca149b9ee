"""What a transformer of Qwen2's kind takes: parameters, key-value cache, and the memory of serving and training it."""

from __future__ import annotations

import math
from dataclasses import dataclass

HALF, FULL = 2, 4
"""Bytes of a bfloat16 and of a float32."""
GIB = 2**30


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes, as `config.json` names them.

    Attributes:
        tied: Whether embedding and unembedding are one matrix.
        biased: Whether queries, keys and values have a bias, as Qwen2's do and Llama's do not.
    """

    name: str
    hidden: int
    intermediate: int
    layers: int
    heads: int
    key_heads: int
    vocabulary: int
    tied: bool
    biased: bool = True

    @property
    def keys(self) -> int:
        """Width of a layer's keys; its values are as wide."""
        return self.hidden // self.heads * self.key_heads

    @property
    def parameters(self) -> int:
        """Embedding, layers, last norm and, where it is not tied, the unembedding."""
        return (1 if self.tied else 2) * self.vocabulary * self.hidden + self.layers * self._layer + self.hidden

    @property
    def linear(self) -> int:
        """Parameters that every token is multiplied with: all but an untied embedding, which is looked up."""
        return self.parameters - (0 if self.tied else self.vocabulary * self.hidden)

    @property
    def cache_bytes(self) -> int:
        """Key-value cache of a token in bfloat16."""
        return 2 * self.keys * self.layers * HALF

    @property
    def _layer(self) -> int:
        attention = 2 * self.hidden * (self.hidden + self.keys) + self.biased * (self.hidden + 2 * self.keys)
        return attention + 3 * self.hidden * self.intermediate + 2 * self.hidden

    def adapter(self, rank: int) -> int:
        """Parameters of a LoRA adapter at all linear maps of the layers (arXiv 2106.09685)."""
        across = 2 * (self.hidden + self.hidden) + 2 * (self.hidden + self.keys)
        return self.layers * rank * (across + 3 * (self.hidden + self.intermediate))

    def activation_bytes(self, reads_vocabulary: bool) -> int:
        """What a token keeps for the backward pass, without checkpointing, the residual stream in float32.

        In a layer: two norms keep input and output (16 h), each of five linear maps its bfloat16 input (10 h),
        attention its queries, keys, values and output (4 h + 4 k), the gated map four of its products (8 i). A loss
        over the vocabulary has log-probabilities, their gradient in float32, and logits in bfloat16 at once (10 V).
        """
        layer = 30 * self.hidden + 4 * self.keys + 8 * self.intermediate
        return self.layers * layer + (10 * self.vocabulary if reads_vocabulary else 0)


@dataclass(frozen=True, slots=True)
class Training:
    """Memory of a training on one device, in bytes. Weights and moments are float32, products bfloat16.

    Attributes:
        weights: The master copy; of a frozen model, too.
        gradients: Of what is trained.
        moments: AdamW's two.
        copies: The bfloat16 copies that the backward pass needs of every weight.
        activations: Of all tokens of a batch.
    """

    weights: int
    gradients: int
    moments: int
    copies: int
    activations: int

    @property
    def together(self) -> int:
        """All of it."""
        return self.weights + self.gradients + self.moments + self.copies + self.activations


def training(one: Architecture, tokens: int, *, rank: int = 0, reads_vocabulary: bool = True) -> Training:
    """Memory of training with batches of `tokens` tokens.

    Args:
        rank: Of a LoRA adapter; 0 trains all weights.
        reads_vocabulary: Whether the loss is over the vocabulary (a policy's) or not (a PRM's with a head of its own).
    """
    trained = one.adapter(rank) if rank else one.parameters
    held = one.parameters + (trained if rank else 0)
    activations = tokens * one.activation_bytes(reads_vocabulary)
    return Training(FULL * held, FULL * trained, 2 * FULL * trained, HALF * held, activations)


def cached_tokens(one: Architecture, memory: float, share: float, *, devices: int = 1, reserve: float = 2 * GIB) -> int:
    """Tokens whose keys and values an engine can hold beside its bfloat16 weights, spread over `devices`.

    Args:
        memory: Bytes of a device.
        share: Of it that the engine may take.
        reserve: Bytes of each device for activations and CUDA graphs: an assumption.
    """
    return max(0, math.floor((devices * (memory * share - reserve) - HALF * one.parameters) / one.cache_bytes))


QWEN_05B = Architecture("Qwen2.5-0.5B", 896, 4_864, 24, 14, 2, 151_936, tied=True)
QWEN_15B = Architecture("Qwen2.5-1.5B", 1_536, 8_960, 28, 12, 2, 151_936, tied=True)
QWEN_7B = Architecture("Qwen2.5-7B", 3_584, 18_944, 28, 28, 4, 152_064, tied=False)
QWEN_72B = Architecture("Qwen2.5-72B", 8_192, 29_568, 80, 64, 8, 152_064, tied=False)
LLAMA_8B = Architecture("Llama-3.1-8B", 4_096, 14_336, 32, 32, 8, 128_256, tied=False, biased=False)
"""Sizes of the published config.json files; the mathematical models of a size share them."""
