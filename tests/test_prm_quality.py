import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prm.quality import measure

V = [0.0, 0.5, 1.0, 0.25]
REACHABLE = [False, True, True, False]
DEPTH = [1, 1, 2, 2]


def test_progress_by_hand():
    quality = measure([0.1, 0.4, 0.7, 0.45], V, REACHABLE, DEPTH, target="progress")
    squared = (0.01 + 0.01 + 0.09 + 0.04) / 4
    variance = np.mean((np.array(V) - 0.4375) ** 2)
    assert quality == {
        "auroc": 0.75,  # of the pairs (.4, .1), (.4, .45), (.7, .1), (.7, .45) three are in order
        "auroc_by_depth": {"1": 1.0, "2": 1.0},
        "depth_only_auroc": 0.5,
        "brier_skill": pytest.approx(1 - squared / variance),
        "within_0.1": 0.5,
        "constant_within_0.1": 0.25,
        "depth_only_within_0.1": 0.5,
        "n": 4,
    }


def test_success_by_hand():
    quality = measure([0.05, 0.95, 0.6, 0.6], V, REACHABLE, DEPTH, target="success")
    brier = (0.0025 + 0.0025 + 0.16 + 0.36) / 4
    assert quality == {
        "auroc": 0.875,
        "auroc_by_depth": {"1": 1.0, "2": 0.5},
        "depth_only_auroc": 0.5,
        "brier_skill": pytest.approx(1 - brier / 0.25),
        "within_0.1": 0.5,
        "constant_within_0.1": 0.5,
        "depth_only_within_0.1": 0.5,
        "n": 4,
    }


def test_the_truth_itself_is_perfect_and_the_base_rate_has_no_skill():
    perfect = measure(V, V, REACHABLE, DEPTH, target="progress")
    assert (perfect["brier_skill"], perfect["within_0.1"], perfect["auroc"]) == (1.0, 1.0, 1.0)
    base = measure([0.5] * 4, V, REACHABLE, DEPTH, target="success")
    assert (base["brier_skill"], base["auroc"]) == (0.0, 0.5)


def test_telling_depths_apart_is_a_ranking_of_its_own():
    reachable, depth = [True, True, True, False, False, False], [1, 1, 2, 1, 2, 2]
    quality = measure([0.5] * 6, [0.0] * 6, reachable, depth, target="success")
    assert quality["auroc"] == 0.5
    assert quality["depth_only_auroc"] == pytest.approx(6 / 9)  # 4 pairs in order, 4 tied, 1 not


def test_where_one_answer_is_the_only_one_there_is_no_ranking_and_no_skill():
    quality = measure([0.2, 0.3], [0.0, 0.0], [False, False], [1, 3], target="progress")
    assert (quality["auroc"], quality["brier_skill"]) == (None, None)
    assert quality["auroc_by_depth"] == {"1": None, "3": None}
    assert quality["constant_within_0.1"] == 1.0


def test_a_tenth_counts_as_within_in_single_precision_too():
    values = np.array([0.1, 0.4, 0.6, 0.9], np.float32)
    quality = measure(values, [0.0, 0.3, 0.7, 1.0], REACHABLE, DEPTH, target="progress")
    assert quality["within_0.1"] == 1.0


def test_a_constant_reaches_what_lies_within_a_tenth_on_both_sides():
    v_star = [0.0, 0.1, 0.2, 0.3, 0.9]
    quality = measure([0.5] * 5, v_star, [True] * 4 + [False], [1, 2, 1, 2, 2], target="progress")
    assert quality["constant_within_0.1"] == 3 / 5
    assert quality["depth_only_within_0.1"] == 4 / 5


cases = st.lists(
    st.tuples(
        st.floats(0, 1, width=32), st.sampled_from([0.0, 1 / 3, 0.5, 2 / 3, 1.0]), st.booleans(), st.integers(1, 4)
    ),
    min_size=1,
    max_size=40,
)


@given(cases, st.sampled_from(["success", "progress"]))
def test_the_floors_are_what_a_search_over_constants_finds_and_all_is_json(rows, target):
    predictions, v_star, reachable, depth = map(list, zip(*rows, strict=True))
    quality = measure(predictions, v_star, reachable, depth, target=target)
    truth = np.array(v_star if target == "progress" else reachable, float)

    def best(values):
        return max(np.sum(np.abs(values - c) <= 0.1 + 1e-6) for c in np.linspace(0, 1, 601))

    levels = [truth[np.array(depth) == d] for d in set(depth)]
    assert quality["constant_within_0.1"] == best(truth) / len(truth)
    assert quality["depth_only_within_0.1"] == sum(map(best, levels)) / len(truth)
    assert json.loads(json.dumps(quality, allow_nan=False)) == quality


@pytest.mark.parametrize(
    ("arrays", "target", "message"),
    [
        (([], [], [], []), "progress", "expected four of one length above 0"),
        (([0.5], [0.5, 0.5], [True], [1]), "progress", "expected four of one length"),
        (([float("nan")], [0.5], [True], [1]), "success", "not a number"),
        (([0.5], [float("nan")], [True], [1]), "progress", "not a number"),
        (([0.5], [0.5], [True], [1]), "value", "expected success or progress"),
    ],
)
def test_what_cannot_be_measured_is_refused(arrays, target, message):
    with pytest.raises(ValueError, match=message):
        measure(*arrays, target=target)
