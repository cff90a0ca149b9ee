"""Which traces are learned from: a few correct solutions a problem for the policy, labelled steps for the PRM."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from mcts.labels import StepLabels
from mcts.seeds import seed_of
from mcts.types import Outcome, Step
from prm.labels import LabelledState, from_tree, select
from regrow.tasks.task import Task
from regrow.verified import VerifiedTree

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


def prm_states(trees: Iterable[VerifiedTree], kind: str, *, per_problem: int, seed: int) -> list[LabelledState]:
    """Labelled paths of all trees that have any label, each node labelled once; at most `per_problem` a problem."""
    states = (state for verified in trees for state in from_tree(verified.tree, node_labels(verified.labels, kind)))
    return select(states, per_problem=per_problem, seed=seed)


def node_labels(labels: StepLabels, kind: str) -> NDArray[np.float32]:
    """[N] the labels of one kind: `progress`, `hard` or `soft`."""
    columns = {"progress": labels.progress, "hard": labels.hard, "soft": labels.soft}
    return columns[kind]
