"""How likely a policy finds a solution: the same as it said when it drew it."""

import pytest
from grown import TASK

from mcts.types import Problem, Propose, State, Ticket, Until
from policy.base import PolicySize, create
from policy.checkpoint import load_tokenizer
from policy.examples import from_steps
from policy.likelihood import log_likelihoods
from policy.prompts import PromptFormat
from policy.transformers_policy import TransformersPolicy


def test_a_solution_is_as_likely_as_it_was_when_it_was_drawn(tmp_path):
    create(TASK.words(), PolicySize(hidden=32, layers=1, heads=2, intermediate=32), tmp_path / "policy", seed=0)
    policy, problem = TransformersPolicy.load(tmp_path / "policy"), Problem("p", "2 3 4 -> 20")
    request = Propose(State(problem), width=5, until=Until.END, temperature=1.0, max_tokens=20, seed=3)
    policy.submit(Ticket("t", 0), request)
    [(_, drawn)] = policy.poll(1.0)
    tokenizer = load_tokenizer(tmp_path / "policy")
    drawn = [steps for steps in drawn if all(step.token_ids for step in steps)]
    examples = [from_steps(tokenizer, PromptFormat(), problem.question, steps) for steps in drawn]
    assert len({len(example.token_ids) for example in examples}) > 1
    told = [sum(logprob for step in steps for logprob in step.logprobs) for steps in drawn]
    assert log_likelihoods(tmp_path / "policy", examples) == pytest.approx(told, abs=1e-3)
    assert log_likelihoods(tmp_path / "policy", []) == []
