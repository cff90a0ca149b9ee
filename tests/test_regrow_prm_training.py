"""A PRM trained as the configuration says: alone, and in the loop."""

import json
import math

import prm_published
import pytest
from prm_tiny import state
from tiny_run import MODELS
from transformers import AutoModelForCausalLM, MistralConfig, MistralForCausalLM

from prm.calibration import read_calibration
from prm.checkpoint import read_tokenizer
from prm.labels import LabelledState
from prm.peers import Peers
from prm.scorer import HfScorer
from prm.train import TrainPrm
from regrow import base, prm_training
from regrow.build import predicts_progress
from regrow.cli import UNUSABLE, main
from regrow.config import PrmConfig
from regrow.prm_training import train_prm
from regrow.provenance import digest_dir
from regrow.report import read_report
from regrow.tasks import make_task
from regrow.tasks.task import ValuedSteps

NAN = math.nan
SMALL = [
    *MODELS,
    "policy.train.max_steps=5",
    "prm.train.max_steps=10",
    "round.problems=24",
    "round.budget.tokens=100",
    "round.controls=[]",
    "evaluate.problems=8",
    "evaluate.drawn=8",
    "evaluate.samples=2",
    "evaluate.budget.tokens=60",
]


def stage_of(folder, name):
    return json.loads((folder / name / "stage.json").read_text())


# --- alone ----------------------------------------------------------------------------------------------------------


class Trained:
    """Stands for training and calibrating: remembers what it was given."""

    def __init__(self, monkeypatch):
        self.data = self.validation = self.held_out = None
        monkeypatch.setattr(prm_training, "train", self._train)
        monkeypatch.setattr(prm_training, "calibrate", self._calibrate)

    def _train(self, start, data, out, config, *, validation, **told):
        self.data, self.validation, self.told = data, validation, told
        return {"loss": 1.0}

    def _calibrate(self, path, data, method, **told):
        self.held_out = data
        return len(data)


def questions(data):
    return {item.state.problem.question for item in data}


DATA = [LabelledState(state(f"q{i}", "a"), (NAN, float(i % 4 == 0))) for i in range(400)]


@pytest.mark.parametrize("patience", [None, 3])
def test_problems_for_calibration_are_kept_out_and_tell_when_to_stop(monkeypatch, tmp_path, patience):
    trained = Trained(monkeypatch)
    prm = PrmConfig(calibration="isotonic", calibration_share=0.25)
    result = train_prm(prm, tmp_path, DATA, tmp_path, TrainPrm(patience=patience), seed=0)
    assert 60 < len(trained.held_out) < 140
    assert result == {"loss": 1.0, "calibrated_on": float(len(trained.held_out))}
    assert not questions(trained.data) & questions(trained.held_out)
    assert len(trained.data) + len(trained.held_out) == 400
    assert trained.validation == (trained.held_out if patience else ())
    first = trained.held_out
    train_prm(prm, tmp_path, DATA[::-1], tmp_path, TrainPrm(), seed=1)
    assert questions(trained.held_out) == questions(first)


def test_nothing_is_held_out_where_nothing_asks_for_it(monkeypatch, tmp_path):
    trained = Trained(monkeypatch)
    assert train_prm(PrmConfig(), tmp_path, DATA, tmp_path, TrainPrm(), seed=0) == {"loss": 1.0}
    assert (trained.data, trained.held_out, trained.validation) == (DATA, None, ())
    given = DATA[:10]
    train_prm(PrmConfig(), tmp_path, DATA, tmp_path, TrainPrm(patience=1), seed=0, validation=given)
    assert (trained.data, trained.validation) == (DATA, given)


def test_balance_is_for_learning_and_validation_and_not_for_calibration(monkeypatch, tmp_path):
    trained = Trained(monkeypatch)
    prm = PrmConfig(balance=True, calibration="temperature", calibration_share=0.25)
    train_prm(prm, tmp_path, DATA, tmp_path, TrainPrm(patience=1), seed=0)
    for data in (trained.data, trained.validation):
        shares = {label: sum(item.weights[1] for item in data if item.labels[1] == label) for label in (0.0, 1.0)}
        assert shares[0.0] == pytest.approx(shares[1.0])
    assert {item.weights[1] for item in trained.held_out} == {1.0}


def test_known_steps_for_an_outcome_model_are_labelled_at_their_end():
    def known(*reachable, is_complete):
        steps = tuple("abc"[: len(reachable)])
        return base.labelled(ValuedSteps("q", steps, is_complete, (0.5,) * len(steps), reachable), "outcome")

    def labels(item):
        assert all(math.isnan(label) for label in item.labels[:-1])
        return len(item.labels), item.labels[-1]

    assert labels(known(True, True, is_complete=True)) == (3, 1.0)
    assert labels(known(True, False, is_complete=False)) == (3, 0.0)


def test_peers_train_what_has_noise_and_nothing_else(monkeypatch, tmp_path):
    trained, told = Trained(monkeypatch), {}
    monkeypatch.setattr(prm_training, "train_peers", lambda *args, **given: told.update(given) or {"loss": 2.0})
    prm = PrmConfig(noise="peer")
    prm.peers.keep = 0.6
    assert train_prm(prm, tmp_path, DATA, tmp_path, TrainPrm(), seed=5) == {"loss": 2.0}
    assert trained.data is None
    assert (told["peers"], told["seed"]) == (Peers(keep=0.6), 5)


def test_only_progress_by_its_own_loss_is_progress():
    assert predicts_progress(PrmConfig(labels="progress"))
    assert predicts_progress(PrmConfig(labels="simple"))
    assert not predicts_progress(PrmConfig(labels="progress", loss="pairwise"))
    assert not predicts_progress(PrmConfig(labels="outcome"))
    assert base.activation_of(PrmConfig(labels="progress", loss="pairwise")) == "sigmoid"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["prm.loss=luck"], "prm.loss=luck: expected one of auto, pairwise"),
        (["prm.weights=luck"], "prm.weights=luck: expected one of none, visits, confidence, ppr"),
        (["prm.calibration=luck"], "prm.calibration=luck: expected one of none, temperature, isotonic"),
        (["prm.calibration_share=1"], "prm.calibration_share=1.0: expected a share between 0 and 1"),
        (["prm.balance=true", "prm.labels=progress"], "prm.balance with prm.labels=progress: expected labels that"),
        (["prm.balance=true", "prm.loss=pairwise"], "prm.balance with prm.loss=pairwise: expected labels that"),
        (["prm.weights=visits", "prm.labels=simple"], "prm.weights=visits with prm.labels=simple: expected labels of"),
        (["prm.calibration=temperature", "prm.labels=progress"], "temperature with prm.labels=progress: expected isot"),
        (["prm.noise=luck"], "prm.noise=luck: expected one of none, peer"),
        (["prm.noise=peer", "prm.loss=pairwise"], "prm.noise=peer with prm.loss=pairwise: expected labels that are"),
        (["prm.peers.keep=0"], "keep=0.0: expected a share"),
        (["prm.train.precision=float16"], "precision=float16: expected one of float32, bfloat16"),
    ],
)
def test_settings_that_do_not_go_together_are_one_line(settings, said, tmp_path, capsys):
    assert main(["train", *settings, f"run.dir={tmp_path / 'run'}"]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1


# --- in the loop ----------------------------------------------------------------------------------------------------


def test_a_pairwise_prm_starts_anew_each_round_and_is_calibrated(cache, tmp_path):
    folder = tmp_path / "run"
    prm = ["prm.loss=pairwise", "prm.labels=soft", "prm.weights=confidence", "prm.restart=true"]
    calibrated = ["prm.calibration=isotonic", "prm.calibration_share=0.2", "prm.yardstick=true"]
    assert main(["train", *SMALL, *prm, *calibrated, "round.count=2", f"run.dir={folder}", f"cache={cache}"]) == 0
    first = digest_dir(folder / "round-0/prm")
    for number in (1, 2):
        stage = stage_of(folder, f"round-{number}/prm")
        assert stage["inputs"]["prm"] == first
        assert stage["result"]["calibrated_on"] > 0
    assert read_calibration(folder / "round-0/prm") is not None
    assert read_calibration(folder / "round-2/prm") is not None
    assert stage_of(folder, "round-2/prm")["result"]["states"] > stage_of(folder, "round-1/prm")["result"]["states"]
    assert all(row.prm_eval.n > 0 for row in read_report(folder / "report.json").rounds)


def test_an_outcome_model_is_trained_in_the_loop(cache, tmp_path):
    folder = tmp_path / "run"
    prm = [
        "prm.labels=outcome",
        "prm.weights=visits",
        "prm.balance=true",
        "prm.train.patience=1",
        "prm.train.eval_every=2",
    ]
    assert main(["train", *SMALL, *prm, "round.count=2", f"run.dir={folder}", f"cache={cache}"]) == 0
    second = stage_of(folder, "round-2/prm")
    assert second["inputs"]["prm"] == digest_dir(folder / "round-1/prm")
    assert second["result"]["validation_loss"] > 0
    assert second["result"]["labels"] == second["result"]["examples"]


def test_a_language_model_that_says_plus_and_minus_is_trained_in_the_loop(cache, tmp_path):
    numbers = make_task("countdown", numbers=(2, 3))
    tokenizer = prm_published.words(*numbers.words(), "ки", begins=True)
    prm_published.made(MistralForCausalLM, MistralConfig, tokenizer, tmp_path / "start")
    folder = tmp_path / "run"
    prm = [f"prm.path={tmp_path / 'start'}", "prm.format=math_shepherd"]
    assert main(["train", *SMALL, *prm, "round.count=1", f"run.dir={folder}", f"cache={cache}"]) == 0
    trained = folder / "round-1/prm"
    assert digest_dir(trained) != digest_dir(tmp_path / "start")
    assert AutoModelForCausalLM.from_pretrained(trained).config.architectures == ["MistralForCausalLM"]
    assert read_tokenizer(trained).convert_tokens_to_ids("ки") == tokenizer.convert_tokens_to_ids("ки")
    assert HfScorer.load(trained, format="math_shepherd").fingerprint
    assert read_report(folder / "report.json").rounds[1].prm_eval.n > 0
