"""The progress value of ReST-MCTS*: how far towards a correct answer each step has come."""

from __future__ import annotations

from collections.abc import Sequence


def progress_values(distance: int, remaining: Sequence[int | None]) -> tuple[float, ...]:
    """The quality values v_1..v_K of a solution's steps (ReST-MCTS*, Eq. 1 and 2).

    A right step (r = 0) gains and a wrong step (r = 1) loses `(1 - v_{k-1}) / (m_k + 1)`, never below 0. A clean
    solution of K steps therefore has v_k = k / K (Eq. 20), and a wrong step after k right ones has
    `max(0, (k - 1) / K + 1 / (K (K - k + 1)))` (Eq. 22).

    Args:
        distance: m_0, the fewest steps from the bare problem to a correct answer.
        remaining: [K] m_k, the fewest steps still to go after step k; None for a wrong step, which brings the
            solution no closer and takes m_k = m_{k-1}.

    Returns:
        [K] values in [0, 1]. What follows a correct answer (m = 0) can neither gain nor lose: it keeps v = 1.
    """
    values = []
    value = 0.0
    for steps_left in remaining:
        sign = -1 if steps_left is None else 1
        distance = distance if steps_left is None else steps_left
        value = max(0.0, value + sign * (1.0 - value) / (distance + 1))
        values.append(value)
    return tuple(values)
