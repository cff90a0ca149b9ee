"""A policy as its own scorer."""

import random

import pytest
import torch

from mcts.errors import InputError
from mcts.types import Problem, Score, State, Ticket
from policy.base import PolicySize, create
from policy.checkpoint import load_model, load_tokenizer
from policy.examples import from_demonstration
from policy.laser_scorer import LaserScorer, level
from policy.lessons import Judged
from policy.losses import Laser, reserved
from policy.prompts import PromptFormat
from policy.train import TrainPolicy, train

SIZE = PolicySize(hidden=32, layers=2, heads=2, intermediate=64, max_positions=64)
LOSS = Laser(token=0, beta=0.1, reference=-6.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("laser") / "policy"
    create(tuple("abcdef"), SIZE, path, seed=1)
    return path


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def state(folder, question, *steps, final=False):
    tokenizer = load_tokenizer(folder)
    return State(Problem(question, question), PromptFormat().encode_steps(tokenizer, steps, is_complete=final))


def score(scorer, states):
    for i, one in enumerate(states):
        scorer.submit(Ticket("t", i), Score(one))
    replies = {ticket.number: values for ticket, values in scorer.poll(1.0)}
    assert scorer.poll(1.0) == []
    return [replies[i] for i in range(len(states))]


def some_states(folder, count):
    rng = random.Random(0)

    def text(longest):
        return " ".join(rng.choices("abcdef", k=rng.randint(1, longest)))

    return [state(folder, text(3), *(text(2) for _ in range(rng.randrange(4))), final=i % 2) for i in range(count)]


def test_the_values_are_those_of_a_plain_pass_over_each_prefix(folder):
    states = [state(folder, "a b"), state(folder, "a b", "c a", "b"), state(folder, "b b", "a", "c c b", final=True)]
    model, tokenizer = load_model(folder, attention="eager"), load_tokenizer(folder)
    for one, values in zip(states, score(LaserScorer.load(folder, LOSS, PromptFormat()), states), strict=True):
        assert len(values) == len(one.steps) + 1
        ids = list(tokenizer(one.problem.question + "\n")["input_ids"])
        for step, value in zip((None, *one.steps), values, strict=True):
            ids += step.token_ids if step else ()
            with torch.inference_mode():
                told = float(model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)[0])
            assert value == pytest.approx(min(max(0.1 * (told + 6.0), 0.0), 1.0), abs=1e-6)
            assert 0.0 < value < 1.0, "nothing is clipped here"


def test_values_are_clipped_to_probabilities(folder):
    one = state(folder, "a b", "c")
    assert score(LaserScorer.load(folder, Laser(0, reference=9.0), PromptFormat()), [one]) == [(0.0, 0.0)]
    assert score(LaserScorer.load(folder, Laser(0, reference=-99.0), PromptFormat()), [one]) == [(1.0, 1.0)]


def test_a_value_is_the_same_in_any_company(folder):
    scorer = LaserScorer.load(folder, LOSS, PromptFormat())
    states = some_states(folder, 90)
    together = score(scorer, states)
    torch.set_num_threads(2)
    assert [score(scorer, [one])[0] for one in states] == together
    assert score(LaserScorer.load(folder, LOSS, PromptFormat(), batch_rows=7), states[::-1])[::-1] == together


def test_the_constants_are_part_of_the_fingerprint_and_the_token_must_exist(folder):
    loaded = {
        LaserScorer.load(folder, loss, PromptFormat()).fingerprint
        for loss in (LOSS, Laser(1, 0.1, reference=-6.0), Laser(0, 0.2, reference=-6.0), Laser(0, 0.1, reference=-7.0))
    }
    assert len(loaded) == 4
    assert LaserScorer.load(folder, Laser(0, 0.1, 0.5, -6.0), PromptFormat()).fingerprint in loaded
    with pytest.raises(InputError, match="laser token 99"):
        LaserScorer.load(folder, Laser(99), PromptFormat())


def test_training_makes_the_scorer_tell_good_solutions_from_bad_ones(folder, tmp_path):
    """Solutions that end in a are good."""
    tokenizer, prompt = load_tokenizer(folder), PromptFormat()
    token = reserved(tokenizer)
    rng = random.Random(1)
    ways = [(rng.choice("abc"), [rng.choice("def"), rng.choice("abc")]) for _ in range(200)]
    solutions = [from_demonstration(tokenizer, prompt, question, steps) for question, steps in ways]
    lessons = [Judged(one, steps[-1] == "a") for one, (_, steps) in zip(solutions, ways, strict=True)]
    reference = level(folder, solutions, token)
    model = load_model(folder, attention="eager")
    with torch.inference_mode():
        by_hand = [
            float(model(torch.tensor([one.token_ids])).logits[0, -1].log_softmax(-1)[token]) for one in solutions
        ]
    assert reference == pytest.approx(sum(by_hand) / len(by_hand), abs=1e-5)

    loss = Laser(token, beta=0.2, weight=1.0, reference=reference - 3)
    config = TrainPolicy(learning_rate=5e-3, batch_size=32, max_steps=60)
    train(folder, lessons, tmp_path / "out", config, loss=loss, seed=0)
    scorer = LaserScorer.load(tmp_path / "out", loss, prompt)
    values = score(scorer, [state(folder, "b", "e", last, final=True) for last in "abc"])
    assert values[0][-1] > 0.8
    assert max(values[1][-1], values[2][-1]) < 0.2
