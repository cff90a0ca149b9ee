"""What each objective makes of a tree, against pairs, weights and rewards reckoned by hand."""

from dataclasses import replace
from math import isclose

import pytest
from lessons_by_hand import (
    FINALS,
    GRADED,
    TEXTS,
    TOKENIZER,
    TableReadings,
    by_leaf,
    learned,
    material_of,
    said,
    tree_of,
    whole,
)

from mcts.errors import InputError
from mcts.types import Outcome
from policy.examples import Example
from policy.lessons import Judged, Pair, examples_of
from policy.losses import Dpo, Kto, Laser
from regrow.objectives import OBJECTIVES
from regrow.objectives.material import Need, extremes, likelihood, state_of
from regrow.selection import is_replayed
from regrow.solutions import endings
from regrow.verified import VerifiedTree

QUESTION = GRADED.problem.question


def lessons(name, *trees, readings=None, samples=None, window=256, **settings):
    objective = OBJECTIVES[name](**settings)
    return objective.lessons(material_of(*trees or [tree_of()], readings=readings, samples=samples, window=window))


def pairs(*arguments, **settings):
    return [(learned(pair.chosen), learned(pair.rejected)) for pair in lessons(*arguments, **settings)]


def made_of(name):
    """The objective; no model is asked for LaSeR's constant."""
    return OBJECTIVES[name](reference=-9.0) if name == "laser" else OBJECTIVES[name]()


def drawn():
    """Samples as a stage gives them: without verdicts."""
    return {need: [tree_of().tree] for need in Need}


# --- all of them ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OBJECTIVES)
def test_lessons_are_of_the_kind_that_the_loss_learns_from_and_prompts_are_not_learned(name):
    objective, material = made_of(name), material_of(tree_of(), tree_of(name="q"), samples=drawn())
    if name == "self_reinforcement":  # a next model that answers otherwise than the first
        material = replace(material, samples={Need.FIRST_SAMPLES: [ending_at(2)], Need.NEXT_SAMPLES: [ending_at(5)]})
    if name == "spin":  # a sample that reads otherwise than the trace
        first = replace(tree_of().tree, flags=tree_of().tree.flags * 0)
        first.flags[3] = tree_of().tree.flags[3]
        material = replace(material, samples={Need.OWN_SAMPLES: [first, first]})
    made, loss = objective.lessons(material), objective.loss(material)
    assert made
    assert {type(lesson) for lesson in made} == {loss.lesson}
    prompt = material.prompt.encode_prompt(TOKENIZER, QUESTION)
    for example in (example for lesson in made for example in examples_of(lesson)):
        assert example.token_ids[: len(prompt)] == prompt
        assert not any(example.loss_mask[: len(prompt)])
        assert any(example.loss_mask)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_tree_without_a_solution_teaches_nothing(name):
    bare = replace(tree_of().tree, flags=tree_of().tree.flags * 0)
    empty = VerifiedTree.labelled(bare, "20", {})
    assert lessons(name, empty, samples={need: [bare] for need in Need}) == []


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dpo", {"beta": 0.0}),
        ("dpo", {"likelihood": -1.0}),
        ("dpo", {"rate": 0.0}),
        ("dpo", {"per_problem": 0}),
        ("step_dpo", {"margin": 0.0}),
        ("step_dpo", {"labels": "exact"}),
        ("t_reg", {"labels": "exact"}),
        ("t_reg", {"alpha": 0.0}),
        ("kto", {"desirable": 0.0}),
        ("rest_em", {"per_problem": 0}),
        ("self_rewarding", {"judge": "value"}),
        ("temporal_self_rewarding", {"judge": "verifier"}),
        ("temporal_self_rewarding", {"samples": 0}),
        ("self_reinforcement", {"judge": "likelihood"}),
        ("self_reinforcement", {"samples": 0}),
        ("spin", {"samples": 0}),
        ("cream", {"consistency": "mine"}),
        ("dno", {"margin": 1.5}),
        ("hindsight", {"chains": 0}),
        ("laser", {"weight": 0.0}),
        ("selm", {"alpha": 0.0}),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(name, settings):
    with pytest.raises(InputError, match=next(iter(settings))) as caught:
        OBJECTIVES[name](**settings)
    assert "\n" not in str(caught.value)


# --- by the verifier's word -------------------------------------------------------------------------------------------


def test_supervised_and_rest_em_learn_the_correct_solutions():
    assert [learned(example) for example in lessons("supervised")] == [said(1, 2)]
    assert [learned(example) for example in lessons("rest_em")] == [said(1, 2)]
    assert OBJECTIVES["rest_em"].restarts
    assert not OBJECTIVES["supervised"].restarts


def test_rest_em_keeps_more_of_a_problem_than_the_traces_a_problem():
    verified = tree_of()
    every = VerifiedTree.labelled(verified.tree, "20", dict.fromkeys(FINALS, Outcome.CORRECT))
    assert len(lessons("supervised", every)) == 2
    assert len(lessons("rest_em", every)) == 4
    assert len(lessons("rest_em", every, per_problem=3)) == 3


def test_dpo_sets_a_correct_solution_against_a_wrong_one_each_once():
    [(chosen, rejected)] = pairs("dpo")
    assert chosen == said(1, 2)
    assert rejected in {said(1, 3), said(4, 5), said(4, 6)}
    assert OBJECTIVES["dpo"](beta=0.3, likelihood=0.5).loss(material_of()) == Dpo(0.3, likelihood=0.5)


def test_what_timed_out_is_neither_right_nor_wrong():
    verified = tree_of()
    outcomes = dict.fromkeys(FINALS, Outcome.TIMEOUT) | {2: Outcome.CORRECT}
    late = VerifiedTree.labelled(verified.tree, "20", outcomes)
    assert lessons("dpo", late) == []
    assert [lesson.is_good for lesson in lessons("kto", late)] == [True]


def test_step_dpo_learns_two_siblings_and_nothing_before_them():
    made = lessons("step_dpo")
    found = {(learned(pair.chosen), learned(pair.rejected)): pair for pair in made}
    late, early = (TEXTS[2] + " <eos>", TEXTS[3] + " <eos>"), (TEXTS[1] + "\n", TEXTS[4] + "\n")
    assert set(found) == {late, early}  # values 1 against 0, and 1/2 against 0
    assert whole(found[late].chosen) == f"{QUESTION}\n{said(1, 2)}"
    assert whole(found[early].rejected) == f"{QUESTION}\n{TEXTS[4]}\n"
    assert pairs("step_dpo", margin=0.75) == [late]


def test_kto_learns_every_verdict_and_good_ones_weigh_as_much_as_bad_ones():
    made = lessons("kto")
    assert [(learned(lesson.example), lesson.is_good) for lesson in made] == [
        (said(1, 2), True),
        *((learned(lesson.example), False) for lesson in made[1:]),
    ]
    assert {learned(lesson.example) for lesson in made[1:]} == {said(1, 3), said(4, 5), said(4, 6)}
    assert OBJECTIVES["kto"]().loss(material_of(tree_of())) == Kto(0.1, 3.0, 1.0)
    assert OBJECTIVES["kto"](desirable=2.0).loss(material_of(tree_of())) == Kto(0.1, 2.0, 1.0)


def test_laser_learns_verdicts_at_a_token_that_is_never_said():
    made = lessons("laser")
    assert all(isinstance(lesson, Judged) for lesson in made)
    assert [lesson.is_good for lesson in made] == [True, False, False]
    assert OBJECTIVES["laser"](reference=-9.0).loss(material_of()) == Laser(TOKENIZER.pad_token_id, reference=-9.0)


def test_t_reg_rewards_each_token_by_what_its_step_changed():
    [pair] = lessons("t_reg")
    before = [
        reward for reward, is_learned in zip(pair.chosen_rewards, pair.chosen.loss_mask, strict=True) if not is_learned
    ]
    assert set(before) == {0.0}
    first, second = (len(TOKENIZER(text, add_special_tokens=False)["input_ids"]) + 1 for text in (TEXTS[1], TEXTS[2]))
    assert pair.chosen_rewards[-second:] == (0.5,) * second  # from 1/2 to 1
    assert pair.chosen_rewards[-second - first : -second] == (0.25,) * first  # from 1/4 to 1/2
    expected = {said(1, 3): {0.0, 0.25, -0.5}, said(4, 5): {0.0, -0.25}, said(4, 6): {0.0, -0.25}}
    assert set(pair.rejected_rewards) == expected[learned(pair.rejected)]


def test_t_reg_rewards_nothing_where_a_value_is_not_known():
    verified = tree_of()
    verified.labels.soft[1] = float("nan")
    [pair] = lessons("t_reg", verified)
    assert set(pair.chosen_rewards) == {0.0}


def test_selm_and_dno_take_this_rounds_trees_alone():
    old, new = tree_of(), tree_of(name="q")
    material = replace(material_of(old, new), fresh=[new])
    assert len(OBJECTIVES["dpo"]().lessons(material)) == 2
    assert len(OBJECTIVES["selm"]().lessons(material)) == 1
    assert len(OBJECTIVES["dno"]().lessons(material)) == 1


def test_hindsight_shows_a_wrong_attempt_and_learns_the_right_one():
    plain, chained = lessons("hindsight")
    assert whole(plain) == f"{QUESTION}\n{said(1, 2)}"
    assert learned(chained) == said(1, 2)
    wrong = whole(chained).removesuffix(f"{QUESTION}\n{said(1, 2)}").removeprefix(f"{QUESTION}\n").strip()
    assert wrong in {said(1, 3), said(4, 5), said(4, 6)}


def test_hindsight_leaves_out_chains_that_the_model_cannot_read():
    _, chained = lessons("hindsight")
    assert len(lessons("hindsight", window=len(chained.token_ids))) == 2
    assert len(lessons("hindsight", window=len(chained.token_ids) - 1)) == 1


def test_hindsight_says_its_feedback_in_words_that_the_policy_knows():
    _, chained = lessons("hindsight", feedback="= =\n")
    assert f"<eos> = =\n{QUESTION}" in whole(chained)
    assert learned(chained) == said(1, 2)
    with pytest.raises(InputError, match="no words for it"):
        lessons("hindsight", feedback="wrong !")


# --- by the models' word ----------------------------------------------------------------------------------------------


def test_the_likelihood_of_a_solution_is_the_mean_over_its_tokens():
    tree = tree_of().tree
    lengths = [len(step.token_ids) for step in tree.path(3)]
    expected = (lengths[0] * -0.1 + lengths[1] * -0.4) / sum(lengths)
    assert likelihood([state_of(tree, 3)]) == pytest.approx([expected])


def test_solutions_that_read_alike_count_once_the_first_of_them():
    tree = tree_of().tree
    twin = (*tree.steps[:3], replace(tree.steps[3], text=TEXTS[2].replace(" ", "  ")), *tree.steps[4:])
    assert endings(replace(tree, steps=twin)) == [2, 5, 6]


def test_extremes_go_inwards_while_they_are_apart():
    scores = {2: 0.9, 3: 0.5, 5: 0.5, 6: 0.1}
    assert extremes(scores, 4) == [(2, 6)]  # the inner two are equal
    assert extremes(scores | {5: 0.3}, 4) == [(2, 6), (3, 5)]
    assert extremes(scores | {5: 0.3}, 4, margin=0.25) == [(2, 6)]
    assert extremes({2: 0.5}, 4) == extremes({}, 4) == []


def test_self_rewarding_sets_its_likeliest_solution_against_its_unlikeliest_whatever_the_verdict():
    likely_but_wrong = tree_of(likelihoods=(0.0, -0.4, -0.5, -0.6, -0.1, -0.1, -0.2))
    assert pairs("self_rewarding", likely_but_wrong) == [(said(4, 5), said(1, 3))]
    verdicts_reversed = VerifiedTree.labelled(likely_but_wrong.tree, "", {})
    assert pairs("self_rewarding", verdicts_reversed) == [(said(4, 5), said(1, 3))]


def test_self_rewarding_may_ask_in_words():
    readings = TableReadings(answers=by_leaf(0.2, 0.9, 0.5, 0.1))
    assert pairs("self_rewarding", readings=readings, judge="asked") == [(said(1, 3), said(4, 6))]


def test_temporal_self_rewarding_takes_the_best_of_the_future_and_the_worst_of_the_past():
    past = tree_of(likelihoods=(0.0, -0.4, -0.5, -0.6, -0.1, -0.1, -0.2)).tree
    future = tree_of(likelihoods=(0.0, -0.1, -0.1, -0.4, -0.2, -0.3, -0.2)).tree
    samples = {Need.FIRST_SAMPLES: [past], Need.NEXT_SAMPLES: [future]}
    assert pairs("temporal_self_rewarding", samples=samples) == [(said(1, 2), said(1, 3))]
    values = TableReadings(by_leaf(0.2, 0.9, 0.4, 0.1))
    assert pairs("temporal_self_rewarding", samples=samples, readings=values, judge="value") == [
        (said(1, 3), said(4, 6))
    ]
    assert OBJECTIVES["temporal_self_rewarding"](samples=3).needs() == {Need.FIRST_SAMPLES: 3, Need.NEXT_SAMPLES: 3}


def ending_at(*leaves):
    """The tree as if only these leaves had been drawn."""
    tree = tree_of().tree
    flags = tree.flags.copy()
    flags[[leaf for leaf in FINALS if leaf not in leaves]] = 0
    return replace(tree, flags=flags)


def test_self_reinforcement_prefers_what_fine_tuning_changed():
    first, later = ending_at(2, 3, 5), ending_at(2, 5, 6)
    samples = {Need.FIRST_SAMPLES: [first], Need.NEXT_SAMPLES: [later]}
    # Both answer 20 first: nothing was changed there.
    changed = [(said(4, 5), said(1, 3)), (said(4, 6), said(4, 5))]
    assert pairs("self_reinforcement", samples=samples) == changed
    assert pairs("self_reinforcement", samples=samples, per_problem=1) == changed[:1]
    doubted = TableReadings(by_leaf(0.5, 0.2, 0.4, 0.4))
    assert pairs("self_reinforcement", samples=samples, readings=doubted, judge="value") == changed[:1]
    asked = TableReadings(answers=by_leaf(0.5, 0.4, 0.2, 0.3))
    assert pairs("self_reinforcement", samples=samples, readings=asked, judge="asked") == changed[1:]
    assert OBJECTIVES["self_reinforcement"]().needs() == {Need.FIRST_SAMPLES: 4, Need.NEXT_SAMPLES: 4}


def test_cream_trusts_a_pair_as_far_as_two_prms_rank_alike():
    # 0.9 > 0.4 > 0.2 > 0.1 and 0.9 > 0.2 (!) ...: one of six pairs of leaves is in another order: tau = (5 - 1) / 6
    [pair] = lessons("cream")
    assert (learned(pair.chosen), learned(pair.rejected)) == (said(1, 2), said(4, 6))
    assert isclose(pair.preference, (4 / 6 + 1) / 2)
    reversed_ranks = TableReadings(by_leaf(0.4, 0.3, 0.2, 0.1), by_leaf(0.1, 0.2, 0.3, 0.4))
    assert lessons("cream", readings=reversed_ranks)[0].preference == 0.0
    no_opinion = TableReadings(by_leaf(0.4, 0.3, 0.2, 0.1), by_leaf(0.5, 0.5, 0.5, 0.5))
    assert lessons("cream", readings=no_opinion)[0].preference == 0.5


def test_cream_shares_its_trust_among_problems_unless_each_has_its_own():
    one, other = tree_of(), tree_of(name="q")
    outcome = dict(other.outcomes)
    few = VerifiedTree.labelled(replace(other.tree, flags=other.tree.flags.copy()), "20", outcome)
    few.tree.flags[[3, 5]] = 0  # leaves 2 and 6 are left: both PRMs rank them alike, C = 1
    first = (4 / 6 + 1) / 2
    shared = [pair.preference for pair in lessons("cream", one, few)]
    assert shared == pytest.approx([(first + 1) / 2] * 2)
    own = [pair.preference for pair in lessons("cream", one, few, consistency="own")]
    assert own == pytest.approx([first, 1.0])


def test_scir_keeps_what_all_readings_agree_on_furthest_apart_first():
    tree = tree_of(likelihoods=(0.0, -0.1, -0.1, -0.4, -0.2, -0.3, -0.2))  # leaf 3 is the unlikeliest
    values = by_leaf(0.9, 0.5, 0.4, 0.1)
    readings = TableReadings(values)
    assert pairs("scir", tree, readings=readings, per_problem=1) == [(said(1, 2), said(4, 6))]
    silent_no_more = TableReadings(values, gained=by_leaf(0.0, 2.0, -1.0, 1.0))
    # The implicit reward now says that leaf 2 is worse than leaf 6; better than leaf 5 all still find it.
    assert pairs("scir", tree, readings=silent_no_more, per_problem=1) == [(said(1, 2), said(4, 5))]


def test_scir_has_each_solution_in_one_pair():
    chosen_and_rejected = [text for pair in pairs("scir") for text in pair]
    assert len(chosen_and_rejected) == len(set(chosen_and_rejected))


def test_spin_sets_the_trace_against_own_samples_and_leaves_out_what_reads_the_same():
    own = tree_of().tree
    first_only = replace(own, flags=own.flags * 0)
    first_only.flags[2] = own.flags[2]
    assert pairs("spin", samples={Need.OWN_SAMPLES: [first_only]}) == []
    third = replace(own, flags=own.flags * 0)
    third.flags[5] = own.flags[5]
    assert pairs("spin", samples={Need.OWN_SAMPLES: [third]}) == [(said(1, 2), said(4, 5))]
    assert OBJECTIVES["spin"](form="hinge").loss(material_of()) == Dpo(0.1, form="hinge")
    assert OBJECTIVES["spin"](samples=2).needs() == {Need.OWN_SAMPLES: 2}


def test_dno_prefers_softly_by_verdict_and_value():
    # Qualities (verdict + V) / 2: leaf 2 0.95, leaf 5 0.2, leaf 3 0.1, leaf 6 0.05.
    [pair] = lessons("dno")
    assert (learned(pair.chosen), learned(pair.rejected)) == (said(1, 2), said(4, 6))
    assert isclose(pair.preference, (1 + 0.95 - 0.05) / 2)
    inner = lessons("dno", margin=0.1)
    assert [pair.preference for pair in inner] == pytest.approx([0.95, 0.55])


# --- data of earlier rounds -------------------------------------------------------------------------------------------


def test_a_share_of_earlier_trees_is_learned_from_again_another_one_each_round():
    trees = [tree_of(name=f"p{i}") for i in range(300)]
    kept = [[is_replayed(tree, share, 0, 2) for tree in trees] for share in (0.0, 0.5, 1.0)]
    assert not any(kept[0])
    assert all(kept[2])
    assert 110 < sum(kept[1]) < 190
    assert [is_replayed(tree, 0.5, 0, 3) for tree in trees] != kept[1]


def test_validation_keeps_the_same_problems_apart_whatever_else_there_is():
    trees = [tree_of(question=f"{a} {b} 4 -> 20") for a in range(1, 11) for b in range(1, 21)]
    material = material_of(*trees, samples={Need.OWN_SAMPLES: [one.tree for one in trees]})
    learned_from, apart = material.parted(0.25)
    assert len(learned_from.trees) + len(apart.trees) == 200
    assert 30 < len(apart.trees) < 70
    kept_apart = [one.tree.problem.question for one in apart.trees]
    assert [one.tree.problem.question for one in apart.fresh] == kept_apart
    assert [tree.problem.question for tree in apart.samples[Need.OWN_SAMPLES]] == kept_apart
    late = [one.tree.problem.question for one in trees[100:]]
    fewer = material_of(*trees[100:]).parted(0.25)[1]
    assert [one.tree.problem.question for one in fewer.trees] == [one for one in kept_apart if one in late]
    assert material.parted(0.0)[1].trees == []


def test_steps_that_were_not_kept_as_tokens_cannot_be_learned():
    verified = tree_of()
    steps = (None, *(replace(step, logprobs=()) for step in verified.tree.steps[1:]))
    silent = VerifiedTree.labelled(replace(verified.tree, steps=steps), "20", verified.outcomes)
    with pytest.raises(InputError, match="no log-probabilities"):
        lessons("self_rewarding", silent)
    assert all(isinstance(lesson, Pair) for lesson in lessons("dpo", silent))
    assert all(isinstance(lesson, Example) for lesson in lessons("supervised", silent))
