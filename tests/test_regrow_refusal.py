"""What the operating system refuses, whoever was refused; and clocks that nothing depends on."""

import ast
import errno
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import regrow
from regrow.cli import FAILED, main
from regrow.refusal import refusal

NO_ROOM = OSError(errno.ENOSPC, "No space left on device", "journal.txt")
LABELS = {"regrow/serve/service.py", "regrow/serve/wording.py", "regrow/manifest.py"}
"""Where the wall clock is told to people."""


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NO_ROOM, "No space left on device: journal.txt"),
        (OSError(errno.EIO, "gone"), "Input/output error"),
        (shutil.Error([("a", "b", "[Errno 27] File too large: 'b'")]), "File too large"),
        (FileNotFoundError(errno.ENOENT, "absent"), None),
        (ValueError("a mistake of ours"), None),
    ],
)
def test_a_refusal_is_told_from_a_mistake(error, told):
    assert refusal(error) == told


def test_a_library_in_rust_is_refused_in_its_own_words(tmp_path):
    (tmp_path / "place").mkdir()
    with pytest.raises(Exception, match="os error") as found:
        save_file({"w": torch.zeros(4)}, tmp_path / "place")  # a folder is no file
    assert refusal(found.value) is None
    assert refusal(Exception(str(found.value).replace("os error 21", "os error 28"))) == "No space left on device"


def test_a_full_disk_is_one_line_that_says_how_to_go_on(monkeypatch, capsys):
    def fails(*_, **__):
        raise NO_ROOM

    monkeypatch.setattr("regrow.compose.run_composed", fails)
    assert main(["train", "run.dir=runs/a", "seed=1"]) == FAILED
    said = "regrow: No space left on device: journal.txt"
    goes_on = "; what was done is saved. To go on: regrow train run.dir=runs/a seed=1"
    assert capsys.readouterr().err == said + goes_on + "\n"
    assert main(["serve"]) == FAILED
    assert capsys.readouterr().err == said + "\n"


def test_the_wall_clock_may_go_backwards():
    root = Path(regrow.__file__).parents[1]
    found = set()
    for package in ("mcts", "policy", "prm", "regrow"):
        for path in sorted((root / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in ("time.time", "datetime.now"):
                    found.add(path.relative_to(root).as_posix())
    assert found == LABELS
