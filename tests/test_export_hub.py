"""An export is pushed to the hub when asked, and then only; every failure is one line."""

import os
import subprocess
import sys

import pytest
from fake_hub import FakeHub
from grown import verified_trees

from regrow.cli import DONE, UNUSABLE, main
from regrow.trace_store import write_trees


@pytest.fixture
def hub(monkeypatch):
    hub = FakeHub()
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    yield hub
    hub.stop()


@pytest.fixture
def traces(tmp_path):
    write_trees(tmp_path / "traces", verified_trees(2))
    return f"traces={tmp_path / 'traces'}"


def test_an_export_goes_up_whole_into_a_private_data_set_with_the_token_of_the_environment(hub, traces, tmp_path):
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "regrow.cli", "export", traces, "format=sft", f"out={out}", "hub=me/sft"],
        env=os.environ | {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_secret"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == DONE, done.stderr
    assert f"{hub.url}/datasets/me/sft" in done.stdout
    assert hub.files == {path.name: path.read_bytes() for path in out.iterdir()}
    assert [(told["type"], told["visibility"]) for told in hub.created] == [("dataset", "private")]
    assert hub.tokens == {"Bearer hf_secret"}


def test_a_model_folder_goes_up_as_a_model(hub, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    assert main(["export", f"out={tmp_path}", "hub=me/policy"]) == DONE
    assert hub.files == {"config.json": b"{}"}
    assert hub.created[0].get("type", "model") == "model"


def test_without_hub_nothing_is_asked(hub, traces, tmp_path):
    assert main(["export", traces, "format=sft", f"out={tmp_path / 'out'}"]) == DONE
    assert not hub.tokens


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_one_line_and_the_export_stays(hub, traces, tmp_path, status, capsys):
    hub.refuses = status
    assert main(["export", traces, "format=sft", f"out={tmp_path / 'out'}", "hub=me/sft"]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert complaint.count("\n") == 1
    assert str(status) in complaint
    assert "hf_secret" not in complaint
    assert (tmp_path / "out" / "README.md").is_file()


@pytest.mark.parametrize(
    ("make", "arguments", "said"),
    [
        (True, ["hub=no//name"], "hub=no//name"),
        (False, ["hub=me/x"], "has no files, expected a folder to push"),
        (True, [], "no traces, expected traces=DIR"),
    ],
)
def test_what_cannot_be_pushed_is_named(hub, tmp_path, make, arguments, said, capsys):
    if make:
        (tmp_path / "file").write_text("")
    assert main(["export", f"out={tmp_path}", *arguments]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1


def test_a_hub_out_of_reach_is_one_line(hub, tmp_path, capsys, monkeypatch):
    hub.stop()
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert main(["export", f"out={tmp_path}", "hub=me/policy"]) == UNUSABLE
    assert capsys.readouterr().err.count("\n") == 1
