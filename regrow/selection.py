"""Which traces are learned from: a few correct solutions a problem for the policy, labelled steps for the PRM."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import isnan

import numpy as np
from numpy.typing import NDArray

from mcts.labels import judged_draws, simple_labels
from mcts.seeds import seed_of
from mcts.types import Outcome, Step
from prm.labels import NO_LABEL, LabelledState, from_tree, select
from regrow.report import wilson_interval
from regrow.tasks.task import GradedProblem, Task
from regrow.verified import VerifiedTree

PROGRESS = ("progress", "simple")
"""Labels that rise from 0 to 1 along a correct solution; the others are probabilities of success."""

NODE_LABELS = ("hard", "progress", "simple", "soft")
"""Labels that every node of a verified tree can have; see `node_labels`."""

Trace = tuple[str, tuple[Step, ...]]
"""A question and a verified solution."""


def policy_traces(trees: Iterable[VerifiedTree], task: Task, *, per_problem: int, seed: int) -> list[Trace]:
    """Correct solutions, one of each canonical form, at most `per_problem` a problem, chosen by hash."""
    traces: list[Trace] = []
    for verified in trees:
        tree = verified.tree
        forms: dict[str, tuple[Step, ...]] = {}
        for node, outcome in sorted(verified.outcomes.items()):
            if outcome is Outcome.CORRECT:
                steps = tree.path(node)
                forms.setdefault(task.canonical([step.text for step in steps]), steps)
        chosen = sorted(forms, key=lambda form: seed_of(seed, tree.problem.id, form))[:per_problem]
        traces.extend((tree.problem.question, forms[form]) for form in chosen)
    return traces


def is_replayed(verified: VerifiedTree, share: float, seed: int, number: int) -> bool:
    """Whether a tree of an earlier round is learned from again in round `number`: a `share` of them is, by hash."""
    return seed_of(seed, "replayed", number, verified.tree.problem.id) < share * 2**64


def prm_states(
    trees: Iterable[VerifiedTree], kind: str, *, per_problem: int, seed: int, weights: str = "none"
) -> list[LabelledState]:
    """Labelled paths of all trees that have any label, each node labelled once; at most `per_problem` a problem."""
    states = (
        state
        for verified in trees
        for state in from_tree(verified.tree, node_labels(verified, kind), node_weights(verified, weights))
    )
    return select(states, per_problem=per_problem, seed=seed)


def exactly_labelled(
    states: Sequence[LabelledState], task: Task, problems: Iterable[GradedProblem], kind: str
) -> list[LabelledState]:
    """The same states with the truth where they had a label: what a PRM could learn from them at best.

    Args:
        problems: With the problem of every state among them.
        kind: `progress` and `simple` get the exact v*, `hard` and `soft` whether a correct answer is still in reach.

    Returns:
        Without those of which the task does not know the truth.
    """
    graded = {one.problem.id: one for one in problems}
    relabelled = []
    for item in states:
        truth = task.truth(graded[item.state.problem.id], [step.text for step in item.state.steps])
        if truth is None:
            continue
        # The bare problem: solvable, as all training problems are, and with no progress yet.
        exact = (0.0, *truth.values) if kind in PROGRESS else (1.0, *map(float, truth.reachable))
        labels = (NO_LABEL if isnan(had) else label for had, label in zip(item.labels, exact, strict=True))
        relabelled.append(replace(item, labels=tuple(labels)))
    return relabelled


def node_labels(verified: VerifiedTree, kind: str) -> NDArray[np.float32]:
    """[N] the labels of one kind: `progress`, `hard`, `soft`, `simple`, or `outcome` at judged solutions alone."""
    if kind == "simple":
        return simple_labels(verified.tree)
    labels = verified.labels
    columns = {"progress": labels.progress, "hard": labels.hard, "soft": labels.soft, "outcome": _outcomes(verified)}
    return columns[kind]


def node_weights(verified: VerifiedTree, kind: str) -> NDArray[np.float32]:
    """[N] how much the label of each node counts.

    * `none`: 1 each.
    * `visits`: the number n of judged solutions that were drawn through the node. Squared error and cross-entropy are
      then those of learning from each draw by itself; what is known without drawing counts as one draw.
    * `confidence`: 1 - (h - l), where l and h bound the 95 % Wilson interval of the soft label from n draws: 0.21 for
      one draw, towards 1 for many. Nothing for a node without a draw.
    * `ppr`: |r_p + r_o - 1|, the centred blend of process reward r_p, the value that the search was told, and outcome
      reward r_o, the soft label (after PPR, arXiv 2509.25598, whose formula was not checked: see `EtaMcts.blend`). 1
      where both are sure and agree, 0 where they contradict each other; an unknown one is taken for 1/2.
    """
    if kind == "ppr":
        process, outcome = (np.nan_to_num(one, nan=0.5) for one in (verified.tree.value, verified.labels.soft))
        agreement: NDArray[np.float32] = np.abs(process + outcome - np.float32(1.0))
        return agreement
    draws = judged_draws(verified.tree, verified.outcomes)
    if kind == "none":
        return np.ones(len(draws), np.float32)
    if kind == "visits":
        return draws.astype(np.float32)
    bounds = [
        wilson_interval(float(share), n) if n else (0.0, 1.0)
        for share, n in zip(verified.labels.soft, draws, strict=True)
    ]
    return np.array([1.0 - (high - low) for low, high in bounds], np.float32)


def _outcomes(verified: VerifiedTree) -> NDArray[np.float32]:
    """[N] 1 where a correct solution ends, 0 where a wrong one does, NaN for all other nodes."""
    labels = np.full(len(verified.tree.parent), np.nan, np.float32)
    for node, outcome in verified.outcomes.items():
        if outcome is not Outcome.TIMEOUT:
            labels[node] = outcome is Outcome.CORRECT
    return labels
