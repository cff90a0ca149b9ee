"""Every loss against a value computed by hand, and where its gradient may go."""

import math
from types import SimpleNamespace

import pytest
import torch

from mcts.errors import InputError
from policy.batch import batch_of, loss_of
from policy.examples import Example
from policy.lessons import Judged, Pair, examples_of
from policy.losses import Dpo, Kto, Laser, LogProbs, Selm, Supervised, TReg, reserved

VOCABULARY = 6
A = Example((0, 1, 2, 3), (False, False, True, True))
B = Example((0, 1, 4), (False, False, True))
C = Example((2, 3, 4, 5), (False, True, False, True))


def said(policy, reference=None):
    """Log-probabilities as given; what is not 0 is learned."""
    policy = torch.tensor(policy, requires_grad=True)
    return LogProbs(policy, None if reference is None else torch.tensor(reference), policy.detach() != 0)


def log_sigmoid(x):
    return -math.log(1 + math.exp(-x))


# chosen: log-ratio -3 - -4 = 1; rejected: -2 - -1.5 = -.5; with beta .5, D = .75
PAIR = Pair(A, B)
PAIR_SAID = ([[0.0, 0.0, -1.0, -2.0], [0.0, 0.0, -2.0, 0.0]], [[0.0, 0.0, -2.5, -1.5], [0.0, 0.0, -1.5, 0.0]])
D = 0.75


def test_supervised_is_the_weighted_mean_over_learned_tokens():
    lessons = [Example(A.token_ids, A.loss_mask, weight=3.0), B]
    value = Supervised()(lessons, said(PAIR_SAID[0]))
    assert value.item() == pytest.approx((3 * (1 + 2) + 2) / (3 * 2 + 1))


@pytest.mark.parametrize(
    ("loss", "preference", "expected"),
    [
        (Dpo(0.5), 1.0, -log_sigmoid(D)),
        (Dpo(0.5), 0.8, -0.8 * log_sigmoid(D) - 0.2 * log_sigmoid(-D)),
        (Dpo(0.5, "hinge"), 1.0, 1 - D),
        (Dpo(0.5, "hinge"), 0.8, 0.8 * (1 - D) + 0.2 * (1 + D)),
        (Dpo(0.5, likelihood=0.2), 1.0, -log_sigmoid(D) + 0.2 * (1 + 2) / 2),
        (Selm(0.5, alpha=0.1), 1.0, -log_sigmoid(D) + 0.1 * 0.5 * (1 - 0.5) / 2),
    ],
)
def test_losses_of_pairs(loss, preference, expected):
    assert loss([Pair(A, B, preference)], said(*PAIR_SAID)).item() == pytest.approx(expected)


def test_a_mean_over_pairs():
    policy, reference = ([rows[0], rows[0], rows[1], rows[1]] for rows in PAIR_SAID)
    pairs = [Pair(A, B, 1.0), Pair(A, B, 0.0)]
    expected = -(log_sigmoid(D) + log_sigmoid(-D)) / 2
    assert Dpo(0.5)(pairs, said(policy, reference)).item() == pytest.approx(expected)


def test_t_reg_adds_token_rewards_by_what_the_pair_has_to_teach():
    pair = Pair(A, B, chosen_rewards=(9.0, 9.0, 0.4, -0.1), rejected_rewards=(9.0, 9.0, -0.3))
    logprobs = said(*PAIR_SAID)
    value = TReg(0.5, alpha=0.25)([pair], logprobs)
    weight = 1 / (1 + math.exp(D))
    regular = -0.5 * (0.4 * -1 + -0.1 * -2) - 0.5 * (-0.3 * -2)
    assert value.item() == pytest.approx(-log_sigmoid(D) + 0.25 * weight * regular)
    value.backward()
    # d L_DPO / d log pi(chosen) = -beta w; no gradient through w.
    expected = -0.5 * weight - 0.25 * weight * 0.5 * 0.4
    assert logprobs.policy.grad[0, 2].item() == pytest.approx(expected)
    assert TReg(0.5)([PAIR], said(*PAIR_SAID)).item() == pytest.approx(-log_sigmoid(D)), "no rewards: DPO"


def test_kto_weighs_good_and_bad_against_the_divergence_of_mismatched_solutions():
    lessons = [Judged(A, True), Judged(B, False)]
    matched = PAIR_SAID
    mismatched = ([[0.0, 0.0, -1.0, 0.0], [0.0, 0.0, -1.0, -1.0]], [[0.0, 0.0, -1.2, 0.0], [0.0, 0.0, -2.0, -1.0]])
    logprobs = said(matched[0] + mismatched[0], matched[1] + mismatched[1])
    kl = (0.2 + 1.0) / 2
    good, bad = 1 / (1 + math.exp(0.5 * (1 - kl))), 1 / (1 + math.exp(0.5 * (kl + 0.5)))
    value = Kto(0.5, desirable=1.2, undesirable=0.7)(lessons, logprobs)
    assert value.item() == pytest.approx((1.2 * good + 0.7 * bad) / 2)
    value.backward()
    assert not logprobs.policy.grad[2:].any(), "the divergence is a constant"
    assert logprobs.policy.grad[:2].any()


def test_the_divergence_of_kto_is_never_below_0_and_0_for_a_single_lesson():
    for rows, expected in ((([-9.0], [-1.0]), 0.0), (([-1.0], [-9.0]), 0.0)):
        policy, reference = rows
        logprobs = said([[0.0, -2.0], [0.0, *policy]], [[0.0, -3.0], [0.0, *reference]])
        value = Kto(1.0)([Judged(B, True)], logprobs)
        assert value.item() == pytest.approx(1 / (1 + math.exp(1.0 - expected)))
    policy, reference = [[0.0, -2.0]] * 2 + [[0.0, -9.0]] * 2, [[0.0, -3.0]] * 2 + [[0.0, -1.0]] * 2
    assert Kto(1.0)([Judged(B, True)] * 2, said(policy, reference)).item() == pytest.approx(1 / (1 + math.exp(1.0)))


def test_mismatched_solutions_of_kto_stand_behind_the_next_prompt_and_end_with_the_longest():
    sequences = Kto().sequences([Judged(A, True), Judged(B, True), Judged(C, False)])
    assert sequences[:3] == [A, B, C]
    assert sequences[3] == Example((0, 1, 3, 4), (False, False, True, False)), "prompt of A, solution of C, cut"
    assert sequences[4] == Example((0, 1, 2, 3), (False, False, True, True)), "prompt of B, solution of A"
    assert sequences[5] == Example((2, 4), (False, True)), "prompt of C, solution of B"


def test_laser_adds_the_squared_error_of_the_last_token_by_class():
    lessons = [Judged(A, True), Judged(B, True), Judged(C, False)]
    loss = Laser(token=5, beta=0.1, weight=0.3, reference=-20.0)
    sequences = loss.sequences(lessons)
    assert [one.token_ids[-1] for one in sequences] == [5, 5, 5]
    assert sequences[2].loss_mask == (False, False, False, False, True), "a bad solution teaches z_c alone"
    logprobs = said(
        [[0.0, 0.0, -1.0, -2.0, -12.0], [0.0, 0.0, -3.0, -11.0, 0.0], [0.0, 0.0, 0.0, 0.0, -15.0]],
    )
    rewards = [0.1 * (-12 + 20), 0.1 * (-11 + 20), 0.1 * (-15 + 20)]
    error = ((rewards[0] - 1) ** 2 + (rewards[1] - 1) ** 2) / 2 / 2 + (rewards[2] - 0) ** 2 / 2
    assert loss(lessons, logprobs).item() == pytest.approx((1 + 2 + 3) / 3 + 0.3 * error)
    bad = said([[0.0, 0.0, 0.0, 0.0, -15.0]])
    assert loss(lessons[2:], bad).item() == pytest.approx(0.3 * rewards[2] ** 2 / 2), "nothing good to imitate"


# Lessons with a prompt, padding in the batch and a gap in a mask; the two of a pair share more than the question.
SIBLINGS = [Pair(A, Example((0, 1, 5, 5, 5, 2), (False,) * 2 + (True,) * 4)), Pair(C, B, 0.7, (0.5,) * 4, (0.5,) * 3)]
VERDICTS = [Judged(A, True), Judged(Example((0, 1, 5, 4, 5), (False,) * 2 + (True,) * 3), False), Judged(C, True)]


@pytest.mark.parametrize(
    ("loss", "lessons"),
    [
        (Supervised(), [A, B, C]),
        (Dpo(0.5, likelihood=0.1), SIBLINGS),
        (Selm(0.5), SIBLINGS),
        (TReg(0.5), SIBLINGS),
        (Kto(0.5), VERDICTS),
        (Laser(token=5), VERDICTS),
    ],
)
def test_prompts_shared_prefixes_padding_and_bad_steps_carry_no_gradient(loss, lessons):
    torch.manual_seed(0)
    batch = batch_of(loss, lessons)
    logits = torch.randn(*batch["input_ids"].shape, VOCABULARY, requires_grad=True)
    reference = SimpleNamespace(logits=torch.randn_like(logits))
    value = loss_of(loss, batch, lambda input_ids: SimpleNamespace(logits=logits), lambda input_ids: reference)
    value.backward()
    # The logits at a place are about the token behind it. Mismatched solutions of KTO are constants.
    may = [list(sequence.loss_mask[1:]) for sequence in loss.sequences(lessons)]
    if isinstance(loss, Kto):
        may[len(lessons) :] = [[False] * len(row) for row in may[len(lessons) :]]
    length = batch["input_ids"].shape[1]
    expected = [row + [False] * (length - len(row)) for row in may]
    assert (logits.grad != 0).any(-1).tolist() == expected


def test_a_loss_reads_log_probabilities_off_the_models_logits():
    batch = batch_of(Supervised(), [B])
    logits = torch.zeros(1, 3, VOCABULARY)
    logits[0, 1, 4] = math.log(3.0)
    value = loss_of(Supervised(), batch, lambda input_ids: SimpleNamespace(logits=logits), None)
    assert value.item() == pytest.approx(-math.log(3 / (3 + 5)))


def test_lessons_and_losses_that_cannot_be_are_refused():
    for wrong in (
        lambda: Pair(A, B, 1.5),
        lambda: Pair(A, B, chosen_rewards=(1.0,)),
        lambda: Example((1,), (True,), weight=0.0),
        lambda: Dpo(form="cubic"),
        lambda: Dpo(likelihood=-1.0),
        lambda: Dpo(beta=0.0),
        lambda: Selm(alpha=0.0),
        lambda: Kto(desirable=-1.0),
        lambda: Laser(token=-1),
    ):
        with pytest.raises(InputError, match="expected"):
            wrong()


def test_every_lesson_names_its_examples():
    assert [examples_of(lesson) for lesson in (A, PAIR, Judged(B, True))] == [(A,), (A, B), (B,)]


def test_the_reserved_token_is_one_that_nothing_else_has():
    tokenizer = SimpleNamespace(pad_token_id=0, eos_token_id=1, unk_token_id=2, get_vocab=lambda: {"<z>": 7, "<e>": 1})
    assert (reserved(tokenizer), reserved(tokenizer, "<z>")) == (0, 7)
    for text, said_so in (("<e>", "ends a sequence"), ("<y>", "has no token '<y>'")):
        with pytest.raises(InputError, match=said_so):
            reserved(tokenizer, text)
