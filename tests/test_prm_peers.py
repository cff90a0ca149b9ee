"""Two PRMs that filter each other's labels: what is kept, when, and what noise is left in it."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest
from prm_tiny import WORDS, state, write_policy

from prm import model as prm_model
from prm import peers as peers_file
from prm.labels import LabelledState
from prm.peers import Peers, believed, train_peers
from prm.train import TrainPrm, train

NAN = math.nan
SETTINGS = TrainPrm(max_steps=80, batch_size=32, learning_rate=1e-2)


def test_the_share_falls_from_all_to_what_is_kept():
    assert [Peers(rounds=5, keep=0.6, ramp=2).share(number) for number in range(5)] == pytest.approx(
        [1.0, 0.8, 0.6, 0.6, 0.6]
    )


@pytest.mark.parametrize("wrong", [{"keep": 0.0}, {"keep": 1.5}, {"ramp": 0}, {"rounds": 2, "ramp": 2}])
def test_settings_that_cannot_be_are_told(wrong):
    with pytest.raises(ValueError, match=r"PRM peers .* expected"):
        Peers(**wrong)


def test_the_labels_with_the_least_doubts_count_and_the_first_of_equals():
    data = [
        LabelledState(state("q", "a", "b"), (NAN, 1.0, 0.0), (1.0, 2.0, 3.0)),
        LabelledState(state("r", "a", "b"), (0.5, NAN, 1.0), (0.5, 1.0, 0.0)),
    ]
    weights = [item.weights for item in believed(data, np.array([0.9, 0.2, 0.2]), 1 / 3)]
    assert weights == [(1.0, 0.0, 3.0), (0.0, 1.0, 0.0)]
    weights = [item.weights for item in believed(data, np.array([0.9, 0.2, 0.2]), 2 / 3)]
    assert weights == [(1.0, 0.0, 3.0), (0.5, 1.0, 0.0)]


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A PRM to start from, and steps that are good if they are `a`, three labels in ten the wrong way."""
    start = tmp_path_factory.mktemp("peers") / "start"
    prm_model.create(write_policy(start.parent / "policy"), start, head="hidden", activation="sigmoid", seed=0)
    rng = random.Random(0)
    data, flipped = [], set()
    for number in range(400):
        word, rest = rng.choice("ab"), " ".join(rng.choices(WORDS, k=4))
        label, is_flipped = float(word == "a"), rng.random() < 0.3
        data.append(LabelledState(state(rest, word, problem=str(number)), (NAN, abs(label - is_flipped))))
        flipped |= {str(number)} if is_flipped else set()
    return start, data, flipped


def is_kept(item):
    return item.weights[1] > 0


def test_what_the_peers_keep_has_far_less_noise_in_it(noisy, tmp_path, monkeypatch):
    start, data, flipped = noisy
    given = []
    monkeypatch.setattr(peers_file, "train", lambda *args, **told: (given.append(args), train(*args, **told))[1])
    asked, values = [], peers_file._values
    monkeypatch.setattr(peers_file, "_values", lambda model, *told: (asked.append(model.name), values(model, *told))[1])
    result = train_peers(start, data, tmp_path / "out", SETTINGS, peers=Peers(keep=0.7), seed=0)
    assert len(flipped) / len(data) > 0.28
    noise = [np.mean([item.state.problem.id in flipped for item in args[1] if is_kept(item)]) for args in given]
    counts = [sum(map(is_kept, args[1])) for args in given]
    assert counts == [400, 400, 340, 340, 280, 280, 280]
    assert noise[-1] < 0.1
    assert result["steps"] == 7 * 20
    assert result["labels"] == 280
    assert result["kept"] == pytest.approx(0.7)
    # Each goes on from its own model, and learns from what the other chose.
    assert given[4][1] != given[5][1]
    assert [args[0].name for args in given] == ["start", "start", "0-0", "0-1", "1-0", "1-1", "2-0"]
    assert asked == ["0-1", "0-0", "1-1", "1-0", "2-1"]


def test_the_same_seed_gives_the_same_weights_and_reports_rise_to_the_end(noisy, tmp_path):
    start, data, _ = noisy
    reports, weights = [], []
    short = replace(SETTINGS, max_steps=6)
    for name in ("one", "two"):
        train_peers(
            start, data[:60], tmp_path / name, short, peers=Peers(rounds=2, ramp=1), seed=3,
            progress=lambda *told: reports.append(told),
        )  # fmt: skip
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
    steps = [step for step, _, _ in reports[: len(reports) // 2]]
    assert steps == sorted(steps)
    assert (steps[-1], reports[0][1]) == (9, 9)


def test_a_label_of_the_bare_problem_without_weight_is_not_among_the_share(noisy, tmp_path, monkeypatch):
    start, data, _ = noisy
    given = []
    monkeypatch.setattr(peers_file, "train", lambda *args, **told: (given.append(args), train(*args, **told))[1])
    rooted = [replace(item, labels=(1.0, item.labels[1])) for item in data[:40]]
    settings = replace(SETTINGS, max_steps=4, root_weight=0.0)
    train_peers(start, rooted, tmp_path / "out", settings, peers=Peers(rounds=2, ramp=1, keep=0.5), seed=0)
    assert sum(map(is_kept, given[-1][1])) == 20
