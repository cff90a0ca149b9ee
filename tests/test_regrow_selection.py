"""What is learned from: exact labels for the yardstick, on the states that the PRM itself is given."""

from math import isnan

import pytest

from mcts.types import Problem, State, Step
from prm.labels import NO_LABEL, LabelledState
from regrow.selection import exactly_labelled
from regrow.tasks import make_task
from regrow.tasks.task import GradedProblem

COUNTDOWN = GradedProblem(Problem("p", "2 3 4 -> 20"), "20")


def labelled(*texts, labels, problem=COUNTDOWN.problem):
    return LabelledState(State(problem, tuple(Step(text) for text in texts)), labels)


@pytest.mark.parametrize(
    ("kind", "exact"),
    [
        ("hard", (1.0, 1.0, 0.0)),
        ("soft", (1.0, 1.0, 0.0)),
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
