"""Alarms: figures by hand, what each alarm reads, and when it rings."""

import dataclasses
from dataclasses import replace

import numpy as np
import pytest
from grown import TASK, verified_trees
from sampled import samples, values

from mcts.types import Outcome
from regrow import figures
from regrow.alarms import ALARMS, Alarms, readings
from regrow.verified import VerifiedTree

# --- figures of samples -----------------------------------------------------------------------------------------------


def test_length_counts_every_draw_and_those_cut_off():
    assert figures.length([samples(("aa b +", 3), ("c ~", 1))]) == (3 * 3 + 1) / 4
    assert figures.length([]) is None


@pytest.mark.parametrize(
    ("solutions", "share"),
    [
        ([("a b +", 3), ("a b a -", 1)], 1 / 4),
        ([("a b ~", 1), ("c c ~", 1)], 1 / 2),
        ([("a b +", 1)], 0.0),
    ],
)
def test_a_solution_repeats_itself_when_it_says_a_step_twice(solutions, share):
    assert figures.repetition([samples(*solutions)]) == share


@pytest.mark.parametrize(
    ("text", "loops"),
    [
        ("so x so x so x so x", True),
        ("we get 2 2 2 2", True),
        ("left 1 1 1", False),
        ("a b a b a b", False),
        ("12 12 12 123", False),
        ("no word is said too often here", False),
    ],
)
def test_words_four_times_in_a_row_are_a_loop(text, loops):
    drawn = samples(("a +", 1))
    steps = (None, replace(drawn.tree.steps[1], text=text))
    assert figures.repetition([replace(drawn, tree=replace(drawn.tree, steps=steps))]) == float(loops)


def test_entropy_is_the_mean_surprise_a_token_each_draw_counted():
    drawn = [samples(("aa b +", 3), ("aa cc +", 1), logprob=-0.5), samples(("d +", 2), logprob=-2.0)]
    # 13 tokens at half a nat and two at two.
    assert figures.entropy(drawn) == pytest.approx((13 * 0.5 + 2 * 2.0) / 15)
    without = replace(drawn[1].tree, steps=(None, replace(drawn[1].tree.steps[1], logprobs=())))
    assert figures.entropy([replace(drawn[1], tree=without)]) is None


def test_inflation_is_value_less_outcome_over_all_draws():
    drawn = values(samples(("a +", 3), ("b -", 1), ("c ?", 5)), a=0.75, b=0.5, c=1.0)
    assert figures.inflation([drawn]) == pytest.approx((3 * (0.75 - 1) + 0.5) / 4)
    assert figures.inflation([samples(("a +", 3))]) is None


def test_gap_is_value_less_outcome_of_what_the_prm_chooses():
    one = values(samples(("a +", 3), ("b -", 1)), a=0.25, b=0.875)
    other = values(samples(("a +", 1), ("b -", 9)), a=0.75, b=0.5)
    assert figures.gap([one, other]) == pytest.approx((0.875 + (0.75 - 1)) / 2)


def test_length_bias_compares_solutions_of_one_problem_and_one_verdict(monkeypatch):
    monkeypatch.setattr(figures, "LEAST_PAIRS", 1)
    drawn = values(samples(("a -", 1), ("bb -", 1), ("ccc -", 1), ("dddd +", 1)), a=0.1, bb=0.2, ccc=0.15, dddd=0.0)
    # bb and ccc above a, but bb above ccc.
    assert figures.length_bias([drawn]) == pytest.approx(1 / 3)
    alike = values(samples(("a -", 1), ("b -", 1)), a=0.1, b=0.2)
    assert figures.length_bias([alike]) is None
    right = values(samples(("a +", 1), ("bb +", 1)), a=0.9, bb=0.8)
    assert figures.length_bias([drawn, alike, right]) == pytest.approx((1 - 1) / 4)


def test_few_pairs_say_nothing_of_a_length_bias():
    drawn = values(samples(("a -", 1), ("bb -", 1)), a=0.1, bb=0.2)
    assert figures.length_bias([drawn] * (figures.LEAST_PAIRS - 1)) is None
    assert figures.length_bias([drawn] * figures.LEAST_PAIRS) == 1.0


# --- figures of traces ------------------------------------------------------------------------------------------------


def test_unsolved_is_the_share_of_trees_without_a_right_solution():
    assert (
        figures.unsolved([samples(("a +", 1)), samples(("a -", 1)), samples(("a ~", 1)), samples(("a ?", 1))]) == 3 / 4
    )


def flipped(verified: VerifiedTree, column: str) -> VerifiedTree:
    """One label of a tree turned round, of those of one kind."""
    labels = getattr(verified.labels, column).copy()
    labels[0] = 1.0 - labels[0]
    return replace(verified, labels=dataclasses.replace(verified.labels, **{column: labels}))


@pytest.mark.parametrize("column", ["hard", "progress"])
def test_flipped_labels_are_found_when_the_verifier_is_asked_again(column):
    trees = verified_trees(30)
    assert figures.of_traces(TASK, trees, 0)["labels"] == 0.0
    labelled = sum((~np.isnan(getattr(one.labels, column))).sum() for one in trees)
    found = figures.of_traces(TASK, [flipped(one, column) for one in trees], 0)["labels"]
    assert found == len(trees) / labelled > Alarms().labels


def test_flipped_verdicts_are_found_when_the_verifier_is_asked_again():
    other = {Outcome.CORRECT: Outcome.WRONG, Outcome.WRONG: Outcome.CORRECT}
    trees = [
        replace(one, outcomes={node: other[said] for node, said in one.outcomes.items()}) for one in verified_trees(9)
    ]
    assert figures.of_traces(TASK, trees, 0)["labels"] == 1.0


def test_a_verifier_that_ran_out_of_time_says_nothing():
    late = samples(("a +", 1), ("b ?", 1))
    assert figures.disagreement([late], lambda _: samples(("a -", 1), ("b -", 1))) is None
    assert figures.disagreement([samples(("a +", 1))], lambda _: samples(("a ?", 1))) is None


# --- readings ---------------------------------------------------------------------------------------------------------

FIRST = dict.fromkeys(ALARMS, 0.5)
BEFORE = dict.fromkeys(ALARMS, 0.25)


@pytest.mark.parametrize(
    ("name", "now", "value"),
    [
        ("length", 1.0, 2.0),
        ("length", 0.25, 2.0),
        ("repetition", 0.75, 0.25),
        ("entropy", 0.125, 0.75),
        ("inflation", 0.5, 0.25),
        ("gap", 0.125, -0.125),
        ("length_bias", -0.75, -0.75),
        ("unsolved", 0.75, 0.75),
        ("labels", 0.125, 0.125),
    ],
)
def test_an_alarm_reads_its_figure_beside_its_reference_and_rings_above_its_threshold(name, now, value):
    for threshold in (None, 0.0, 0.2, value, 5.0):
        alarms = replace(Alarms(), **{name: threshold if threshold is None else max(0.0, threshold)})
        (read,) = (one for one in readings(alarms, {name: now}, BEFORE, FIRST) if one.name == name)
        assert (read.figure, read.value) == (now, value)
        assert read.rang == (threshold is not None and value > threshold)


@pytest.mark.parametrize("name", ["inflation", "gap"])
def test_values_that_come_up_to_the_truth_are_not_inflated(name):
    (read,) = (one for one in readings(Alarms(), {name: 0.05}, {name: -0.25}, FIRST) if one.name == name)
    assert (read.value, read.rang) == (0.05, False)


def test_round_zero_is_its_own_reference():
    read = {one.name: one.value for one in readings(Alarms(), FIRST, FIRST, FIRST)}
    assert read["length"] == 1.0
    assert {read[name] for name in ("repetition", "entropy", "inflation", "gap")} == {0.0}


def test_what_is_not_known_rings_nothing():
    unknown = readings(Alarms(), {"length": None, "entropy": 0.5}, {}, {"entropy": 0.0})
    assert [one.name for one in unknown] == list(ALARMS)
    assert not any(one.rang or one.value is not None for one in unknown)


def test_a_ringing_alarm_says_what_it_means_in_one_line():
    (read,) = (one for one in readings(Alarms(), {"unsolved": 0.95}, {}, {}) if one.rang)
    assert str(read).startswith("unsolved is 0.950, above 0.9: there is little to learn from")
