"""The two records of a node, and the memory they lie in."""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

from mcts.tree import Flag

NODE = np.dtype(
    [
        ("value_sum", np.float32),  # what `backup_mean` added up
        ("visits", np.int32),
        ("prior", np.float32),
        ("value", np.float32),  # NaN until scored
        ("parent", np.int32),
        ("first_child", np.int32),
        ("next_sibling", np.int32),
        ("depth", np.uint16),
        ("in_flight", np.uint8),  # chosen leaves at or beneath the node that are not backed up yet
        ("flags", np.uint8),
    ],
    align=True,
)
"""What walking down and backing up read: 32 bytes, two records a cache line, four siblings in two lines.

Children are chained, for their number may grow; those made together are adjacent, and the walk is fast where they are.
"""

LEDGER = np.dtype(
    [
        ("evidence", np.float64),  # what `credit` added up: exact, since it never needs to share the walk's cache line
        ("last_child", np.int32),
        ("draws", np.int32),  # continuations grown at this very node, duplicates included
        ("ordinal", np.int32),  # order of creation within the tree; the root has 0
        ("children", np.int32),
        ("count", np.int32),  # how often the step that leads here was drawn
    ],
    align=True,
)
"""What the walk does not read (but the ordinal, where scores tie)."""

FINAL = int(Flag.FINAL)
CLOSED = int(Flag.CLOSED)
EXPANDED = int(Flag.EXPANDED)
ACCEPTED = int(Flag.ACCEPTED)
REJECTED = int(Flag.REJECTED)
BUSY = 128
"""Bit of `flags` that never leaves the arena: every open leaf at or beneath the node is in flight."""
EXPORTED_FLAGS = 255 - BUSY
MOST_IN_FLIGHT = 255

Nodes = NDArray[np.void]
Ledger = NDArray[np.void]
Ids = NDArray[np.int32]
Seeds = NDArray[np.uint64]


def allocate(capacity: int) -> tuple[Nodes, Ledger]:
    """Zeroed records for `capacity` nodes, on huge pages where the system grants them.

    Pages begin at cache lines, so no record of 32 bytes lies in two; ids are even where a line begins.
    """
    return _pages(capacity, NODE), _pages(capacity, LEDGER)


def _pages(capacity: int, dtype: np.dtype[np.void]) -> NDArray[np.void]:
    memory = mmap.mmap(-1, max(1, capacity) * dtype.itemsize)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype, capacity)
