"""TRL's trainers take a step on what is exported for them."""

import pytest
import torch
from datasets import load_dataset
from grown import TASK, verified_trees
from transformers import Qwen2Config, Qwen2ForCausalLM

from policy.prompts import PromptFormat
from policy.tokenizer import build_tokenizer
from regrow.cli import DONE, main
from regrow.trace_store import write_trees

trl = pytest.importorskip("trl")

TURNS = (
    "{% for turn in messages %}{{ turn['content'] }}"
    "{{ eos_token if turn['role'] == 'assistant' else '\n' }}{% endfor %}"
)
ONE_STEP = {
    "max_steps": 1,
    "per_device_train_batch_size": 4,
    "learning_rate": 1e-2,
    "report_to": "none",
    "use_cpu": True,
    "bf16": False,
    "save_strategy": "no",
    "disable_tqdm": True,
}


@pytest.fixture(scope="module", autouse=True)
def apart(tmp_path_factory):
    """Nothing of datasets is left in the user's cache, and nothing is told to anybody."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        patch.setenv("CI", "1")
        yield


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traces")
    write_trees(folder, verified_trees(12))
    return folder


@pytest.fixture(scope="module")
def tokenizer():
    tokenizer = build_tokenizer(TASK.words())
    tokenizer.chat_template = TURNS
    return tokenizer


def exported(traces, out, name):
    assert main(["export", f"traces={traces}", f"format={name}", f"out={out}"]) == DONE
    return load_dataset(str(out), split="train")


@pytest.fixture(scope="module")
def weights(tokenizer, tmp_path_factory):
    """A tiny random model on disk, where TRL looks for its reference, too."""
    torch.manual_seed(0)
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    config = Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=1, tie_word_embeddings=False, **size, **ids)
    folder = tmp_path_factory.mktemp("model")
    Qwen2ForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("name", "trainer", "settings"),
    [
        ("sft", trl.SFTTrainer, trl.SFTConfig),
        ("sft_messages", trl.SFTTrainer, trl.SFTConfig),
        ("preference", trl.DPOTrainer, trl.DPOConfig),
        ("step_preference", trl.DPOTrainer, trl.DPOConfig),
        ("kto", trl.KTOTrainer, trl.KTOConfig),
    ],
)
@pytest.mark.parametrize("chat", [False, True])
def test_a_trainer_takes_a_step_on_the_export(
    name, trainer, settings, chat, traces, tokenizer, weights, tmp_path, monkeypatch
):
    monkeypatch.setattr("regrow.export.door.prompt_of", lambda config: PromptFormat(chat=chat))
    data = exported(traces, tmp_path / "out", name)
    assert isinstance(data[0]["messages" if name == "sft_messages" else "prompt"], list) == (
        chat or name == "sft_messages"
    )
    learner = trainer(
        model=Qwen2ForCausalLM.from_pretrained(weights),
        args=settings(output_dir=str(tmp_path / "model"), **ONE_STEP),
        train_dataset=data,
        processing_class=tokenizer,
    )
    before = {key: value.clone() for key, value in learner.model.state_dict().items()}
    assert learner.train().training_loss > 0
    after = learner.model.state_dict()
    assert any(not torch.equal(before[key], after[key]) for key in before)


def test_sft_learns_the_tokens_that_our_own_prompt_and_steps_have(traces, tokenizer, weights, tmp_path):
    data = exported(traces, tmp_path / "out", "sft")
    learner = trl.SFTTrainer(
        model=Qwen2ForCausalLM.from_pretrained(weights),
        args=trl.SFTConfig(output_dir=str(tmp_path / "model"), **ONE_STEP),
        train_dataset=data,
        processing_class=tokenizer,
    )
    ours = PromptFormat()
    for row, seen in zip(data, learner.train_dataset, strict=True):
        prompt = ours.encode_prompt(tokenizer, row["prompt"].strip())
        steps = ours.encode_steps(tokenizer, row["completion"].split("\n"), is_complete=True)
        assert tuple(seen["input_ids"]) == prompt + tuple(token for step in steps for token in step.token_ids)
