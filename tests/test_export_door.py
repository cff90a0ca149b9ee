"""`regrow export`: from trace stores to a folder that `datasets.load_dataset` opens, the same each time."""

import json
import re
import weakref
from pathlib import Path

import pytest
from datasets import load_dataset
from grown import verified_trees

from mcts.errors import InputError
from policy.prompts import PromptFormat
from regrow import trace_store
from regrow.cli import DONE, UNUSABLE, main
from regrow.export import shards
from regrow.export.formats import FORMATS
from regrow.export.recipe import Recipe
from regrow.export.rows import schema_of
from regrow.export.shards import write_shards
from regrow.export.source import stores
from regrow.export.source import verified_trees as read
from regrow.trace_store import iter_trees, write_trees
from regrow.verified import VerifiedTree

TREES = verified_trees(12)


@pytest.fixture(autouse=True)
def apart(tmp_path, monkeypatch):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def run(tmp_path):
    """A run of three rounds, the last of which met a problem again."""
    for number, trees in ((1, TREES[:5]), (2, TREES[5:9]), (10, [*TREES[9:], TREES[0]])):
        write_trees(tmp_path / f"run/round-{number}/traces", trees)
        write_trees(tmp_path / f"run/round-{number}/search", [])
    return tmp_path / "run"


def export(run, out, name="sft", *more):
    return main(["export", f"traces={run}", f"format={name}", f"out={out}", *more])


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_loaded_as_it_is_with_the_columns_of_its_card(name, run, tmp_path):
    assert export(run, tmp_path / "out", name, "split=validation") == DONE
    data = load_dataset(str(tmp_path / "out"))["validation"]
    form, recipe = FORMATS[name], Recipe(PromptFormat(), "countdown", split="validation")
    assert data.features.arrow_schema.equals(schema_of(form.columns, recipe))
    trees = TREES if form.is_per_problem else [*TREES, TREES[0]]
    expected = [row for index, one in enumerate(trees) for row in form.rows(one, recipe, index)]
    assert data.to_list() == expected
    card = (tmp_path / "out/README.md").read_text()
    assert f"| trees | {len(trees)} |" in card
    assert f"| rows | {len(expected)} |" in card
    assert f"num_examples: {len(expected)}" in card
    assert form.loads in card


@pytest.mark.parametrize("name", FORMATS)
def test_an_export_is_the_same_to_the_last_byte(name, run, tmp_path):
    bytes_of = []
    for out in (tmp_path / "first", tmp_path / "second"):
        assert export(run, out, name) == DONE
        bytes_of.append({path.name: path.read_bytes() for path in out.iterdir()})
    assert bytes_of[0] == bytes_of[1]


def test_rounds_are_read_in_order_and_only_their_traces(run):
    assert [path.parent.name for path in stores(run)] == ["round-1", "round-2", "round-10"]
    questions = [one.tree.problem.question for one in read(stores(run))]
    assert questions == [one.tree.problem.question for one in [*TREES, TREES[0]]]


def test_one_store_and_shards_in_a_folder_are_found(run, tmp_path):
    assert stores(run / "round-1/traces") == [run / "round-1/traces"]
    for number in (10, 9):
        write_trees(tmp_path / f"shards/part-{number}", TREES[:1])
    assert [path.name for path in stores(tmp_path / "shards")] == ["part-9", "part-10"]


def test_a_problem_that_two_rounds_had_counts_once_where_rows_are_problems(run, tmp_path):
    assert export(run, tmp_path / "out", "verl") == DONE
    rows = load_dataset(str(tmp_path / "out"), split="train")
    assert [row["index"] for row in rows["extra_info"]] == list(range(12))
    assert len({row["problem_id"] for row in rows["extra_info"]}) == 12


@pytest.mark.parametrize(("name", "suffix"), [("kto", "parquet"), ("rlhflow", "jsonl")])
def test_files_have_so_many_rows_at_most_and_are_loaded_in_order(name, suffix, run, tmp_path):
    assert export(run, tmp_path / "whole", name) == DONE
    assert export(run, tmp_path / "parts", name, "rows_per_file=10") == DONE
    whole, parts = (load_dataset(str(tmp_path / folder), split="train") for folder in ("whole", "parts"))
    assert whole.to_list() == parts.to_list()
    files = sorted((tmp_path / "parts").glob(f"*.{suffix}"))
    assert [path.name for path in files] == [f"train-{n:05d}.{suffix}" for n in range(-(-len(whole) // 10))]


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 9])
def test_shards_lose_and_invent_nothing(count, tmp_path, monkeypatch):
    monkeypatch.setattr(shards, "ROWS_AT_ONCE", 3)
    rows = [{"task": str(n), "input": "", "label": ""} for n in range(count)]
    schema = schema_of(FORMATS["math_shepherd"].columns, Recipe(PromptFormat(), "t"))
    assert write_shards(tmp_path, rows, schema, "jsonl", lambda n: f"x-{n}", 4) == count
    read_back = [[json.loads(line) for line in path.open()] for path in sorted(tmp_path.iterdir())]
    assert [row for part in read_back for row in part] == rows
    assert [len(part) for part in read_back] == [4] * (count // 4) + ([count % 4] if count % 4 else [])


def test_few_trees_are_held_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(trace_store, "TREES_PER_GROUP", 2)
    monkeypatch.setattr(shards, "ROWS_AT_ONCE", 4)
    write_trees(tmp_path / "traces", TREES * 3)
    seen, alive = [], []

    def watched(folder):
        for verified in iter_trees(folder):
            seen.append(weakref.ref(verified.labels.hard))
            alive.append(sum(reference() is not None for reference in seen))
            yield verified

    monkeypatch.setattr("regrow.export.source.iter_trees", watched)
    assert export(tmp_path / "traces", tmp_path / "out", "stepwise") == DONE
    assert len(alive) == 36
    assert max(alive) <= 5


def test_the_results_of_an_evaluation_add_up(run, tmp_path):
    assert export(run, tmp_path / "out", "lm_eval") == DONE
    samples, results = (
        next((tmp_path / "out").glob(pattern)) for pattern in ("samples_countdown_*.jsonl", "results_*.json")
    )
    assert samples.stem.removeprefix("samples_countdown_") == results.stem.removeprefix("results_")
    scores = [json.loads(line)["exact_match"] for line in samples.open()]
    told = json.loads(results.read_text())
    assert told["results"]["countdown"]["exact_match,none"] == sum(scores) / 12
    assert told["n-samples"]["countdown"] == {"original": 12, "effective": 12}


def test_settings_may_be_given_with_and_without_their_node(run, tmp_path, capsys):
    assert export(run, tmp_path / "a", "stepwise", "labels=hard", "per_problem=1", "output=json") == DONE
    told = json.loads(capsys.readouterr().out)
    assert export(run, tmp_path / "b", "stepwise", "export.labels=hard", "export.per_problem=1") == DONE
    a, b = (load_dataset(str(tmp_path / out), split="train") for out in "ab")
    assert a.to_list() == b.to_list()
    assert {value for row in a["values"] for value in row} == {0.0, 1.0}
    assert told == {"out": str(tmp_path / "a"), "trees": 13, "rows": len(a)}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["format=csv"], "export.format=csv: expected one of sft, sft_messages"),
        (["labels=luck"], "export.labels=luck: expected one of hard, progress, simple, soft"),
        (["split=a/b"], "export.split=a/b: expected a word"),
        (["per_problem=0"], "export.per_problem=0: expected at least 1"),
        (["rows_per_file=0"], "export.rows_per_file=0: expected at least 1"),
        (["margin=0"], "export.margin=0.0: expected more than 0"),
        (["per_problem=few"], "per_problem"),
        (["no_such_key=1"], "no_such_key"),
        (["traces=absent"], "traces=absent: no trace store"),
        (["format=step_preference", "margin=2"], "nothing for format=step_preference in 13 trees"),
    ],
)
def test_what_cannot_be_used_is_one_line_and_writes_nothing(settings, said, run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert export(run, "out", "sft", *settings) == UNUSABLE
    complaint = capsys.readouterr().err
    assert complaint.startswith("regrow: ")
    assert complaint.count("\n") == 1
    assert said in complaint
    assert not list(tmp_path.glob("*out*"))


def test_trees_without_verdicts_are_refused(run, tmp_path):
    bare = [VerifiedTree.labelled(one.tree, "", {}) for one in TREES]
    write_trees(tmp_path / "search", bare)
    with pytest.raises(InputError, match="trees without verdicts, expected verified ones"):
        list(read([tmp_path / "search"]))


def test_a_folder_with_other_files_is_left_alone(run, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/README.md").write_text("my data")
    assert export(run, tmp_path / "mine") == UNUSABLE
    assert "has other files" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["README.md"]


def test_an_export_takes_the_place_of_an_earlier_one(run, tmp_path):
    assert export(run, tmp_path / "out", "rlhflow") == DONE
    assert export(run, tmp_path / "out", "kto") == DONE
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"README.md", "train-00000.parquet"}


def test_an_export_that_fails_leaves_the_one_before(run, tmp_path, monkeypatch):
    assert export(run, tmp_path / "out") == DONE
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    def broken(*arguments, **named):
        raise InputError("no card today")

    monkeypatch.setattr("regrow.export.door.write_card", broken)
    assert export(run, tmp_path / "out", "kto") == UNUSABLE
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_a_place_that_cannot_be_written_is_one_line(run, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    for out in (tmp_path / "file", tmp_path / "file/out"):
        assert export(run, out) == UNUSABLE
        complaint = capsys.readouterr().err
        assert f"out={out}" in complaint
        assert complaint.count("\n") == 1


def test_the_page_tells_every_format():
    page = (Path(__file__).parents[1] / "docs/export.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(FORMATS)
