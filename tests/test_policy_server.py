"""`policy=server` against a loopback server that misbehaves: the run goes on, or stops with one line."""

import dataclasses
import json
import socket
import threading
import time
from io import BytesIO

import asking
import pytest
from fake_server import FakeServer, breaks_off, completed, cuts_a_chunk, hangs_up, says, stalls, status
from fakes import TableScorer, assert_same_tree

from mcts.budget import Budget
from mcts.errors import InputError
from mcts.journal import Journal
from mcts.scheduler import Scheduler
from mcts.search import BestOfN, RolloutBranching
from mcts.types import Problem, Propose, State, Step, StepEnd, Ticket, Until
from mcts.walk import Query
from policy.prompts import PromptFormat
from policy.server_policy import ServerPolicy
from policy.server_settings import ServerSettings

pytest.importorskip("openai")
QUICK = ServerSettings(timeout_s=10.0, attempts=4, rest_s=0.05, rest_max_s=0.2)
KEY = "sk-very-secret"
PLAIN = PromptFormat()


@pytest.fixture
def server():
    server = FakeServer()
    yield server
    server.stop()


@pytest.fixture
def other():
    server = FakeServer()
    yield server
    server.stop()


def policy_at(*urls, prompt=PLAIN, **settings):
    return ServerPolicy(None, dataclasses.replace(QUICK, urls=urls, **settings), prompt)


def ask(width=1, until=Until.STEP, *, question="q", steps=(), temperature=1.0, max_tokens=16, seed=7 << 40):
    return Propose(State(Problem("p", question), tuple(steps)), width, until, temperature, max_tokens, seed)


def replies(policy, *requests, patience_s=20.0):
    return asking.replies(policy, requests, patience_s)


def refused_url():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


# --- faults that pass -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(status(500), id="500"),
        pytest.param(status(503), id="503"),
        pytest.param(status(429), id="429"),
        pytest.param(says(b'{"choices": [{"te'), id="garbage"),
        pytest.param(says(b"<html>busy</html>", Content_Type="text/html"), id="a page"),
        pytest.param(says([1, 2]), id="no object"),
        pytest.param(says({}), id="no fields"),
        pytest.param(says({"choices": []}), id="no choices"),
        pytest.param(says({"choices": [{"index": 0, "finish_reason": "stop"}]}), id="no text"),
        pytest.param(says({"choices": [{"text": "w", "finish_reason": None, "token_ids": [1]}]}), id="no reason"),
        pytest.param(says({"choices": [{"text": "w", "finish_reason": "stop"}]}), id="no tokens"),
        pytest.param(breaks_off, id="truncated body"),
        pytest.param(cuts_a_chunk, id="cut chunk"),
        pytest.param(hangs_up, id="hung up"),
    ],
)
def test_what_passes_is_asked_again_and_answered_as_if_nothing_had_been(server, fault):
    policy = policy_at(server.url)
    (expected,) = replies(policy, ask(3))
    server.faults = [fault, fault]
    (reply,) = replies(policy, ask(3))
    assert reply == expected
    assert server.bodies == [server.bodies[0]] * 4


def test_a_stall_is_given_up_and_asked_again(server):
    policy = policy_at(server.url, timeout_s=1.0)
    server.faults = [stalls(5.0)]
    began = time.monotonic()
    assert len(replies(policy, ask(3))[0]) == 3
    assert 1.0 <= time.monotonic() - began < 4.0
    assert len(server.asked) == 2


def test_the_rest_that_a_server_asks_for_is_kept(server):
    policy = policy_at(server.url)
    server.faults = [status(429, Retry_After="1")]
    replies(policy, ask())
    (_, _, first), (_, _, second) = server.asked
    assert 1.0 <= second - first < 2.0


def test_after_a_failure_one_request_tries_whether_the_server_is_back_then_all_do(server):
    policy = policy_at(server.url, concurrency=4)
    server.faults = [status(500)]
    replies(policy, ask())
    server.delay_s = 0.1
    replies(policy, *[ask(seed=i << 40) for i in range(8)])
    assert server.most_open == 4


def test_what_failed_is_asked_again_before_what_has_waited_less(server):
    policy = policy_at(server.url, concurrency=1)
    server.faults = [status(500), status(500)]
    replies(policy, *[ask(seed=i << 40) for i in range(3)])
    first, second, third = dict.fromkeys(body["seed"] for body in server.bodies)
    assert [body["seed"] for body in server.bodies] == [first, first, first, second, third]


def test_a_stall_holds_up_nobody_else(server):
    policy = policy_at(server.url)
    server.faults = [stalls(3.0)]
    policy.submit(Ticket("slow", 0), ask())
    while not server.asked:
        time.sleep(0.01)
    began = time.monotonic()
    assert len(replies(policy, *[ask(seed=i << 40) for i in range(20)])) == 20
    assert time.monotonic() - began < 2.5


def test_a_server_that_dies_and_comes_back_is_waited_for(server):
    policy = policy_at(server.url, attempts=8)
    port = server.server_address[1]
    server.stop()
    revived = []
    threading.Timer(0.5, lambda: revived.append(FakeServer(port))).start()
    assert len(replies(policy, *[ask(seed=i << 40) for i in range(30)])) == 30
    assert len(revived[0].asked) == 30
    revived[0].stop()


# --- faults that do not -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "said"), [(401, "$REGROW_TEST_KEY"), (404, "policy.server.model"), (400, "HTTP 400")])
def test_a_refusal_ends_the_run_at_once_in_one_line_without_the_key(server, monkeypatch, code, said):
    monkeypatch.setenv("REGROW_TEST_KEY", KEY)
    policy = policy_at(server.url, key_env="REGROW_TEST_KEY")
    server.faults = [status(code, f"what is\n{KEY}")]
    with pytest.raises(InputError) as raised:
        replies(policy, ask())
    complaint = str(raised.value)
    assert complaint.startswith(f"policy=server: {server.url}: HTTP {code}: what is ***; expected ")
    assert said in complaint
    assert complaint.endswith("run the same command again, it goes on where it stopped")
    assert KEY not in complaint
    assert "\n" not in complaint
    assert len(server.asked) == 1
    assert server.asked[0][1]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("fault", "said"), [(status(500, "on fire"), "HTTP 500: on fire"), (stalls(1.0), "no reply within 0.5 s")]
)
def test_what_never_passes_ends_the_run_after_the_last_attempt(server, fault, said):
    policy = policy_at(server.url, timeout_s=0.5)
    server.faults = [fault] * 100
    with pytest.raises(InputError, match=r"4 failures in a row.*run the same command again") as raised:
        replies(policy, *[ask(seed=i << 40) for i in range(8)])
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_server_that_is_not_there_is_named():
    url = refused_url()
    with pytest.raises(InputError, match=f"policy=server: {url}: Connection error.*4 failures in a row"):
        policy_at(url)


@pytest.mark.parametrize(("served", "said"), [(["a", "b"], "expected one of a, b"), ([], "expected one of none")])
def test_a_model_must_be_named_where_there_is_not_just_one(server, served, said):
    server.models = served
    with pytest.raises(InputError, match=said):
        policy_at(server.url)
    assert policy_at(server.url, model="a")._model == "a"


def test_a_server_without_a_list_serves_the_model_that_is_named(server):
    server.models = None
    replies(policy_at(server.url, model="a"), ask())
    assert server.bodies[0]["model"] == "a"
    with pytest.raises(InputError, match="HTTP 404: no such page"):
        policy_at(server.url)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"urls": ()}, "expected at least one"),
        ({"urls": ("ftp://x/v1",)}, "expected http"),
        ({"urls": (f"http://me:{KEY}@x/v1",)}, "OPENAI_API_KEY"),
        ({"api": "words"}, "expected completions or chat"),
        ({"attempts": 0}, "expected positive"),
    ],
)
def test_settings_that_cannot_be_are_told(wrong, said):
    with pytest.raises(ValueError, match=said) as raised:
        ServerSettings(**wrong)
    assert KEY not in str(raised.value)


# --- several URLs -----------------------------------------------------------------------------------------------------


def test_one_of_two_servers_may_be_dead(server):
    policy = policy_at(refused_url(), server.url)
    assert len(replies(policy, *[ask(2, seed=i << 40) for i in range(20)])) == 20
    assert len(server.asked) == 20


def test_a_server_that_failed_is_tried_again(server, other):
    server.faults = [status(500)] * 2
    policy = policy_at(server.url, other.url)
    for i in range(40):
        replies(policy, ask(seed=i << 40))
        time.sleep(0.01)
    assert len(server.asked) > 10
    assert len(other.asked) > 2


def test_the_one_with_fewer_requests_open_is_asked(server, other):
    server.delay_s, other.delay_s = 0.2, 0.02
    policy = policy_at(server.url, other.url, concurrency=4)
    replies(policy, *[ask(seed=i << 40) for i in range(60)])
    assert server.most_open == other.most_open == 4
    assert len(other.asked) > 2 * len(server.asked)


# --- what is asked ----------------------------------------------------------------------------------------------------


def test_one_request_asks_for_all_continuations_with_a_seed_of_31_bits(server):
    policy = policy_at(server.url)
    (lines,) = replies(policy, ask(5, seed=2**64 - 1, max_tokens=9, steps=[Step("one"), Step("two")]))
    (body,) = server.bodies
    assert body == {
        "model": "tiny",
        "prompt": "q\none\ntwo\n",
        "n": 5,
        "temperature": 1.0,
        "seed": 2**31 - 1,
        "max_tokens": 9,
        "stop": ["\n"],
        "logprobs": 1,
    }
    assert len(lines) == 5
    assert policy.tokens_generated == 10


def test_greedy_continuations_are_drawn_once(server):
    (lines,) = replies(policy_at(server.url), ask(3, temperature=0.0))
    assert server.bodies[0]["n"] == 1
    assert lines == (lines[0],) * 3


def test_what_a_server_gives_too_few_of_is_asked_for_with_other_seeds(server):
    server.reply = lambda body: completed(body | {"n": 1})
    (lines,) = replies(policy_at(server.url), ask(5))
    assert len(lines) == 5
    assert [body["n"] for body in server.bodies] == [5, 1, 1, 1, 1]
    assert len({body["seed"] for body in server.bodies}) == 5


def test_without_log_probabilities_each_continuation_is_asked_for_and_counted(server):
    def reply(body):
        choices = [choice | {"logprobs": None} for choice in completed(body)["choices"]]
        return {"choices": choices, "usage": {"completion_tokens": 3}}

    server.reply = reply
    policy = policy_at(server.url, logprobs=False)
    (lines,) = replies(policy, ask(4))
    assert [(len(line[0].token_ids), line[0].logprobs) for line in lines] == [(3, ())] * 4
    assert [body["n"] for body in server.bodies] == [1] * 4
    assert len({body["seed"] for body in server.bodies}) == 4
    assert policy.tokens_generated == 12


def test_what_a_server_gives_too_many_of_is_left(server):
    server.reply = lambda body: completed(body | {"n": 9})
    assert len(replies(policy_at(server.url), ask(2))[0]) == 2


def test_chat_continues_what_the_assistant_said(server):
    def reply(body):
        choice = completed(body)["choices"][0]
        tokens = choice["logprobs"]["tokens"]
        told = {"content": [{"token": token, "logprob": -1.0} for token in tokens]}
        return {"choices": [choice | {"message": {"content": choice.pop("text")}, "logprobs": told}]}

    server.reply = reply
    policy = policy_at(server.url, api="chat", prompt=PromptFormat("Solve {question}\n", chat=True, system="Be brief."))
    first, second = (replies(policy, ask(steps=steps)) for steps in ((), [Step("one"), Step("two")]))
    assert first[0][0][0].logprobs == (-1.0, -1.0)
    assert len(second[0][0][0].token_ids) == 2
    bare, begun = server.bodies
    asked = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Solve q"}]
    assert bare["messages"] == asked
    assert "continue_final_message" not in bare
    assert begun["messages"] == [*asked, {"role": "assistant", "content": "one\ntwo\n"}]
    assert (begun["continue_final_message"], begun["add_generation_prompt"]) == (True, False)


def test_near_the_end_of_the_window_less_is_asked_for_and_in_a_full_one_nothing(server):
    policy = policy_at(server.url)
    full = status(400, "This model's maximum context length is 64 tokens")
    server.faults = [full, full]
    (lines,) = replies(policy, ask(2, max_tokens=16))
    assert [body["max_tokens"] for body in server.bodies] == [16, 8, 4]
    assert all(line[0].text for line in lines)
    server.faults = [full] * 5
    assert replies(policy, ask(2, max_tokens=16)) == [((Step("", end=StepEnd.TRUNCATED),),) * 2]


def test_the_fingerprint_is_of_what_decides_a_reply(server, other):
    def fingerprint(url=server.url, **settings):
        return policy_at(url, **settings).fingerprint

    assert fingerprint() == fingerprint(other.url) == fingerprint(timeout_s=9.0, concurrency=3, attempts=2)
    changes = (
        {"prompt": PromptFormat(final="x")},
        {"prompt": PromptFormat(delimiter=";")},
        {"api": "chat"},
        {"model": "m"},
    )
    assert len({fingerprint(), *(fingerprint(**change) for change in changes)}) == 5
    other.root = "/elsewhere"
    assert fingerprint(other.url) != fingerprint()
    server.models, other.root = ["big"], server.root
    assert fingerprint(other.url) != fingerprint()


# --- the journal ------------------------------------------------------------------------------------------------------

QUERIES = [
    Query(Problem(f"p{i}", f"question {i}"), (BestOfN(2), RolloutBranching())[i % 2], Budget(tokens=60), seed=i)
    for i in range(8)
]


def search(policy, stream, arrived):
    scheduler = Scheduler(policy, TableScorer(), max_depth=4, trees_at_once=4, journal=Journal(stream))
    for tree in scheduler.run(QUERIES):
        arrived[tree.problem.id] = tree
    return arrived


def test_a_run_that_failed_goes_on_and_asks_for_nothing_that_was_answered(server, other):
    undisturbed = search(policy_at(server.url), BytesIO(), {})
    needed = len(server.asked)
    stream = BytesIO()
    other.reply = lambda body: completed(body) if len(other.asked) <= needed // 2 else {}
    with pytest.raises(InputError, match="run the same command again"):
        search(policy_at(other.url), stream, {})
    other.stop()
    records = [json.loads(line.partition(b" ")[2]) for line in stream.getvalue().splitlines()]
    answered = sum(isinstance(reply[0], list) for *_, reply in records)
    before = [str(body) for body in server.bodies]
    server.asked.clear()
    resumed = search(policy_at(server.url), stream, {})
    assert answered > 5
    assert len(server.asked) == needed - answered
    assert {str(body) for body in server.bodies} <= set(before)
    assert resumed.keys() == undisturbed.keys()
    for name, tree in resumed.items():
        assert_same_tree(tree, undisturbed[name])
