"""Imagination: what a policy is asked, what becomes of each reply, and the door. Most policies are recorded ones."""

import json
from collections import Counter
from types import SimpleNamespace

import pytest
from sampled import samples

from mcts.errors import InputError
from mcts.types import Problem
from policy.base import PolicySize, create
from policy.recorded_policy import RecordedPolicy
from regrow.cli import UNUSABLE, main
from regrow.compose import NO_OUTPUT, run_composed
from regrow.experiment import Experiment
from regrow.imagine.agreement import agreement, failures
from regrow.imagine.asking import askings, rendered
from regrow.imagine.filters import Dropped, KnownQuestions, Sieve
from regrow.imagine.imagination import Imagination
from regrow.imagine.imagine import imagine, sieve_of
from regrow.imagine.imagined import IMAGINED_FILE, Imagined, read_imagined
from regrow.imagine.rephrasings import rephrasings
from regrow.imagine.ways import WAYS, Start
from regrow.manifest import open_run
from regrow.tasks import make_task
from regrow.tasks.problems import read_problems
from regrow.tasks.task import GradedProblem, Split
from regrow.trace_store import read_trees

SMALL = ["task=arithmetic", "imagine=arithmetic", "round.problems=4", "evaluate.problems=8", "gate.problems=6"]
TASK = make_task("arithmetic", operations=[3, 4, 5])
TEMPLATES = {way: f"{way} {{question}}" for way in WAYS} | {"new": "new"}


def experiment(folder, *overrides):
    """What the stage works on."""
    found = []

    def job(config):
        with open_run(folder, "imagine", {}) as run:
            found.append(Experiment(config, run))

    run_composed("imagine", [*NO_OUTPUT, *SMALL, *overrides], job)
    return found[0]


def recorded(path, rows):
    """A policy that has these replies: prompt or question -> what it says, one after the other."""
    path.write_text("".join(json.dumps({"question": text, "completions": said}) + "\n" for text, said in rows.items()))
    return ["policy=recorded", f"policy.recorded.path={path}"]


def solutions(*answers):
    return [f"1 + 1 = 2\nanswer {answer}" for answer in answers]


@pytest.fixture(scope="module")
def problems():
    return [graded.problem for graded in TASK.problems(Split.TRAIN, 8, 3)]


# --- what is asked ----------------------------------------------------------------------------------------------------


def asked(problems, failed=(), **settings):
    imagination = Imagination(**({"count": 6, "templates": TEMPLATES} | settings))
    return askings(imagination, {Start.PROBLEMS: problems, Start.FAILURES: failed}, 2, 7)


def test_ways_ask_in_turn_and_go_through_all_their_problems_before_any_again(problems):
    found = asked(problems[:2], ways=("rephrase", "new"), count=10)
    assert [one.way for one in found] == ["rephrase", "new"] * 5
    parents = [one.parents[0] for one in found if one.way == "rephrase"]
    assert set(parents[:2]) == set(problems[:2])
    assert parents == [parents[0], parents[1], parents[0], parents[1], parents[0]]
    assert [one.prompt.question for one in found[:2]] == [f"rephrase {parents[0].question}", "new"]
    assert len({one.prompt.id for one in found}) == 10
    assert found == asked(problems[:2], ways=("rephrase", "new"), count=10)


def test_a_way_without_anything_to_start_from_leaves_its_turns_to_the_others(problems):
    assert [one.way for one in asked(problems, ways=("challenge", "new"), count=2)] == ["new", "new"]
    found = asked(problems, problems[5:6], ways=("challenge", "new"), count=2)
    assert [(one.way, one.parents) for one in found] == [("challenge", (problems[5],)), ("new", ())]
    assert asked([], ways=("rephrase",)) == []
    assert [one.way for one in asked([], ways=("rephrase", "new"), count=2)] == ["new", "new"]


def test_examples_are_different_problems_and_become_parents(problems):
    templates = {"new": "{examples}\n\nanother", "rephrase": "like {examples} : {question}"}
    (one,) = asked(problems, ways=("new",), count=1, templates=templates)
    assert len(set(one.parents)) == 3
    assert one.prompt.question == "\n\n".join(parent.question for parent in one.parents) + "\n\nanother"
    (few,) = asked(problems[:2], ways=("new",), count=1, templates=templates)
    assert set(few.parents) == set(problems[:2])
    a, b = Problem("a", "is {examples}"), Problem("b", "{question}")
    assert rendered(templates["rephrase"], [a, b]) == "like {question} : is {examples}"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["imagine=none"], "imagine.count=0: expected how many"),
        (["imagine=none", "count=5"], "imagine.count=5: no ways"),
        (["ways=[dream]"], "imagine.ways: dream, expected some of rephrase"),
        (["ways=[self_verification]"], "imagine.templates.self_verification: missing"),
        (["imagine.templates.rephrase=again"], "shows no problem, expected {question} in it"),
        (["imagine.templates.challenge=again"], "expected {question} or {examples} in it"),
        (["imagine.templates.new=''"], "is empty"),
        (["dry_run=true"], "dry_run=true: expected regrow train, evaluate or generate"),
        (["samples=0"], "imagine.samples=0: expected 1 or more"),
        (["agreement=0.9", "too_easy=0.8"], "imagine.agreement=0.9, too_easy=0.8"),
        (["near_duplicate=1.5"], "imagine.near_duplicate=1.5"),
        (["decontaminate=[absent.jsonl]", "policy=recorded"], "policy=recorded: no file"),
    ],
)
def test_what_cannot_be_is_one_line(wrong, said, tmp_path, capsys):
    assert main(["imagine", *SMALL, *wrong, f"run.dir={tmp_path / 'run'}"]) == UNUSABLE
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


def test_the_instructions_for_large_models_are_complete(tmp_path):
    settings = experiment(tmp_path, "imagine=llm").imagination
    assert set(settings.ways) == set(settings.templates) == set(WAYS)
    assert settings.form.chat
    assert settings.form.render("as it stands") == "as it stands"


# --- filters ----------------------------------------------------------------------------------------------------------


def test_questions_are_near_only_where_their_numbers_are_the_same():
    known = KnownQuestions()
    known.add("Tom has 3 pens and buys 4 more at the market.  How many has he?")
    assert "tom has 3 pens and buys 4 MORE at the market. how many has he?" in known
    assert "tom has 3 pens and buys 5 more at the market. how many has he?" not in known
    assert known.is_near("Ann has 3 pens and buys 4 more at the market. How many has he?", 0.9)
    assert not known.is_near("Ann has 3 pens and buys 4 more at the market. How many has he?", 0.99)
    assert not known.is_near("Tom has 3 pens and buys 5 more at the market. How many has he?", 0.9)


class FreeText:
    """A task of any text, with no split of its own but for one question."""

    def parse(self, question):
        return question

    def is_training(self, question):
        return question != "of the test split"


@pytest.mark.parametrize(("ngram", "is_shared"), [(6, True), (7, False), (None, False)])
def test_held_out_are_whole_questions_runs_of_their_words_and_what_the_task_says(ngram, is_shared):
    sieve = Sieve(FreeText(), Imagination(ngram=ngram), [], ["How far does a train go in 3 hours?"])
    assert sieve.is_held_out("how far does a train  go in 3 hours?")
    assert sieve.is_held_out("of the test split")
    assert sieve.is_held_out("Say how far does a train go, please.") == is_shared
    assert not sieve.is_held_out("How far is it by train?")


def test_what_is_measured_on_what_gates_see_and_what_files_say_is_held_out(tmp_path):
    (tmp_path / "test.jsonl").write_text(json.dumps({"problem": "of a file"}))
    run = experiment(tmp_path / "run", f"imagine.decontaminate=[{tmp_path / 'test.jsonl'}]")
    measured, gated = (GradedProblem(Problem(name, name), "7") for name in ("measured on", "seen by gates"))
    it = SimpleNamespace(
        task=FreeText(), imagination=run.imagination, config=run.config, held_out=[measured], validation=[gated]
    )
    told = [sieve_of(it, ["known"]).question(text) for text in ("measured on", "seen by gates", "of a file", "Known")]
    assert told == [Dropped.HELD_OUT] * 3 + [Dropped.KNOWN]
    assert sieve_of(it, []).question("anything else") == "anything else"


def test_agreement_is_the_share_of_all_draws_that_have_the_most_frequent_answer():
    class Last:
        def answer(self, steps):
            return None if steps[-1] == "none" else steps[-1]

    drawn = samples(("a 7 +", 3), ("b 7 -", 1), ("a 8 -", 2), ("none -", 3), ("c 7 ~", 1))
    assert agreement(drawn.tree, Last()) == 4 / 10
    assert agreement(samples(("none -", 3)).tree, Last()) == 0.0


def test_failures_have_no_right_solution_or_where_none_was_judged_few_that_agree():
    class First:
        def answer(self, steps):
            return steps[0]

    def unjudged(*draws, problem):
        verified = samples(*draws, problem=problem)
        return type(verified).labelled(verified.tree, "", {})

    trees = [
        samples(("a +", 1), ("b -", 3), problem="solved"),
        samples(("b -", 4), problem="wrong"),
        samples(("b ?", 1), problem="given up"),
        unjudged(("a +", 3), ("b +", 1), problem="agreed"),
        unjudged(("a +", 1), ("b +", 1), ("c +", 2), problem="disputed"),
        unjudged(("a ~", 1), problem="unfinished"),
    ]
    assert [problem.id for problem in failures(trees, First(), 0.6)] == ["wrong", "given up", "disputed", "unfinished"]


# --- the stage --------------------------------------------------------------------------------------------------------

SETTINGS = [
    "imagine.ways=[rephrase]",
    "imagine.count=9",
    "imagine.samples=4",
    "imagine.agreement=0.75",
    "imagine.too_easy=0.9",
    "imagine.near_duplicate=0.9",
]
NEW = "mia starts with {} shells . then mia buys 7 more . # of them are lost . what is the number of shells now ?"
FRESH = [NEW.replace("#", str(n)).format(11) for n in range(2, 60)]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A round in which every reply meets another fate: the experiment, its problems, and what is expected of it."""
    folder = tmp_path_factory.mktemp("imagine")
    it = experiment(folder / "plan", *SETTINGS)
    problems = [graded.problem for graded in it.fresh(1)]
    plan = askings(it.imagination, {Start.PROBLEMS: problems, Start.FAILURES: []}, 1, it.config.seed)
    fresh = [question for question in FRESH if TASK.is_training(question)][:3]
    known = {graded.problem.question for graded in (*it.held_out, *it.validation)}
    unseen = next(
        graded.problem.question for graded in TASK.problems(Split.TEST, 30, 9) if graded.problem.question not in known
    )
    replies = {
        plan[0].parents[0].question.upper(): Dropped.KNOWN,
        "it is raining": Dropped.UNREADABLE,
        other_name(plan[2].parents[0].question): Dropped.NEAR,
        other_name(unseen): Dropped.HELD_OUT,
        it.held_out[0].problem.question: Dropped.HELD_OUT,
        fresh[0]: "kept",
        f"  {fresh[0].capitalize()}": Dropped.KNOWN,
        fresh[1]: Dropped.DISPUTED,
        fresh[2]: Dropped.EASY,
    }
    rows = {f"{one.prompt.id}": [reply] for one, reply in zip(plan, replies, strict=True)}
    lines = [json.dumps({"id": name, "completions": said}) for name, said in rows.items()]
    solved = {fresh[0]: (5, 5, 6, 5), fresh[1]: (5, 6, 5, 6), fresh[2]: (5, 5, 5, 5)}
    lines += [json.dumps({"question": text, "completions": solutions(*said)}) for text, said in solved.items()]
    path = folder / "recorded.jsonl"
    path.write_text("\n".join(lines))
    chosen = [*SETTINGS, "policy=recorded", f"policy.recorded.path={path}"]
    return experiment(folder / "run", *chosen), problems, plan, replies, fresh


def other_name(question):
    """The same computation by somebody else."""
    words = {"ann": "ben", "ben": "mia", "mia": "tom", "tom": "ann"}
    return " ".join(words.get(word, word) for word in question.split())


def test_every_reply_meets_the_fate_that_its_filter_says(world, tmp_path):
    it, problems, plan, replies, fresh = world
    result = imagine(it, None, problems, [], tmp_path, number=1, name="fates")
    fates = Counter(map(str, replies.values()))
    assert result["ways"] == {"rephrase": {"asked": 9, **fates}}
    assert (result["asked"], result["kept"]) == (9, 1)
    assert result["dropped"] == {fate: count for fate, count in fates.items() if fate != "kept"}
    (kept,) = read_imagined(tmp_path)
    assert (kept.question, kept.way, kept.round, kept.agreement) == (fresh[0], "rephrase", 1, 0.75)
    assert kept.parents == (plan[5].parents[0].id,)
    assert kept.id.startswith("imagined:1:rephrase:")
    assert kept.problem == Problem(kept.id, fresh[0])


def test_what_was_asked_and_solved_stands_in_trace_stores_and_is_all_that_it_cost(world, tmp_path):
    it, problems, plan, _, fresh = world
    result = imagine(it, None, problems, [], tmp_path, number=1, name="traces")
    asked_of, solved = ([verified.tree for verified in read_trees(tmp_path / name)] for name in ("asked", "solved"))
    assert [tree.problem for tree in asked_of] == [one.prompt for one in plan]
    assert [tree.problem.question for tree in solved] == fresh
    assert result["tokens_generated"] == sum(tree.spent.tokens_generated for tree in (*asked_of, *solved)) > 0


def test_a_row_has_no_answer_and_is_read_as_a_problem_file(world, tmp_path):
    it, problems, _, _, fresh = world
    imagine(it, None, problems, [], tmp_path, number=1, name="rows")
    (row,) = map(json.loads, (tmp_path / IMAGINED_FILE).read_text().splitlines())
    assert set(row) == {"id", "question", "way", "parents", "round", "policy", "agreement"}
    (graded,) = read_problems(str(tmp_path / IMAGINED_FILE), TASK, needs_answers=False)
    assert (graded.problem, graded.answer) == (Problem(row["id"], fresh[0]), "")


def test_stopped_it_goes_on_without_asking_again(world, tmp_path, monkeypatch):
    it, problems, *_ = world
    first = imagine(it, None, problems, [], tmp_path, number=1, name="again")
    found = read_imagined(tmp_path)
    monkeypatch.setattr(RecordedPolicy, "submit", None)
    (tmp_path / IMAGINED_FILE).unlink()
    assert imagine(it, None, problems, [], tmp_path, number=1, name="again") == first
    assert read_imagined(tmp_path) == found


def test_a_policy_is_asked_in_a_form_of_its_own_and_its_whole_reply_is_the_question(tmp_path):
    question = next(filter(TASK.is_training, FRESH))
    policy = recorded(tmp_path / "recorded.jsonl", {"new problem": [question], question: solutions(5)})
    settings = ["imagine.ways=[new]", "imagine.count=1", "imagine.samples=1", "imagine.form.delimiter=' . '"]
    imagine(experiment(tmp_path, *settings, *policy), None, [], [], tmp_path, number=1, name="form")
    (kept,) = read_imagined(tmp_path)
    (reply,), (solved,) = (read_trees(tmp_path / name) for name in ("asked", "solved"))
    assert kept.question == question
    assert len(reply.tree.path(int(reply.tree.finals()[0]))) == question.count(" . ") + 1
    assert len(solved.tree.path(int(solved.tree.finals()[0]))) == 2


def test_what_was_imagined_before_is_not_imagined_again(world, tmp_path):
    it, problems, _, _, fresh = world
    result = imagine(it, None, problems, [], tmp_path, number=1, name="before", before=fresh)
    assert result["kept"] == 0
    assert result["dropped"][Dropped.KNOWN] == 5
    assert read_imagined(tmp_path) == read_trees(tmp_path / "solved") == []


def test_an_untrained_policy_imagines_nothing_and_every_reply_is_counted(tmp_path):
    words = (*TASK.words(), "rephrase", "change", "numbers", "another", "like", "new", "problem", ":")
    create(words, PolicySize(hidden=32, layers=1, heads=2, intermediate=32), tmp_path / "policy", seed=1)
    it = experiment(tmp_path / "run", "imagine.count=30", "scheduler.max_tokens=8", "imagine.samples=2")
    problems = [graded.problem for graded in it.fresh(1)]
    result = imagine(it, tmp_path / "policy", problems, problems[:1], tmp_path, number=3, name="untrained")
    assert {way: counts["asked"] for way, counts in result["ways"].items()} == {
        "rephrase": 8,
        "numbers": 8,
        "new": 7,
        "challenge": 7,
    }
    assert (result["asked"], result["kept"], sum(result["dropped"].values())) == (30, 0, 30)
    assert result["dropped"][Dropped.UNFINISHED] > 0
    assert 0 < result["tokens_generated"] <= 30 * 8 + 30 * 2 * 8
    assert read_imagined(tmp_path) == []


@pytest.mark.parametrize("row", [{"id": "a", "question": "q"}, {"answer": "7"}, []])
def test_a_file_of_another_form_is_refused_where_it_stands(row, tmp_path):
    (tmp_path / IMAGINED_FILE).write_text(json.dumps(row))
    with pytest.raises(InputError, match=f"{IMAGINED_FILE}:1: "):
        read_imagined(tmp_path)


# --- rephrasings ------------------------------------------------------------------------------------------------------


def test_rephrasings_are_a_problems_own_new_readable_and_not_held_out(tmp_path):
    it = experiment(tmp_path / "plan")
    first, second = [graded.problem for graded in it.fresh(1)][:2]
    fresh = [question for question in FRESH if TASK.is_training(question)][:3]
    said = {
        f"{first.id}:0": fresh[0],
        f"{first.id}:1": fresh[0].upper(),
        f"{first.id}:2": fresh[1],
        f"{second.id}:0": second.question,
        f"{second.id}:1": it.held_out[0].problem.question,
        f"{second.id}:2": "answer 7",
    }
    path = tmp_path / "recorded.jsonl"
    path.write_text("\n".join(json.dumps({"id": name, "completions": [text]}) for name, text in said.items()))
    it = experiment(tmp_path / "run", "policy=recorded", f"policy.recorded.path={path}")
    found = rephrasings(it, None, [first, second], 3, name="reworded")
    assert found.questions == {first.id: fresh[:2], second.id: []}
    assert found.tokens_generated == sum(len(text.split()) for text in said.values())
    with pytest.raises(InputError, match=r"templates\.rephrase: missing"):
        rephrasings(experiment(tmp_path / "none", "imagine=none"), None, [first], 1, name="reworded")


# --- the door ---------------------------------------------------------------------------------------------------------


def test_the_door_writes_a_problem_file_and_a_table_once(tmp_path, capsys):
    it = experiment(tmp_path / "plan")
    (fresh, *_) = [question for question in FRESH if TASK.is_training(question)]
    rows = {f"rephrase : {graded.problem.question}": ["no"] for graded in it.fresh(1)} | {"new problem": [fresh]}
    policy = recorded(tmp_path / "recorded.jsonl", rows | {fresh: solutions(5, 5)})
    command = ["imagine", *SMALL, *policy, "ways=[rephrase,new]", "count=4", "samples=2", f"run.dir={tmp_path / 'run'}"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert [line.split() for line in said.splitlines()[:4]] == [
        ["way", "asked", "kept", "no", "question", "known"],
        ["rephrase", "2", "0", "2", "0"],
        ["new", "2", "1", "0", "1"],
        ["together", "4", "1", "2", "1"],
    ]
    (kept,) = read_imagined(tmp_path / "run/imagined")
    assert kept == Imagined(kept.id, fresh, "new", (), 0, kept.policy, 1.0)
    before = (tmp_path / "run/imagined/stage.json").read_bytes()
    assert main([*command, "output=json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kept"], told["out"]) == (1, str(tmp_path / "run/imagined" / IMAGINED_FILE))
    assert (tmp_path / "run/imagined/stage.json").read_bytes() == before
