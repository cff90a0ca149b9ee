"""Servers on loopback: a real uvicorn in a thread, in front of fakes or tiny models."""

import time

from fakes import ScriptedPolicy, TableScorer, World

from mcts.budget import Budget
from mcts.search import BestOfN, MctsStar
from policy.prompts import PromptFormat
from policy.tokenizer import build_tokenizer
from regrow.build import fields_of
from regrow.compose import NO_OUTPUT, run_composed
from regrow.config import SchedulerConfig, settings_of
from regrow.searcher import Searcher
from regrow.serve.catalogue import Catalogue
from regrow.serve.door import service_of
from regrow.serve.order import Orders, Prompts
from regrow.serve.service import Service
from regrow.serve.settings import ServeSettings
from regrow.strategy import Strategy
from regrow.tasks.countdown import Countdown

TASK = Countdown()
QUESTION = "2 3 5 8 -> 21"


class SlowPolicy(ScriptedPolicy):
    """Takes `delay_s` for what waits, however much."""

    def __init__(self, delay_s, propose=None):
        super().__init__(propose)
        self.delay_s = delay_s

    def poll(self, timeout_s):
        if timeout_s > 0:
            time.sleep(self.delay_s)
        return super().poll(timeout_s)


def fake_service(policy=None, *, scorer=None, presets=None, budget=Budget(tokens=60), **settings):  # noqa: B008
    """A service whose solutions are made of hashes."""
    own = Strategy(BestOfN())
    presets = {"mcts_star": Strategy(MctsStar())} if presets is None else presets
    told = ServeSettings(**{"heartbeat_s": 0.2, "progress_s": 0.05, **settings})
    prompts = Prompts(TASK, PromptFormat(), build_tokenizer(TASK.words()), told.max_prompt_tokens or 64)
    orders = Orders(Catalogue("fake", own, presets), prompts, told, budget, seed=0)
    searcher = Searcher(policy or ScriptedPolicy(World()), scorer or TableScorer(), limits=SchedulerConfig())
    return Service(orders, searcher, told)


def composed_service(*overrides):
    """The service of a configuration."""
    made = []

    def make(config):
        made.append(service_of(config, settings_of(ServeSettings, fields_of(config.serve), "serve")))

    run_composed("serve", [*NO_OUTPUT, "serve.progress_s=0.05", *overrides], make)
    return made[0]


def until(condition, timeout_s=10.0):
    """Wait for what comes to be true."""
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "it did not come to be true"
        time.sleep(0.01)
