"""The scorer in vLLM: what it asks and remembers, its engine beside the policy's, and its errors."""

import asyncio
from types import SimpleNamespace

import prm_published
import pytest
from prm_tiny import state

from mcts.errors import InputError
from mcts.types import Problem, Propose, Score, State, Ticket, Until
from prm import vllm_readings
from prm.encode import UNREAD, Encoded
from prm.formats.format import Verdict
from prm.scorer import HfScorer
from prm.vllm_readings import NextWord
from prm.vllm_scorer import VllmScorer

pytest.importorskip("vllm")
from policy import vllm_engine
from policy.vllm_settings import VllmSettings

SETTINGS = VllmSettings(max_num_seqs=16, enforce_eager=True)


class CountingEngine:
    """Says log-probabilities of tokens 1 and 2 that depend on the prompt; fails where told to."""

    def __init__(self):
        self.asked = []
        self.broken = False

    async def generate(self, prompt, sampling, request_id):
        self.asked.append(tuple(prompt))
        await asyncio.sleep(0)
        if self.broken:
            raise RuntimeError("engine is gone")
        told = {1: SimpleNamespace(logprob=-1.0), 2: SimpleNamespace(logprob=-1.0 - sum(prompt))}
        assert (sampling.logprob_token_ids, sampling.max_tokens) == ([1, 2], 1)
        return SimpleNamespace(outputs=[SimpleNamespace(logprobs=[told])])


def solution(*tokens, bare=True):
    """A step a token, after a question of one."""
    return Encoded((7, *tokens), (UNREAD if bare else 0, *range(1, len(tokens) + 1)))


def read(reading, *solutions):
    async def both():
        return await asyncio.gather(*(reading.logits(item) for item in solutions))

    return asyncio.run(both())


def test_each_prefix_is_asked_for_once_even_by_siblings_at_the_same_time():
    engine = CountingEngine()
    reading = NextWord(engine, Verdict(1, 2))
    assert read(reading, solution(3, 4), solution(3, 5)) == [[10.0, 14.0], [10.0, 15.0]]
    assert sorted(engine.asked) == [(7, 3), (7, 3, 4), (7, 3, 5)]


def test_what_failed_is_asked_for_again():
    engine = CountingEngine()
    reading = NextWord(engine, Verdict(1, 2))
    engine.broken = True
    with pytest.raises(RuntimeError, match="engine is gone"):
        read(reading, solution(3))
    engine.broken = False
    assert read(reading, solution(3)) == [[10.0]]


def test_what_is_remembered_is_bounded_and_the_oldest_goes_first(monkeypatch):
    monkeypatch.setattr(vllm_readings, "_REMEMBERED", 2)
    engine = CountingEngine()
    reading = NextWord(engine, Verdict(1, 2))

    async def one_after_another():
        for tokens in ((3,), (4,), (3,), (5,), (3,), (4,)):
            await reading.logits(solution(*tokens))

    asyncio.run(one_after_another())
    assert engine.asked == [(7, 3), (7, 4), (7, 5), (7, 4)]


# --- the real engine ------------------------------------------------------------------------------------------------


def started(path, *, settings=SETTINGS, format=None):
    def start(served, digest, dtype, runner):
        return vllm_engine.engine_of(served, digest, settings, dtype, role=vllm_engine.PRM, runner=runner)

    return VllmScorer(path, start, settings=repr(settings), format=format)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    yield prm_published.regrow(tmp_path_factory.mktemp("ours"))
    vllm_engine.end()


def values_of(scorer, item):
    scorer.submit(Ticket("t", 0), Score(item))
    replies = scorer.poll(30.0)
    return replies[0][1]


def test_the_engines_of_policy_and_prm_run_side_by_side(tiny):
    from policy.prompts import PromptFormat
    from policy.vllm_policy import VllmPolicy

    policy = VllmPolicy(tiny.path.parent / "policy", prompt=PromptFormat(), settings=SETTINGS)
    scorer = started(tiny.path)
    assert started(tiny.path)._engine is scorer._engine
    policy.submit(Ticket("t", 0), Propose(State(Problem("p", "a b")), 2, Until.STEP, 1.0, 4, 5))
    assert values_of(scorer, state("a", "b")) == pytest.approx(tiny.by_hand("a", ["b"]), abs=1e-4)
    assert len(policy.poll(30.0)) == 1
    assert {key[0] for key in vllm_engine._running} == {vllm_engine.POLICY, vllm_engine.PRM}


def test_the_fingerprint_is_of_weights_format_and_engine_settings(tiny, tmp_path):
    def fingerprint(path, settings=SETTINGS, format=None):
        return VllmScorer(path, lambda *_: CountingEngine(), settings=repr(settings), format=format).fingerprint

    other = prm_published.regrow(tmp_path, head="vocabulary")
    prints = [fingerprint(tiny.path), fingerprint(other.path), fingerprint(tiny.path, VllmSettings())]
    prints += [fingerprint(tiny.path, format="regrow"), HfScorer.load(tiny.path).fingerprint]
    assert len(set(prints)) == len(prints)
    assert fingerprint(tiny.path) == prints[0]


def test_a_state_that_cannot_be_encoded_is_refused_when_submitted(tiny):
    scorer = VllmScorer(tiny.path, lambda *_: CountingEngine(), settings="")
    with pytest.raises(InputError, match="unknown word 'zebra'"):
        scorer.submit(Ticket("t", 0), Score(state("zebra")))


def test_the_word_that_comes_next_needs_a_place_in_the_window(tmp_path):
    tiny = prm_published.math_shepherd(tmp_path)
    limit = prm_published.SIZE["max_position_embeddings"]
    scorer = VllmScorer(tiny.path, lambda *_: CountingEngine(), settings="", format="math_shepherd")
    longest = "a " * (limit - 3)
    with pytest.raises(InputError, match=f"{limit} tokens .* expected at most {limit - 1}"):
        scorer.submit(Ticket("t", 0), Score(state(longest, "b")))


def test_an_engine_that_died_is_one_line_that_says_what_to_do(tiny):
    scorer = started(tiny.path)
    scorer._engine._engine.shutdown()
    with pytest.raises(InputError, match=r"prm=vllm: .*; run the same command again") as raised:
        values_of(scorer, state("a", "b"))
    assert "\n" not in str(raised.value)
    vllm_engine.end()


def test_a_checkpoint_that_vllm_cannot_serve_is_one_line(tiny):
    def start(served, digest, dtype, runner):
        return vllm_engine.engine_of(served, digest, SETTINGS, "float8", role=vllm_engine.PRM, runner=runner)

    with pytest.raises(InputError, match=r"prm .*: vLLM does not start") as raised:
        VllmScorer(tiny.path, start, settings="")
    assert "\n" not in str(raised.value)
