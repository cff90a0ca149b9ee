"""The compiled core: kernels on one array of node records shared by all trees.

A kernel takes the ids of the trees (roots) or leaves that are ready, never "all trees". It holds no random state: ties
fall by a hash of (seed of the tree, ordinal of the node within it), the higher hash wins, so a result does not depend
on where a tree lies in the arena or on what else is in the call. Hyper-parameters are arguments. No fastmath: serial,
lockstep and threaded paths give the same bits. One calling thread: numba's workqueue layer aborts on a second.

With its first threaded kernel numba's OpenMP layer sets the number of threads for all that its process computes, torch
included, and does not look at OMP_NUM_THREADS by itself: where that is set, it holds for the kernels, too.

numba's disk cache does not see edits in another file. Therefore a compiled helper (or an intrinsic) is used only by
kernels of its own file, small ones stand in each file that needs them, and a test holds it. Constants are baked in,
too: after a change of `Flag` or of a constant in `records.py`, clear `__pycache__`. A change of a record's fields is
seen, since it changes the signatures.

Axis letters: N nodes of the arena, T trees in this call, L leaves in this call, K leaves chosen in one tree, B children
of a leaf, S nodes of one tree as columns.
"""

import os

if os.environ.get("OMP_NUM_THREADS", "").isdigit():
    os.environ.setdefault("NUMBA_NUM_THREADS", os.environ["OMP_NUM_THREADS"])

from mcts.kernels.answers import best_final, vote_weights
from mcts.kernels.backup import backup_child_max, backup_child_mean, backup_mean, close, credit, release
from mcts.kernels.check import Fault, find_fault
from mcts.kernels.grow import append_child, expand, share_priors
from mcts.kernels.labels import infer_labels, success_rates
from mcts.kernels.prefix import branching_index, expected_success, mean_value, select_prefix
from mcts.kernels.records import LEDGER, NODE, Ids, Ledger, Nodes, Seeds, allocate
from mcts.kernels.select import select_puct, select_ucb, select_uct
from mcts.kernels.widen import widen_by_importance, widen_by_spread, widen_by_visits

__all__ = [
    "LEDGER",
    "NODE",
    "Fault",
    "Ids",
    "Ledger",
    "Nodes",
    "Seeds",
    "allocate",
    "append_child",
    "backup_child_max",
    "backup_child_mean",
    "backup_mean",
    "best_final",
    "branching_index",
    "close",
    "credit",
    "expand",
    "expected_success",
    "find_fault",
    "infer_labels",
    "mean_value",
    "release",
    "select_prefix",
    "select_puct",
    "select_ucb",
    "select_uct",
    "share_priors",
    "success_rates",
    "vote_weights",
    "widen_by_importance",
    "widen_by_spread",
    "widen_by_visits",
]
