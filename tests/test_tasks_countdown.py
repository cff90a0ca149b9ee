import random
from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts.types import Outcome, Problem
from regrow.tasks.countdown import Countdown
from regrow.tasks.countdown_truth import is_reachable, makeable, moves, parse_move, solution
from regrow.tasks.split import problem_id
from regrow.tasks.task import GradedProblem, Split

TASK = Countdown()
LIMIT = TASK.limit


def graded(question):
    return GradedProblem(Problem(problem_id("countdown", question), question), question.split()[-1])


def outcome(question, *steps):
    return TASK.verify(graded(question), steps)


def naive_values(numbers):
    """Every value that some order of operations comes to: plain enumeration of positions, no memory, no halves."""
    if len(numbers) == 1:
        return {numbers[0]}
    found = set()
    for a, b, *rest in permutations(numbers):
        results = [a + b, a - b, a * b] + ([a // b] if a % b == 0 else [])
        for result in results:
            if 1 <= result <= LIMIT:
                found |= naive_values([*rest, result])
    return found


small_numbers = st.lists(st.integers(1, 12), min_size=2, max_size=4).map(sorted).map(tuple)


@settings(deadline=None)
@given(small_numbers)
def test_makeable_values_agree_with_plain_enumeration(numbers):
    assert set(makeable(numbers, LIMIT)) == naive_values(numbers)


@settings(deadline=None)
@given(small_numbers, st.randoms(use_true_random=False))
def test_truth_of_random_games_agrees_with_plain_enumeration(numbers, rng):
    target = rng.choice(sorted(naive_values(numbers)))
    steps, expected, position, in_reach = [], [], numbers, True
    while len(position) > 1:
        move = rng.choice(moves(position, LIMIT))
        position = move.left
        steps.append(move.text)
        in_reach = in_reach and target in naive_values(position)
        expected.append(in_reach)
    valued = TASK.truth(graded(f"{' '.join(map(str, numbers))} -> {target}"), steps)
    assert valued.reachable == tuple(expected)
    assert valued.is_complete
    assert (valued.values[-1] == 1.0) == expected[-1]


@settings(deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=6).map(sorted).map(tuple), st.randoms(use_true_random=False))
def test_verifier_and_checker_accept_every_solution_and_reject_it_with_one_number_changed(numbers, rng):
    target = rng.choice(makeable(numbers, LIMIT))
    problem = graded(f"{' '.join(map(str, numbers))} -> {target}")
    steps = [move.text for move in solution(numbers, target, LIMIT, rng)]
    assert len(steps) == len(numbers) - 1
    assert TASK.verify(problem, steps) is Outcome.CORRECT
    assert TASK.check(problem.problem, steps)
    place = rng.randrange(len(steps))
    words = steps[place].split()
    spot = rng.choice([i for i, word in enumerate(words) if word.isdigit()])
    words[spot] = str(rng.choice([n for n in range(LIMIT + 1) if str(n) != words[spot]]))
    steps[place] = " ".join(words)
    assert TASK.verify(problem, steps) is Outcome.WRONG
    assert not TASK.check(problem.problem, steps)


@settings(deadline=None)
@given(st.lists(st.text("0123456789+-*/=: ²x", max_size=14), max_size=4))
def test_any_text_can_be_judged(steps):
    problem = graded("2 5 7 9 -> 24")
    assert TASK.verify(problem, steps) in (Outcome.WRONG, Outcome.UNPARSED)
    valued = TASK.truth(problem, steps)
    assert len(valued.values) == len(valued.reachable) == len(steps)
    assert isinstance(TASK.canonical(steps), str)


def test_a_known_game_is_judged_right():
    assert outcome("2 5 7 9 -> 24", "9 - 7 = 2 : 2 2 5", "5 * 2 = 10 : 2 10", "10 * 2 = 20 : 20") is Outcome.WRONG
    steps = ("9 - 5 = 4 : 2 4 7", "4 * 2 = 8 : 7 8", "8 + 7 = 15 : 15")
    assert outcome("2 5 7 9 -> 15", *steps) is Outcome.CORRECT
    assert outcome("9 2 7 5 -> 15", *steps) is Outcome.CORRECT


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["4 * 3 = 12 : 12"], Outcome.CORRECT),
        (["3 * 4 = 12 : 12"], Outcome.CORRECT),
        (["4  *  3 = 12 :  12 "], Outcome.CORRECT),
        (["4 * 3 = 12"], Outcome.UNPARSED),
        (["4 * 3 = 12 :"], Outcome.UNPARSED),
        (["4 x 3 = 12 : 12"], Outcome.UNPARSED),
        (["4 * 3 * 1 = 12 : 12"], Outcome.UNPARSED),
        (["-4 * -3 = 12 : 12"], Outcome.UNPARSED),
        (["4 * 3 = 12 : 12 x"], Outcome.UNPARSED),
        ([f"4 * 3 = {'9' * 5000} : 12"], Outcome.UNPARSED),
        ([f"4 * 3 = 12 : {'9' * 5000}"], Outcome.UNPARSED),
        (["4 * 3 = 12 : 12", "gibberish"], Outcome.UNPARSED),
        ([], Outcome.UNPARSED),
        (["4 * 3 = 13 : 12"], Outcome.WRONG),
        (["4 * 3 = 12 : 3 12"], Outcome.WRONG),
        (["6 * 2 = 12 : 12"], Outcome.WRONG),
        (["4 + 3 = 7 : 7"], Outcome.WRONG),
        (["4 / 3 = 1 : 1"], Outcome.WRONG),
        (["4 / 0 = 12 : 12"], Outcome.WRONG),
        (["4 * 3 = 12 : 12", "12 / 1 = 12 : 12"], Outcome.WRONG),
    ],
)
def test_form_is_unparsed_and_falsehood_is_wrong(steps, expected):
    assert outcome("3 4 -> 12", *steps) is expected


def test_a_solution_must_use_every_number():
    assert outcome("3 4 5 -> 12", "4 * 3 = 12 : 12") is Outcome.WRONG
    assert outcome("3 4 5 -> 12", "4 * 3 = 12 : 5 12") is Outcome.WRONG


def test_results_stay_between_1_and_the_limit():
    assert outcome("2 6 9 -> 27", "9 * 6 = 54 : 2 54", "54 / 2 = 27 : 27") is Outcome.WRONG
    assert outcome("5 5 8 -> 8", "5 - 5 = 0 : 0 8", "8 + 0 = 8 : 8") is Outcome.WRONG
    assert outcome("5 5 8 -> 8", "5 / 5 = 1 : 1 8", "8 * 1 = 8 : 8") is Outcome.CORRECT


def test_the_gold_answer_counts_only_for_the_verifier():
    problem = Problem("p", "3 4 -> 12")
    assert TASK.verify(GradedProblem(problem, "7"), ["4 * 3 = 12 : 12"]) is Outcome.WRONG
    assert TASK.check(problem, ["4 * 3 = 12 : 12"])


def test_a_broken_solution_stays_broken():
    valued = TASK.truth(graded("2 5 7 9 -> 15"), ["9 - 5 = 4 : 2 4 7", "4 * 2 = 9 : 7 9", "9 + 7 = 16 : 16"])
    assert valued.reachable == (True, False, False)
    assert valued.values == pytest.approx((1 / 3, 1 / 9, 0))
    assert valued.is_complete


def test_truth_of_an_unreachable_target_is_worth_nothing():
    valued = TASK.truth(graded("1 1 -> 40"), ["1 + 1 = 2 : 2"])
    assert valued.values == (0.0,)
    assert valued.reachable == (False,)


def test_questions_are_put_in_canonical_form():
    assert TASK.parse("  9 2 7   5 -> 24 ") == "2 5 7 9 -> 24"
    assert TASK.parse("9 2->24") == "2 9 -> 24"


@pytest.mark.parametrize(
    "question",
    ["", "2 5 7 9", "2 5 7 9 ->", "2 -> 2", "1 2 3 4 5 6 7 -> 9", "2 x -> 4", "2 5 -> 4 4", "2 50 -> 4", "0 2 -> 2",
     "2 2 -> 41", "2 ² -> 4", "2 3 -> 4 -> 5"],
)  # fmt: skip
def test_unusable_questions_are_refused_with_an_example(question):
    with pytest.raises(ValueError, match="expected 2 to 6 numbers from 1 to 40, '->' and a target, such as"):
        TASK.parse(question)


@pytest.mark.parametrize("options", [{"numbers": ()}, {"numbers": (7,)}, {"largest": 50}, {"limit": 5}])
def test_unusable_options_are_refused(options):
    with pytest.raises(ValueError, match=r"^countdown.*: expected"):
        Countdown(**options)


def test_generated_problems_are_distinct_solvable_and_of_the_sizes_asked_for():
    task = Countdown(numbers=[3, 5], largest=7)
    problems = task.problems(Split.TRAIN, 400, 0)
    assert len({g.problem.question for g in problems}) == 400
    sizes = Counter()
    for g in problems:
        numbers, target = tuple(map(int, g.problem.question.split()[:-2])), int(g.answer)
        assert max(numbers) <= 7
        assert is_reachable(numbers, target, 40)
        sizes[len(numbers)] += 1
    assert sizes == {3: 200, 5: 200}


def test_all_problems_of_all_splits_are_all_the_solvable_problems():
    task = Countdown(numbers=(3,), largest=4)
    sizes = {}
    for split in Split:
        with pytest.raises(ValueError, match="expected count <="):
            task.problems(split, 10_000, 0)
        sizes[split] = next(n for n in range(10_000) if not _has(task, split, n + 1))
    numbers = {tuple(sorted((a, b, c))) for a in range(1, 5) for b in range(1, 5) for c in range(1, 5)}
    assert sum(sizes.values()) == sum(len(naive_values(n)) for n in numbers)


def _has(task, split, count):
    try:
        return len(task.problems(split, count, 0)) == count
    except ValueError:
        return False


def test_demonstrations_are_legal_complete_and_mix_drills_with_games():
    shown = TASK.demonstrations(4000, 0)
    sizes = Counter(len(d.steps) + 1 for d in shown)
    assert sizes[2] / 4000 == pytest.approx(0.4, abs=0.03)
    assert sizes[3] / sizes[4] == pytest.approx(1, abs=0.15)
    for d in shown:
        position = tuple(map(int, d.question.split()[:-2]))
        for step in d.steps:
            move = parse_move(step)
            assert move in moves(position, LIMIT)
            position = move.left
        assert len(position) == 1


def test_drills_cover_every_operation_of_two_numbers():
    drills = {d.steps[0] for d in TASK.demonstrations(6000, 0) if len(d.steps) == 1}
    pairs = [(a, b) for b in range(1, LIMIT + 1) for a in range(1, b + 1)]
    assert drills == {move.text for pair in pairs for move in moves(pair, LIMIT)}


def test_demonstrations_are_blind_to_their_target():
    """A game hits the target shown as often as the target of any other game on the same numbers: by chance."""
    hits, games = Counter(), Counter()
    shown = TASK.demonstrations(16_000, 0)
    for d in shown:
        hits[len(d.steps)] += TASK.check(graded(d.question).problem, d.steps)
        games[len(d.steps)] += 1
    rng = random.Random(0)
    chance = Counter()
    for d in shown:
        position = tuple(map(int, d.question.split()[:-2]))
        while len(position) > 1:
            position = rng.choice(moves(position, LIMIT)).left
        chance[len(d.steps)] += str(position[0]) == d.question.split()[-1]
    for steps in (2, 3):
        assert hits[steps] / games[steps] == pytest.approx(chance[steps] / games[steps], abs=0.015)
    print({steps + 1: round(hits[steps] / games[steps], 4) for steps in sorted(games)})
    assert 0.07 < hits[2] / games[2] < 0.12
    assert 0.02 < hits[3] / games[3] < 0.06


def test_value_data_hold_one_clean_and_three_broken_solutions_a_problem():
    problems = TASK.problems(Split.TRAIN, 200, 0)
    valued = TASK.valued_steps(problems, 0)
    assert len(valued) == pytest.approx(800, abs=8)
    by_question = Counter(v.question for v in valued)
    assert set(by_question) == {g.problem.question for g in problems}
    clean = [v for v in valued if all(v.reachable)]
    assert len(clean) == 200
    for v in valued:
        total = len(v.question.split()) - 3
        good = len(v.steps) if all(v.reachable) else len(v.steps) - 1
        assert v.reachable == (True,) * good + (False,) * (len(v.steps) - good)
        assert v.values[:good] == pytest.approx([k / total for k in range(1, good + 1)])
        if good < len(v.steps):
            assert v.values[-1] == pytest.approx(max(0, (good - 1) / total + 1 / (total * (total - good + 1))))
        assert v.is_complete == (len(v.steps[-1].partition(":")[2].split()) == 1)


def test_broken_solutions_are_broken_by_each_kind_of_slip():
    kinds = Counter()
    for v in TASK.valued_steps(TASK.problems(Split.TRAIN, 300, 0), 0):
        if all(v.reachable):
            continue
        position = tuple(map(int, v.question.split()[:-2]))
        for step in v.steps[:-1]:
            position = parse_move(step).left
        last = parse_move(v.steps[-1])
        if not last.equation.is_true:
            kinds["false"] += 1
        elif last in moves(position, LIMIT):
            kinds["hopeless"] += 1
        else:
            kinds["numbers"] += 1
    assert kinds["false"] == 300
    assert kinds["numbers"] == pytest.approx(300, abs=5)
    assert kinds["hopeless"] == pytest.approx(300, abs=5)


def test_form_does_not_change_the_canonical_key_but_another_operation_does():
    one = ["9 - 5 = 4 : 2 4 7", "7 + 2 = 9 : 4 9", "9 + 4 = 13 : 13"]
    other = ["2 + 7 = 9 : 5 9 9", "9 - 5 = 4 : 4 9", "4 + 9 = 13 : 13"]
    assert TASK.canonical(one) == TASK.canonical(other)
    assert TASK.canonical(one) != TASK.canonical([*one[:2], "9 * 4 = 36 : 36"])
    assert TASK.canonical(["9 - 5 = 4"]) != TASK.canonical(["9 - 5 = 4 : 4"])


@pytest.mark.parametrize("size", [3, 4, 5])
def test_an_unfinished_solution_is_wrong_however_promising(size):
    task = Countdown(numbers=(size,))
    problems = task.problems(Split.TRAIN, 20, seed=7)
    answers = {graded.problem.question: graded for graded in problems}
    clean = [valued for valued in task.valued_steps(problems, seed=7) if valued.is_complete and all(valued.reachable)]
    assert clean
    for valued in clean:
        graded = answers[valued.question]
        assert task.verify(graded, valued.steps) is Outcome.CORRECT
        for kept in range(1, len(valued.steps)):
            assert task.verify(graded, valued.steps[:kept]) is Outcome.WRONG
            assert not task.check(graded.problem, valued.steps[:kept])


def test_the_answer_is_the_number_that_is_left():
    task = TASK
    assert task.answer(["4 - 3 = 1 : 1 2", "2 + 1 = 3 : 3"]) == "3"
    assert task.answer(["4 - 3 = 1 : 1 2"]) is task.answer(["nonsense"]) is task.answer([]) is None
