import math
import random
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from prm_tiny import WORDS, state, tiny_tokenizer, write_policy

from mcts.types import Score, State, Ticket
from prm.encode import StepEncoder
from prm.fixed import ConstantScorer
from prm.model import create, load
from prm.scorer import MIN_ROWS, HfScorer, fingerprint


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scorer")
    write_policy(folder / "policy")
    create(folder / "policy", folder / "prm", activation="sigmoid", seed=1)
    return folder


@pytest.fixture(scope="module")
def scorer(folder):
    return HfScorer.load(folder / "prm")


@pytest.fixture(params=["hidden", "vocabulary"], scope="module")
def either_head(request, folder):
    """A wider model, of the size class that the embedded world uses."""
    base = write_policy(folder / f"wide-{request.param}", hidden=128, intermediate=384)
    create(base, folder / request.param, head=request.param, activation="sigmoid", seed=1)
    return folder / request.param


def score(scorer: HfScorer | ConstantScorer, states: list[State]) -> list[tuple[float, ...]]:
    for i, item in enumerate(states):
        scorer.submit(Ticket("t", i), Score(item))
    replies = dict(scorer.poll(1.0))
    assert scorer.poll(1.0) == []
    return [replies[Ticket("t", i)] for i in range(len(states))]


def on_a_new_thread(call):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result()


def random_state(rng: random.Random) -> State:
    def text(longest: int) -> str:
        return " ".join(rng.choices(WORDS, k=rng.randrange(longest)))

    steps = [text(6) for _ in range(rng.randrange(7))]
    return state(text(12), *steps, final=bool(steps) and rng.random() < 0.5, problem=str(rng.random()))


def test_values_are_those_of_a_hand_loop_over_prefixes(folder):
    model, encoder = load(folder / "prm"), StepEncoder(tiny_tokenizer())
    rng = random.Random(3)
    states = [random_state(rng) for _ in range(40)]
    for item, values in zip(states, score(HfScorer.load(folder / "prm"), states), strict=True):
        by_hand = []
        for k in range(len(item.steps) + 1):
            prefix = encoder.encode(item.problem.question, item.steps[:k]).token_ids
            by_hand.append(torch.sigmoid(model(torch.tensor([prefix])))[0, -1].item())
        assert values == pytest.approx(by_hand, abs=1e-5)
        assert all(0.0 <= value <= 1.0 for value in values)


def test_values_differ_between_prefixes_and_between_a_final_and_an_open_step(folder):
    opened, final = score(HfScorer.load(folder / "prm"), [state("a", "b", "c"), state("a", "b", "c", final=True)])
    assert len(set(opened)) == 3
    assert opened[:2] == final[:2]
    assert opened[2] != final[2]


@pytest.fixture
def threads():
    """Sets the number of torch's threads for one test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_a_value_is_bit_equal_alone_in_any_company_at_any_place_and_on_any_number_of_threads(either_head, threads):
    rng = random.Random(0)
    same_length = [state("a b c", *rng.choices(WORDS, k=3)) for _ in range(300)]
    states = [random_state(rng) for _ in range(100)] + same_length
    threads(1)
    together = dict(zip(states, score(HfScorer.load(either_head), states), strict=True))
    assert len(set(together.values())) > 200
    for count in (1, 2, 3, 16):
        threads(count)
        scorer = HfScorer.load(either_head)
        for size in (1, 5, 33, 257):
            company = rng.sample(states, size)
            assert score(scorer, company) == [together[item] for item in company]
        for size in (1, 3, 15, 16, 17, 19, 31, 65, 255):
            company = rng.sample(same_length, size)
            assert score(scorer, company) == [together[item] for item in company]
        assert on_a_new_thread(torch.get_num_threads) == count
    for rows in (MIN_ROWS, 100):
        scorer = HfScorer.load(either_head, batch_rows=rows)
        assert score(scorer, states) == [together[item] for item in states]


@pytest.mark.parametrize("steps", [4, 11, 18, 24])
def test_a_longer_solution_needs_less_company_to_be_exact(either_head, threads, steps):
    rng = random.Random(0)
    states = [state("a b c", *rng.choices(WORDS, k=steps)) for _ in range(80)]
    threads(1)
    scorer = HfScorer.load(either_head)
    together = dict(zip(states, score(scorer, states), strict=True))
    for size in range(1, 20):
        company = rng.sample(states, size)
        assert score(scorer, company) == [together[item] for item in company]


def test_inputs_of_a_single_token_are_exact_too(folder, threads):
    create(folder / "policy", folder / "short", activation="sigmoid", seed=1, template="{question}")
    threads(1)
    scorer = HfScorer.load(folder / "short")
    rng = random.Random(0)
    states = [state(rng.choice(WORDS)) for _ in range(200)]
    together = dict(zip(states, score(scorer, states), strict=True))
    for size in range(1, 66):
        company = rng.sample(states, size)
        assert score(scorer, company) == [together[item] for item in company]


def test_a_body_whose_widths_fit_no_vector_register_is_exact_too(folder, threads):
    base = write_policy(folder / "odd", hidden=36, intermediate=50)
    create(base, folder / "odd-prm", activation="sigmoid", seed=1)
    rng = random.Random(0)
    states = [state("a b c", *rng.choices(WORDS, k=3)) for _ in range(150)]
    threads(1)
    scorer = HfScorer.load(folder / "odd-prm")
    together = dict(zip(states, score(scorer, states), strict=True))
    for size in range(1, 66):
        company = rng.sample(states, size)
        assert score(scorer, company) == [together[item] for item in company]


@settings(deadline=None, max_examples=15)
@given(st.randoms(use_true_random=False), st.integers(1, 40))
def test_the_order_of_requests_changes_no_value(scorer, rng, count):
    states = [random_state(rng) for _ in range(count)]
    shuffled = rng.sample(states, len(states))
    assert dict(zip(states, score(scorer, states), strict=True)) == dict(
        zip(shuffled, score(scorer, shuffled), strict=True)
    )


def test_tokens_are_counted_without_ghost_rows(folder):
    scorer = HfScorer.load(folder / "prm")
    assert scorer.tokens_scored == 0
    score(scorer, [state("a b", "c")])
    assert scorer.tokens_scored == len(["a", "b", "\n", "c", "\n"])
    score(scorer, [state("a", final=False)] * 20)
    assert scorer.tokens_scored == 5 + 20 * 2


def test_the_fingerprint_is_of_weights_configuration_and_tokenizer(folder, tmp_path):
    names = {}
    for name, options in (
        ("one", {"seed": 1}),
        ("same", {"seed": 1}),
        ("weights", {"seed": 2}),
        ("activation", {"seed": 1, "activation": "sigmoid"}),
        ("template", {"seed": 1, "template": "a {question}\n"}),
    ):
        create(folder / "policy", tmp_path / name, **options)
        names[name] = HfScorer.load(tmp_path / name).fingerprint
    assert names.pop("same") == names["one"]
    (tmp_path / "same" / "stage.json").write_text("{}")
    assert fingerprint(tmp_path / "same") == names["one"]
    tokenizer = tmp_path / "same" / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + "\n")
    names["tokenizer"] = fingerprint(tmp_path / "same")
    assert len(set(names.values())) == len(names)


def test_a_value_that_is_not_a_number_is_handed_on_for_the_search_to_refuse(folder):
    model = load(folder / "prm")
    model.network.score.bias.data.fill_(math.nan)
    scorer = HfScorer(model, StepEncoder(tiny_tokenizer()), "broken")
    assert all(map(math.isnan, score(scorer, [state("a")])[0]))


def test_a_state_that_cannot_be_encoded_is_refused_when_submitted(folder):
    scorer = HfScorer.load(folder / "prm")
    with pytest.raises(ValueError, match="unknown word 'zebra'"):
        scorer.submit(Ticket("t", 0), Score(state("zebra")))
    with pytest.raises(ValueError, match="expected at most 64"):
        scorer.submit(Ticket("t", 0), Score(state("a", *["b"] * 40)))
    assert scorer.poll(1.0) == []


def test_a_batch_too_small_to_be_exact_is_refused(folder):
    with pytest.raises(ValueError, match=f"batch_rows=8: expected at least {MIN_ROWS}"):
        HfScorer.load(folder / "prm", batch_rows=8)


def test_the_constant_scorer_values_every_prefix_alike():
    scorer = ConstantScorer(0.25)
    assert score(scorer, [state("a"), state("a", "b", "c")]) == [(0.25,), (0.25, 0.25, 0.25)]
    assert scorer.fingerprint != ConstantScorer(0.5).fingerprint
    assert scorer.tokens_scored == 0
    with pytest.raises(ValueError, match="expected a value in"):
        ConstantScorer(1.5)
