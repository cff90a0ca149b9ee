"""What the server does when there is too much of something, too little time, or nobody left to answer."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

import pytest

pytest.importorskip("fastapi")

import httpx
from fakes import ScriptedPolicy, TableScorer, World
from serving import QUESTION, TASK, SlowPolicy, fake_service, until

from mcts.budget import Budget
from mcts.errors import InputError
from mcts.types import Message
from policy.base import PolicySize, create
from policy.prompts import PromptFormat
from prm import model as prm_model
from regrow.cli import UNUSABLE, main
from regrow.compose import composed
from regrow.serve.door import key_of, prompts_of, served
from regrow.serve.errors import ApiError
from regrow.serve.order import Prompts
from regrow.serve.protocol import ChatRequest
from regrow.serve.settings import ServeSettings
from regrow.serve.tolerant import tolerant_policy, tolerant_scorer
from regrow.tasks.word_problems import WordProblems

BODY = {"model": "fake", "prompt": QUESTION}
ENDLESS = Budget(tokens=10**9)
PAGE = "/v1/completions"


def under_way(service):
    return service.metrics.searches._value.get()


def test_who_has_no_key_is_told_nothing_but_that_the_server_lives():
    with served(fake_service(), key="sk-right") as url:
        for headers in ({}, {"Authorization": "Bearer sk-wrong"}, {"Authorization": "Bearer sk-right\u00e9".encode()}):
            refused = httpx.post(url + PAGE, json=BODY, headers=headers)
            assert refused.status_code == 401
            assert refused.json()["error"]["code"] == "invalid_api_key"
        assert httpx.get(f"{url}/metrics").status_code == 401
        assert httpx.get(f"{url}/health").json() == {"status": "ok"}
        assert httpx.post(url + PAGE, json=BODY, headers={"Authorization": "Bearer sk-right"}).status_code == 200


def test_a_body_that_is_too_large_is_refused_told_or_untold():
    with served(fake_service(max_body=2000)) as url:
        large = b'{"prompt": "' + b"x" * 3000 + b'"}'
        for content in (large, iter([large])):  # the second comes in chunks, without its length
            refused = httpx.post(url + PAGE, content=content, headers={"Content-Type": "application/json"})
            assert refused.status_code == 413
            assert refused.json()["error"]["message"].endswith("expected at most 2000 bytes")


def test_who_finds_the_queue_full_is_told_when_to_come_again():
    service = fake_service(SlowPolicy(0.05), budget=ENDLESS, concurrent=1, queue=1, deadline_s=4.0)
    with served(service) as url, httpx.Client(base_url=url) as client:
        with (
            client.stream("POST", PAGE, json=BODY | {"stream": True}) as first,
            client.stream("POST", PAGE, json=BODY | {"stream": True, "regrow": {"seconds": 0.3}}) as second,
        ):
            until(lambda: service.doorway.waiting == 1)
            refused = client.post(PAGE, json=BODY)
            assert refused.status_code == 429
            assert int(refused.headers["Retry-After"]) >= 1
            assert refused.json()["error"]["code"] == "rate_limit_exceeded"
            told = second.read().decode()
            assert ": waiting" in told
            assert "the deadline came before its turn" in told
            assert first.read().decode().endswith("data: [DONE]\n\n")
        until(lambda: (service.doorway.inside, service.doorway.waiting) == (0, 0))
        assert client.post(PAGE, json=BODY | {"regrow": {"seconds": 0.1}}).status_code == 200


def leaves_a_stream(url):
    with httpx.stream("POST", url, json=BODY | {"stream": True, "n": 2}) as reply:
        next(reply.iter_raw())


def leaves_without_a_word(url):
    with suppress(httpx.ReadTimeout):
        httpx.post(url, json=BODY, timeout=0.4)


@pytest.mark.parametrize("leaves", [leaves_a_stream, leaves_without_a_word])
def test_a_search_is_given_up_when_its_client_leaves(leaves):
    policy = SlowPolicy(0.02)
    service = fake_service(policy, budget=ENDLESS)
    with served(service) as url:
        leaves(url + PAGE)
        until(lambda: policy.asked and under_way(service) == service.doorway.inside == 0)
        time.sleep(0.1)
        asked = len(policy.asked)
        time.sleep(0.2)
        assert len(policy.asked) == asked
        assert "regrow_abandoned_total 1.0" in httpx.get(f"{url}/metrics").text


def test_a_deadline_brings_the_best_answer_so_far_though_the_engine_is_slow():
    service = fake_service(SlowPolicy(0.4), budget=ENDLESS)
    with served(service) as url:
        start = time.monotonic()
        reply = httpx.post(url + PAGE, json=BODY | {"regrow": {"seconds": 1.0}}).json()
        took = time.monotonic() - start
        assert 0.9 < took < 1.3
        assert reply["choices"][0]["finish_reason"] == "stop"
        assert reply["choices"][0]["text"]
        assert reply["usage"]["completion_tokens"] > 0
        early = httpx.post(url + PAGE, json=BODY | {"regrow": {"seconds": 0.1}}).json()
        assert (early["choices"][0]["finish_reason"], early["choices"][0]["text"]) == ("length", "")


def test_a_stream_says_while_it_waits_how_far_it_is_and_that_it_lives():
    with served(fake_service(SlowPolicy(0.05), budget=ENDLESS, heartbeat_s=0.1)) as url:
        told = httpx.post(url + PAGE, json=BODY | {"stream": True, "regrow": {"seconds": 0.5}}).text
    assert ": still there\n" in told
    counts = [int(line.split()[1]) for line in told.splitlines() if line.endswith(" solutions")]
    assert counts == sorted(counts)
    assert counts[-1] > 0


def test_usage_is_what_the_policy_generated():
    policy = ScriptedPolicy(World())
    with served(fake_service(policy)) as url:
        reply = httpx.post(url + PAGE, json=BODY | {"n": 3}).json()
    assert reply["usage"]["completion_tokens"] == policy.tokens_generated


def test_an_engine_that_fails_is_told_as_a_failure_and_by_health():
    class Broken(ScriptedPolicy):
        def poll(self, timeout_s):
            raise OSError("http://secret: no such device")

    with served(fake_service(Broken())) as url:
        for _ in range(2):
            failed = httpx.post(url + PAGE, json=BODY)
            assert failed.status_code == 503
            assert failed.json()["error"]["type"] == "server_error"
            assert "secret" not in failed.text
        assert httpx.get(f"{url}/health").status_code == 503


def test_a_request_that_an_engine_refuses_ends_no_other_search():
    class Choosy(ScriptedPolicy):
        def submit(self, ticket, request):
            if request.state.problem.question.startswith("2 3"):
                raise InputError("no words for it")
            super().submit(ticket, request)

    class Blind(TableScorer):
        def submit(self, ticket, request):
            if len(request.state.steps) > 1:
                raise InputError("too long")
            super().submit(ticket, request)

    with served(fake_service(tolerant_policy(Choosy(World())), scorer=tolerant_scorer(Blind()))) as url:
        reply = httpx.post(url + PAGE, json=BODY).json()
        assert (reply["choices"][0]["finish_reason"], reply["usage"]["completion_tokens"]) == ("length", 0)
        given_up = httpx.post(url + PAGE, json=BODY | {"prompt": "3 4 -> 7"})
        assert given_up.status_code == 400 or given_up.json()["choices"][0]["text"]
        assert httpx.get(f"{url}/health").status_code == 200


def test_a_conversation_reaches_a_policy_that_chats_and_no_other():
    talk = ChatRequest.model_validate(
        {
            "model": "fake",
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": "2 3 -> 5"},
                {"role": "assistant", "content": "2 + 3 = 5"},
                {"role": "user", "content": [{"type": "text", "text": QUESTION}]},
            ],
        }
    )
    service = fake_service()
    orders = service.orders
    service.searcher.close()
    assert orders.of_chat(talk).problem.before == ()
    prompts = Prompts(WordProblems("file"), PromptFormat(chat=True), None, 60)
    problem, tokens = prompts.problem(QUESTION, [Message("system", "Be brief.")])
    assert (problem.question, problem.before, tokens) == (QUESTION, (Message("system", "Be brief."),), 0)
    with pytest.raises(ApiError, match="61 bytes"):
        prompts.problem("x" * 52, [Message("system", "Be brief.")])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"[" * 100_000,
        rb'{"model": "\ud800", "prompt": "2 3 -> 5"}',
        rb'{"model": "fake", "prompt": "\ud800"}',
        rb'{"model": "fake", "prompt": "2 3 -> 5", "\ud800": 1}',
        rb'{"model": "fake", "prompt": "2 3 -> 5", "regrow": {"strategy": "\ud800"}}',
        b'{"model": "fake", "prompt": "2 3 -> 5", "temperature": NaN}',
        b'{"model": "fake", "prompt": "2 3 -> 5", "regrow": {"seconds": Infinity}}',
        b'{"model": "fake", "prompt": "2 3 -> 5", "seed": 1' + b"0" * 5000 + b"}",
    ],
)
def test_no_body_makes_the_server_fail(body):
    with served(fake_service()) as url:
        refused = httpx.post(url + PAGE, content=body, headers={"Content-Type": "application/json"})
        assert 400 <= refused.status_code < 500
        assert set(refused.json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"host": "0.0.0.0"}, "is open to others, expected serve.key_env"),
        ({"host": "example.org"}, "is open to others"),
        ({"key_env": "REGROW_KEY"}, "serve.key_env=REGROW_KEY: is not set"),
    ],
)
def test_a_server_that_others_reach_has_a_key(settings, told):
    with pytest.raises(InputError, match=told):
        key_of(ServeSettings(**settings), {})
    assert key_of(ServeSettings(**{"key_env": "K"} | settings), {settings.get("key_env", "K"): "sk"}) == "sk"
    assert key_of(ServeSettings(host="::1"), {}) is None


def test_a_policy_elsewhere_needs_a_limit_for_its_prompts():
    config = composed(["policy=server"])
    with pytest.raises(InputError, match="its window is not known"):
        prompts_of(config, TASK, None, ServeSettings())
    assert prompts_of(config, TASK, None, ServeSettings(max_prompt_tokens=9)).longest == 9


@pytest.mark.parametrize(
    "settings",
    [{"model": "a@b"}, {"port": 70000}, {"queue": -1}, {"concurrent": 0}, {"deadline_s": 0}, {"max_prompt_tokens": 0}],
)
def test_settings_that_cannot_be_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        ServeSettings(**settings)


def test_a_place_that_is_taken_is_told_in_one_line(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", f"port={port}"]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert complaint.startswith(f"regrow: serve.host=127.0.0.1 serve.port={port}: ")
    assert complaint.count("\n") == 1


def test_the_command_serves_until_it_is_told_to_end(tmp_path):
    create(TASK.words(), PolicySize(hidden=32, layers=1, heads=2, intermediate=32), tmp_path / "policy", seed=1)
    prm_model.create(tmp_path / "policy", tmp_path / "prm", activation="sigmoid")
    words = ["serve", "port=0", "key_env=KEY", f"policy.path={tmp_path / 'policy'}", f"prm.path={tmp_path / 'prm'}"]
    environment = os.environ | {"KEY": "sk-very-secret"}
    with subprocess.Popen(
        [sys.executable, "-m", "regrow.cli", *words], stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        line = server.stderr.readline()
        assert line.startswith("serving regrow-countdown at http://127.0.0.1:")
        url = line.split()[-1].removesuffix("/v1")
        body = {"model": "regrow-countdown", "prompt": QUESTION}
        reply = httpx.post(url + PAGE, json=body, headers={"Authorization": "Bearer sk-very-secret"}, timeout=60)
        assert reply.json()["usage"]["completion_tokens"] >= 500
        server.send_signal(signal.SIGTERM)
        said = server.stderr.read()
    assert (server.returncode, said) == (0, "")


def test_nobody_loads_a_web_server_who_does_not_serve():
    code = "import sys, regrow, regrow.config; sys.exit(bool({'fastapi', 'uvicorn', 'starlette'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
