"""What is learned from: exact labels for the yardstick, on the states that the PRM itself is given."""

from dataclasses import replace
from math import isnan, nan

import naive
import numpy as np
import pytest
from fakes import search_tree

from mcts.types import Outcome, Problem, State, Step
from prm.labels import NO_LABEL, LabelledState
from regrow.selection import exactly_labelled, node_labels, node_weights, prm_states
from regrow.tasks import make_task
from regrow.tasks.task import GradedProblem
from regrow.verified import VerifiedTree

COUNTDOWN = GradedProblem(Problem("p", "2 3 4 -> 20"), "20")


def labelled(*texts, labels, problem=COUNTDOWN.problem):
    return LabelledState(State(problem, tuple(Step(text) for text in texts)), labels)


@pytest.mark.parametrize(
    ("kind", "exact"),
    [
        ("hard", (1.0, 1.0, 0.0)),
        ("soft", (1.0, 1.0, 0.0)),
        ("outcome", (1.0, 1.0, 0.0)),
        ("progress", (0.0, 0.5, 0.25)),
        ("simple", (0.0, 0.5, 0.25)),
    ],
)
def test_exact_labels_are_the_truth_about_the_same_steps(kind, exact):
    states = [labelled("3 + 2 = 5 : 4 5", "5 + 4 = 9 : 9", labels=(0.5, 0.25, 0.75))]
    [relabelled] = exactly_labelled(states, make_task("countdown"), [COUNTDOWN], kind)
    assert relabelled.state == states[0].state
    assert relabelled.labels == exact


def test_what_had_no_label_gets_none():
    states = [labelled("3 + 2 = 5 : 4 5", labels=(NO_LABEL, 0.25))]
    [relabelled] = exactly_labelled(states, make_task("countdown"), [COUNTDOWN], "hard")
    assert isnan(relabelled.labels[0])
    assert relabelled.labels[1] == 1.0


def test_a_task_that_knows_no_truth_gives_no_yardstick():
    unknown = GradedProblem(Problem("q", "what ?"), "1")
    states = [labelled("1 + 1 = 2", labels=(0.0, 1.0), problem=unknown.problem)]
    assert exactly_labelled(states, make_task("arithmetic"), [unknown], "hard") == []


def verified_tree():
    """Root with children 1 and 2; 1 ends in 3 (right, drawn once) and 4 (wrong, thrice), 2 in 5 (timed out)."""
    tree = search_tree([-1, 0, 0, 1, 1, 2], finals=[3, 4, 5], visits=[5, 4, 1, 1, 3, 1])
    return VerifiedTree.labelled(tree, "", {3: Outcome.CORRECT, 4: Outcome.WRONG, 5: Outcome.TIMEOUT})


def test_outcome_labels_stand_at_judged_solutions_alone():
    np.testing.assert_array_equal(node_labels(verified_tree(), "outcome"), [nan, nan, nan, 1, 0, nan])
    states = prm_states([verified_tree()], "outcome", per_problem=9, seed=0)
    assert sorted(item.labels[-1] for item in states) == [0.0, 1.0]
    assert all(isnan(label) for item in states for label in item.labels[:-1])


def test_hard_and_soft_labels_are_outcomes_at_the_end_of_a_solution():
    """So a PRM that learns them is an outcome reward model, too (`critics.shared`)."""
    outcome = node_labels(verified_tree(), "outcome")
    for kind in ("hard", "soft"):
        np.testing.assert_array_equal(node_labels(verified_tree(), kind)[[3, 4, 5]], outcome[[3, 4, 5]])


def test_weights_are_ones_draws_or_how_narrow_the_interval_of_the_soft_label_is():
    """One draw of one: z2 = 3.8415, the interval of 1 is 1/(1 + z2) = .2065 to 1; of 1 in 4: .0456 to .6994."""
    np.testing.assert_array_equal(node_weights(verified_tree(), "none"), [1] * 6)
    np.testing.assert_array_equal(node_weights(verified_tree(), "visits"), [4, 4, 0, 1, 3, 0])
    quarter, one, three = 1 - (0.6994 - 0.0456), 1 / (1 + 3.8415), 1 - 3.8415 / (3 + 3.8415)
    expected = [quarter, quarter, 0, one, three, 0]
    np.testing.assert_allclose(node_weights(verified_tree(), "confidence"), expected, atol=1e-4)
    [first, *_] = prm_states([verified_tree()], "soft", per_problem=9, seed=0, weights="visits")
    assert first.weights == (4.0, 4.0, 1.0)


def test_ppr_weighs_a_label_by_how_far_its_value_and_the_outcomes_agree():
    """Soft labels .25, .25, -, 1, 0, -: a value of 1 contradicts 0, and where neither is known nothing counts."""
    verified = verified_tree()
    values = [0.5, 0.25, 0.75, 1.0, 1.0, nan]
    verified = replace(verified, tree=replace(verified.tree, value=np.array(values, np.float32)))
    weights = node_weights(verified, "ppr")
    np.testing.assert_allclose(weights, [0.25, 0.5, 0.25, 1.0, 0.0, 0.0])
    np.testing.assert_allclose(weights, naive.agreement(values, verified.labels.soft.tolist()))
    assert weights.dtype == np.float32
