"""Requests made up from the server's own description: whatever comes, the server does not fail."""

import pytest

pytest.importorskip("schemathesis")

import schemathesis
from fakes import ScriptedPolicy, World
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from serving import QUESTION, fake_service

from mcts.budget import Budget
from regrow.serve.app import create_app

SERVICE = fake_service(ScriptedPolicy(World()), budget=Budget(tokens=20), deadline_s=2.0, max_tokens=200)
APP = create_app(SERVICE)
DESCRIBED = schemathesis.openapi.from_asgi("/openapi.json", APP)
QUICKLY = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module", autouse=True)
def closed():
    yield
    SERVICE.searcher.close()


@DESCRIBED.parametrize()
@QUICKLY
def test_no_request_makes_the_server_fail(case):
    case.call_and_validate(checks=[not_a_server_error])


@DESCRIBED.include(path_regex="completions").parametrize()
@QUICKLY
def test_no_request_with_a_question_makes_the_server_fail(case):
    if isinstance(case.body, dict):
        known = {"model": "fake", "prompt": QUESTION, "messages": [{"role": "user", "content": QUESTION}]}
        case.body |= {name: known[name] for name in known if name in case.body}
    case.call_and_validate(checks=[not_a_server_error])
