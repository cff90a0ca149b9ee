"""The policy as its own critic, on a small random model."""

import math

import pytest
import torch
from transformers import LlamaForCausalLM

from mcts.errors import InputError
from mcts.types import Problem, Score, State, Ticket
from policy.base import PolicySize, create
from policy.checkpoint import load_model, load_tokenizer
from policy.critic import CriticFormat, JudgeFormat, SelfCritic
from policy.prompts import PromptFormat

ASKED = CriticFormat("done ?", "yes", "no")
SIZE = PolicySize(hidden=32, layers=2, heads=2, intermediate=64, max_positions=64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("critic") / "policy"
    create(("a", "b", "c", "done", "?", "yes", "no"), SIZE, path, seed=1)
    return path


def state(folder, question: str, *steps: str) -> State:
    tokenizer = load_tokenizer(folder)
    return State(Problem(question, question), PromptFormat().encode_steps(tokenizer, steps, is_complete=False))


def test_the_value_is_the_probability_of_yes_against_no_behind_the_question(folder):
    critic = SelfCritic.load(folder, ASKED, PromptFormat())
    states = [state(folder, "a b"), state(folder, "a b", "c a", "b"), state(folder, "b b", "a", "c c b")]
    for i, one in enumerate(states):
        critic.submit(Ticket("t", i), Score(one))
    replies = {ticket.number: values for ticket, values in critic.poll(1.0)}
    tokenizer, model = load_tokenizer(folder), load_model(folder, attention="eager")
    for i, one in enumerate(states):
        text = "".join(line + "\n" for line in (one.problem.question, *(step.text for step in one.steps)))
        ids = tokenizer(text + "done ?")["input_ids"]
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, -1]
        yes, no = (float(logits[tokenizer.convert_tokens_to_ids(word)]) for word in ("yes", "no"))
        assert replies[i][:-1] == (0.0,) * len(one.steps)
        assert replies[i][-1] == pytest.approx(1 / (1 + math.exp(no - yes)), abs=1e-6)
    assert isinstance(model, LlamaForCausalLM)
    assert critic.poll(1.0) == []


def test_a_step_that_ended_a_solution_is_shown_to_a_judge_as_one_that_goes_on(folder):
    judge = SelfCritic.load(folder, JudgeFormat("done ?"), PromptFormat())
    tokenizer = load_tokenizer(folder)
    (ended,) = PromptFormat().encode_steps(tokenizer, ["a b"], is_complete=True)
    (other,) = PromptFormat().encode_steps(tokenizer, ["a b"], is_complete=False)
    assert ended.token_ids != other.token_ids
    for i, sibling in enumerate((ended, other)):
        judge.submit(Ticket("t", i), Score(State(Problem("p", "a"), (sibling, other))))
    (_, one), (_, same) = judge.poll(1.0)
    assert one == same


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (CriticFormat(), "has no words for 'Is the solution complete"),
        (CriticFormat("done ?", "yes", "yes"), "begin with the same token"),
        (CriticFormat("done ?", "", "no"), "has no words for ''"),
    ],
)
def test_a_policy_that_cannot_be_asked_says_so(folder, asked, said):
    with pytest.raises(InputError, match=said):
        SelfCritic.load(folder, asked, PromptFormat())


def test_the_question_is_part_of_the_fingerprint(folder):
    one, other = (
        SelfCritic.load(folder, ASKED, PromptFormat()),
        SelfCritic.load(folder, CriticFormat("done", "yes", "no"), PromptFormat()),
    )
    assert one.fingerprint != other.fingerprint
