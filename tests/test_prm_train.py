import math
import random
from dataclasses import replace
from itertools import pairwise

import prm_published
import pytest
import torch
from prm_tiny import WORDS, state, write_policy
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification

from mcts.errors import InputError
from mcts.types import Score, Ticket
from prm import fitting
from prm.checkpoint import read_tokenizer
from prm.formats import FORMATS
from prm.labels import LabelledState
from prm.model import create, load
from prm.scorer import HfScorer, fingerprint
from prm.train import TrainPrm, train

NAN = math.nan


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    write_policy(folder / "policy")
    for head in ("hidden", "vocabulary"):
        for activation in ("clip", "sigmoid"):
            create(folder / "policy", folder / f"{head}-{activation}", head=head, activation=activation, seed=1)
    return folder


def learnable(count: int, seed: int = 0) -> list[LabelledState]:
    """A step is as good as its first word says; the bare problem has no label."""
    rng = random.Random(seed)
    good = {word: i / (len(WORDS) - 1) for i, word in enumerate(WORDS)}
    data = []
    for _ in range(count):
        steps = [" ".join(rng.choices(WORDS, k=rng.randint(1, 3))) for _ in range(rng.randint(1, 4))]
        labels = (NAN, *(good[step.split()[0]] for step in steps))
        data.append(LabelledState(state(" ".join(rng.choices(WORDS, k=3)), *steps), labels))
    return data


MIXED = [
    LabelledState(state("a b", "c", "d + a"), (0.25, NAN, 0.75)),
    LabelledState(state("a", "b", final=True), (NAN, 1.0)),
    LabelledState(state("c + d =", "a", "b", "c c c", "d"), (0.5, 0.5, NAN, NAN, 0.0)),
]


@pytest.mark.parametrize(("head", "activation"), [("hidden", "clip"), ("hidden", "sigmoid"), ("vocabulary", "clip")])
def test_a_learnable_problem_is_learnt(folder, tmp_path, head, activation):
    config = TrainPrm(learning_rate=3e-3, batch_size=32, max_steps=80)
    data, unseen = learnable(400), learnable(50, seed=1)
    start = folder / f"{head}-{activation}"
    before = train(
        start, data, tmp_path / "none", TrainPrm(learning_rate=1e-12, max_steps=1), seed=0, validation=unseen
    )
    after = train(start, data, tmp_path / "prm", config, seed=0, validation=unseen)
    assert after["validation_loss"] < (0.3 if activation == "clip" else 0.9) * before["validation_loss"]
    scorer = HfScorer.load(tmp_path / "prm")
    scorer.submit(Ticket("t", 0), Score(state("a b c", f"{WORDS[0]} a", f"{WORDS[-1]} a")))
    ((_, (_, bad, good)),) = scorer.poll(1.0)
    assert bad < 0.35
    assert good > 0.65


def test_training_is_bit_for_bit_the_same_for_a_seed_and_another_for_another(folder, tmp_path):
    config = TrainPrm(batch_size=16, epochs=1.0)
    data = learnable(100)
    results = []
    for name, seed in (("one", 2**63 + 5), ("same", 2**63 + 5), ("two", 6)):
        torch.rand(3)  # the global random state differs
        results.append(train(folder / "hidden-clip", data, tmp_path / name, config, seed=seed))
        del results[-1]["seconds"]
    assert results[0] == results[1] != results[2]
    assert fingerprint(tmp_path / "one") == fingerprint(tmp_path / "same") != fingerprint(tmp_path / "two")


def test_weights_are_fp32_and_move_at_the_papers_learning_rate(folder, tmp_path):
    config = TrainPrm(learning_rate=3e-6, batch_size=16, max_steps=2, warmup_ratio=0.0, weight_decay=0.0)
    train(folder / "hidden-clip", learnable(32), tmp_path / "prm", config, seed=0)
    before, after = load(folder / "hidden-clip").state_dict(), load(tmp_path / "prm").state_dict()
    for name, weight in after.items():
        assert weight.dtype == torch.float32
        moved = (weight - before[name]).abs()
        assert 0.0 < moved.max() < 1e-5, name


def test_with_bfloat16_the_masters_are_fp32_and_move_at_the_papers_learning_rate(folder, tmp_path):
    config = TrainPrm(learning_rate=3e-6, batch_size=16, max_steps=2, warmup_ratio=0.0, precision="bfloat16")
    train(folder / "hidden-sigmoid", learnable(32), tmp_path / "prm", config, seed=0)
    train(folder / "hidden-sigmoid", learnable(32), tmp_path / "whole", replace(config, precision="float32"), seed=0)
    before, after, whole = (
        load(path).state_dict() for path in (folder / "hidden-sigmoid", tmp_path / "prm", tmp_path / "whole")
    )
    for name, weight in after.items():
        assert weight.dtype == torch.float32
        assert 0.0 < (weight - before[name]).abs().max() < 1e-5, name
    # In bfloat16 itself a weight of 0.2 would stay where it is: the next one is 1e-3 away.
    assert any(not torch.equal(weight, whole[name]) for name, weight in after.items())


def test_accumulated_batches_make_the_step_of_one_large_batch(folder, tmp_path):
    """Also where batches differ in their number of labels: the mean is over labels."""
    data = learnable(24)
    weights = []
    for name, batch_size, accumulate in (("large", 24, 1), ("small", 8, 3)):
        config = TrainPrm(batch_size=batch_size, accumulate=accumulate, max_steps=1, warmup_ratio=0.0)
        result = train(folder / "hidden-sigmoid", data, tmp_path / name, config, seed=0)
        assert result["steps"] == 1
        weights.append((result["loss"], load(tmp_path / name).state_dict()))
    assert weights[0][0] == pytest.approx(weights[1][0], rel=1e-5)
    start = load(folder / "hidden-sigmoid").state_dict()
    for name, weight in weights[0][1].items():
        torch.testing.assert_close(weight, weights[1][1][name], atol=2e-5, rtol=1e-3)
        assert not torch.equal(weight, start[name])


def test_the_weights_of_the_best_evaluation_are_kept_and_patience_ends_the_training(folder, tmp_path):
    """What is learned is the opposite of what is validated: the first evaluation is the best."""
    start, data, unseen = folder / "hidden-sigmoid", learnable(200), learnable(50, seed=1)
    opposite = [replace(item, labels=tuple(1.0 - label for label in item.labels)) for item in unseen]
    config = TrainPrm(learning_rate=3e-3, max_steps=80, eval_every=2, patience=3)
    result = train(start, data, tmp_path / "prm", config, seed=0, validation=opposite)
    assert result["steps"] < 40
    assert result["validation_loss"] == pytest.approx(_loss_of(tmp_path / "prm", opposite), rel=1e-4)
    train(start, data, tmp_path / "late", replace(config, patience=None), seed=0)
    assert _loss_of(tmp_path / "late", opposite) > 1.2 * result["validation_loss"]


def _loss_of(path, data):
    """The mean cross-entropy, by the scorer."""
    scorer, total, count = HfScorer.load(path), 0.0, 0
    for i, item in enumerate(data):
        scorer.submit(Ticket("t", i), Score(item.state))
    for ticket, values in scorer.poll(1.0):
        for value, label in zip(values, data[ticket.number].labels, strict=True):
            if not math.isnan(label):
                total -= label * math.log(value) + (1 - label) * math.log(1 - value)
                count += 1
    return total / count


def test_a_pairwise_prm_learns_the_order_of_steps(folder, tmp_path):
    result = train(
        folder / "hidden-sigmoid",
        siblings(150),
        tmp_path / "prm",
        TrainPrm(learning_rate=3e-3, max_steps=80),
        loss="pairwise",
        seed=0,
        validation=siblings(30, seed=1),
    )
    assert result["validation_loss"] < 0.35 < math.log(2)
    scorer = HfScorer.load(tmp_path / "prm")
    for i, word in enumerate(WORDS):
        scorer.submit(Ticket("t", i), Score(state("a b c", f"{word} a")))
    values = [values[1] for _, values in sorted(scorer.poll(1.0))]
    assert sum(a < b for a, b in pairwise(values)) >= 5


def siblings(count: int, seed: int = 0) -> list[LabelledState]:
    """As `learnable`, three steps a question."""
    rng = random.Random(seed)
    data = []
    for i in range(count):
        question = " ".join(rng.choices(WORDS, k=4))
        for word in rng.sample(WORDS, 3):
            labels = (NAN, WORDS.index(word) / (len(WORDS) - 1))
            data.append(LabelledState(state(question, f"{word} {rng.choice(WORDS)}", problem=str(i)), labels))
    return data


@pytest.mark.parametrize("name", ["math_shepherd", "rlhflow", "trl"])
def test_a_published_prm_is_trained_and_written_as_it_was_read(tmp_path, name):
    """Plain transformers opens it and reads by hand what our scorer reads."""
    tiny = prm_published.PUBLISHED[name](tmp_path / "start")
    unseen = learnable(12, seed=1)
    config = TrainPrm(learning_rate=3e-3, max_steps=60)
    result = train(tiny.path, learnable(200), tmp_path / "prm", config, format=name, seed=0, validation=unseen)
    before = train(
        tiny.path, unseen, tmp_path / "same", TrainPrm(1e-12, max_steps=1), format=name, seed=0, validation=unseen
    )
    assert result["validation_loss"] < 0.95 * before["validation_loss"]
    auto = AutoModelForTokenClassification if name == "trl" else AutoModelForCausalLM
    plain, report = auto.from_pretrained(tmp_path / "prm", output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert plain.dtype == torch.float32
    scorer, tokenizer = HfScorer.load(tmp_path / "prm", format=name), read_tokenizer(tmp_path / "prm")
    encoder = FORMATS[name].encoder(tokenizer, plain.config)
    good, bad = (1, 0) if name == "trl" else (tokenizer.convert_tokens_to_ids(word) for word in "+-")
    for i, item in enumerate(unseen):
        scorer.submit(Ticket("t", i), Score(item.state))
    for ticket, values in scorer.poll(1.0):
        encoded = encoder.encode(unseen[ticket.number].state.problem.question, unseen[ticket.number].state.steps)
        with torch.no_grad():
            logits = plain.eval()(torch.tensor([encoded.token_ids])).logits[0, list(encoded.positions[1:])]
        by_hand = logits[:, [bad, good]].softmax(-1)[:, 1]
        assert values[1:] == pytest.approx(by_hand.tolist(), abs=1e-5)
    assert fingerprint(tmp_path / "prm", name) != fingerprint(tiny.path, name)


def test_a_trained_value_head_opens_as_a_plain_token_classifier(folder, tmp_path):
    train(folder / "hidden-sigmoid", MIXED, tmp_path / "prm", TrainPrm(max_steps=3), seed=0)
    plain, report = AutoModelForTokenClassification.from_pretrained(tmp_path / "prm", output_loading_info=True)
    assert not any(report[kind] for kind in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    tokens = torch.tensor([[4, 5, 6, 7, 8]])
    with torch.no_grad():
        torch.testing.assert_close(plain.eval()(tokens).logits[..., 0], load(tmp_path / "prm")(tokens))


def test_where_no_two_steps_can_be_compared_nothing_is_trained(folder, tmp_path):
    with pytest.raises(InputError, match="none of 1 solutions has two steps to compare"):
        train(folder / "hidden-sigmoid", MIXED[:1], tmp_path / "prm", TrainPrm(max_steps=1), loss="pairwise", seed=0)


@pytest.mark.parametrize("name", ["qwen_prm", "skywork"])
def test_a_format_that_is_only_read_is_not_trained(tmp_path, name):
    tiny = prm_published.PUBLISHED[name](tmp_path / "start")
    with pytest.raises(InputError, match=r"which is only read, expected a format that is trained: regrow, math_sh"):
        train(tiny.path, learnable(4), tmp_path / "prm", TrainPrm(max_steps=1), seed=0)


def test_a_logger_that_is_unknown_missing_or_has_no_folder_is_one_line(folder, tmp_path, monkeypatch):
    def attempt(name, logs=None):
        train(folder / "hidden-clip", MIXED, tmp_path / "prm", TrainPrm(max_steps=1), seed=0, loggers=[name], logs=logs)

    with pytest.raises(InputError, match="logger 'paper': expected one of tensorboard, wandb"):
        attempt("paper")
    monkeypatch.setattr(fitting.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="its package is not installed, expected `pip install wandb`"):
        attempt("wandb", tmp_path)
    monkeypatch.setattr(fitting.importlib.util, "find_spec", lambda name: name)
    with pytest.raises(InputError, match="logger tensorboard: has no folder"):
        attempt("tensorboard")


def test_training_says_how_far_it_is_and_nothing_else(folder, tmp_path, capfd):
    seen = []
    result = train(
        folder / "hidden-clip",
        learnable(64),
        tmp_path / "prm",
        TrainPrm(batch_size=16, epochs=3.0),
        seed=0,
        progress=lambda *told: seen.append(told),
    )
    assert [(step, total) for step, total, _ in seen] == [(step, 12) for step in range(1, 13)]
    assert all(math.isfinite(loss) for _, _, loss in seen)
    assert (result["steps"], result["examples"], result["loss"]) == (12.0, 64.0, seen[-1][2])
    assert capfd.readouterr().out == ""


def test_the_result_counts_labels_and_leaves_out_what_carries_none(folder, tmp_path):
    nothing = LabelledState(state("a", "b"), (NAN, NAN))
    root_only = LabelledState(state("a"), (0.5,))
    config = TrainPrm(max_steps=1, root_weight=0.0)
    result = train(folder / "hidden-clip", [*MIXED, nothing, root_only], tmp_path / "prm", config, seed=0)
    assert (result["examples"], result["labels"]) == (3.0, 4.0)


def test_out_is_written_whole_in_place_of_what_stood_there_even_of_the_start_itself(folder, tmp_path):
    create(folder / "policy", tmp_path / "prm" / "start", seed=1)
    train(tmp_path / "prm" / "start", MIXED, tmp_path / "prm", TrainPrm(max_steps=1), seed=0)
    train(tmp_path / "prm", MIXED, tmp_path / "prm", TrainPrm(max_steps=1), seed=0)
    assert [path.name for path in tmp_path.iterdir()] == ["prm"]
    assert sorted(path.name for path in (tmp_path / "prm").iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_a_failed_training_leaves_nothing_behind(folder, tmp_path):
    cases = [
        ([], TrainPrm(max_steps=1), "none of 0 solutions carries a label"),
        ([LabelledState(state("a", "b"), (NAN, NAN))], TrainPrm(max_steps=1), "none of 1 solutions carries a label"),
        ([LabelledState(state("zebra"), (0.5,))], TrainPrm(max_steps=1), "unknown word 'zebra'"),
        (
            MIXED,
            TrainPrm(max_steps=1),
            "the PRM's values are clipped, expected one with activation sigmoid",
            "pairwise",
        ),
        (MIXED, TrainPrm(max_steps=1), "PRM loss 'luck': expected one of auto, pairwise", "luck"),
        (MIXED, TrainPrm(learning_rate=1e30, max_steps=9, max_grad_norm=1e30), "the loss is not a number"),
    ]
    for data, config, message, *loss in cases:
        with pytest.raises(ValueError, match=message):
            train(folder / "hidden-clip", data, tmp_path / "prm", config, loss=(*loss, "auto")[0], seed=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0.0},
        {"batch_size": 0},
        {"epochs": -1.0},
        {"max_steps": 0},
        {"warmup_ratio": 1.5},
        {"root_weight": -1.0},
        {"weight_decay": -0.1},
        {"accumulate": 0},
        {"patience": 0},
        {"eval_every": 0},
        {"beta2": 1.0},
        {"precision": "float16"},
        {"learning_rate": math.nan},
        {"schedule": "stairs"},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=f"PRM training {next(iter(wrong))}="):
        TrainPrm(**wrong)
