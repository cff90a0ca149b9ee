"""The real vLLM engine beside the `transformers` back-end, with a tiny model; left out where vLLM is not installed."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
import torch
from asking import TINY, WORDS, ask, assert_alike_but_for_near_ties, replies, tokens_of
from scipy.stats import chi2_contingency

from mcts.errors import InputError
from mcts.seeds import seed_of
from mcts.types import StepEnd, Until
from policy import vllm_engine
from policy.base import create
from policy.checkpoint import load_model
from policy.prompts import PromptFormat
from policy.transformers_policy import TransformersPolicy
from policy.vllm_settings import VllmSettings

pytest.importorskip("vllm")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("vllm") / "policy"
    create(WORDS, TINY, where, seed=3)
    return where


@pytest.fixture(scope="module")
def policy(folder):
    yield load(folder)
    vllm_engine.end()


def load(path: Path):
    from policy.vllm_policy import VllmPolicy

    return VllmPolicy(path, prompt=PromptFormat(), settings=VllmSettings(max_num_seqs=64, enforce_eager=True))


def test_greedy_chains_are_those_of_transformers_but_for_near_ties(policy, folder):
    requests = [ask(f"{a} {b}", temperature=0.0, max_tokens=20) for a in WORDS for b in "abc"]
    twin = TransformersPolicy.load(folder)
    pairs = zip(replies(policy, requests), replies(twin, requests), strict=True)
    ties = sum(assert_alike_but_for_near_ties(ours[0], theirs[0]) for ours, theirs in pairs)
    assert ties <= len(requests) // 10


def test_a_step_ends_at_its_delimiter_and_a_solution_is_cut_at_each(policy):
    (steps,), (solutions,) = (replies(policy, [ask(until=until, width=40, max_tokens=20)]) for until in Until)
    assert all(len(line) == 1 for line in steps)
    assert {line[0].end for line in steps} <= set(StepEnd)
    for line in solutions:
        assert all(step.end is StepEnd.DELIMITER for step in line[:-1])
        assert line[-1].end in (StepEnd.FINAL, StepEnd.TRUNCATED)
    assert any(len(line) > 1 for line in solutions)


def test_siblings_differ_and_tokens_are_counted(policy):
    before = policy.tokens_generated
    (drawn,) = replies(policy, [ask(width=30)])
    assert len(Counter(line[0].token_ids for line in drawn)) > 5
    assert policy.tokens_generated - before == sum(len(step.token_ids) for line in drawn for step in line)


def test_at_temperature_1_both_engines_draw_from_the_same_distribution(policy, folder):
    requests = [ask(f"{a} b", width=150, max_tokens=2, seed=seed_of("draw", i)) for i, a in enumerate(WORDS)]
    drawn = []
    for engine in (policy, TransformersPolicy.load(folder)):
        lines = [line for reply in replies(engine, requests) for line in reply]
        drawn.append(Counter(tuple(token for token, _ in tokens_of(line)) for line in lines))
    often = [pair for pair, count in (drawn[0] + drawn[1]).items() if count >= 20]
    table = [[*(counts[pair] for pair in often), counts.total() - sum(counts[p] for p in often)] for counts in drawn]
    assert len(often) > 20
    assert chi2_contingency(table).pvalue > 1e-3


def test_what_says_nothing_is_never_sampled_and_a_full_window_is_told(policy):
    lines = [line for reply in replies(policy, [ask(width=60, temperature=2.0)]) for line in reply]
    forbidden = policy._states.words.forbidden
    assert forbidden
    assert not forbidden & {token for line in lines for step in line for token in step.token_ids}
    long = PromptFormat().encode_steps(policy._states._tokenizer, ["a " * 40, "b " * 40], is_complete=False)
    assert replies(policy, [ask(steps=long, width=2)]) == [((long[0].__class__("", end=StepEnd.TRUNCATED),),) * 2]


def test_the_same_weights_share_an_engine_and_others_end_it(policy, folder, tmp_path):
    engine = policy.engine
    assert load(folder).engine is engine
    create(WORDS, TINY, tmp_path / "other", seed=4)
    other = load(tmp_path / "other")
    assert other.engine is not engine
    (reply,) = replies(other, [ask(temperature=0.0)])
    (expected,) = replies(TransformersPolicy.load(tmp_path / "other"), [ask(temperature=0.0)])
    assert reply[0][0].token_ids == expected[0][0].token_ids
    assert list(vllm_engine._running.values()) == [other.engine]


def test_adapters_of_a_base_share_an_engine_and_answer_as_their_merged_weights(folder, tmp_path):
    first, second = (adapter(folder, tmp_path / f"adapter-{seed}", seed) for seed in (1, 2))
    requests = [ask(f"{a} {b} c d e f g h a b c d e f g h", temperature=0.0, max_tokens=6) for a in "abc" for b in "de"]
    policies = [load(path) for path in (first, second, first)]
    assert len({id(policy.engine) for policy in policies}) == 1
    told = [[tokens_of(line) for (line,) in replies(policy, requests)] for policy in policies]
    for path, ours in zip((first, second), told, strict=False):
        theirs = [tokens_of(line) for (line,) in replies(TransformersPolicy.load(path), requests)]
        for mine, expected in zip(ours, theirs, strict=True):
            assert mine[0][1] == pytest.approx(expected[0][1], abs=1e-3)
        assert sum([t for t, _ in a] == [t for t, _ in b] for a, b in zip(ours, theirs, strict=True)) >= 5
    assert told[0] != told[1]
    assert [t for line in told[2] for t, _ in line] == [t for line in told[0] for t, _ in line]


def adapter(base: Path, out: Path, seed: int) -> Path:
    """An adapter that changes what the base says."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    lora = LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "v_proj", "o_proj"], init_lora_weights=False)
    get_peft_model(load_model(base, "eager"), lora).save_pretrained(out)
    return out


def test_an_engine_that_died_is_one_line_that_says_what_to_do(folder):
    policy = load(folder)
    policy.engine._engine.shutdown()
    with pytest.raises(InputError, match="run the same command again") as raised:
        replies(policy, [ask()], patience_s=30.0)
    assert "\n" not in str(raised.value)
    vllm_engine.end()


DOOMED = """
import sys
import mcts.kernels
from pathlib import Path
from policy.vllm_engine import VllmEngine
from policy.vllm_settings import VllmSettings
VllmEngine(Path(sys.argv[1]), VllmSettings(max_num_seqs=8, enforce_eager=True), "float32")
print("started", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("moment", ["while it starts", "when it runs"])
def test_a_script_without_a_guard_starts_an_engine_and_no_process_is_left_when_it_is_killed(folder, tmp_path, moment):
    script = tmp_path / "doomed.py"
    script.write_text(DOOMED)
    root = Path(__file__).parents[1]
    with subprocess.Popen(
        [sys.executable, script, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(root)},
    ) as doomed:
        ours = psutil.Process(doomed.pid)
        while not engines(ours):
            time.sleep(0.05)
        told = moment == "while it starts" or any("started" in line for line in iter(doomed.stdout.readline, ""))
        started = engines(ours)
        doomed.kill()
    assert told
    assert len(started) >= (2 if moment == "when it runs" else 1)
    _, alive = psutil.wait_procs(started, timeout=20)
    assert not alive


def engines(process):
    """The processes beneath one that run vLLM, from their first moment on."""
    commands = {child: " ".join(child.cmdline()) for child in process.children(recursive=True)}
    return [child for child, command in commands.items() if "spawn_main" in command or "VLLM" in command]
