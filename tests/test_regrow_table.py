"""`regrow table`: runs of any kind side by side, from reports alone."""

import csv
import json
import subprocess
import sys

import pytest

from regrow.cli import UNUSABLE, main


def row(accuracy):
    return {
        "strategy": "x",
        "selected_by": "prm",
        "tokens_per_problem": 40.0,
        "accuracy": accuracy,
        "low": accuracy - 0.1,
        "high": accuracy + 0.1,
        "n": 10,
    }


def done(number, accuracy):
    return {
        "round": number,
        "eval": {"greedy": row(accuracy), "search": row(accuracy + 0.2)},
        "prm_eval": {"auroc": 0.75},
        "controls": {},
        "tokens_generated": 1000,
        "gate_tokens": 10,
    }


def left(folder, overrides, **files):
    """A run's folder: its overrides and JSON files."""
    (folder / ".hydra").mkdir(parents=True)
    (folder / ".hydra/overrides.yaml").write_text("".join(f"- {json.dumps(one)}\n" for one in overrides))
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def report(rounds, command="train", **settings):
    config = {"seed": 0, "round": {"count": 2}} | settings
    made = {"seed": 0, "commit": "abc", "hardware": {"cpu": "a <machine>"}}
    return {"command": command, "config": config, **made} | rounds


@pytest.fixture
def runs(tmp_path):
    """A finished run, one that has a round to go, one that failed, a contest."""
    root = tmp_path / "runs"
    whole = {"rounds": [done(0, 0.1), done(1, 0.3), done(2, 0.5)]}
    finished = left(root / "a/search-puct", ["search=puct", "seed=1", "run.dir=x"], report=report(whole, seed=1))
    (finished / "round-1/search").mkdir(parents=True)
    (finished / "round-1/search/stage.json").write_text(json.dumps({"seconds": 2.5}))
    left(root / "a/halfway", ["search=auto"], report=report({"rounds": [done(0, 0.1), done(1, 0.2)]}))
    left(root / "a/broken", ["search=auto", "seed=9"], failed={"error": "seed: <no>", "sweep": "", "alone": ""})
    standing = {"strategy": "puct", "budget": 40, "accuracy": 0.6, "low": 0.5, "high": 0.7}
    contest = {"standings": [standing], "accounts": [{"tokens_generated": 77}]}
    left(root / "b", [], report=report(contest, "evaluate strategies"))
    return root


def tabulated(runs, tmp_path, *words):
    assert main(["table", *(words or [str(runs)]), f"out={tmp_path / 'table.csv'}"]) == 0
    return {
        row["run"].rpartition("/")[2]: row for row in csv.DictReader((tmp_path / "table.csv").read_text().splitlines())
    }


def test_a_row_has_the_overrides_that_differ_the_last_rounds_figures_and_what_became_of_the_run(runs, tmp_path):
    rows = tabulated(runs, tmp_path)
    assert list(rows) == ["broken", "halfway", "search-puct", "b"]
    assert {name: (row["search"], row["seed"], row["status"], row["why"]) for name, row in rows.items()} == {
        "broken": ("", "9", "failed", "seed: <no>"),
        "halfway": ("0.4", "0", "unfinished", "1 of 2 rounds to go"),
        "search-puct": ("0.7", "1", "finished", ""),
        "b": ("", "0", "finished", ""),
    }
    assert "run.dir" not in rows["b"]
    assert (rows["search-puct"]["auroc"], rows["search-puct"]["greedy_low"]) == ("0.75", "0.4")
    assert (rows["search-puct"]["tokens"], rows["search-puct"]["seconds"]) == ("3030", "2.5")
    assert (rows["b"]["puct@40"], rows["b"]["tokens"]) == ("0.6", "77")


def test_the_terminal_and_the_page_have_the_same_and_the_page_escapes_what_it_shows(runs, tmp_path, capsys):
    assert main(["table", str(runs / "a"), f"out={tmp_path / 'table.html'}"]) == 0
    said, page = capsys.readouterr().out, (tmp_path / "table.html").read_text()
    for text in ("search", "puct", "auto", "0.700", "finished", "1 of 2 rounds to go"):
        assert text in said
        assert text in page
    assert "failed: seed: <no>" in said
    assert "seed: &lt;no&gt;" in page
    assert "<no>" not in page
    assert "a &lt;machine&gt;" in page
    assert 'id="figures"' in page
    assert "http://" not in page.split("</script>")[-1]


def test_runs_that_overrides_do_not_tell_apart_are_named(tmp_path, capsys):
    for name in ("one", "two"):
        left(tmp_path / name, ["seed=0"], report=report({"rounds": [done(0, 0.1)]}, "evaluate"))
    assert main(["table", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "one" in said
    assert "two" in said
    assert "seed" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no folder"),
        (["absent"], "absent: no folder"),
        (["."], ".: no run there"),
        ([".", "seed=1"], "'seed=1': expected out=FILE.csv or out=FILE.html"),
        ([".", "out=table.pdf"], "out=table.pdf: expected a name that ends in .csv or .html"),
    ],
)
def test_what_cannot_be_tabulated_gets_one_line(words, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["table", *words]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1


def test_a_broken_report_is_named(runs, capsys):
    (runs / "b/report.json").write_text("{")
    assert main(["table", str(runs)]) == UNUSABLE
    assert "report.json is not readable JSON" in capsys.readouterr().err


def test_a_table_comes_without_heavy_imports(runs):
    code = (
        f"import sys; from regrow.cli import main; main(['table', {str(runs)!r}]);"
        "sys.exit(bool({'torch', 'transformers', 'hydra', 'numba', 'pyarrow', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
