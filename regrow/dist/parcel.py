"""Trees on their way between our own processes: packed, so that a controller may leave them so while engines wait."""

from __future__ import annotations

import pickle

from mcts.tree import SearchTree


def pack(tree: SearchTree) -> bytes:
    """The bytes that pass through a pipe or Ray's object store; they are never written to disk."""
    return pickle.dumps(tree, pickle.HIGHEST_PROTOCOL)


def unpack(parcel: bytes) -> SearchTree:
    """The tree. Only for what a worker of this run has packed: whoever writes the bytes decides what is run."""
    tree: SearchTree = pickle.loads(parcel)
    return tree
