"""`policy=server` against a real `vllm serve` on loopback, with a tiny model; left out where vLLM is not installed."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter

import pytest
from asking import TINY, WORDS, ask, assert_alike_but_for_near_ties, replies

from mcts.types import Step, StepEnd, Until
from policy.base import create
from policy.prompts import PromptFormat
from policy.server_policy import ServerPolicy
from policy.server_settings import ServerSettings
from policy.transformers_policy import TransformersPolicy

pytest.importorskip("vllm")
pytest.importorskip("openai")
START_S = 240.0
TEMPLATE = (
    "{% for message in messages %}{{ message.content }}{% if message.role == 'user' %}{{ '\n' }}{% endif %}{% endfor %}"
)
OPTIONS = (
    *("--host", "127.0.0.1", "--served-model-name", "tiny", "--chat-template", TEMPLATE, "--dtype", "float32"),
    *("--max-num-seqs", "64", "--logprobs-mode", "raw_logprobs", "--no-enable-chunked-prefill"),
)
ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "ERROR"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    where = tmp_path_factory.mktemp("server") / "policy"
    create(WORDS, TINY, where, seed=3)
    return where


@pytest.fixture(scope="module")
def url(folder):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", folder, "--port", str(port)]
    with (folder.parent / "log").open("wb") as log:
        server = subprocess.Popen(
            [*map(str, command), *OPTIONS],
            env=os.environ | ENVIRONMENT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/v1/models", server, folder.parent / "log")
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def wait_for(address, server, log):
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(address, timeout=5.0):
                return
        except OSError:
            assert server.poll() is None, log.read_text()[-2000:]
            time.sleep(0.5)
    pytest.fail(f"vLLM did not start: {log.read_text()[-2000:]}")


@pytest.fixture(scope="module", params=["token ids", "text", "chat"])
def policy(request, url, folder):
    api = "chat" if request.param == "chat" else "completions"
    return ServerPolicy(
        folder if request.param == "token ids" else None, ServerSettings((url,), api=api), PromptFormat()
    )


@pytest.fixture(scope="module")
def twin(folder):
    return TransformersPolicy.load(folder)


@pytest.mark.parametrize("until", Until)
def test_greedy_chains_are_those_of_transformers_but_for_near_ties(policy, twin, until):
    requests = [ask(f"{a} {b}", temperature=0.0, max_tokens=20, until=until) for a in WORDS for b in "abc"]
    pairs = zip(replies(policy, requests), replies(twin, requests), strict=True)
    ties = sum(assert_alike_but_for_near_ties(ours[0], theirs[0]) for ours, theirs in pairs)
    assert ties <= len(requests) // 10


def test_a_step_that_was_drawn_is_gone_on_from_as_transformers_does(policy, twin):
    (drawn,) = replies(policy, [ask(width=60, until=Until.STEP)])
    steps = {line[0] for line in drawn if line[0].end is StepEnd.DELIMITER and line[0].text}
    begun = [step for step in steps if not {0, 2} & set(step.token_ids)]  # what cannot be read is not in the text
    requests = [ask(steps=[step], temperature=0.0) for step in begun]
    assert requests
    pairs = zip(replies(policy, requests), replies(twin, requests), strict=True)
    assert sum(assert_alike_but_for_near_ties(ours[0], theirs[0]) for ours, theirs in pairs) <= 1


def test_siblings_differ_and_the_same_seed_draws_the_same(policy):
    first, again, otherwise = replies(policy, [ask(width=30), ask(width=30), ask(width=30, seed=6 << 40)])
    assert len(Counter(line[0].token_ids for line in first)) > 5
    assert [[step.token_ids for step in line] for line in first] == [
        [step.token_ids for step in line] for line in again
    ]
    assert first != otherwise


def test_a_window_is_filled_and_a_full_one_is_told(policy):
    long, over = replies(policy, [ask("a " * 50, max_tokens=300, temperature=0.0), ask("a " * 80, width=2)])
    assert long[0][-1].end in (StepEnd.TRUNCATED, StepEnd.FINAL)
    assert sum(len(step.token_ids) for step in long[0]) > 2
    assert over == ((Step("", end=StepEnd.TRUNCATED),),) * 2


def test_what_says_nothing_is_never_sampled_in_token_ids(url, folder):
    policy = ServerPolicy(folder, ServerSettings((url,)), PromptFormat())
    (lines,) = replies(policy, [ask(width=60, temperature=2.0)])
    assert not {0, 2} & {token for line in lines for step in line for token in step.token_ids}
