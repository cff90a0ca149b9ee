"""`regrow serve` as OpenAI's own Python client meets it: a tiny policy, a real server on loopback."""

import openai
import pytest
from fake_server import FakeServer
from serving import PROMPT, QUESTION, composed_service, served
from tiny_run import TINY

pytest.importorskip("fastapi")

ANSWERS = ["answers.are", "texts"]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    return composed_service(*TINY, f"cache={tmp_path_factory.mktemp('cache')}", "serve.model=tiny", "budget.tokens=60")
