"""What models think of solutions: read from real tiny models."""

from pathlib import Path

import pytest
import torch
from fakes import TableScorer
from grown import TASK

from mcts.aggregate import Aggregate
from mcts.errors import InputError
from mcts.types import Problem, State
from policy.base import PolicySize, create
from policy.checkpoint import load_model, load_tokenizer
from policy.examples import from_steps
from policy.likelihood import log_likelihoods
from policy.prompts import PromptFormat
from regrow.objectives.judge import QUESTION
from regrow.readings import ModelReadings

PROMPT = PromptFormat()
WORDS = [*TASK.words(), *QUESTION.split(), "yes", "no"]


@pytest.fixture(scope="module")
def policies(tmp_path_factory):
    folder = tmp_path_factory.mktemp("policies")
    for seed in (0, 1):
        create(WORDS, PolicySize(hidden=16, layers=1, heads=2, intermediate=16), folder / str(seed), seed=seed)
    return folder / "0", folder / "1"


def readings(policies, prm=None, prm_before=None, scorers=None):
    return ModelReadings(
        prompt=PROMPT,
        scorer_of=lambda path: scorers[path.name],
        aggregate=Aggregate.MIN,
        policy=policies[0],
        before=policies[1],
        prm=prm,
        prm_before=prm_before,
    )


def states(policies):
    tokenizer = load_tokenizer(policies[0])
    solutions = (["3 + 2 = 5 : 4 5", "5 * 4 = 20 : 20"], ["4 * 3 = 12 : 2 12", "12 + 2 = 14 : 14"])
    problem = Problem("p", "2 3 4 -> 20")
    return [State(problem, PROMPT.encode_steps(tokenizer, steps, is_complete=True)) for steps in solutions]


def test_the_gain_is_what_the_policy_finds_likelier_than_the_one_before(policies):
    tokenizer, asked = load_tokenizer(policies[0]), states(policies)
    examples = [from_steps(tokenizer, PROMPT, state.problem.question, state.steps) for state in asked]
    now, before = (log_likelihoods(path, examples) for path in policies)
    assert readings(policies).has_past
    assert readings(policies).gain(asked) == pytest.approx([a - b for a, b in zip(now, before, strict=True)])


def test_the_policy_is_asked_behind_the_solution_before_its_end_of_sequence(policies):
    tokenizer, asked = load_tokenizer(policies[0]), states(policies)
    text = f"2 3 4 -> 20\n3 + 2 = 5 : 4 5\n5 * 4 = 20 : 20 {QUESTION}"
    with torch.inference_mode():
        logits = load_model(policies[0], "eager")(torch.tensor([tokenizer(text)["input_ids"]])).logits[0, -1]
    yes, no = (logits[tokenizer.convert_tokens_to_ids(word)] for word in ("yes", "no"))
    expected = float(torch.sigmoid(yes - no))
    assert readings(policies).asked(QUESTION, asked)[0] == pytest.approx(expected, abs=1e-6)


def test_values_are_those_of_the_prm_now_and_before_as_the_search_reads_them(policies):
    now = TableScorer(lambda question, *texts: {0: 1.0, 1: 0.2, 2: 0.9}[len(texts)])
    before = TableScorer(lambda question, *texts: {0: 1.0, 1: 0.7, 2: 0.6}[len(texts)])
    both = readings(policies, Path("now"), Path("before"), {"now": now, "before": before})
    assert both.value(states(policies)) == [0.2, 0.2]  # the least along the steps
    assert both.value_before(states(policies)) == [0.6, 0.6]


def test_a_line_of_models_without_a_prm_says_so(policies):
    with pytest.raises(InputError, match="there is no PRM"):
        readings(policies).value(states(policies))
