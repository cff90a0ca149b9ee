"""docs/traces.md tells every column, and its snippets run as they stand."""

import re
from pathlib import Path

import pytest
from test_regrow_trace_store import small_tree

from regrow.trace_store import NODES_SCHEMA, PROBLEMS_SCHEMA, SCHEMA_VERSION, write_trees

PAGE = (Path(__file__).parents[1] / "docs" / "traces.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """What each snippet leaves, in a folder where a run has been."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    write_trees(tmp_path / "runs/demo/round-1/traces", [small_tree(0), small_tree(1, size=4)])
    left = [{} for _ in SNIPPETS]
    for snippet, names in zip(SNIPPETS, left, strict=True):
        exec(snippet, names)
    return left


@pytest.mark.parametrize(("name", "schema"), [("problems", PROBLEMS_SCHEMA), ("nodes", NODES_SCHEMA)])
def test_every_column_is_told_with_its_type(name, schema):
    section = PAGE.split(f"## {name}.parquet")[1].split("\n## ")[0]
    rows = [row.split(" | ") for row in section.splitlines() if row.startswith("| `")]
    told = {}
    for columns, types, *_ in rows:
        names = re.findall(r"`(\w+)`", columns)
        kinds = types.split(", ") if ", " in types else [types] * len(names)
        told |= dict(zip(names, kinds, strict=True))
    expected = {field.name: re.sub(r"list<\w+: (\w+)>", r"list of \1", str(field.type)) for field in schema}
    expected = {
        column: kind.replace("float", "float32") if kind == "float" else kind for column, kind in expected.items()
    }
    expected = {column: kind.replace("double", "float64") for column, kind in expected.items()}
    assert told == expected
    assert f"this page is version {SCHEMA_VERSION}" in PAGE


def test_datasets_pandas_and_duckdb_open_a_store(ran):
    by_datasets, by_pandas, by_duckdb = ran
    assert by_datasets["judged"]["answer"] == ["1 + 2 + 3", "1 + 2 + 3"]
    assert by_datasets["nodes"]["text"][:3] == [None, "step 1", "step 2"]
    assert by_pandas["shares"].shape == (2,)
    assert by_pandas["nodes"]["hard"].tolist() == [1.0] * 7
    assert by_duckdb["votes"] == [("1 2 3 : 6", "6", "1 + 2 + 3", 2)]
