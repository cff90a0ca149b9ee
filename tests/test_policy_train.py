import random

import pytest
import torch
from safetensors.torch import load_file

from mcts.types import Problem, Propose, State, StepEnd, Ticket, Until
from policy.base import PolicySize, create
from policy.checkpoint import load_tokenizer
from policy.examples import Example, from_demonstration
from policy.length_batches import LengthBatches
from policy.prompts import PromptFormat
from policy.train import TrainPolicy, train
from policy.transformers_policy import TransformersPolicy

WORDS = tuple("abcdefgh")
TINY = PolicySize(hidden=32, layers=2, heads=2, intermediate=64, max_positions=32)
QUICK = TrainPolicy(batch_size=8, epochs=1.0, learning_rate=3e-3)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    folder = tmp_path_factory.mktemp("policy") / "start"
    create(WORDS, TINY, folder, seed=1)
    return folder


@pytest.fixture(autouse=True)
def _one_thread():
    """Quickest for models this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def demonstrations(count, seed):
    """The question's letters, spelt backwards, one a step."""
    rng = random.Random(seed)
    questions = [rng.choices(WORDS, k=rng.randint(2, 4)) for _ in range(count)]
    return [(" ".join(letters), letters[::-1]) for letters in questions]


def examples(start, count, seed=0):
    tokenizer = load_tokenizer(start)
    return [from_demonstration(tokenizer, PromptFormat(), *pair) for pair in demonstrations(count, seed)]


def weights(folder):
    return load_file(folder / "model.safetensors")


def test_a_few_solutions_are_learnt_by_heart_and_found_again(start, tmp_path):
    result = train(
        start,
        examples(start, 6),
        tmp_path / "out",
        TrainPolicy(learning_rate=1e-2, batch_size=6, max_steps=120),
        seed=0,
    )
    assert result["train_loss"] < 0.02
    policy = TransformersPolicy.load(tmp_path / "out")
    for i, (question, letters) in enumerate(demonstrations(6, 0)):
        policy.submit(Ticket("t", i), Propose(State(Problem("p", question)), 1, Until.END, 0.0, 20, 0))
        ((_, (steps,)),) = policy.poll(1.0)
        assert [step.text for step in steps] == letters
        assert steps[-1].end is StepEnd.FINAL


def test_training_is_bit_equal_for_a_seed_and_changes_with_it(start, tmp_path):
    data = examples(start, 100)
    for name, seed in (("one", 2**63 + 1), ("two", 2**63 + 1), ("three", 2)):
        torch.manual_seed(len(name))
        train(start, data, tmp_path / name, QUICK, seed=seed)
    one, two, three = (weights(tmp_path / name) for name in ("one", "two", "three"))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert any(not torch.equal(one[key], three[key]) for key in one)


def test_nothing_but_the_checkpoint_is_left_and_nothing_printed(start, tmp_path, capfd):
    data = examples(start, 40)
    train(start, data, tmp_path / "out", QUICK, seed=0, validation=data[:5])
    assert capfd.readouterr() == ("", "")
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
    assert {entry.name for entry in (tmp_path / "out").iterdir()} == {entry.name for entry in start.iterdir()}
    assert (tmp_path / "out" / "config.json").read_bytes() == (start / "config.json").read_bytes()


def test_the_checkpoint_may_replace_the_one_it_started_from(start, tmp_path):
    create(WORDS, TINY, tmp_path / "policy", seed=1)
    train(tmp_path / "policy", examples(start, 16), tmp_path / "policy", QUICK, seed=0)
    train(start, examples(start, 16), tmp_path / "other", QUICK, seed=0)
    assert all(torch.equal(weights(tmp_path / "policy")[k], w) for k, w in weights(tmp_path / "other").items())


def test_prompts_carry_no_loss(start, tmp_path):
    """Solutions depend on the position alone, so the loss can vanish although the prompts are random."""
    rng = random.Random(0)
    data = []
    for _ in range(64):
        prompt = tuple(rng.choices(range(4, 12), k=5))
        data.append(Example((*prompt, 3, 4, 5, 6, 1), (False,) * 6 + (True,) * 4))
    result = train(start, data, tmp_path / "out", TrainPolicy(learning_rate=1e-2, batch_size=32, max_steps=60), seed=0)
    assert result["train_loss"] < 0.05


def test_the_weights_of_the_best_evaluation_are_kept_and_training_stops_after_it(start, tmp_path):
    """Solutions are noise: the validation loss falls while letters are learnt, and rises when solutions are."""
    rng = random.Random(3)

    def noise(count):
        return [Example((*rng.choices(range(4, 12), k=9), 1), (False,) * 3 + (True,) * 7) for _ in range(count)]

    data, held_out = noise(40), noise(200)
    config = TrainPolicy(
        learning_rate=1e-2, batch_size=20, max_steps=400, scheduler="constant", eval_every=10, patience=3
    )
    seen = []
    result = train(
        start, data, tmp_path / "out", config, seed=0, validation=held_out, progress=lambda *now: seen.append(now)
    )
    assert 40 <= result["steps"] < 400, "stopped early"
    assert [step for step, _, _ in seen] == sorted({step for step, _, _ in seen})
    model = TransformersPolicy.load(tmp_path / "out")._decoder._model
    losses = []
    with torch.inference_mode():
        for example in held_out:
            logprobs = model(torch.tensor([example.token_ids])).logits[0].log_softmax(-1)
            losses += [-float(logprobs[i - 1, example.token_ids[i]]) for i in range(3, 10)]
    assert sum(losses) / len(losses) == pytest.approx(result["validation_loss"], rel=1e-4)


def test_progress_reaches_the_last_step_and_the_bill_is_right(start, tmp_path):
    data = examples(start, 50)
    seen = []
    result = train(
        start,
        data,
        tmp_path / "out",
        TrainPolicy(batch_size=8, epochs=2),
        seed=0,
        progress=lambda *now: seen.append(now),
    )
    assert [(step, total) for step, total, _ in seen] == [(step, 14) for step in range(1, 15)]
    assert seen[-1][2] == result["train_loss"] < seen[0][2]
    assert result["steps"] == 14
    assert result["tokens"] == 2 * sum(len(example.token_ids) for example in data)
    assert result["seconds"] > 0
    assert "validation_loss" not in result


@pytest.mark.parametrize(
    "fields",
    [
        {"batch_size": 0},
        {"epochs": 0.0},
        {"max_steps": 0},
        {"learning_rate": 0.0},
        {"warmup_ratio": 1.0},
        {"scheduler": "step"},
        {"patience": 0},
        {"eval_every": 0},
        {"accumulate": 0},
        {"checkpoint_every": 0},
        {"max_grad_norm": 0.0},
        {"beta2": 1.0},
        {"precision": "float16"},
    ],
)
def test_settings_that_cannot_work_are_refused(fields):
    with pytest.raises(ValueError, match="expected"):
        TrainPolicy(**fields)


def test_data_that_cannot_be_learnt_from_are_refused(start, tmp_path):
    long = Example((4,) * 33, (True,) * 33)
    for data, complaint in (
        ([], "no lessons"),
        ([long], r"lessons\[0\] has 33 tokens, expected at most 32"),
        ([Example((4, 5), (False, False))], "no token to learn"),
    ):
        with pytest.raises(ValueError, match=complaint):
            train(start, data, tmp_path / "out", QUICK, seed=0)
    with pytest.raises(ValueError, match="no such directory"):
        train(tmp_path / "nowhere", [Example((4, 5), (False, True))], tmp_path / "out", QUICK, seed=0)
    assert list(tmp_path.iterdir()) == []


def test_training_batches_are_equally_long_examples_in_random_order():
    lengths = [5, 9, 14] * 40
    batches = [list(LengthBatches(lengths, 8, seed)) for seed in (1, 1, 2)]
    assert batches[0] == batches[1] != batches[2]
    assert sorted(batches[0]) == list(range(120))
    kinds = [{lengths[i] for i in batches[0][start : start + 8]} for start in range(0, 120, 8)]
    assert all(len(kind) == 1 for kind in kinds)
    assert kinds != sorted(kinds, key=min)
    assert kinds != sorted(kinds, key=min, reverse=True)
    sampler = LengthBatches(lengths, 8, 1)
    assert list(sampler) != list(sampler), "every epoch has an order of its own"
