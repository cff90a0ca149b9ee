from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from math import nan
from random import Random

import naive
import numpy as np
import pytest
from fakes import search_tree
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts.labels import StepLabels, infer_labels, judged_draws, simple_labels
from mcts.tree import NO_NODE
from mcts.types import Outcome

C, W = Outcome.CORRECT, Outcome.WRONG

DICE = {  # "two dice sum to 4", Figure 3 of ReST-MCTS*: node -> its parent
    "root": None,
    "A": "root",
    "B": "root",
    "C": "root",
    "A1": "A",
    "A2": "A",
    "C1": "C",
    "A1c": "A1",
    "A1w": "A1",
    "A2a": "A2",
    "A2b": "A2a",
}
DICE_OUTCOMES = {"B": W, "C1": W, "A1c": C, "A1w": W, "A2b": C}
DICE_LABELS = {  # node -> (m, hard estimate, v)
    "A": (2, 1, 0.3333),
    "B": (3, 0, 0.0),
    "C": (3, 0, 0.0),
    "C1": (3, 0, 0.0),
    "A1": (1, 1, 0.6667),
    "A1c": (0, 1, 1.0),
    "A1w": (1, 0, 0.5),
    "A2": (2, 1, 0.5556),
    "A2a": (1, 1, 0.7778),
    "A2b": (0, 1, 1.0),
}
DICE_SOFT = {
    "root": 2 / 5,
    "A": 2 / 3,
    "B": 0.0,
    "C": 0.0,
    "C1": 0.0,
    "A1": 1 / 2,
    "A1c": 1.0,
    "A1w": 0.0,
    "A2": 1.0,
    "A2a": 1.0,
    "A2b": 1.0,
}


def label(edges: Mapping[str, str | None], outcomes: Mapping[str, Outcome], **visits: int) -> dict[str, tuple]:
    """Name -> (m, hard, v, soft) of a tree given as node -> parent."""
    names = list(edges)
    parent = [NO_NODE if above is None else names.index(above) for above in edges.values()]
    tree = search_tree(parent, finals=[names.index(n) for n in outcomes], visits=[visits.get(n, 0) for n in names])
    labels = infer_labels(tree, {names.index(name): outcome for name, outcome in outcomes.items()})
    columns = (labels.remaining, labels.hard, labels.progress, labels.soft)
    return {name: tuple(column[i].item() for column in columns) for i, name in enumerate(names)}


def chain(length: int, name: str = "s") -> dict[str, str | None]:
    return {"root": None} | {f"{name}{k}": f"{name}{k - 1}" if k > 1 else "root" for k in range(1, length + 1)}


@pytest.mark.parametrize("name", list(DICE_LABELS))
def test_the_published_dice_tree_gets_its_published_labels(name):
    remaining, hard, progress, soft = label(DICE, DICE_OUTCOMES)[name]
    assert (remaining, hard, round(progress, 4)) == DICE_LABELS[name]
    assert soft == pytest.approx(DICE_SOFT[name])


def test_the_root_of_a_labelled_tree_has_quality_zero_and_the_shortest_way_to_go():
    remaining, hard, progress, soft = label(DICE, DICE_OUTCOMES)["root"]
    assert (remaining, hard, progress, soft) == (3, 1.0, 0.0, pytest.approx(0.4))


@pytest.mark.parametrize("length", range(1, 13))
def test_a_clean_chain_rises_by_equal_parts_to_exactly_one(length):
    labels = label(chain(length), {f"s{length}": C})
    for k in range(1, length + 1):
        assert labels[f"s{k}"][:3] == (length - k, 1.0, pytest.approx(k / length))  # Eq. 20
    assert labels[f"s{length}"][2] == 1.0


@pytest.mark.parametrize("length", range(1, 10))
def test_one_wrong_step_after_k_right_ones_loses_what_a_right_one_would_have_gained(length):
    for k in range(length):
        wrong_step = {"wrong": f"s{k}" if k else "root"}
        labels = label(chain(length) | wrong_step, {f"s{length}": C, "wrong": W})
        published = max(0.0, (k - 1) / length + 1 / (length * (length - k + 1)))  # Eq. 22
        assert labels["wrong"][:3] == (length - k, 0.0, pytest.approx(published, abs=1e-6))
        drop = (length - k) / ((length - k + 1) * length)  # Eq. 21
        assert labels["wrong"][2] == pytest.approx(max(0.0, k / length - drop), abs=1e-6)


def test_a_tree_without_a_correct_leaf_gets_no_progress_labels():
    labels = label(DICE, dict.fromkeys(DICE_OUTCOMES, W))
    for remaining, hard, progress, soft in labels.values():
        assert remaining == -1
        assert np.isnan([hard, progress]).all()
        assert soft == 0.0


def test_branches_that_were_never_finished_are_not_labelled():
    labels = label(DICE, {"A1c": C})
    assert [name for name, (remaining, *_) in labels.items() if remaining >= 0] == ["root", "A", "A1", "A1c"]
    for name in ("B", "C", "C1", "A1w", "A2", "A2a", "A2b"):
        assert labels[name][0] == -1
        assert np.isnan(labels[name][1:]).all()


def test_a_timeout_is_no_evidence_either_way():
    outcomes = DICE_OUTCOMES | {"A2b": Outcome.TIMEOUT, "C1": Outcome.TIMEOUT}
    left_out = {name: outcome for name, outcome in outcomes.items() if outcome is not Outcome.TIMEOUT}
    np.testing.assert_equal(label(DICE, outcomes), label(DICE, left_out))
    assert np.isnan(label(DICE, outcomes)["C1"][3])


def test_an_answer_that_cannot_be_parsed_counts_as_wrong():
    np.testing.assert_equal(label(DICE, DICE_OUTCOMES | {"B": Outcome.UNPARSED}), label(DICE, DICE_OUTCOMES))


def test_soft_labels_weigh_a_leaf_by_how_often_it_was_drawn():
    labels = label(DICE, DICE_OUTCOMES, A1w=3, A1c=1)
    assert labels["A1"][3] == 0.25
    assert labels["A"][3] == pytest.approx(2 / 5)


def test_judged_draws_count_every_draw_of_a_judged_leaf_at_all_nodes_above_it():
    names = list(DICE)
    parent = [NO_NODE if above is None else names.index(above) for above in DICE.values()]
    visits = [{"A1w": 3, "C1": 2}.get(name, 1) for name in names]
    tree = search_tree(parent, finals=[names.index(n) for n in DICE_OUTCOMES], visits=visits)
    outcomes = {names.index(n): outcome for n, outcome in DICE_OUTCOMES.items()}
    found = dict(zip(names, judged_draws(tree, outcomes).tolist(), strict=True))
    assert found == {
        **{"root": 8, "A": 5, "B": 1, "C": 2, "C1": 2, "A1": 4, "A2": 1},
        **{"A1c": 1, "A1w": 3, "A2a": 1, "A2b": 1},
    }
    timed_out = judged_draws(tree, outcomes | {names.index("C1"): Outcome.TIMEOUT})
    assert (timed_out[names.index("C")], timed_out[0]) == (0, 6)


@st.composite
def verified(draw: st.DrawFn) -> tuple[list[int], dict[int, Outcome]]:
    """Parents, and outcomes of some of the leaves."""
    size, rng, length = draw(st.integers(1, 30)), Random(draw(st.integers(0, 2**32))), draw(st.sampled_from([1, 3, 30]))
    parent = [NO_NODE, *(rng.randint(max(0, n - length), n - 1) for n in range(1, size + 1))]
    leaves = [n for n in range(len(parent)) if n not in parent]
    return parent, {n: rng.choice(list(Outcome)) for n in leaves if rng.random() < 0.8}


def labels_of(case: tuple[list[int], dict[int, Outcome]]) -> StepLabels:
    parent, outcomes = case
    return infer_labels(search_tree(parent, finals=list(outcomes)), outcomes)


@settings(max_examples=100, deadline=None)
@given(verified())
def test_labels_equal_the_released_algorithm(case):
    parent, outcomes = case
    correct = [outcomes.get(n) is Outcome.CORRECT for n in range(len(parent))]
    wrong = [outcomes.get(n) in (Outcome.WRONG, Outcome.UNPARSED) for n in range(len(parent))]
    labels, (remaining, hard, progress) = labels_of(case), naive.infer_labels(parent, correct, wrong)
    np.testing.assert_array_equal(labels.remaining, remaining)
    np.testing.assert_array_equal(labels.hard, hard)
    np.testing.assert_array_equal(labels.progress, progress)
    np.testing.assert_array_equal(labels.soft, naive.success_rates(parent, correct, wrong, [0] * len(parent)))


@settings(max_examples=60, deadline=None)
@given(verified())
def test_quality_keeps_to_the_unit_interval_and_equation_1_in_exact_fractions(case):
    parent, _ = case
    labels = labels_of(case)
    exact = [Fraction(0)]
    for n in range(1, len(parent)):
        above, sign = exact[parent[n]], 1 if labels.hard[n] == 1 else -1
        exact.append(
            max(Fraction(0), above + (1 - above) * sign / (int(labels.remaining[n]) + 1))
            if labels.remaining[n] >= 0
            else Fraction(0)
        )
    labelled = labels.remaining >= 0
    found = np.where(labelled, labels.progress, nan)
    np.testing.assert_allclose(found[labelled], np.asarray(exact, float)[labelled], atol=1e-6)
    assert np.all((found[labelled] >= 0) & (found[labelled] <= 1))
    assert np.isnan(labels.progress[~labelled]).all()


def test_simple_labels_of_the_published_chain():
    """a, b, c lead to the answer; A2 stands beside a, B2 beside b; what lies elsewhere has none."""
    names = {"root": -1, "a": 0, "A2": 0, "b": 1, "B2": 1, "c": 3, "under A2": 2, "C2": 3}
    tree = replace(search_tree(list(names.values()), finals=[5]), answer=5)
    labels = dict(zip(names, simple_labels(tree).tolist(), strict=True))
    assert np.isnan(labels.pop("under A2"))
    assert labels == pytest.approx({"root": 0, "a": 1 / 3, "A2": 0, "b": 2 / 3, "B2": 0, "c": 1, "C2": 1 / 3}, abs=1e-6)


def test_without_an_answer_there_is_no_simple_label():
    assert np.isnan(simple_labels(replace(search_tree([NO_NODE, 0], finals=[]), answer=NO_NODE))).all()
