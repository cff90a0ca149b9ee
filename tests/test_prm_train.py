import math
import random

import pytest
import torch
from prm_tiny import WORDS, state, tiny_tokenizer, write_policy
from torch.nn.functional import binary_cross_entropy_with_logits

from mcts.types import Score, Ticket
from prm.encode import StepEncoder
from prm.labels import LabelledState
from prm.model import create, load
from prm.scorer import HfScorer, fingerprint
from prm.train import Objective, TrainPrm, _collate, _examples, train

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


@pytest.mark.parametrize("root_weight", [1.0, 0.25, 0.0])
@pytest.mark.parametrize("activation", ["clip", "sigmoid"])
@pytest.mark.parametrize("head", ["hidden", "vocabulary"])
def test_the_loss_is_that_of_a_hand_loop_over_labelled_prefixes(folder, head, activation, root_weight):
    model = load(folder / f"{head}-{activation}", attention="sdpa")
    encoder = StepEncoder(tiny_tokenizer())
    batch = _collate(_examples(encoder, MIXED, root_weight))
    total = weight = 0.0
    for item in MIXED:
        for k, label in enumerate(item.labels):
            if not math.isnan(label):
                prefix = encoder.encode(item.state.problem.question, item.state.steps[:k]).token_ids
                logit = model(torch.tensor([prefix]))[0, -1].detach()
                target = torch.tensor(label)
                loss = (
                    (logit - target) ** 2 if activation == "clip" else binary_cross_entropy_with_logits(logit, target)
                )
                weight += root_weight if k == 0 else 1.0
                total += (root_weight if k == 0 else 1.0) * loss.item()
    assert Objective(model)(**batch)["loss"].item() == pytest.approx(total / weight, rel=1e-4)


def test_padding_and_unlabelled_prefixes_carry_no_gradient(folder):
    model = load(folder / "hidden-clip", attention="sdpa")
    batch = _collate(_examples(StepEncoder(tiny_tokenizer()), MIXED, 1.0))
    logits = torch.zeros(batch["input_ids"].shape, requires_grad=True)
    objective = Objective(model)
    objective.model.forward = lambda input_ids, attention_mask: logits
    objective(**batch)["loss"].backward()
    read = {
        (row, int(batch["positions"][row, k]))
        for row, item in enumerate(MIXED)
        for k, label in enumerate(item.labels)
        if not math.isnan(label) and label != 0.0  # at label 0 the gradient of logit 0 is 0 too
    }
    assert {tuple(map(int, place)) for place in logits.grad.nonzero()} == read
    assert (batch["attention_mask"][logits.grad.nonzero(as_tuple=True)] == 1).all()


def test_padding_tokens_do_not_change_the_gradient_of_any_weight(folder):
    encoder = StepEncoder(tiny_tokenizer())
    gradients = []
    for padding in (0, 9):
        objective = Objective(load(folder / "hidden-clip", attention="sdpa"))
        batch = _collate(_examples(encoder, MIXED, 1.0))
        for name in ("input_ids", "attention_mask"):
            batch[name] = torch.nn.functional.pad(batch[name], (0, padding))
        objective(**batch)["loss"].backward()
        gradients.append({name: weight.grad for name, weight in objective.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-6, rtol=1e-4)
    assert any(gradient.abs().max() > 1e-3 for gradient in gradients[0].values())


def test_the_trainer_and_the_scorer_read_the_same_values_at_the_same_places(folder):
    model = load(folder / "hidden-sigmoid", attention="sdpa")
    batch = _collate(_examples(StepEncoder(tiny_tokenizer()), MIXED, 1.0))
    read = model(batch["input_ids"], batch["attention_mask"]).gather(1, batch["positions"]).sigmoid()
    scorer = HfScorer.load(folder / "hidden-sigmoid")
    for row, item in enumerate(MIXED):
        scorer.submit(Ticket("t", 0), Score(item.state))
        ((_, values),) = scorer.poll(1.0)
        assert values == pytest.approx(read[row, : len(values)].tolist(), abs=1e-5)


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
        (MIXED, TrainPrm(learning_rate=1e30, max_steps=9, max_grad_norm=1e30), "the loss is not a number"),
    ]
    for data, config, message in cases:
        with pytest.raises(ValueError, match=message):
            train(folder / "hidden-clip", data, tmp_path / "prm", config, seed=0)
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
        {"schedule": "stairs"},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=f"PRM training {next(iter(wrong))}="):
        TrainPrm(**wrong)
