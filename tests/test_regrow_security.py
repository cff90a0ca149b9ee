"""What SECURITY.md promises and no other test shows: no pickle, no foreign code, no scripts, no secrets."""

import ast
import json
import pickle
import shutil
from pathlib import Path

import bad_checkpoints
import pytest
import torch
from bad_checkpoints import PAYLOAD, Payload
from transformers import PreTrainedModel

from mcts.errors import InputError, one_line, printable
from policy import checkpoint
from policy.base import create
from prm import checkpoint as prm_checkpoint
from prm.formats import format_of
from regrow import contest_report
from regrow.cli import UNUSABLE, main
from regrow.report_page import page, section, table, text
from regrow.standings import Standing
from regrow.tasks.countdown import Countdown

ROOT = Path(__file__).parents[1]
SOURCES = sorted(path for name in ("mcts", "policy", "prm", "regrow", "conf") for path in (ROOT / name).rglob("*.py"))
PICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
"""Modules that make objects of bytes."""

PARCELS = ROOT / "regrow/dist/parcel.py"
"""Packs what our own processes hand each other."""

UNSAFE_CALLS = {"eval", "exec", "compile", "__import__", "torch.load", "torch.save", "yaml.load"}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    bad_checkpoints.write_models(folder)
    return folder


def called(tree):
    """The calls of a module: what is called, as it is written, and the call."""
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def imported(tree):
    """The packages that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]


def unsafe(tree):
    """What a module does that makes objects of bytes, or runs text."""
    yield from (f"import {name}" for name in imported(tree) if name in PICKLING)
    for name, call in called(tree):
        if name in UNSAFE_CALLS:
            yield f"{name} in line {call.lineno}"
        for given in call.keywords:
            if given.arg in ("allow_pickle", "trust_remote_code") and ast.unparse(given.value) != "False":
                yield f"{given.arg} in line {call.lineno}"


def opened_badly(tree):
    """Where a module opens a checkpoint from elsewhere than the disk, or with the code that it brings."""
    for name, call in called(tree):
        if name.endswith(".from_pretrained"):
            wanted = {"local_files_only": "True"}
            wanted |= {"trust_remote_code": "False"} if "Auto" in name or "loader" in name else {}
            wanted |= {"use_safetensors": "True"} if "loader" in name else {}
            given = {one.arg: ast.unparse(one.value) for one in call.keywords}
            yield from (
                f"{name} without {key} in line {call.lineno}" for key in wanted if given.get(key) != wanted[key]
            )


@pytest.mark.parametrize("look", [unsafe, opened_badly])
def test_no_source_reads_pickles_runs_text_or_trusts_a_checkpoint(look):
    found = {str(path): list(look(ast.parse(path.read_text(encoding="utf-8")))) for path in SOURCES}
    assert len(found) > 200
    expected = {str(PARCELS): ["import pickle"]} if look is unsafe else {}
    assert {name: told for name, told in found.items() if told} == expected


@pytest.mark.parametrize(
    "text",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
        "loader.from_pretrained(path, local_files_only=True, use_safetensors=True)",
        "AutoConfig.from_pretrained(path, trust_remote_code=False)",
        "AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=trusted)",
    ],
)
def test_such_a_source_would_be_seen(text):
    tree = ast.parse(text)
    assert [*unsafe(tree), *opened_badly(tree)]


def test_the_payload_would_leave_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickle.dumps(Payload()))
    assert (tmp_path / PAYLOAD).exists()


@pytest.mark.parametrize("kind", ["policy", "prm"])
@pytest.mark.parametrize("change", ["pickled weights alone", "pickle named safetensors", "code of its own"])
def test_a_checkpoint_that_would_run_code_is_refused_and_runs_none(models, kind, change, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bad_checkpoints, "models", lambda: models)  # made once
    folder = tmp_path / "in"
    folder.mkdir()
    bad_checkpoints.checkpoint(kind, change)(folder)
    sound = [f"{one}.path={models / one}" for one in ("policy", "prm") if one != kind]
    assert main(["search", "2 3 -> 5", *sound, f"{kind}.path={folder / 'model'}"]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert "Traceback" not in complaint
    assert complaint.splitlines()[-1].startswith("regrow: ")
    if change == "code of its own":
        assert "brings code of its own" in complaint
    assert not list(tmp_path.rglob(PAYLOAD))


def test_weights_beside_a_pickle_are_read_and_the_pickle_is_not(models, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    create(Countdown().words(), bad_checkpoints.SIZE, tmp_path / "policy", seed=1)
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth"):
        (tmp_path / "policy" / name).write_bytes(pickle.dumps(Payload()))
    assert isinstance(checkpoint.load_model(tmp_path / "policy", "eager"), PreTrainedModel)
    config = prm_checkpoint.read_config(models / "prm")
    format_of(None, config).load(models / "prm", prm_checkpoint.read_tokenizer(models / "prm"))
    assert not (tmp_path / PAYLOAD).exists()


def test_hydras_rerun_of_a_pickle_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.pickle").write_bytes(pickle.dumps(Payload()))
    assert main(["train", "--experimental-rerun", "config.pickle"]) == UNUSABLE
    assert "reads a pickle" in capsys.readouterr().err
    assert not (tmp_path / PAYLOAD).exists()


def test_weights_that_are_no_numbers_are_refused_by_name(models, tmp_path):
    for kind, load in (
        ("policy", lambda path: checkpoint.load_model(path, "eager")),
        ("prm", lambda path: format_of(None, prm_checkpoint.read_config(path)).load(path, None)),
    ):
        folder = tmp_path / kind
        folder.mkdir()
        shutil.copytree(models / kind, folder / "model")
        bad_checkpoints.weights(folder / "model", "model.norm.weight", lambda one: torch.full_like(one, torch.inf))
        with pytest.raises(InputError, match=r"model\.norm\.weight has values that are no numbers, expected finite"):
            load(folder / "model")


def standing(**names):
    """A line of a contest's table."""
    return Standing(**dict.fromkeys(Standing.__dataclass_fields__, 0.5) | {"budget": 10, "by_seed": (0.5,), **names})


EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


def test_no_name_of_a_strategy_or_run_is_markup_in_a_page(tmp_path):
    one = standing(strategy=EVIL, over="another", choice=EVIL)
    sections = [section(EVIL, EVIL, contest_report._html_table([one]), table([text(EVIL)], [[text(EVIL)]]))]
    sections.append(contest_report._accounts_table([{"strategy": EVIL, "tokens": 5}]))
    report = {"seed": 0, "commit": EVIL, "hardware": {"cpu": EVIL}}
    html = page(EVIL, report, sections, {EVIL: contest_report.curve([one])})
    assert "<img src=x" not in html
    assert "<script>alert" not in html


def test_what_a_model_says_does_nothing_to_a_terminal(capsys):
    evil = "\x1b]0;owned\x07\x1b[2J[/bold][link=file:///etc]\ud800\r9"
    assert "\x1b" not in printable(evil)
    assert printable("2 + 3 = 5\n\t→ é\u3000数") == "2 + 3 = 5\n\t→ é\u3000数"
    assert one_line("a\nb\x1b") == "a b\\x1b"
    assert len(one_line("x" * 10_000)) < 500


def test_a_table_takes_what_looks_like_markup_as_text(capsys):
    contest_report.show([standing(strategy="[/bold]", over="x", choice="x")])
    assert "[/bold]" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "HF_TOKEN", "REGROW_KEY"])
def test_no_secret_of_the_environment_is_written_or_said(name, models, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(name, "sk-very-secret")
    (tmp_path / "p.jsonl").write_text(json.dumps({"problem": "2 3 -> 5", "answer": 5}))
    words = [f"{kind}.path={models / kind}" for kind in ("policy", "prm")]
    limits = [
        "generate.budget.tokens=20",
        "scheduler.max_depth=3",
        "scheduler.max_tokens=8",
        "policy.server.key_env=REGROW_KEY",
    ]
    code = main(["generate", "problems=p.jsonl", *words, *limits, "run.dir=run"])
    said = capfd.readouterr()
    assert code == 0, said.err
    assert "sk-very-secret" not in said.out + said.err
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "manifest.json" for path in written)
    assert not [path for path in written if b"sk-very-secret" in path.read_bytes()]
