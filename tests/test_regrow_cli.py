"""The command line as a user meets it: help, overrides, questions, one-line complaints, exit codes."""

import subprocess
import sys
import time

import pytest

from regrow.cli import COMMANDS, UNUSABLE, main


def regrow(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "regrow.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        check=False,
        timeout=120,
    )


def test_help_names_every_command_and_comes_without_heavy_imports():
    start = time.perf_counter()
    code = (
        "import sys; from regrow.cli import main; main(['--help']);"
        "sys.exit(bool({'torch', 'transformers', 'hydra', 'numba', 'pyarrow'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert time.perf_counter() - start < 5
    assert done.returncode == 0, "a heavy library was imported for --help"
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps_with_groups_and_examples(name, capsys):
    assert main([name, "--help"]) == 0
    said = capsys.readouterr().out
    assert said.count(f"\n  regrow {name}") == len(COMMANDS[name].examples) >= 3
    assert ("rest_mcts_star_code" in said) == COMMANDS[name].is_composed
    assert ("arithmetic" in said) == COMMANDS[name].is_composed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["trian"], "unknown command 'trian', expected one of train, generate, imagine, search, evaluate"),
        (["train", "no.such.key=1"], "no"),
        (["train", "seed=abc"], "seed"),
        (["train", "search=alphazero"], "rollout_branching"),
        (["train", "task.name=chess"], "countdown"),
        (["train", "round.budget.tokens=0"], "tokens=0, expected more than 0"),
        (["train", "prm.labels=luck"], "expected one of progress, hard, soft"),
        (["train", "prm.aggregate=median"], "expected one of last, min, product, mean"),
        (["train", "evaluate.samples=0"], "evaluate.samples=0: expected at least 1"),
        (["train", "policy.train.learning_rate=-1"], "policy.train"),
        (["train", "search.choice=luck"], "expected one of best, threshold, majority, weighted, mean, descent, vote"),
        (["train", "search.aggregate=max"], "expected one of last, min, product, mean"),
        (["train", "search=rest_mcts_star_code", "search.mode=training"], "expected one of inference, generation"),
        (["train", "search=step_beam", "search.beams=0"], "expected beams and width of 1 or more"),
        (["train", "a question"], "overrides only"),
        (["search"], "no question"),
        (["search", "two and two"], "question 'two and two'"),
        (["search", "2 3 -> 5", "4 5 -> 9"], "2 questions"),
        (["search", "problems=absent.jsonl"], "absent.jsonl: cannot be read"),
        (["search", "2 3 -> 5", "policy.path=absent"], "absent"),
    ],
)
def test_what_cannot_be_used_gets_one_line_and_exit_code_2(arguments, said, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run_dir = [] if len(arguments) < 2 else [f"run.dir={tmp_path / 'run'}"]
    assert main([*arguments, *run_dir]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert complaint.startswith("regrow: ")
    assert complaint.count("\n") == 1
    assert said in complaint
    assert "Traceback" not in complaint


def test_a_run_directory_that_cannot_be_made_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["train", f"run.dir={tmp_path / 'file' / 'run'}"]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert "run.dir" in complaint
    assert complaint.count("\n") == 1


def test_a_checkpoint_without_weights_is_named(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["search", "2 3 -> 5", f"policy.path={tmp_path / 'empty'}", f"run.dir={tmp_path / 'run'}"]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert str(tmp_path / "empty") in complaint
    assert complaint.count("\n") == 1


def test_the_module_runs_as_a_program(tmp_path):
    done = regrow("train", "no.such.key=1", cwd=tmp_path)
    assert done.returncode == UNUSABLE
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("overrides", "aggregate"), [([], "min"), (["prm.aggregate=last"], "last")])
def test_a_task_may_say_how_values_are_read_and_the_user_has_the_last_word(overrides, aggregate):
    composed = regrow("train", "task=arithmetic", *overrides, "--cfg", "job")
    assert f"aggregate: {aggregate}\n" in composed.stdout
