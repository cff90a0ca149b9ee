"""Values that hold as probabilities: fitted, kept with the checkpoint, and read by the scorers."""

import json
import math
import random
from itertools import pairwise

import numpy as np
import prm_published
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from prm_tiny import WORDS, state, write_policy

from mcts.errors import InputError
from mcts.types import Score, Ticket
from prm.calibrating import calibrate
from prm.calibration import Isotonic, Temperature, fitted, read_calibration, value_from, write_calibration
from prm.checkpoint import fingerprint, read_tokenizer
from prm.labels import LabelledState
from prm.model import create, load, value_of
from prm.scorer import HfScorer
from prm.vllm_scorer import VllmScorer

NAN = math.nan


def test_a_temperature_by_hand():
    """s(log 3 / .5) = s(log 9) = .9, s(log 3 / 2) = s(log sqrt 3) = .633975."""
    assert Temperature(0.5)("sigmoid", math.log(3)) == pytest.approx(0.9)
    assert Temperature(2.0)("sigmoid", math.log(3)) == pytest.approx(0.633975, abs=1e-6)


def test_an_isotonic_curve_by_hand():
    """Half way between .25 -> 0 and .75 -> .5 lies .25; a thousandth of the value itself is mixed in."""
    curve = Isotonic((0.25, 0.75), (0.0, 0.5))
    assert curve("clip", 0.5) == pytest.approx(0.999 * 0.25 + 0.001 * 0.5)
    assert curve("clip", 0.1) == pytest.approx(0.001 * 0.1)
    assert curve("clip", 0.9) == pytest.approx(0.999 * 0.5 + 0.001 * 0.9)
    assert curve("sigmoid", 0.0) == curve("clip", 0.5)


def test_the_temperature_that_labels_were_drawn_at_is_found():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=20_000) * 4
    labels = (rng.random(20_000) < 1 / (1 + np.exp(-logits / 2.5))).astype(float)
    found = fitted("temperature", "sigmoid", logits, labels, np.ones(20_000))
    assert found.temperature == pytest.approx(2.5, rel=0.05)


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_soft_labels_and_weights_count_as_the_draws_they_are_made_of(method):
    logits = np.array([-2.0, -1.0, 0.5, 2.0])
    soft = fitted(method, "sigmoid", logits, np.array([0.0, 0.5, 0.25, 1.0]), np.array([1.0, 2.0, 4.0, 1.0]))
    drawn = np.repeat(logits, [1, 2, 4, 1])
    hard = fitted(method, "sigmoid", drawn, np.array([0, 1, 0, 1, 0, 0, 0, 1.0]), np.ones(8))
    for logit in (-3.0, -1.0, 0.1, 1.5):
        assert soft("sigmoid", logit) == pytest.approx(hard("sigmoid", logit), abs=1e-4)


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_labels_of_one_kind_tell_nothing(method):
    assert fitted(method, "sigmoid", np.array([-1.0, 1.0]), np.ones(2), np.ones(2)) is None


def test_a_prm_that_is_wrong_throughout_is_flattened_and_not_turned_over():
    logits, labels = np.array([-1.0, -2.0, 1.0, 2.0] * 9), np.array([1.0, 1.0, 0.0, 0.0] * 9)
    flat = fitted("temperature", "sigmoid", logits, labels, np.ones(36))
    assert 0.5 < flat("sigmoid", 2.0) < 0.51


curves = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=6).map(
    lambda points: Isotonic(tuple(sorted(x for x, _ in points)), tuple(sorted(y for _, y in points)))
)


@given(st.one_of(curves, st.floats(0.25, 20).map(Temperature)), st.lists(st.floats(-8, 8), min_size=2, max_size=8))
def test_of_two_logits_the_higher_never_gets_the_lower_value_and_all_lie_in_the_unit_interval(calibration, logits):
    values = [calibration("sigmoid", logit) for logit in sorted(logits)]
    assert values == sorted(values)
    assert all(0.0 <= value <= 1.0 for value in values)
    told = [(value_of(logit, "sigmoid"), value) for logit, value in zip(sorted(logits), values, strict=True)]
    assert all(y > x for (a, x), (b, y) in pairwise(told) if b - a > 1e-6)  # on a level, too


# --- with a checkpoint ----------------------------------------------------------------------------------------------


@pytest.fixture
def prm(tmp_path):
    write_policy(tmp_path / "policy")
    create(tmp_path / "policy", tmp_path / "prm", activation="sigmoid", seed=1)
    return tmp_path / "prm"


def values_of(scorer, states):
    for i, item in enumerate(states):
        scorer.submit(Ticket("t", i), Score(item))
    replies = dict(scorer.poll(1.0))
    return [replies[Ticket("t", i)] for i in range(len(states))]


def labelled_by(path, count, stretch, seed=0):
    """States whose steps are good as often as the model's logit over `stretch` says."""
    rng, scorer = random.Random(seed), HfScorer.load(path)
    states = [
        state(" ".join(rng.choices(WORDS, k=3)), *(" ".join(rng.choices(WORDS, k=2)) for _ in range(3)))
        for _ in range(count)
    ]
    data = []
    for item, values in zip(states, values_of(scorer, states), strict=True):
        odds = [(value / (1 - value)) ** (1 / stretch) for value in values[1:]]
        data.append(LabelledState(item, (NAN, *(float(rng.random() < one / (1 + one)) for one in odds))))
    return data


def brier(path, data):
    found = values_of(HfScorer.load(path), [item.state for item in data])
    pairs = [pair for values, item in zip(found, data, strict=True) for pair in zip(values, item.labels, strict=True)]
    return float(np.mean([(value - label) ** 2 for value, label in pairs if not math.isnan(label)]))


@pytest.mark.parametrize("method", ["temperature", "isotonic"])
def test_a_prm_of_the_wrong_scale_has_a_better_brier_score_on_unseen_steps(prm, method):
    model = load(prm)
    with torch.no_grad():
        model.network.score.weight *= 8.0
    model.save(prm, read_tokenizer(prm))
    seen, unseen = labelled_by(prm, 300, stretch=8.0), labelled_by(prm, 300, stretch=8.0, seed=1)
    before, states = brier(prm, unseen), [item.state for item in unseen]
    ranked = np.argsort([values[1] for values in values_of(HfScorer.load(prm), states)], kind="stable")
    assert calibrate(prm, seen, method) == 900
    assert brier(prm, unseen) < before - 0.02
    again = np.argsort([values[1] for values in values_of(HfScorer.load(prm), states)], kind="stable")
    assert ranked.tolist() == again.tolist()


@pytest.mark.parametrize("calibration", [Temperature(1.75), Isotonic((0.1, 0.4, 0.4, 0.9), (0.0, 0.25, 0.5, 1.0))])
def test_what_was_written_is_read_again_to_the_last_bit_and_is_part_of_the_fingerprint(prm, calibration):
    before = fingerprint(prm)
    write_calibration(prm, calibration)
    assert read_calibration(prm) == calibration
    assert fingerprint(prm) != before
    assert HfScorer.load(prm).fingerprint == fingerprint(prm)
    assert json.loads((prm / "calibration.json").read_text())["method"] == calibration.method
    assert value_from(prm, "sigmoid")(0.3) == calibration("sigmoid", 0.3)
    (prm / "calibration.json").unlink()
    assert fingerprint(prm) == before
    assert value_from(prm, "sigmoid")(0.3) == value_of(0.3, "sigmoid")


def test_both_scorers_apply_it_after_the_head(prm):
    item = state("a b", "c", "d")
    logits = [math.log(value / (1 - value)) for value in values_of(HfScorer.load(prm), [item])[0]]
    write_calibration(prm, Temperature(3.0))
    [values] = values_of(HfScorer.load(prm), [item])
    assert values == pytest.approx([Temperature(3.0)("sigmoid", logit) for logit in logits], abs=1e-9)
    in_vllm = VllmScorer(prm, lambda *_: None, settings="")
    assert [in_vllm._value(logit) for logit in logits] == pytest.approx(values, abs=1e-9)


def test_a_published_prm_can_be_calibrated(tmp_path):
    tiny = prm_published.math_shepherd(tmp_path)
    rng = random.Random(0)
    data = [LabelledState(state("a", rng.choice(WORDS)), (0.5, float(rng.random() < 0.3))) for _ in range(60)]
    assert calibrate(tiny.path, data, "temperature", format="math_shepherd") == 60
    values = values_of(HfScorer.load(tiny.path, format="math_shepherd"), [item.state for item in data])
    assert {value[0] for value in values} == {0.5}  # what is read nowhere stays unknown
    assert values[0][1] != pytest.approx(tiny.by_hand("a", [data[0].state.steps[0].text])[0], abs=1e-3)


def test_where_there_is_nothing_to_learn_the_checkpoint_stays(prm):
    nothing = [LabelledState(state("a"), (1.0,)), LabelledState(state("a", "b"), (NAN, NAN))]
    one_kind = [LabelledState(state("a", "b"), (NAN, 1.0))]
    before = fingerprint(prm)
    for data, method in ((nothing, "isotonic"), (one_kind, "temperature"), ([], "isotonic"), (nothing, "none")):
        assert calibrate(prm, data, method) == 0
    assert fingerprint(prm) == before
    with pytest.raises(InputError, match="calibration 'luck': expected one of none, temperature, isotonic"):
        calibrate(prm, [], "luck")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "Expecting property name"),
        ('{"method": "luck"}', "'luck'"),
        ('["temperature"]', "expected a method"),
        ('{"method": "temperature"}', "temperature"),
        ('{"method": "temperature", "temperature": 0}', "temperature=0: expected more than 0"),
        ('{"method": "temperature", "temperature": "1"}', "expected a method"),
        ('{"method": "isotonic", "values": [0.5, 0.1], "calibrated": [0, 1]}', "neither falling"),
        ('{"method": "isotonic", "values": [0.5], "calibrated": [0, 1]}', "as many calibrated as values"),
        ('{"method": "isotonic", "values": [0.1, NaN], "calibrated": [0, 1]}', r"in \[0, 1\]"),
    ],
)
def test_a_damaged_calibration_is_one_line(prm, text, message):
    (prm / "calibration.json").write_text(text)
    with pytest.raises(InputError, match=rf"calibration\.json: .*{message}") as caught:
        HfScorer.load(prm)
    assert "\n" not in str(caught.value)


def test_a_temperature_of_a_clipped_value_is_refused():
    with pytest.raises(InputError, match="activation clip, expected sigmoid"):
        Temperature(2.0)("clip", 0.5)
