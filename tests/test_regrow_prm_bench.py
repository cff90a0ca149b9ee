"""A PRM on judged steps: the figures by hand, the files' faults by line, and the door with a real model."""

import json
from math import isnan, nan

import numpy as np
import pytest
from fakes import TableScorer
from prm_tiny import write_policy

from mcts.errors import InputError
from prm.model import create
from regrow.cli import UNUSABLE, main
from regrow.marked import Benchmark, MarkedSolution, read_marked
from regrow.prm_bench import score
from regrow.step_verdicts import (
    best_threshold,
    constant_values,
    counts_of,
    depth_values,
    figures_of,
    interval,
    shuffled_values,
)

PROCESS, PRM = Benchmark.PROCESS_BENCH, Benchmark.PRM_BENCH


def marked(steps, *wrong, kind=""):
    return MarkedSolution("here", "q", tuple(f"s{k}" for k in range(steps)), wrong, kind)


def measured(benchmark, solutions, values, threshold=0.5):
    sums = counts_of(benchmark, solutions, values, threshold).sum(axis=0)
    return {name: float(figure) for name, figure in figures_of(benchmark, sums).items()}


# --- figures ----------------------------------------------------------------------------------------------------------

FIRST = [marked(3, 1), marked(3, 0), marked(2, 1), marked(2), marked(3), marked(1)]
SAID = [(0.9, 0.2, 0.9), (0.7, 0.1, 0.1), (0.5, 0.4), (0.9, 0.8), (0.9, 0.9, 0.3), (0.6,)]


def test_process_bench_is_the_harmonic_mean_of_finding_the_first_error_and_of_finding_none():
    # Of three errors the first is called at its step twice; of three flawless solutions two pass.
    assert measured(PROCESS, FIRST, SAID) == pytest.approx(
        {"error_accuracy": 2 / 3, "correct_accuracy": 2 / 3, "score": 2 / 3}
    )
    # At 0.6 the value 0.5 counts as wrong, and one too early: one error of three is found; two of three still pass.
    strict = measured(PROCESS, FIRST, SAID, 0.6)
    assert strict == pytest.approx({"error_accuracy": 1 / 3, "correct_accuracy": 2 / 3, "score": 4 / 9})


def test_nothing_found_is_0_and_nothing_there_is_unknown():
    assert measured(PROCESS, FIRST, constant_values(SAID)) == {"error_accuracy": 0, "correct_accuracy": 1, "score": 0}
    assert isnan(measured(PROCESS, FIRST[:3], SAID[:3])["score"])
    assert measured(PRM, FIRST[:2], constant_values(SAID[:2]))["negative_f1"] == 0


def test_prm_score_is_half_the_f1_of_right_steps_and_half_that_of_wrong_ones():
    solutions = [marked(4, 1, 2), marked(3, 2)]
    values = [(0.9, 0.1, 0.8, 0.7), (0.3, 0.9, 0.2)]
    # Right: s0, s3 | s0, s1. Wrong: s1, s2 | s2. Called wrong: s1 | s0, s2.
    # Right called right 3, wrong called right 1, right called wrong 1, wrong called wrong 2.
    f1, negative = 6 / 8, 4 / 6
    assert measured(PRM, solutions, values) == pytest.approx(
        {"f1": f1, "negative_f1": negative, "score": 0.5 * f1 + 0.5 * negative}
    )


def test_where_no_step_is_wrong_prm_score_is_the_f1_of_the_right_ones():
    figures = measured(PRM, [marked(2), marked(2)], [(0.9, 0.1), (0.9, 0.9)])
    assert figures["score"] == figures["f1"] == pytest.approx(6 / 7)


def test_the_best_threshold_is_one_of_the_values_and_no_other_does_better():
    found = best_threshold(PROCESS, FIRST, SAID)
    flat = sorted({value for its in SAID for value in its})
    by_hand = {threshold: measured(PROCESS, FIRST, SAID, threshold)["score"] for threshold in flat}
    assert found in flat
    assert by_hand[found] == max(by_hand.values()) > min(by_hand.values())


def test_what_knows_depth_alone_does_its_best_and_no_more():
    # Errors at steps 1, 0, 1: calling step 1 finds two of three, and passes the one flawless solution of one step.
    values = depth_values(PROCESS, FIRST, SAID)
    assert values[0] == (1.0, 0.0, 0.0)
    assert measured(PROCESS, FIRST, values)["score"] == pytest.approx(2 * (2 / 3) * (1 / 3))
    solutions = [marked(2, 1), marked(2, 1), marked(2, 0)]
    assert depth_values(PRM, solutions, [(0.5, 0.5)] * 3) == [(1.0, 0.0)] * 3


def test_shuffled_values_are_the_same_at_each_depth_in_another_order():
    rng = np.random.default_rng(0)
    values = [tuple(rng.random(int(n))) for n in rng.integers(1, 5, 40)]
    dealt = shuffled_values(values, 3)
    assert list(map(len, dealt)) == list(map(len, values))
    for k in range(4):
        assert sorted(its[k] for its in dealt if len(its) > k) == sorted(its[k] for its in values if len(its) > k)
    assert dealt != values
    assert shuffled_values(values, 3) == dealt != shuffled_values(values, 4)


def test_the_interval_holds_the_score_and_is_about_the_normal_one():
    rng = np.random.default_rng(1)
    solutions = [marked(1, 0) if i % 2 else marked(1) for i in range(800)]
    values = [(float(rng.random() < (0.8 if not one.wrong else 0.2)),) for one in solutions]
    counts = counts_of(PROCESS, solutions, values, 0.5)
    low, high = interval(PROCESS, counts)
    found = measured(PROCESS, solutions, values)["score"]
    assert low < found < high
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.8 * 0.2 / 800), rel=0.1)
    assert interval(PROCESS, counts) == (low, high)


# --- files ------------------------------------------------------------------------------------------------------------

ROW = {"id": "g-0", "generator": "m", "problem": "a", "steps": ["a", "b"], "final_answer_correct": False, "label": 1}
PRM_ROW = {
    "idx": "0",
    "original_question": "a",
    "modified_question": "a b",
    "original_process": ["1. a"],
    "modified_process": ["1. a", "Step 2: b", "2. 5 c"],
    "modified_steps": [2, 3],
    "error_steps": [3, 2],
    "classification": "circular",
}


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_process_bench_names_the_first_wrong_step(tmp_path):
    kind, found = read_marked(write(tmp_path / "f.jsonl", ROW, ROW | {"label": -1}))
    assert kind is PROCESS
    assert [one.wrong for one in found] == [(1,), ()]
    assert (found[0].question, found[0].steps) == ("a", ("a", "b"))


def test_prm_bench_counts_from_1_numbers_its_steps_and_has_each_solution_of_a_class_once(tmp_path):
    rows = [PRM_ROW, PRM_ROW, PRM_ROW | {"classification": "deception"}]
    (tmp_path / "f.json").write_text(json.dumps(rows))
    kind, found = read_marked(tmp_path / "f.json")
    assert kind is PRM
    assert [one.kind for one in found] == ["circular", "deception"]
    assert found[0].wrong == (1, 2)
    assert found[0].question == "a b"
    assert found[0].steps == ("a", "b", "2. 5 c")  # of the third step "2." is no number


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (ROW | {"label": 2}, "label is 2, expected -1 or the index of one of the 2 steps"),
        (ROW | {"label": -2}, "label is -2"),
        (ROW | {"label": None}, "label is None"),
        (ROW | {"label": True}, "label is True"),
        (ROW | {"steps": "a"}, "steps is a str, expected a list of texts"),
        (ROW | {"steps": []}, "steps is empty, expected a list of texts"),
        (ROW | {"steps": ["a", " "]}, "steps[1] is ' ', expected a text"),
        ({"problem": "a", "label": 0}, "steps is missing"),
        ({"steps": ["a"], "label": 0}, "no problem or question, expected a text"),
        ({"problem": "a"}, "neither label nor modified_process, expected a row of ProcessBench or PRMBench"),
        (PRM_ROW | {"error_steps": [4]}, "error_steps is [4], expected a list of numbers from 1 to 3"),
        (PRM_ROW | {"error_steps": [0]}, "error_steps is [0]"),
        (PRM_ROW | {"error_steps": 2}, "error_steps is 2"),
        (PRM_ROW | {"classification": None}, "no classification, expected a text"),
    ],
)
def test_a_bad_row_says_its_line_and_what_was_expected(row, said, tmp_path):
    path = tmp_path / "f.jsonl"
    path.write_text("\n" + json.dumps(row) + "\n")
    with pytest.raises(InputError) as error:
        read_marked(path)
    assert f"f.jsonl:2: {said}" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_scorer_is_shown_problem_and_steps_and_gives_a_value_for_each_step():
    scorer = TableScorer(lambda question, *steps: {0: 0.0, 1: 0.25, 2: 0.75}[len(steps)], arrival=3)
    assert score(scorer, [marked(2, 1)] * 600, lambda *_: None) == [(0.25, 0.75)] * 600
    with pytest.raises(InputError, match="here: the PRM gave nan"):
        score(TableScorer(lambda *_: nan), [marked(1)], lambda *_: None)


# --- the door ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def prm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prm")
    create(write_policy(folder / "policy"), folder / "prm", head="hidden", activation="sigmoid", seed=0)
    return folder / "prm"


def test_a_prm_is_measured_beside_what_needs_none(prm, tmp_path, capsys):
    rows = [ROW, ROW | {"label": 0}, ROW | {"label": -1, "steps": ["a\nb", "c"]}, ROW | {"label": -1}]
    one, two = write(tmp_path / "one.jsonl", *rows), write(tmp_path / "two.jsonl", *rows[1:])
    other = write(tmp_path / "other.jsonl", PRM_ROW | {"modified_process": ["1. a", "b", "c"]})
    arguments = [f"prm.path={prm}", f"run.dir={tmp_path / 'run'}", f"prm.threshold_from={two}"]
    arguments.append(f"prm.bench=[{one},{two},{other}]")
    assert main(["evaluate", *arguments]) == 0
    assert "PRMScore" in capsys.readouterr().out
    stages = {path: path.stat().st_mtime_ns for path in (tmp_path / "run/bench").rglob("stage.json")}
    assert len(stages) == 3
    assert main(["evaluate", *arguments, "output=json"]) == 0  # nothing is scored again
    assert {path: path.stat().st_mtime_ns for path in stages} == stages
    found = {(row["file"], row["kind"], row["values"]): row for row in json.loads(capsys.readouterr().out)["rows"]}
    names = ("prm", "shuffled", "depth only", "constant")
    places = [("one", "all"), ("two", "all"), ("mean", "all"), ("other", "all"), ("other", "circular")]
    assert set(found) == {(*place, name) for place in places for name in names}
    assert found["one", "all", "constant"]["score"] == 0
    assert found["other", "all", "prm"]["solutions"] == 1
    wholes = [found[name, "all", "prm"]["score"] for name in ("one", "two")]
    assert found["mean", "all", "prm"]["score"] == pytest.approx(sum(wholes) / 2)


@pytest.mark.parametrize(
    ("rows", "changes", "said"),
    [
        ([ROW | {"label": 7}], [], "f.jsonl:1: label is 7"),
        ([ROW | {"steps": ["nobody knows this", "b"]}], [], "f.jsonl:1: "),
        ([], [], "f.jsonl: no solutions"),
        ([ROW], ["prm.threshold=0"], "prm.threshold=0.0: expected more than 0"),
        ([ROW], ["prm.threshold_from=none.jsonl"], "none.jsonl: cannot be read"),
    ],
)
def test_what_cannot_be_measured_is_one_line(prm, tmp_path, capsys, rows, changes, said):
    path = write(tmp_path / "f.jsonl", *rows)
    arguments = [f"prm.path={prm}", f"prm.bench=[{path}]", f"run.dir={tmp_path / 'run'}", *changes]
    assert main(["evaluate", *arguments]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert said in complaint.splitlines()[-1]
