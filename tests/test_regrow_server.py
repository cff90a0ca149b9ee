"""`regrow search` and `regrow evaluate` with a policy that is served; `regrow train` says why not."""

import json

import pytest
from fake_server import FakeServer, status

from mcts.seeds import seed_of
from policy.base import PolicySize, create
from prm import model as prm_model
from regrow.cli import DONE, UNUSABLE, main
from regrow.tasks import make_task

pytest.importorskip("openai")
KEY = "sk-very-secret"
QUICK = ["policy.server.rest_s=0.02", "policy.server.rest_max_s=0.05", "policy.server.attempts=3"]
FEW = ["task.options.numbers=[2]", "evaluate.problems=8", "evaluate.drawn=6", "evaluate.samples=3"]


def solved(body):
    """A reply by one who knows how two numbers are put together, but not which way is wanted."""
    numbers, _, _ = body["prompt"].partition(" ->")
    low, high = sorted(map(int, numbers.split()))
    ways = [f"{high} + {low} = {high + low} : {high + low}", f"{high} - {low} = {high - low} : {high - low}"]
    texts = [ways[seed_of(body["prompt"], body["seed"], i) % 2] for i in range(body["n"])]
    choices = [
        {"index": i, "text": text, "finish_reason": "stop", "stop_reason": None, "logprobs": logprobs(text)}
        for i, text in enumerate(texts)
    ]
    return {"choices": choices}


def logprobs(text):
    return {"tokens": text.split(), "token_logprobs": [-0.1] * len(text.split())}


@pytest.fixture
def server():
    server = FakeServer()
    server.reply = solved
    yield server
    server.stop()


@pytest.fixture(scope="module")
def prm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prm")
    size = PolicySize(hidden=32, layers=1, heads=2, intermediate=32)
    create(make_task("countdown").words(), size, folder / "policy", seed=1)
    prm_model.create(folder / "policy", folder / "prm", activation="sigmoid")
    return f"prm.path={folder / 'prm'}"


def at(*servers):
    return ["policy=server", f"policy.server.urls=[{','.join(server.url for server in servers)}]", *QUICK]


def test_a_question_is_searched_without_any_policy_here(server, prm, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["search", "3 4 -> 7", *at(server), prm, "output=json"]) == DONE
    answer = json.loads(capsys.readouterr().out)
    assert answer["solution"] == ["4 + 3 = 7 : 7"]
    assert answer["accepted"]
    assert answer["spent"]["tokens_generated"] >= 7
    assert not list(tmp_path.iterdir())


def test_an_evaluation_that_failed_goes_on_at_another_port(server, prm, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    other = FakeServer()
    other.reply = lambda body: solved(body) if len(other.asked) <= 12 else {"error": KEY}
    whole, broken = ([*FEW, prm, f"run.dir={tmp_path / name}"] for name in ("whole", "broken"))
    assert main(["evaluate", *at(server), *whole]) == DONE
    needed = len(server.asked)
    assert main(["evaluate", *at(other), *broken]) == UNUSABLE
    other.stop()
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert complaint.startswith(f"regrow: policy=server: {other.url}: unreadable reply")
    assert "goes on where it stopped" in complaint
    server.asked.clear()
    assert main(["evaluate", *at(server), *broken, "policy.server.timeout_s=9"]) == DONE
    assert 0 < len(server.asked) < needed
    reports = [json.loads((tmp_path / name / "report.json").read_text()) for name in ("whole", "broken")]
    rows = [report["rounds"][0]["eval"] for report in reports]
    assert rows[0] == rows[1]
    assert rows[0]["search"]["accuracy"] > 0
    assert reports[0]["rounds"][0]["policy"] == "served: the only model"
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(KEY.encode() in content for content in kept)


def test_a_contest_accounts_for_every_token_that_was_served(server, prm, tmp_path):
    strategies = ["strategies=[best_of_n,rollout_branching]", "budgets=[20,60]"]
    assert main(["evaluate", *at(server), *FEW, prm, *strategies, f"run.dir={tmp_path / 'contest'}"]) == DONE
    accounts = json.loads((tmp_path / "contest/report.json").read_text())["accounts"]
    assert all(account["tokens_generated"] == account["counted_by_policy"] > 0 for account in accounts)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train"], "policy=server: has no weights here to retrain"),
        (["evaluate"], "expected prm.path=DIR"),
        (["search", "3 4 -> 7"], "expected prm.path=DIR"),
        (["search", "3 4 -> 7", "PRM", "policy.server.urls=[here]"], "config policy.server: urls: here, expected http"),
        (["search", "3 4 -> 7", "PRM", "search=rest_mcts_star_code", "search.asks_critic=true"], "is no critic"),
    ],
)
def test_what_a_server_cannot_do_is_told_in_one_line(server, prm, tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    words = [prm if word == "PRM" else word for word in arguments]
    assert main([words[0], *at(server), *words[1:]]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1


def test_a_refusal_in_the_middle_of_a_search_is_one_line(server, prm, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    server.faults = [status(401, "who are you")]
    assert main(["search", "3 4 -> 7", *at(server), prm]) == UNUSABLE
    assert "HTTP 401: who are you; expected a key that it takes in $OPENAI_API_KEY" in capsys.readouterr().err
