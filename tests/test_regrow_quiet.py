"""No library phones home: what a command and what runs beneath it try to reach is recorded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from grown import TASK, verified_trees
from transformers import Qwen2Config, Qwen2ForCausalLM

from policy.tokenizer import build_tokenizer
from regrow.trace_store import write_trees

RECORDER = """
import os, socket
def _note(address):
    with open(os.environ["TRIED"], "a") as stream:
        stream.write(repr(address) + "\\n")
_connect, _connect_ex, _getaddrinfo = socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo
def connect(self, address):
    _note(address)
    return _connect(self, address)
def connect_ex(self, address):
    _note(address)
    return _connect_ex(self, address)
def getaddrinfo(host, *more, **named):
    _note(host)
    raise socket.gaierror("nobody is reached from here")
socket.socket.connect, socket.socket.connect_ex, socket.getaddrinfo = connect, connect_ex, getaddrinfo
"""

EXPORT_AND_TRAIN = """
import sys, time
from regrow.cli import main
traces, out, model = sys.argv[1:]
assert main(["export", f"traces={traces}", "format=sft", f"out={out}"]) == 0
from datasets import load_dataset
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
import trl
trainer = trl.SFTTrainer(
    model=AutoModelForCausalLM.from_pretrained(model),
    args=trl.SFTConfig(output_dir=out + "-model", max_steps=1, report_to="none", use_cpu=True, bf16=False),
    train_dataset=load_dataset(out, split="train"),
    processing_class=PreTrainedTokenizerFast.from_pretrained(model),
)
trainer.train()
time.sleep(1)  # reports leave from a thread
"""

LOUD = """
from huggingface_hub.utils import send_telemetry
import time
send_telemetry("regrow/test")
time.sleep(1)
"""


@pytest.fixture
def tried(tmp_path):
    """Runs code in a process of its own. Returns the addresses it tried, but for its own machine."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(RECORDER)

    def tried(code: str, *arguments: object) -> list[str]:
        quiet = ("HF_HUB", "DO_NOT_TRACK", "CI", "DISABLE_TELEMETRY", "VLLM", "HF_UPDATE", "TRANSFORMERS")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(quiet)}
        environment |= {
            "PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{Path(__file__).parents[1]}",
            "TRIED": str(tmp_path / "tried"),
            "HF_HOME": str(tmp_path / "home"),
            "OMP_NUM_THREADS": "1",
        }
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        assert done.returncode == 0, done.stderr
        lines = (tmp_path / "tried").read_text().splitlines() if (tmp_path / "tried").exists() else []
        return [line for line in lines if not line.startswith(("'/", "b'", "('127.", "('::1'", "'localhost'"))]

    return tried


def test_the_recorder_sees_what_is_told_when_nobody_forbids_it(tried):
    assert any("huggingface.co" in address for address in tried(LOUD))


def test_exporting_loading_and_training_with_trl_reach_for_nobody(tried, tmp_path):
    write_trees(tmp_path / "traces", verified_trees(4))
    tokenizer = build_tokenizer(TASK.words())
    tokenizer.save_pretrained(tmp_path / "model")
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {"pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None}
    config = Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=1, **size, **ids)
    Qwen2ForCausalLM(config).save_pretrained(tmp_path / "model")
    assert tried(EXPORT_AND_TRAIN, tmp_path / "traces", tmp_path / "out", tmp_path / "model") == []


def test_every_library_here_takes_the_word(tried):
    code = """
from regrow.cli import _quiet_libraries
_quiet_libraries()
from huggingface_hub import constants
from datasets import config
told = [constants.HF_HUB_DISABLE_TELEMETRY, not config.HF_UPDATE_DOWNLOAD_COUNTS]
try:
    from vllm import envs
    told += [envs.VLLM_NO_USAGE_STATS, envs.VLLM_DO_NOT_TRACK]
except ImportError:
    pass
assert all(told), told
"""
    assert tried(code) == []
