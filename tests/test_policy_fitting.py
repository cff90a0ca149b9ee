"""Fits with any loss: references, LoRA, precision, accumulation, checkpoints that a kill cannot harm."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

from mcts.errors import InputError
from policy import loggers
from policy.adapter import Adapter
from policy.base import PolicySize, create
from policy.batch import batch_of, log_probabilities
from policy.checkpoint import load_model
from policy.examples import Example
from policy.lessons import Judged, Pair
from policy.lora import Lora
from policy.losses import Dpo, Kto, Laser, Selm, Supervised, TReg
from policy.train import TrainPolicy, train

TINY = PolicySize(hidden=32, layers=2, heads=2, intermediate=64, max_positions=32)
LETTERS = range(4, 12)
QUICK = TrainPolicy(batch_size=8, max_steps=12, learning_rate=3e-3)


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    folder = tmp_path_factory.mktemp("policy") / "start"
    create(tuple("abcdefgh"), TINY, folder, seed=1)
    return folder


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def solutions(count, seed=0, shortest=2):
    rng = random.Random(seed)
    ways = [rng.choices(LETTERS, k=rng.randint(shortest, 8)) for _ in range(count)]
    return [Example((4, 5, 3, *way, 1), (False,) * 3 + (True,) * (len(way) + 1)) for way in ways]


def pairs(count, seed=0):
    """Solutions that begin with a are better than those with b."""
    return [
        Pair(
            replace(one, token_ids=(*one.token_ids[:3], 4, *one.token_ids[4:])),
            replace(one, token_ids=(*one.token_ids[:3], 5, *one.token_ids[4:])),
        )
        for one in solutions(count, seed)
    ]


def verdicts(count, seed=0):
    return [Judged(one, i % 3 > 0) for i, one in enumerate(solutions(count, seed))]


def weights(folder):
    return load_file(folder / "model.safetensors")


def same(one, other):
    one, other = weights(one), weights(other)
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


def margin(folder, reference):
    """Mean of log pi/pi_ref(chosen) - log pi/pi_ref(rejected) over held-out pairs."""
    batch = batch_of(Dpo(), pairs(30, seed=9))
    with torch.inference_mode():
        told = [
            log_probabilities(load_model(path, "sdpa"), batch["input_ids"], batch["labels"]).sum(1)
            for path in (folder, reference)
        ]
    chosen, rejected = (told[0] - told[1]).chunk(2)
    return float((chosen - rejected).mean())


@pytest.mark.parametrize("loss", [Dpo(0.3), Dpo(0.3, "hinge", 0.1), Selm(0.3), TReg(0.3)])
def test_pairs_teach_the_better_way(loss, start, tmp_path):
    result = train(start, pairs(60), tmp_path / "out", QUICK, loss=loss, seed=0, validation=pairs(20, 5))
    assert result["validation_loss"] < 0.6
    assert margin(tmp_path / "out", start) > 2
    assert result["tokens"] == round(12 / 8 * sum(2 * len(pair.chosen.token_ids) for pair in pairs(60)))


@pytest.mark.parametrize("loss", [Kto(0.3), Laser(token=0, reference=-3.0)])
def test_verdicts_teach(loss, start, tmp_path):
    fits = [
        train(start, verdicts(48), tmp_path / "out", replace(QUICK, max_steps=steps), loss=loss, seed=0)["train_loss"]
        for steps in (1, 40)
    ]
    assert fits[1] < fits[0]


def test_the_reference_is_the_start_or_the_one_given(start, tmp_path):
    create(tuple("abcdefgh"), TINY, tmp_path / "other", seed=2)
    losses = {}
    for name, reference in (("default", None), ("start", start), ("other", tmp_path / "other")):
        config = replace(QUICK, max_steps=1, learning_rate=1e-9)
        losses[name] = train(start, pairs(8), tmp_path / "out", config, loss=Dpo(0.3), reference=reference, seed=0)[
            "train_loss"
        ]
    assert losses["default"] == losses["start"] == pytest.approx(0.6931472, abs=1e-6), "no margin over oneself"
    assert losses["other"] != pytest.approx(losses["start"], abs=1e-4)


def test_lora_compares_with_the_base_and_leaves_a_whole_checkpoint(start, tmp_path):
    config = replace(QUICK, lora=Lora(rank=4), learning_rate=1e-2, max_steps=20)
    fitted = train(start, pairs(60), tmp_path / "out", config, loss=Dpo(0.3), seed=0)
    assert fitted["train_loss"] < 0.5, "the base has no adapter"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {path.name for path in start.iterdir()}
    assert margin(tmp_path / "out", start) > 2
    before, after = weights(start), weights(tmp_path / "out")
    assert before.keys() == after.keys()
    assert torch.equal(before["model.embed_tokens.weight"], after["model.embed_tokens.weight"])
    change = after["model.layers.0.mlp.up_proj.weight"] - before["model.layers.0.mlp.up_proj.weight"]
    assert torch.linalg.matrix_rank(change, atol=1e-5) == 4
    first = replace(config, max_steps=1, learning_rate=1e-9)
    loss = train(start, pairs(8), tmp_path / "out", first, loss=Dpo(0.3), seed=0)["train_loss"]
    assert loss == pytest.approx(0.6931472, abs=1e-6)


def test_an_adapter_may_be_left_instead_and_is_read_as_the_same_model(start, tmp_path):
    for merged in (True, False):
        config = replace(QUICK, lora=Lora(rank=2, targets="q_proj, v_proj", merged=merged))
        train(start, solutions(40), tmp_path / str(merged), config, seed=0)
    adapter = Adapter.at(tmp_path / "False")
    assert (adapter.base, adapter.rank) == (start, 2)
    one, other = (load_model(tmp_path / str(merged), "sdpa").state_dict() for merged in (True, False))
    assert all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(InputError, match="merged=true"):
        train(tmp_path / "False", solutions(8), tmp_path / "out", config, seed=0)
    with pytest.raises(InputError, match="expected names of the policy's modules"):
        train(start, solutions(8), tmp_path / "out", replace(QUICK, lora=Lora(1, targets="nowhere")), seed=0)


@pytest.mark.parametrize("loss", [Supervised(), Dpo(0.3)])
def test_accumulated_batches_are_one_large_batch(loss, start, tmp_path):
    """Solutions differ in length, so a mean of means would be something else."""
    lessons = [replace(one, weight=1.0 + i % 3) for i, one in enumerate(solutions(48))]
    data = lessons if isinstance(loss, Supervised) else pairs(48)
    for name, size, accumulate in (("one", 48, 1), ("four", 12, 4)):
        config = TrainPolicy(batch_size=size, accumulate=accumulate, max_steps=3, learning_rate=1e-3)
        result = train(start, data, tmp_path / name, config, loss=loss, seed=0)
        assert result["steps"] == 3
    one, four = weights(tmp_path / "one"), weights(tmp_path / "four")
    assert all(torch.allclose(one[name], four[name], atol=2e-5) for name in one)


def test_weights_count(start, tmp_path):
    data = solutions(16)
    heavy = [replace(one, weight=5.0) for one in data]
    mixed = [replace(one, weight=5.0 if i % 2 else 1.0) for i, one in enumerate(data)]
    for name, lessons in (("one", data), ("heavy", heavy), ("mixed", mixed)):
        train(start, lessons, tmp_path / name, replace(QUICK, max_steps=3), seed=0)
    one, heavy_weights = weights(tmp_path / "one"), weights(tmp_path / "heavy")
    assert all(torch.allclose(one[name], heavy_weights[name], atol=1e-5) for name in one)
    assert not same(tmp_path / "one", tmp_path / "mixed")


def test_bfloat16_computes_and_float32_weights_move_at_a_small_rate(start, tmp_path):
    config = TrainPolicy(
        batch_size=16, max_steps=2, learning_rate=3e-6, scheduler="constant", warmup_ratio=0.0, precision="bfloat16"
    )
    losses = {}
    for precision in ("bfloat16", "float32"):
        config = replace(config, precision=precision)
        losses[precision] = train(start, solutions(64), tmp_path / precision, config, seed=0)["train_loss"]
    before, after = weights(start), weights(tmp_path / "bfloat16")
    name = "model.layers.0.mlp.up_proj.weight"
    assert after[name].dtype == torch.float32
    moved = (before[name] != after[name]).float().mean()
    in_bfloat16 = (before[name].bfloat16() != (before[name].bfloat16() - 6e-6).bfloat16()).float().mean()
    assert moved > 0.99
    assert in_bfloat16 < 0.05, "masters in bfloat16 would stand still"
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=1e-2)


def test_lessons_of_another_kind_are_refused(start, tmp_path):
    with pytest.raises(InputError, match=r"lessons\[0\] is of kind Example, Dpo.* expected Pair"):
        train(start, solutions(2), tmp_path / "out", QUICK, loss=Dpo(), seed=0)
    with pytest.raises(InputError, match=r"validation\[1\] is of kind Pair"):
        train(start, solutions(2), tmp_path / "out", QUICK, seed=0, validation=[*solutions(1), *pairs(1)])
    longest = Example((4,) * 32, (False,) + (True,) * 31)
    with pytest.raises(InputError, match="33 tokens, expected at most 32"):
        train(start, [Judged(longest, True)], tmp_path / "out", QUICK, loss=Laser(token=0), seed=0)


class Figures(TrainerCallback):
    """A logger."""

    def __init__(self, folder):
        self.folder = folder

    def on_log(self, args, state, control, logs=None, **kwargs):
        SEEN.append((self.folder, *logs))


SEEN = []


def test_loggers_are_told_figures_and_missing_ones_named(start, tmp_path, monkeypatch):
    monkeypatch.setattr("policy.loggers._is_installed", lambda name: name == "tensorboard")
    monkeypatch.setitem(loggers._CALLBACKS, "tensorboard", Figures)
    with pytest.raises(InputError, match="logger wandb: its package is not installed"):
        train(start, solutions(8), tmp_path / "out", QUICK, seed=0, loggers=["wandb"], logs=tmp_path)
    for names, folder, said in ((["paper"], tmp_path, "logger 'paper'"), (["tensorboard"], None, "has no folder")):
        with pytest.raises(InputError, match=said):
            train(start, solutions(8), tmp_path / "out", QUICK, seed=0, loggers=names, logs=folder)
    train(start, solutions(8), tmp_path / "out", QUICK, seed=0, loggers=["tensorboard"], logs=tmp_path)
    assert SEEN[0][:2] == (tmp_path / "tensorboard", "loss")


CHILD = """
import sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, {tests!r})
from test_policy_fitting import long_fit
long_fit(Path({start!r}), Path({out!r}), Path({scratch!r}), pause=0.05)
"""


def long_fit(start, out, scratch, pause=0.0, told=lambda step: None):
    """Several epochs, with validation and checkpoints; `pause` leaves time to be killed."""
    config = TrainPolicy(
        batch_size=8, accumulate=2, epochs=7, learning_rate=3e-3, eval_every=4, checkpoint_every=5, lora=Lora(0)
    )
    return train(
        start,
        pairs(60),
        out,
        config,
        loss=Dpo(0.3),
        seed=3,
        validation=pairs(10, 5),
        progress=lambda step, *_: (told(step), time.sleep(pause)),
        scratch=scratch,
    )


@pytest.mark.slow
def test_a_killed_fit_goes_on_to_the_same_weights(start, tmp_path):
    whole = long_fit(start, tmp_path / "whole", tmp_path / "whole-scratch")
    scratch = tmp_path / "scratch"
    names = {"tests": str(Path(__file__).parent), "start": str(start), "out": str(tmp_path / "out")}
    script = CHILD.format(scratch=str(scratch), **names)
    root = str(Path(__file__).parents[1])
    for checkpoint in ("checkpoint-5", "checkpoint-15"):
        child = subprocess.Popen([sys.executable, "-c", script], cwd=root, env=os.environ | {"PYTHONPATH": root})
        try:
            deadline = time.monotonic() + 120
            while not list(scratch.glob(f"training/*/{checkpoint}")):
                assert child.poll() is None, "ended before it was killed"
                assert time.monotonic() < deadline
                time.sleep(0.01)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
        assert not (tmp_path / "out").exists()
    files = {path.name for path in scratch.rglob("*") if path.is_file()}
    assert {Path(name).suffix for name in files} == {".safetensors", ".json"}
    steps = []
    resumed = long_fit(start, tmp_path / "out", scratch, told=steps.append)
    assert steps[0] > 15, "went on from where it was"
    assert same(tmp_path / "whole", tmp_path / "out")
    assert (resumed["steps"], resumed["validation_loss"]) == (whole["steps"], whole["validation_loss"])
    assert not any(scratch.iterdir())


def test_a_fit_that_fails_at_the_very_end_is_not_trained_further(start, tmp_path, monkeypatch, capfd):
    config = replace(QUICK, checkpoint_every=1, eval_every=1, patience=1, max_steps=50, learning_rate=0.1)

    def fitted(out, scratch):
        return train(start, solutions(16), out, config, seed=0, validation=solutions(8, 5), scratch=scratch)

    whole = fitted(tmp_path / "whole", None)
    assert whole["steps"] < 50, "stopped early"
    with monkeypatch.context() as patch:
        patch.setattr("policy.fitting._save", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fitted(tmp_path / "out", tmp_path / "scratch")
    resumed = fitted(tmp_path / "out", tmp_path / "scratch")
    assert same(tmp_path / "whole", tmp_path / "out")
    assert {**resumed, "seconds": 0} == {**whole, "seconds": 0}
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_several_processes_are_one_with_as_many_batches_a_step(start, tmp_path):
    data = [replace(pair, preference=0.9, chosen_rewards=(0.5,) * len(pair.chosen.token_ids)) for pair in pairs(40)]
    config = TrainPolicy(batch_size=4, accumulate=2, max_steps=8, learning_rate=1e-3, eval_every=4)
    two = replace(config, accumulate=1, launch="torchrun --standalone --nproc_per_node 2")
    held_out, told = pairs(10, 5), []
    results = [
        train(start, data, tmp_path / name, how, loss=TReg(0.3), seed=0, validation=held_out, progress=progress)
        for name, how, progress in (("one", config, None), ("two", two, lambda *now: told.append(now)))
    ]
    one, other = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)
    assert results[0]["validation_loss"] == pytest.approx(results[1]["validation_loss"], abs=1e-6)
    assert [step for step, _, _ in told] == list(range(1, 9))
    assert told[-1][2] == results[1]["train_loss"]


FSDP = (
    "--use_fsdp --fsdp_version 2 --fsdp_auto_wrap_policy TRANSFORMER_BASED_WRAP --fsdp_state_dict_type FULL_STATE_DICT"
)


@pytest.mark.slow
def test_weights_sharded_over_two_processes_are_fitted_as_those_of_one(start, tmp_path):
    data = [replace(pair, preference=0.9, chosen_rewards=(0.5,) * len(pair.chosen.token_ids)) for pair in pairs(40)]
    config = TrainPolicy(batch_size=4, accumulate=2, max_steps=8, learning_rate=1e-3)
    two = replace(config, accumulate=1, launch=f"accelerate launch --num_processes 2 {FSDP}")
    losses = {"one": [], "two": []}
    for name, how in (("one", config), ("two", two)):
        told = losses[name]
        train(
            start, data, tmp_path / name, how, loss=TReg(0.3), seed=0, progress=lambda *now, told=told: told.append(now)
        )
    assert [step for step, _, _ in losses["two"]] == list(range(1, 9))
    for (_, _, alone), (_, _, sharded) in zip(*losses.values(), strict=True):
        assert sharded == pytest.approx(alone, abs=1e-5)
    one, other = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)
    assert not torch.equal(one["model.norm.weight"], weights(start)["model.norm.weight"])


@pytest.mark.slow
def test_what_fsdp_cannot_do_is_told(start, tmp_path):
    config = replace(QUICK, launch=f"accelerate launch --num_processes 2 {FSDP}", checkpoint_every=2)
    with pytest.raises(InputError, match="FSDP goes without validation, lora and checkpoint_every"):
        train(start, solutions(8), tmp_path / "out", config, seed=0, scratch=tmp_path)
    assert not (tmp_path / "out").exists()


def test_fsdp_that_would_not_shard_is_told(start, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(InputError, match="FSDP in a process by itself, expected accelerate launch"):
        train(start, solutions(8), tmp_path / "out", QUICK, seed=0)


def test_what_a_launched_fit_says_is_said_here(start, tmp_path):
    for launch, said in (
        ("nowhere", "launch 'nowhere': No such file"),
        ("python -X oops -c 1", "launch .*: ended with"),
        ("python", "lessons.0. is of kind Example, Dpo"),
    ):
        with pytest.raises(InputError, match=said):
            train(start, solutions(4), tmp_path / "out", replace(QUICK, launch=launch), loss=Dpo(), seed=0)
    assert not (tmp_path / "out").exists()
