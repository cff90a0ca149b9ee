"""Counter-based sampling: a token depends on the request's seed and where it stands, never on the rest of the batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mcts.errors import InputError

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_MANTISSA_BITS = 53


def streams(seeds: NDArray[np.uint64], samples: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The stream of sample `samples[i]` of the request with seed `seeds[i]`.

    Args:
        seeds: [B] 64-bit seeds of requests; consecutive ones are as good as any.
        samples: [B] which of the request's continuations.

    Returns:
        [B] keys for `uniforms`.
    """
    return _splitmix64(_splitmix64(seeds) + samples * _GOLDEN)


def uniforms(keys: NDArray[np.uint64], position: int) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1), [B]: number `position` of each stream."""
    bits = _splitmix64(keys + np.full(1, position, np.uint64) * _GOLDEN)
    return (bits >> np.uint64(64 - _MANTISSA_BITS)).astype(np.float64) * 2.0**-_MANTISSA_BITS


def sample(
    logits: NDArray[np.float32],
    temperature: NDArray[np.float64],
    u: NDArray[np.float64],
    forbidden: NDArray[np.bool_] | None = None,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Draw a token for each row by inverting its cumulative distribution at `u`. Rows do not influence one another.

    Args:
        logits: [B, V]; -inf forbids a token.
        temperature: [B]; 0 takes the most likely token, the first of several.
        u: [B] in [0, 1).
        forbidden: [V] tokens that are never drawn; the log-probabilities do not know of it.

    Returns:
        Tokens [B], never one of probability zero, and their natural-log probabilities [B] before temperature.

    Raises:
        InputError: A row has no finite maximum: the model's weights have diverged.
    """
    shifted = np.asarray(logits, np.float64)
    peak = shifted.max(axis=1, keepdims=True)
    if not np.isfinite(peak).all():
        raise InputError("policy logits: not a number, expected finite values: the model's weights have diverged")
    shifted = shifted - peak
    log_total = np.log(np.exp(shifted).sum(axis=1))
    is_greedy = temperature == 0
    allowed = shifted if forbidden is None else np.where(forbidden, -np.inf, shifted)
    allowed = allowed - allowed.max(axis=1, keepdims=True)
    cumulative = np.cumsum(np.exp(allowed / np.where(is_greedy, 1.0, temperature)[:, None]), axis=1)
    total = cumulative[:, -1]
    # Below the total, the first entry above the target belongs to a token that added something to the sum.
    target = np.minimum(u * total, np.nextafter(total, 0.0))
    drawn = np.argmax(cumulative > target[:, None], axis=1)
    tokens = np.where(is_greedy, np.argmax(allowed, axis=1), drawn)
    logprobs = shifted[np.arange(len(tokens)), tokens] - log_total
    return tokens.astype(np.int64), logprobs.astype(np.float32)


def _splitmix64(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Finaliser of SplitMix64 (Steele, Lea and Flood 2014), one increment included; arithmetic modulo 2^64."""
    x = x + _GOLDEN
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    return x ^ (x >> np.uint64(31))
