"""Heads: from the last hidden state of a token to one logit."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Probe:
    """A linear head.

    The product is summed token by token: matrix-vector kernels give a row other last bits in another batch.

    Attributes:
        weight: [H].
        bias: [1].
    """

    weight: Tensor
    bias: Tensor

    def __call__(self, hidden: Tensor) -> Tensor:
        """[..., H] to [...]."""
        return (hidden * self.weight).sum(-1) + self.bias

    @classmethod
    def between(cls, linear: nn.Linear, good: int, bad: int) -> Probe:
        """The margin of output `good` over `bad`: the softmax of the two is the sigmoid of their difference."""
        bias = linear.weight.new_zeros(1) if linear.bias is None else linear.bias[good : good + 1] - linear.bias[bad]
        return cls(linear.weight[good] - linear.weight[bad], bias)


@dataclass(frozen=True, slots=True)
class Perceptron:
    """A probe behind one hidden layer with ReLU."""

    first: nn.Linear
    probe: Probe

    def __call__(self, hidden: Tensor) -> Tensor:
        """[..., H] to [...]."""
        return self.probe(self.first(hidden).relu())


Head = Probe | Perceptron
