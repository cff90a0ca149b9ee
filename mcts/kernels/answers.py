"""What a finished search answers: the best solution, and how much each weighs in a vote."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from mcts.kernels.records import ACCEPTED, FINAL, REJECTED, Ids, Nodes
from mcts.tree import NO_NODE, UNKNOWN_PRIOR


@njit(cache=True)
def best_final(nodes: Nodes, members: Ids) -> int:
    """The solution the checker accepted, else the one of the highest value not rejected, else of the highest value.

    A solution without a value comes after all others of its kind; of equals the first is taken.

    Args:
        members: [S] int32, the nodes of one tree in order of creation.

    Returns:
        A node, or `NO_NODE` if no solution has ended.
    """
    best, best_rank, best_value = NO_NODE, -1, 0.0
    for node in members:
        record = nodes[node]
        if not record.flags & FINAL:
            continue
        rank = 2 * (record.flags & ACCEPTED != 0) + (record.flags & REJECTED == 0)
        value = -1.0 if np.isnan(record.value) else record.value
        if rank > best_rank or (rank == best_rank and value > best_value):
            best, best_rank, best_value = node, rank, value
    return best


@njit(cache=True)
def vote_weights(
    parent: Ids,
    visits: Ids,
    prior: NDArray[np.float32],
    value: NDArray[np.float32],
    finals: Ids,
    weights: NDArray[np.float64],
) -> None:
    """Weigh solutions: the policy's probability of the whole path times the value of its end.

    Where the policy tells no probabilities, visits count; a solution without a value is believed.

    Args:
        parent: [S] int32, and so on: columns of one `SearchTree`.
        visits: [S] int32.
        prior: [S] float32.
        value: [S] float32.
        finals: [L] int32, the solutions.
        weights: [L] float64, written.
    """
    for i in range(len(finals)):
        mass, node = 1.0, finals[i]
        while parent[node] != NO_NODE:
            mass *= prior[node]
            node = parent[node]
        if not mass > UNKNOWN_PRIOR:
            mass = float(visits[finals[i]])
        worth = value[finals[i]]
        weights[i] = mass if np.isnan(worth) else mass * worth
