"""Exports in the hands of those they are for: TRL's PRM trainer, verl's data set, lm-eval's tables."""

import json

import pytest
from consumers import installed, run
from datasets import load_dataset
from grown import TASK, verified_trees
from transformers import Qwen2Config, Qwen2ForTokenClassification

from mcts.types import Step
from policy.tokenizer import build_tokenizer
from prm.formats.trl import Trl
from regrow.cli import DONE, main
from regrow.trace_store import write_trees

PRM_STEP = """
import json, sys
from datasets import load_dataset
from transformers import AutoModelForTokenClassification, PreTrainedTokenizerFast
import trl
from trl.experimental.prm import PRMConfig, PRMTrainer
data, model, out = sys.argv[1:]
tokenizer = PreTrainedTokenizerFast.from_pretrained(model)
trainer = PRMTrainer(
    model=AutoModelForTokenClassification.from_pretrained(model),
    args=PRMConfig(output_dir=out, max_steps=1, per_device_train_batch_size=4, report_to="none", use_cpu=True,
                   bf16=False, save_strategy="no", max_length=None),
    train_dataset=load_dataset(data, split="train"),
    processing_class=tokenizer,
)
seen = [dict(row) for row in trainer.train_dataset]
loss = trainer.train().training_loss
print(json.dumps({"version": trl.__version__, "loss": loss, "seen": seen}))
"""

VERL_ROWS = """
import json, sys, types
data, model, package = sys.argv[1:]
# verl's package imports ray and tensordict, which its data set does without.
verl = types.ModuleType("verl")
verl.__path__ = [package]
sys.modules["verl"] = verl
from omegaconf import OmegaConf
from transformers import PreTrainedTokenizerFast
from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn
config = OmegaConf.create({"max_prompt_length": 64, "filter_overlong_prompts_workers": None, "cache_dir": model})
rows = RLHFDataset([data], PreTrainedTokenizerFast.from_pretrained(model), config)
batch = collate_fn([rows[0], rows[1]])
told = [{key: rows[i][key] for key in ("raw_prompt", "reward_model", "data_source", "index")} for i in range(len(rows))]
print(json.dumps({"rows": told, "batch": sorted(batch)}))
"""

LM_EVAL_TABLE = """
import json, sys
from pathlib import Path
from lm_eval.utils import (
    get_file_datetime, get_file_task_name, get_latest_filename, get_results_filenames, get_sample_results_filenames,
    hash_string, make_table,
)
files = [str(path) for path in Path(sys.argv[1]).iterdir()]
results = get_latest_filename(get_results_filenames(files))
[samples] = get_sample_results_filenames(files)
name = Path(samples).name
told = {"table": make_table(json.loads(Path(results).read_text())), "task": get_file_task_name(name)}
told["same_time"] = get_file_datetime(name) == get_file_datetime(Path(results).name + "l")  # it strips .json only
rows = [json.loads(line) for line in Path(samples).open()]
told["hashes"] = all(
    row["target_hash"] == hash_string(row["target"])
    and row["prompt_hash"] == hash_string(row["arguments"]["gen_args_0"]["arg_0"])
    and row["doc_hash"] == hash_string(json.dumps(row["doc"], indent=2, ensure_ascii=False))
    for row in rows
)
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def traces(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traces")
    write_trees(folder, verified_trees(12))
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A tiny token classifier and its tokenizer."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = build_tokenizer(TASK.words())
    tokenizer.chat_template = "{% for turn in messages %}{{ turn['content'] }}\n{% endfor %}"
    tokenizer.save_pretrained(folder)
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    config = Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=1, num_labels=2, **size, **ids)
    Qwen2ForTokenClassification(config).save_pretrained(folder)
    return folder


def exported(traces, out, name):
    assert main(["export", f"traces={traces}", f"format={name}", f"out={out}"]) == DONE
    return out


def test_trls_prm_trainer_takes_a_step_on_what_our_reader_of_its_prms_will_read(traces, model, tmp_path):
    data = exported(traces, tmp_path / "out", "stepwise")
    told = run("trl", PRM_STEP, data, model, tmp_path / "trained", cwd=tmp_path)
    assert told["version"] == "1.12.0"
    assert told["loss"] > 0
    tokenizer = build_tokenizer(TASK.words())
    encoder = Trl().encoder(tokenizer, Qwen2Config())
    rows = load_dataset(str(data), split="train", cache_dir=str(tmp_path / "cache"))
    questions = {one.tree.problem.id: one.tree.problem.question for one in verified_trees(12)}
    for row, seen in zip(rows, told["seen"], strict=True):
        ours = encoder.encode(questions[row["problem_id"]], [Step(text) for text in row["completions"]])
        assert list(ours.token_ids) == seen["input_ids"]
        labelled = {place: label for place, label in enumerate(seen["labels"]) if label != -100}
        assert labelled == dict(zip(ours.positions[1:], map(int, row["labels"]), strict=True))


def test_verls_data_set_reads_prompts_and_gold_answers(traces, model, tmp_path):
    data = exported(traces, tmp_path / "out", "verl") / "train-00000.parquet"
    told = run("verl", VERL_ROWS, data, model, installed("verl") / "verl", cwd=tmp_path)
    trees = verified_trees(12)
    assert [row["reward_model"]["ground_truth"] for row in told["rows"]] == [tree.gold for tree in trees]
    assert [row["raw_prompt"] for row in told["rows"]] == [
        [{"role": "user", "content": tree.tree.problem.question}] for tree in trees
    ]
    assert [row["index"] for row in told["rows"]] == list(range(12))
    assert {"raw_prompt", "reward_model", "data_source", "extra_info"} <= set(told["batch"])


def test_lm_eval_finds_the_files_and_makes_its_table(traces, tmp_path):
    out = exported(traces, tmp_path / "out", "lm_eval")
    told = run("lm_eval", LM_EVAL_TABLE, out, cwd=tmp_path)
    results = json.loads(next(out.glob("results_*.json")).read_text())["results"]["countdown"]
    assert (told["task"], told["same_time"], told["hashes"]) == ("countdown", True, True)
    assert 0 < results["exact_match,none"] < 1
    cells = [cell.strip() for cell in told["table"].splitlines()[-1].split("|")]
    assert cells[1:6] == ["countdown", "1", "none", "0", "exact_match"]
    assert float(cells[7]) == pytest.approx(results["exact_match,none"], abs=1e-4)
    assert float(cells[9]) == pytest.approx(results["exact_match_stderr,none"], abs=1e-4)
