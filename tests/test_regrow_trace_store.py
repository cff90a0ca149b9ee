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
from mcts.tree import SearchTree
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
    )
    outcomes = draw(st.dictionaries(st.integers(0, size - 1), st.sampled_from(Outcome)))
    labels = StepLabels(column(np.int32), column(np.float32), column(np.float32), column(np.float32))
    return VerifiedTree(tree, draw(st.text(max_size=5)), outcomes, labels)


def bits(value):
    """A value whose equality is equality of types and bits, so that NaN equals itself and 0.0 is not -0.0."""
    if dataclasses.is_dataclass(value):
        return [(one.name, bits(getattr(value, one.name))) for one in dataclasses.fields(value)]
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
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
    return VerifiedTree.labelled(tree, "6", {size - 1: Outcome.CORRECT})


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
            "schema version 99, expected 2",
        ),
        (PROBLEMS_FILE, lambda table: table.replace_schema_metadata(), "schema version none, expected 2"),
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
