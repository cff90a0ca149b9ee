"""What labels and comparisons cost: by hand, and where the gradient goes."""

import math

import prm_published
import pytest
import torch
from prm_tiny import state, tiny_tokenizer, write_policy
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from mcts.types import Score, Ticket
from prm.checkpoint import read_config, read_tokenizer
from prm.encode import StepEncoder
from prm.formats import FORMATS
from prm.labels import LabelledState
from prm.losses import Pairwise, Pointwise, loss_of
from prm.model import create, load
from prm.scorer import HfScorer

NAN = math.nan


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("losses")
    write_policy(folder / "policy")
    for head in ("hidden", "vocabulary"):
        for activation in ("clip", "sigmoid"):
            create(folder / "policy", folder / f"{head}-{activation}", head=head, activation=activation, seed=1)
    return folder


@pytest.fixture
def encoder():
    return StepEncoder(tiny_tokenizer())


MIXED = [
    LabelledState(state("a b", "c", "d + a"), (0.25, NAN, 0.75)),
    LabelledState(state("a", "b", final=True), (NAN, 1.0), (1.0, 3.0)),
    LabelledState(state("c + d =", "a", "b", "c c c", "d"), (0.5, 0.5, NAN, NAN, 0.0), (1.0, 0.5, 1.0, 1.0, 2.0)),
]
SIBLINGS = [
    LabelledState(state("a b", "c", "d"), (NAN, 0.75, 0.5)),
    LabelledState(state("a b", "c c"), (NAN, 0.25)),
    LabelledState(state("a b", "d + a d"), (NAN, 0.0), (1.0, 0.5)),
]
"""Three steps from one state, and one step from another, which is compared with nothing."""


def batch_of(loss, encoder, data):
    return loss.collate(loss.examples(encoder, data))


def mean(loss, model, batch):
    return loss(model, batch) / batch["weights"].sum()


class Logits:
    """Stands for a model: the logits are given, and carry gradients."""

    def __init__(self, values):
        self.values = values.clone().requires_grad_()

    def __call__(self, input_ids, attention_mask):
        return self.values


def at(batch, *read):
    """[B, T] zeros but for `read`, (row, position, value) each."""
    values = torch.zeros(batch["input_ids"].shape)
    for row, position, value in read:
        values[row, position] = value
    return Logits(values)


# --- by hand --------------------------------------------------------------------------------------------------------


def test_the_squared_loss_by_hand(encoder):
    """Labels .5 (weight 1) and 1 (weight 3), logits .75 and .5: (.0625 + 3 * .25) / 4 = .203125."""
    loss = Pointwise(is_squared=True)
    batch = batch_of(loss, encoder, [LabelledState(state("a", "b"), (0.5, 1.0), (1.0, 3.0))])
    model = at(batch, (0, 1, 0.75), (0, 3, 0.5))
    assert mean(loss, model, batch).item() == pytest.approx(0.203125)


def test_the_cross_entropy_by_hand(encoder):
    """Label .25 at the logit log 3, s = .75: -(.25 log .75 + .75 log .25) = 1.111641."""
    loss = Pointwise(is_squared=False)
    batch = batch_of(loss, encoder, [LabelledState(state("a", "b"), (NAN, 0.25))])
    assert mean(loss, at(batch, (0, 3, math.log(3))), batch).item() == pytest.approx(1.111641, abs=1e-6)


def test_the_pairwise_loss_by_hand(encoder):
    """Good .75 and .25, bad 0 and .25: three pairs. Logits 1, 0, -1: -log s is .313262 at 1, .126928 at 2.

    Weights are those of the less certain side: (.5, 1, .5) / 3. (.5 * .126928 + .313262 + .5 * .313262) / 2 = .266678.
    """
    loss = Pairwise()
    batch = batch_of(loss, encoder, SIBLINGS)
    rows = [row[mask.bool()].tolist() for row, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)]
    read = []
    for text, value in (("c", 1.0), ("c c", 0.0), ("d + a d", -1.0)):
        tokens = list(encoder.encode("a b", state("a b", text).steps).token_ids)
        read.append((rows.index(tokens), len(tokens) - 1, value))
    assert mean(loss, at(batch, *read), batch).item() == pytest.approx(0.266678, abs=1e-6)


def test_comparisons_count_alike_however_many_pairs_they_have(encoder):
    """At equal logits every pair costs log 2, and so does the mean; the gradient tells the shares."""
    data = [
        *(
            LabelledState(state("a", text), (NAN, label))
            for text, label in (("a", 1.0), ("b", 0.9), ("c", 0.1), ("d", 0))
        ),
        *(LabelledState(state("b", text), (NAN, label)) for text, label in (("a", 1.0), ("b", 0.0))),
    ]
    loss = Pairwise()
    batch = batch_of(loss, encoder, data)
    assert batch["weights"].tolist() == pytest.approx([0.25] * 4 + [1.0])
    logits = at(batch)
    found = mean(loss, logits, batch)
    assert found.item() == pytest.approx(math.log(2))
    found.backward()
    by_row = logits.values.grad.sum(1)
    # -(1 - s(0)) = -.5 a pair: a good one of the first has two of weight 1/4, that of the second one of 1; over 2.
    assert sorted(by_row.tolist()) == pytest.approx([-0.25, -0.125, -0.125, 0.125, 0.125, 0.25])


def test_the_loss_fits_the_activation():
    assert loss_of(is_pairwise=False, activation="clip", root_weight=0.5) == Pointwise(True, 0.5)
    assert loss_of(is_pairwise=False, activation="sigmoid", root_weight=1.0) == Pointwise(False, 1.0)
    assert loss_of(is_pairwise=True, activation="sigmoid", root_weight=1.0) == Pairwise()


# --- on a model -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("root_weight", [1.0, 0.25, 0.0])
@pytest.mark.parametrize("activation", ["clip", "sigmoid"])
@pytest.mark.parametrize("head", ["hidden", "vocabulary"])
def test_the_loss_is_that_of_a_hand_loop_over_labelled_prefixes(folder, encoder, head, activation, root_weight):
    model = load(folder / f"{head}-{activation}", attention="sdpa")
    total = weight = 0.0
    for item in MIXED:
        for k, label in enumerate(item.labels):
            if not math.isnan(label):
                prefix = encoder.encode(item.state.problem.question, item.state.steps[:k]).token_ids
                logit = model(torch.tensor([prefix]))[0, -1].detach()
                target = torch.tensor(label)
                cost = (
                    (logit - target) ** 2 if activation == "clip" else binary_cross_entropy_with_logits(logit, target)
                )
                here = item.weights[k] * (root_weight if k == 0 else 1.0)
                weight += here
                total += here * cost.item()
    loss = Pointwise(activation == "clip", root_weight)
    found = mean(loss, model, batch_of(loss, encoder, MIXED))
    assert found.item() == pytest.approx(total / weight, rel=1e-4)


@pytest.mark.parametrize("name", ["math_shepherd", "rlhflow"])
def test_for_plus_and_minus_it_is_the_cross_entropy_of_the_two_words(tmp_path, name):
    tiny = prm_published.PUBLISHED[name](tmp_path)
    tokenizer, how = read_tokenizer(tiny.path), FORMATS[name]
    model, encoder = how.load(tiny.path, tokenizer), how.encoder(tokenizer, read_config(tiny.path))
    item = LabelledState(state("a b", "c", "d", "a"), (0.5, 1.0, NAN, 0.25))
    encoded = encoder.encode("a b", item.state.steps)
    logits = model.network(torch.tensor([encoded.token_ids])).logits[0, list(encoded.positions[1:])]
    words = logits[:, [tokenizer.convert_tokens_to_ids("+"), tokenizer.convert_tokens_to_ids("-")]]
    by_hand = cross_entropy(words[[0, 2]], torch.tensor([[1.0, 0.0], [0.25, 0.75]]))
    loss = Pointwise(is_squared=False)
    assert mean(loss, model, batch_of(loss, encoder, [item])).item() == pytest.approx(by_hand.item(), rel=1e-4)


def test_the_trainer_and_the_scorer_read_the_same_values_at_the_same_places(folder, encoder):
    model = load(folder / "hidden-sigmoid", attention="sdpa")
    batch = batch_of(Pointwise(is_squared=False), encoder, MIXED)
    read = model(batch["input_ids"], batch["attention_mask"]).gather(1, batch["positions"]).sigmoid()
    scorer = HfScorer.load(folder / "hidden-sigmoid")
    for row, item in enumerate(MIXED):
        scorer.submit(Ticket("t", 0), Score(item.state))
        ((_, values),) = scorer.poll(1.0)
        assert values == pytest.approx(read[row, : len(values)].tolist(), abs=1e-5)


# --- where the gradient goes ----------------------------------------------------------------------------------------


def test_prompts_padding_and_steps_without_a_label_carry_no_gradient(encoder):
    loss = Pointwise(is_squared=True)
    batch = batch_of(loss, encoder, MIXED)
    logits = Logits(torch.ones(batch["input_ids"].shape) * 7)
    mean(loss, logits, batch).backward()
    labelled = {
        (row, int(batch["positions"][row, k]))
        for row, item in enumerate(MIXED)
        for k, label in enumerate(item.labels)
        if not math.isnan(label)
    }
    reached = {tuple(map(int, place)) for place in logits.values.grad.nonzero()}
    assert reached == labelled
    assert all(batch["attention_mask"][place] == 1 for place in reached)
    for row, item in enumerate(MIXED):
        prompt = len(encoder.encode(item.state.problem.question, ()).token_ids)
        inside = {position for at_row, position in reached if at_row == row and position < prompt}
        assert inside <= {prompt - 1}
        assert bool(inside) == (not math.isnan(item.labels[0]))


def test_of_a_comparison_only_the_ends_of_its_prefixes_carry_gradient(encoder):
    loss = Pairwise()
    batch = batch_of(loss, encoder, [*MIXED, *SIBLINGS])
    logits = at(batch)
    mean(loss, logits, batch).backward()
    ends = {(row, int(mask.sum()) - 1) for row, mask in enumerate(batch["attention_mask"])}
    assert {tuple(map(int, place)) for place in logits.values.grad.nonzero()} <= ends
    assert logits.values.grad.abs().sum() > 0


def test_what_is_read_nowhere_carries_no_gradient(tmp_path):
    """Published PRMs do not value the bare problem, nor an empty step at the start."""
    tiny = prm_published.math_shepherd(tmp_path)
    tokenizer = read_tokenizer(tiny.path)
    encoder = FORMATS["math_shepherd"].encoder(tokenizer, read_config(tiny.path))
    loss = Pointwise(is_squared=False)
    assert loss.examples(encoder, [LabelledState(state("a"), (0.5,)), LabelledState(state("a", ""), (1.0, 1.0))]) == []
    [example] = loss.examples(encoder, [LabelledState(state("a", "b"), (0.5, 1.0))])
    assert example["weights"].tolist() == [0.0, 1.0]
    empty = [LabelledState(state("a", text), (NAN, label)) for text, label in (("", 1.0), ("b", 0.5), ("c", 0.0))]
    [compared] = Pairwise().examples(encoder, empty)
    assert len(compared["pairs"]) == 1


def test_padding_tokens_do_not_change_the_gradient_of_any_weight(folder, encoder):
    loss = Pointwise(is_squared=True)
    gradients = []
    for padding in (0, 9):
        model = load(folder / "hidden-clip", attention="sdpa")
        batch = batch_of(loss, encoder, MIXED)
        for name in ("input_ids", "attention_mask"):
            batch[name] = torch.nn.functional.pad(batch[name], (0, padding))
        mean(loss, model, batch).backward()
        gradients.append({name: weight.grad for name, weight in model.named_parameters()})
    for name, gradient in gradients[0].items():
        torch.testing.assert_close(gradient, gradients[1][name], atol=1e-6, rtol=1e-4)
    assert any(gradient.abs().max() > 1e-3 for gradient in gradients[0].values())
