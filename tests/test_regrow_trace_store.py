"""The trace store gives back, bit for bit, what was written, and refuses what it cannot read."""

import dataclasses
import weakref

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mcts.errors import InputError
from mcts.labels import StepLabels
from mcts.tree import Record, SearchTree
from mcts.types import Outcome, Problem, Spent, Step, StepEnd
from regrow import trace_store
from regrow.trace_store import NODES_FILE, PROBLEMS_FILE, iter_trees, read_trees, write_trees
from regrow.verified import VerifiedTree

INT64 = st.integers(0, 2**63 - 1)
STEPS = st.builds(
    Step,
    st.text(max_size=8),
    st.lists(st.integers(0, 2**31 - 1), max_size=4).map(tuple),
    st.lists(st.floats(width=64), max_size=4).map(tuple),
    st.sampled_from(StepEnd),
)


@st.composite
def verified_trees(draw):
    size = draw(st.integers(1, 8))

    def column(dtype):
        return draw(hnp.arrays(dtype, size))

    parents = [-1] + [draw(st.integers(0, node - 1)) for node in range(1, size)]
    ways = st.tuples(*[st.integers(0, size - 1)] * 2).map(sorted)
    drawn = np.array(draw(st.lists(ways, max_size=4)), np.int32).reshape(-1, 2)
    tree = SearchTree(
        problem=Problem(draw(st.text(max_size=5)), draw(st.text(max_size=10))),
        strategy=draw(st.text(max_size=5)),
        seed=draw(st.integers(0, 2**64 - 1)),
        spent=Spent(draw(INT64), draw(INT64), draw(INT64), draw(INT64), nodes=size),
        answer=draw(st.integers(-1, size - 1)),
        steps=(None, *(draw(STEPS) for _ in range(1, size))),
        parent=np.array(parents, np.int32),
        visits=column(np.int32),
        value_sum=column(np.float64),
        value=column(np.float32),
        prior=column(np.float32),
        flags=column(np.uint16),
        record=draw(st.none() | st.just(Record(draw(st.floats(0, 2)), *drawn.T.copy(), column(np.float64)))),
    )
    outcomes = draw(st.dictionaries(st.integers(0, size - 1), st.sampled_from(Outcome)))
    labels = StepLabels(column(np.int32), column(np.float32), column(np.float32), column(np.float32))
    answers = {node: draw(st.none() | st.text(max_size=3)) for node in outcomes}
    return VerifiedTree(tree, draw(st.text(max_size=5)), outcomes, labels, answers)


def bits(value):
    """A value whose equality is equality of types and bits, so that NaN equals itself and 0.0 is not -0.0."""
    if dataclasses.is_dataclass(value):
        return [(one.name, bits(getattr(value, one.name))) for one in dataclasses.fields(value)]
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, dict):
        return sorted(value.items())
    if isinstance(value, tuple):
        return tuple(bits(inner) for inner in value)
    return value.hex() if isinstance(value, float) else value


def small_tree(number=0, size=3):
    zeros = np.zeros(size, np.float32)
    tree = SearchTree(
        Problem(f"p{number}", "1 2 3 : 6"),
        "best_of_n",
        2**64 - 1 - number,
        Spent(10, 20, 1, 2, nodes=size),
        size - 1,
        (None, *(Step(f"step {node}", (7, node), (-0.5, -1.0)) for node in range(1, size))),
        np.arange(-1, size - 1, dtype=np.int32),
        np.ones(size, np.int32),
        np.zeros(size),
        zeros,
        zeros,
        np.zeros(size, np.uint16),
    )
    return VerifiedTree.labelled(tree, "6", {size - 1: Outcome.CORRECT}, {size - 1: "1 + 2 + 3"})


@settings(max_examples=40, deadline=None)
@given(st.lists(verified_trees(), max_size=5))
def test_trees_come_back_bit_for_bit(tmp_path_factory, trees):
    folder = tmp_path_factory.mktemp("traces")
    assert write_trees(folder, trees) == len(trees)
    assert [bits(tree) for tree in read_trees(folder)] == [bits(tree) for tree in trees]


def test_order_is_kept_across_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr(trace_store, "TREES_PER_GROUP", 4)
    trees = [small_tree(number, size=1 + number % 3) for number in range(11)]
    write_trees(tmp_path, iter(trees))
    assert pq.ParquetFile(tmp_path / NODES_FILE).num_row_groups == 3
    assert [bits(tree) for tree in iter_trees(tmp_path)] == [bits(tree) for tree in trees]


def test_writing_holds_few_trees_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(trace_store, "TREES_PER_GROUP", 2)
    seen, alive = [], []

    def source():
        for number in range(20):
            verified = small_tree(number)
            seen.append(weakref.ref(verified.labels.hard))
            alive.append(sum(reference() is not None for reference in seen))
            yield verified

    write_trees(tmp_path, source())
    assert max(alive) <= 5


def test_the_files_say_what_others_want_to_read(tmp_path):
    write_trees(tmp_path, [small_tree()])
    problem = pq.read_table(tmp_path / PROBLEMS_FILE).to_pylist()[0]
    assert (problem["gold"], problem["nodes"], problem["correct"]) == ("6", 3, 1)
    nodes = pq.read_table(tmp_path / NODES_FILE).to_pylist()
    assert [row["depth"] for row in nodes] == [0, 1, 2]
    assert [row["outcome"] for row in nodes] == [None, None, "correct"]
    assert [row["answer"] for row in nodes] == [None, None, "1 + 2 + 3"]
    assert [row["remaining"] for row in nodes] == [2, 1, 0]
    assert nodes[0]["text"] is None


def test_a_failed_write_leaves_the_old_store(tmp_path):
    write_trees(tmp_path, [small_tree(7)])

    def broken():
        yield small_tree(8)
        raise RuntimeError("search died")

    with pytest.raises(RuntimeError):
        write_trees(tmp_path, broken())
    assert [tree.tree.problem.id for tree in read_trees(tmp_path)] == ["p7"]
    assert {path.name for path in tmp_path.iterdir()} == {PROBLEMS_FILE, NODES_FILE}


def store_of_version_2(folder):
    """Two trees, as the store was before it kept answers: every column spelt out."""
    version = {"schema_version": "2"}
    problems = pa.table(
        {
            "tree": pa.array([0, 1], pa.int64()),
            "problem_id": ["p0", "p1"],
            "question": ["1 2 -> 3", "2 3 -> 6"],
            "gold": ["3", "6"],
            "strategy": ["best_of_n", "best_of_n"],
            "failure": ["", "lost"],
            "seed": pa.array([1, 2**64 - 1], pa.uint64()),
            "answer_node": pa.array([1, -1], pa.int32()),
            "nodes": pa.array([2, 1], pa.int32()),
            "finals": pa.array([1, 0], pa.int32()),
            "correct": pa.array([1, 0], pa.int32()),
            **{
                name: pa.array([5, 0], pa.int64())
                for name in ("tokens_generated", "tokens_scored", "policy_calls", "scorer_calls")
            },
        }
    )
    nodes = pa.table(
        {
            "tree": pa.array([0, 0, 1], pa.int64()),
            "problem_id": ["p0", "p0", "p1"],
            "node": pa.array([0, 1, 0], pa.int32()),
            "parent": pa.array([-1, 0, -1], pa.int32()),
            "depth": pa.array([0, 1, 0], pa.int32()),
            "text": pa.array([None, "2 + 1 = 3", None]),
            "token_ids": pa.array([None, [7, 1], None], pa.list_(pa.int32())),
            "logprobs": pa.array([None, [-0.5, -1.0], None], pa.list_(pa.float64())),
            "end": pa.array([None, "final", None]),
            "visits": pa.array([1, 1, 0], pa.int32()),
            "value_sum": pa.array([1.0, 1.0, 0.0], pa.float64()),
            "value": pa.array([0.5, 0.75, float("nan")], pa.float32()),
            "prior": pa.array([0.0, 0.25, 0.0], pa.float32()),
            "flags": pa.array([4, 3, 0], pa.uint16()),
            "outcome": pa.array([None, "correct", None]),
            "remaining": pa.array([1, 0, -1], pa.int32()),
            **{name: pa.array([1.0, 1.0, float("nan")], pa.float32()) for name in ("hard", "progress", "soft")},
        }
    )
    pq.write_table(problems.replace_schema_metadata(version), folder / PROBLEMS_FILE)
    pq.write_table(nodes.replace_schema_metadata(version), folder / NODES_FILE)


def test_a_store_of_version_2_is_read_without_answers_and_written_anew_in_version_4(tmp_path):
    store_of_version_2(tmp_path)
    solved, lost = read_trees(tmp_path)
    assert (solved.outcomes, solved.answers, solved.gold) == ({1: Outcome.CORRECT}, {}, "3")
    assert solved.tree.steps == (None, Step("2 + 1 = 3", (7, 1), (-0.5, -1.0), StepEnd.FINAL))
    assert (lost.tree.failure, lost.tree.seed) == ("lost", 2**64 - 1)
    write_trees(tmp_path / "new", [solved, lost])
    assert pq.read_schema(tmp_path / "new" / NODES_FILE).metadata == {b"schema_version": b"4"}
    assert [one.answers for one in read_trees(tmp_path / "new")] == [{1: None}, {}]


def test_a_store_of_this_version_without_answers_is_refused(tmp_path):
    write_trees(tmp_path, [small_tree()])
    rewrite(tmp_path / NODES_FILE, lambda table: table.drop_columns("answer"))
    with pytest.raises(InputError, match="column 'answer' is missing, expected string in version 4"):
        read_trees(tmp_path)


def test_a_store_of_version_3_is_read_without_a_record(tmp_path):
    record = Record(0.7, np.array([0, 0], np.int32), np.array([2, 2], np.int32), np.array([0.5, 0.25, 1.0]))
    whole = small_tree()
    write_trees(tmp_path, [dataclasses.replace(whole, tree=dataclasses.replace(whole.tree, record=record))])
    assert bits(read_trees(tmp_path)[0].tree.record) == bits(record)
    version = {"schema_version": "3"}
    for name, new in ((PROBLEMS_FILE, ["temperature", "draw_prefix", "draw_end"]), (NODES_FILE, ["score"])):
        rewrite(tmp_path / name, lambda table, new=new: table.drop_columns(new).replace_schema_metadata(version))
    assert bits(read_trees(tmp_path)[0]) == bits(whole)


def rewrite(path, change):
    table = change(pq.read_table(path))
    pq.write_table(table, path)


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        (NODES_FILE, lambda table: table.drop_columns("prior"), "column 'prior' is missing"),
        (
            NODES_FILE,
            lambda table: table.set_column(0, "tree", table["tree"].cast(pa.int32())),
            "column 'tree' is int32, expected int64",
        ),
        (NODES_FILE, lambda table: table.slice(1), "rows do not follow"),
        (
            PROBLEMS_FILE,
            lambda table: table.replace_schema_metadata({"schema_version": "99"}),
            "schema version 99, expected 4",
        ),
        (PROBLEMS_FILE, lambda table: table.replace_schema_metadata(), "schema version none, expected 4"),
    ],
)
def test_a_store_of_another_form_is_refused_in_one_line(tmp_path, name, change, says):
    write_trees(tmp_path, [small_tree()])
    rewrite(tmp_path / name, change)
    with pytest.raises(InputError, match=says) as error:
        read_trees(tmp_path)
    assert str(tmp_path / name) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_or_foreign_file_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"problems\.parquet is missing"):
        read_trees(tmp_path)
    write_trees(tmp_path, [small_tree()])
    (tmp_path / NODES_FILE).write_bytes(b"not parquet at all")
    with pytest.raises(InputError, match=r"nodes\.parquet is not a readable parquet file"):
        read_trees(tmp_path)


def test_labels_and_outcomes_must_fit_the_tree():
    verified = small_tree()
    short = dataclasses.replace(verified.labels, hard=verified.labels.hard[1:])
    with pytest.raises(ValueError, match=r"labels\.hard has shape \(2,\), expected \(3,\)"):
        dataclasses.replace(verified, labels=short)
    with pytest.raises(ValueError, match="outcomes name node 3"):
        dataclasses.replace(verified, outcomes={3: Outcome.WRONG})
    with pytest.raises(ValueError, match="answers name node 1, expected judged nodes"):
        dataclasses.replace(verified, answers={1: "6"})
