"""`regrow serve` as OpenAI's own clients meet it: a tiny policy, a real server on loopback."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

import httpx
import openai
from serving import composed_service
from tiny_run import TINY

from regrow.serve.door import served
from regrow.serve.protocol import CompletionRequest

CLIENT_JS = Path(__file__).with_name("openai_client.mjs")
QUESTION = "2 3 -> 5"
ASKED = {"model": "tiny", "messages": [{"role": "user", "content": QUESTION}]}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache")
    return composed_service(
        *TINY, f"cache={cache}", "serve.model=tiny", "serve.max_prompt_tokens=6", "budget.tokens=60"
    )


@pytest.fixture(scope="module")
def url(service):
    with served(service) as url:
        yield f"{url}/v1"


@pytest.fixture(scope="module")
def client(url):
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0, _strict_response_validation=True) as client:
        yield client


def ask(client, **changes):
    return client.chat.completions.create(**ASKED | changes)


def said(reply):
    return [choice.message.content for choice in reply.choices]


def test_a_question_gets_the_answer_of_the_search_and_its_whole_bill(client):
    reply = ask(client)
    assert reply.object == "chat.completion"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.choices[0].message.content
    assert reply.usage.prompt_tokens == 5
    assert reply.usage.completion_tokens == reply.choices[0].regrow["tokens"] > 0
    assert reply.usage.total_tokens == 5 + reply.usage.completion_tokens


def test_a_completion_is_the_answer_to_its_prompt(client):
    reply = client.completions.create(model="tiny", prompt=QUESTION, seed=3)
    assert reply.object == "text_completion"
    assert [choice.text for choice in reply.choices] == said(ask(client, seed=3))


def test_a_stream_tells_how_far_it_is_and_then_the_same_answer(client, url):
    chunks = list(ask(client, n=2, stream=True, stream_options={"include_usage": True}))
    whole = ask(client, n=2)
    texts = ["", ""]
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert texts == said(whole)
    assert chunks[-1].usage == whole.usage
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == [
        choice.finish_reason for choice in whole.choices
    ]
    plain = httpx.post(f"{url}/completions", json={"model": "tiny", "prompt": QUESTION, "stream": True}).text
    assert plain.endswith("data: [DONE]\n\n")


def test_three_answers_are_three_searches_of_seeds_that_follow_from_one(client):
    three = ask(client, n=3, seed=5, extra_body={"regrow": {"trace": True}})
    assert [choice.index for choice in three.choices] == [0, 1, 2]
    assert said(three)[0] == said(ask(client, seed=5))[0]
    assert said(three) == said(ask(client, n=3, seed=5))
    assert len({json.dumps(choice.regrow["tree"]) for choice in three.choices}) == 3
    assert three.usage.completion_tokens == sum(choice.regrow["tokens"] for choice in three.choices)


def test_the_same_seed_gives_the_same_tree_and_another_one_another(client):
    traces = [
        ask(client, seed=seed, extra_body={"regrow": {"trace": True}}).choices[0].regrow["tree"] for seed in (1, 1, 2)
    ]
    assert traces[0] == traces[1] != traces[2]
    assert len(traces[0]) > 1


def test_an_answer_ends_before_what_stops_it_and_at_its_longest(client):
    (whole,) = said(ask(client))
    stopped = ask(client, stop=["=", "nothing"]).choices[0]
    assert stopped.message.content == whole.partition("=")[0]
    assert stopped.finish_reason == "stop"
    cut = ask(client, max_tokens=1).choices[0]
    assert (cut.message.content, cut.finish_reason) == ("", "length")


def test_no_temperature_means_the_likeliest_answer_whatever_the_seed(client):
    body = {"regrow": {"strategy": "best_of_n"}}
    assert said(ask(client, n=3, temperature=0, extra_body=body)) == 3 * said(
        ask(client, extra_body={"regrow": {"strategy": "greedy"}})
    )


def test_every_strategy_takes_a_temperature(service, url):
    for model in service.orders.catalogue.models():
        order = service.orders.of_completion(CompletionRequest(model=model, prompt=QUESTION, temperature=0.25))
        assert order.strategy.search.temperature == 0.25


def test_the_strategy_stands_behind_the_models_name_or_in_the_body(client):
    behind, beside = ask(client, model="tiny@mcts_star"), ask(client, extra_body={"regrow": {"strategy": "mcts_star"}})
    assert behind.choices[0].regrow["strategy"] == beside.choices[0].regrow["strategy"] == "mcts_star"
    assert said(behind) == said(beside)
    assert behind.model == "tiny@mcts_star"
    few = ask(client, extra_body={"regrow": {"strategy": "self_consistency", "tokens": 1}})
    assert few.usage.completion_tokens < behind.usage.completion_tokens
    listed = [model.id for model in client.models.list()]
    assert {"tiny", "tiny@mcts_star", "tiny@greedy"} <= set(listed)
    assert client.models.retrieve("tiny@greedy").id == "tiny@greedy"


@pytest.mark.parametrize(
    ("changes", "error", "told"),
    [
        ({"model": "gpt-5"}, openai.NotFoundError, "'gpt-5' does not exist, expected tiny or tiny@STRATEGY"),
        ({"model": "tiny@alphazero"}, openai.NotFoundError, "does not exist"),
        ({"messages": [{"role": "user", "content": "two and two"}]}, openai.BadRequestError, "expected 2 to 6 numbers"),
        ({"messages": [{"role": "assistant", "content": "2"}]}, openai.BadRequestError, "expected the user's"),
        ({"messages": []}, openai.BadRequestError, "messages"),
        ({"messages": [{"role": "user", "content": "2 3 4 5 -> 24"}]}, openai.BadRequestError, "of 7 tokens, expected"),
        ({"top_p": 0.5}, openai.BadRequestError, "top_p"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, openai.BadRequestError, "tools"),
        ({"temperature": 3}, openai.BadRequestError, "temperature"),
        ({"n": 1000}, openai.BadRequestError, "n: "),
        ({"max_tokens": 10**9}, openai.BadRequestError, "max_tokens=1000000000, expected at most"),
        ({"extra_body": {"regrow": {"strategy": "luck"}}}, openai.BadRequestError, "'luck', expected one of"),
        ({"extra_body": {"regrow": {"patience": 1}}}, openai.BadRequestError, "regrow.patience"),
        ({"extra_body": {"no_such": 1}}, openai.BadRequestError, "no_such"),
        ({"stream_options": {"include_usage": True}}, openai.BadRequestError, "expected stream=true"),
    ],
)
def test_what_cannot_be_honoured_is_refused_in_openais_shape(client, changes, error, told):
    with pytest.raises(error) as caught:
        ask(client, **changes)
    assert told in caught.value.body["message"]
    assert set(caught.value.body) == {"message", "type", "param", "code"}


@pytest.mark.skipif(not (shutil.which("node") and shutil.which("npm")), reason="needs node and npm")
def test_openais_client_for_javascript_understands_the_server(url, tmp_path):
    shutil.copy(CLIENT_JS, tmp_path)
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "openai@7"]
    installed = subprocess.run(install, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    if installed.returncode:
        pytest.skip(f"npm cannot install: {installed.stderr[-200:]}")
    done = subprocess.run(
        ["node", CLIENT_JS.name, url, QUESTION], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["streamed"] == told["plain"][0]
    assert len(told["plain"]) == 3
    assert told["usage"]["completion_tokens"] > 0
    assert told["refused"] == {"status": 404, "code": "model_not_found"}
