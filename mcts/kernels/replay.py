"""Many stored trees under many settings: rollout branching and sampling, replayed from pools in one call.

It calls the kernels of the search itself, so a replay has the bits that the scheduler gives (`mcts.replay`). It is
compiled anew in each process, within seconds: numba's disk cache would not see an edit of what is called.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

from mcts.kernels.choice import choose_final
from mcts.kernels.deal import Stored, assess_dealt, deal, grow_dealt, tokens_dealt
from mcts.kernels.grow import append_child
from mcts.kernels.prefix import select_prefix
from mcts.kernels.records import Ids, Ledger, Nodes, Seeds
from mcts.tree import NO_NODE

SETTING = np.dtype(
    [
        ("strength", np.float64),
        ("doubt", np.float64),
        ("root_share", np.float64),
        ("opening", np.int64),
        ("width", np.int32),
        ("reading", np.int32),  # which row of readings has the values
        ("samples", np.bool_),  # best-of-N: every draw at the root, each credited
        ("is_greedy", np.bool_),  # best-of-N at temperature 0, which draws once
    ],
    align=True,
)
"""`RolloutBranching`, or `BestOfN` where it `samples`."""

Settings = NDArray[np.void]


@njit
def _select(nodes: Nodes, ledger: Ledger, seed: np.uint64, setting: Any) -> int:
    roots, seeds, prefixes = np.zeros(1, np.int32), np.full(1, seed), np.empty(1, np.int32)
    strength, doubt, root_share = setting.strength, setting.doubt, setting.root_share
    select_prefix(nodes, ledger, roots, seeds, strength, doubt, root_share, setting.opening, prefixes)
    return prefixes[0]


@njit
def _note(
    nodes: Nodes,
    ledger: Ledger,
    answers: Ids,
    members: Ids,
    choices: Ids,
    spent: int,
    chosen: NDArray[np.int32],
    tokens: NDArray[np.int64],
) -> None:
    """What has been chosen and spent, for all the marks in `chosen` and `tokens`."""
    if len(tokens) == 0:
        return
    for c in range(len(choices)):
        chosen[:, c] = choose_final(nodes, ledger, answers, members, choices[c])
    tokens[:] = spent


@njit
def _is_over(setting: Any, mark: int, marks: NDArray[np.int64], simulations: int) -> bool:
    return mark == len(marks) or (setting.is_greedy and simulations > 0)


@njit
def _replay(
    nodes: Nodes,
    ledger: Ledger,
    stored: Stored,
    answers: Ids,
    ends: Ids,
    whole: NDArray[np.bool_],
    reads: NDArray[np.float64],
    seed: np.uint64,
    setting: Any,
    is_scored: bool,
    is_checked: bool,
    max_depth: int,
    by_tokens: bool,
    marks: NDArray[np.int64],
    choices: Ids,
    chosen: NDArray[np.int32],
    tokens: NDArray[np.int64],
) -> int:
    """One tree under one setting; returns how many marks were reached before something was asked that is not there."""
    for node in range(len(stored)):
        ledger[node].ordinal = NO_NODE
    append_child(nodes, ledger, NO_NODE, 0, 0, 1.0, 0)
    members, known = np.zeros(len(stored), np.int32), np.zeros(len(stored), np.bool_)
    landed = np.empty(setting.width, np.int32)
    read, samples = reads[setting.reading], setting.samples
    known[0] = True
    count, spent, simulations, mark, covered = 1, 0, 0, 0, len(marks)
    while True:
        passed = mark
        while passed < len(marks) and (spent if by_tokens else simulations) >= marks[passed]:
            passed += 1
        _note(nodes, ledger, answers, members[:count], choices, spent, chosen[mark:passed], tokens[mark:passed])
        mark = passed
        if _is_over(setting, mark, marks, simulations):
            break
        prefix = 0 if samples else _select(nodes, ledger, seed, setting)
        if not deal(stored, ends, whole, prefix, ledger[prefix].draws, landed):
            covered = mark
            break
        spent += tokens_dealt(stored, prefix, landed)
        count = grow_dealt(nodes, ledger, stored, prefix, landed, max_depth, members, count)
        if not assess_dealt(nodes, ledger, stored, read, is_scored, is_checked, samples, landed, known):
            covered = mark
            break
        simulations += 1
    _note(nodes, ledger, answers, members[:count], choices, spent, chosen[mark:], tokens[mark:])
    return covered


@njit(parallel=True)
def replay_pools(
    nodes: Nodes,
    ledger: Ledger,
    starts: NDArray[np.int64],
    stored: Stored,
    answers: Ids,
    ends: Ids,
    whole: NDArray[np.bool_],
    reads: NDArray[np.float64],
    seeds: Seeds,
    settings: Settings,
    is_scored: bool,
    is_checked: bool,
    max_depth: int,
    by_tokens: bool,
    marks: NDArray[np.int64],
    choices: Ids,
    chosen: NDArray[np.int32],
    tokens: NDArray[np.int64],
    covered: Ids,
) -> None:
    """Search every tree again under every setting. Axes: N nodes of all T trees, D draws, S settings, M marks.

    Args:
        nodes: [N] records to work on; afterwards those of the last setting, at the ids of the pool.
        ledger: [N], the same.
        starts: [T + 1] where the nodes of each tree begin.
        stored: [N] of `STORED`.
        answers: [N] int32, equal for equal answers in a tree, `NO_ANSWER` for none.
        ends: [D] int32, the node at which each draw ends.
        whole: [D] whether it completes a solution, or was cut off.
        reads: [R, N] the value of each node, by way of reading; NaN where it is not known.
        seeds: [T] uint64.
        settings: [S] of `SETTING`.
        is_scored: Whether the searches are told values.
        is_checked: Whether they are told a checker's verdicts.
        max_depth: Steps after which a branch is closed.
        by_tokens: Whether marks are generated tokens, else simulations.
        marks: [M] ascending; the last is the budget.
        choices: [C] int32, places in `CHOICES`.
        chosen: [T, S, M, C] int32, written: the node chosen at each mark, `NO_NODE` for none.
        tokens: [T, S, M] int64, written: generated until then.
        covered: [T, S] int32, written: marks reached before a draw or value was asked that the pool lacks. What comes
            after them is the tree as it stood there.
    """
    for t in prange(len(seeds)):
        here = slice(starts[t], starts[t + 1])
        for s in range(len(settings)):
            covered[t, s] = _replay(
                nodes[here],
                ledger[here],
                stored[here],
                answers[here],
                ends,
                whole,
                reads[:, here],
                seeds[t],
                settings[s],
                is_scored,
                is_checked,
                max_depth,
                by_tokens,
                marks,
                choices,
                chosen[t, s],
                tokens[t, s],
            )
