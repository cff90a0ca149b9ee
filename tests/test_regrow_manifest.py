"""The run directory: one owner, one config, stages that are whole or absent, and writes that are atomic."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mcts.errors import InputError
from regrow import atomic, provenance
from regrow.manifest import open_run

CONFIG = {"seed": 0, "round": {"count": 3, "budget": {"tokens": 512}}, "run": {"dir": "a"}, "output": "text"}


def write_result(folder: Path):
    (folder / "weights").write_text("w")
    return {"tokens": 7, "pair": (1, 2)}


def fail(folder: Path):
    (folder / "half").write_text("h")
    raise RuntimeError("killed")


def never(folder: Path):
    raise AssertionError("a finished stage was repeated")


# --- manifest ---------------------------------------------------------------------------------------------------------


def test_a_run_opened_again_keeps_its_manifest(tmp_path):
    with open_run(tmp_path / "run", "train", CONFIG) as first:
        created = first.manifest
    with open_run(tmp_path / "run", "train", CONFIG) as again:
        assert again.manifest == created
    assert created.command == "train"
    assert created.commit == provenance.commit()


def test_another_config_is_refused_with_what_differs_and_how_to_start_anew(tmp_path):
    open_run(tmp_path, "train", CONFIG).close()
    changed = CONFIG | {"seed": 1, "round": {"count": 3, "budget": {"tokens": 64}, "width": 4}}
    with pytest.raises(InputError) as error:
        open_run(tmp_path, "train", changed)
    message = str(error.value)
    assert "seed was 0, is now 1" in message
    assert "round.budget.tokens was 512, is now 64" in message
    assert "round.width was absent, is now 4" in message
    assert "round.count" not in message
    assert message.endswith(f"to start anew use another run.dir or delete {tmp_path}")
    assert "\n" not in message


def test_a_config_that_was_refused_before_anything_was_begun_may_be_mended(tmp_path):
    def opened(config, fails, begins):
        with open_run(tmp_path / "run", "train", config) as run:
            if begins:
                run.stage("round-0/policy", inputs={}, work=lambda folder: {})
            if fails:
                raise InputError("no such task")

    with pytest.raises(InputError, match="no such task"):
        opened({"task": "cuntdown"}, fails=True, begins=False)
    with pytest.raises(InputError, match="no such task"):
        opened({"task": "countdown"}, fails=True, begins=True)
    with pytest.raises(InputError, match="another config"):
        opened({"task": "arithmetic"}, fails=False, begins=False)
    opened({"task": "countdown"}, fails=False, begins=False)


def test_many_differences_are_counted_not_listed(tmp_path):
    open_run(tmp_path, "train", {f"key{number}": 0 for number in range(9)}).close()
    with pytest.raises(InputError, match="and 5 more;"):
        open_run(tmp_path, "train", {f"key{number}": 1 for number in range(9)})


def test_ignored_keys_may_differ_with_all_beneath_them(tmp_path):
    open_run(tmp_path, "train", CONFIG, ignore={"run", "output"}).close()
    changed = CONFIG | {"run": {"dir": "b"}, "output": "json"}
    open_run(tmp_path, "train", changed, ignore={"run", "output"}).close()
    with pytest.raises(InputError, match=r"run\.dir was"):
        open_run(tmp_path, "train", changed, ignore={"output", "ru"})


def test_another_command_is_refused(tmp_path):
    open_run(tmp_path, "train", CONFIG).close()
    with pytest.raises(InputError, match="belongs to `train`, not `evaluate`"):
        open_run(tmp_path, "evaluate", CONFIG)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 1}', "\x00"])
def test_a_broken_manifest_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match=r"manifest\.json is (broken|not readable)") as error:
        open_run(tmp_path, "train", CONFIG)
    assert "\n" not in str(error.value)
    (tmp_path / "manifest.json").unlink()
    open_run(tmp_path, "train", CONFIG).close()


def test_a_run_directory_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"run\.dir=.*file/run is not writable \(Not a directory\)"):
        open_run(tmp_path / "file" / "run", "train", CONFIG)


def test_a_second_process_is_refused_until_the_first_is_gone(tmp_path):
    code = (
        "import sys; from pathlib import Path; from regrow.manifest import open_run\n"
        f"run = open_run(Path({str(tmp_path)!r}), 'train', {{}}); print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(InputError, match=f"in use by process {holder.pid}"):
            open_run(tmp_path, "train", {})
    finally:
        holder.kill()
        holder.communicate()
    with open_run(tmp_path, "train", {}), pytest.raises(InputError, match=f"in use by process {os.getpid()}"):
        open_run(tmp_path, "train", {})


# --- stages -----------------------------------------------------------------------------------------------------------


def test_a_stage_is_done_once_and_its_result_survives_the_process(tmp_path):
    with open_run(tmp_path, "train", CONFIG) as run:
        first = run.stage("round-1/search", inputs={"policy": "d"}, work=write_result)
    with open_run(tmp_path, "train", CONFIG) as run:
        again = run.stage("round-1/search", inputs={"policy": "d"}, work=never)
    assert again == first
    assert again.result == {"tokens": 7, "pair": [1, 2]}
    assert again.seconds > 0
    assert (again.folder / "weights").read_text() == "w"
    assert json.loads((tmp_path / "round-1/search/stage.json").read_text())["inputs"] == {"policy": "d"}


def test_a_stage_that_fails_leaves_nothing_but_its_scratch(tmp_path):
    with open_run(tmp_path, "train", CONFIG) as run:
        (run.scratch("search") / "journal").write_text("j")
        with pytest.raises(RuntimeError):
            run.stage("search", inputs={}, work=fail)
        assert run.stage_done("search") is None
        assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", ".search.scratch", "manifest.json"]
        assert (run.scratch("search") / "journal").read_text() == "j"
        run.stage("search", inputs={}, work=write_result)
        assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "manifest.json", "search"]


def test_what_killed_writers_left_anywhere_is_swept_away_by_the_next_start(tmp_path):
    left = [".search.0123456789ab.tmp/deep/.file.0123456789ab.tmp", ".report.html.0123456789ab.tmp"]
    left += ["shards/.00001.0123456789ab.tmp/solutions.parquet", "round-1/..policy.0123456789ab.tmp.abc.tmp/new/config"]
    kept = [".search.scratch/journal.txt", "shards/00000/solutions.parquet"]
    for name in (*left, *kept):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with open_run(tmp_path, "train", CONFIG):
        files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
        assert files == {*kept, "manifest.json", ".lock"}
        assert not list(tmp_path.rglob(".*.tmp"))


def test_a_stage_done_from_other_inputs_is_refused(tmp_path):
    with open_run(tmp_path, "train", CONFIG) as run:
        run.stage("label", inputs={"search": "a", "seed": 1}, work=write_result)
        with pytest.raises(InputError, match='made from other inputs: search was "a", is now "b"; to start anew'):
            run.stage("label", inputs={"search": "b", "seed": 1}, work=never)


def test_a_folder_that_is_no_stage_is_never_overwritten(tmp_path):
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "mine").write_text("keep")
    with open_run(tmp_path, "train", CONFIG) as run, pytest.raises(InputError, match=r"stage\.json is not readable"):
        run.stage("search", inputs={}, work=never)
    assert (tmp_path / "search" / "mine").read_text() == "keep"


def test_a_stage_digest_follows_its_files_and_result_but_not_the_clock(tmp_path):
    def work(text, tokens):
        return lambda folder: (folder / "out").write_text(text) and {"tokens": tokens}

    with open_run(tmp_path, "train", CONFIG) as run:
        digests = [
            run.stage(str(number), inputs={}, work=work(text, tokens)).digest
            for number, (text, tokens) in enumerate([("a", 1), ("a", 1), ("b", 1), ("a", 2)])
        ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


# --- atomic writes and provenance -------------------------------------------------------------------------------------


def test_a_directory_replaces_the_old_one_whole_or_not_at_all(tmp_path):
    target = tmp_path / "model"
    with atomic.directory(target) as folder:
        (folder / "old").write_text("1")
    with pytest.raises(RuntimeError), atomic.directory(target) as folder:
        fail(folder)
    assert [path.name for path in target.iterdir()] == ["old"]
    with atomic.directory(target) as folder:
        (folder / "new").write_text("2")
    assert [path.name for path in target.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_text_that_cannot_be_written_leaves_the_old_one(tmp_path):
    path = tmp_path / "report.json"
    atomic.write_json(path, {"b": 1, "a": "é"})
    with pytest.raises(ValueError, match="not JSON compliant"):
        atomic.write_json(path, {"auroc": float("nan")})
    with pytest.raises(UnicodeEncodeError):
        atomic.write_text(path, "\ud800")
    assert path.read_text(encoding="utf-8") == '{\n  "b": 1,\n  "a": "é"\n}\n'
    assert list(tmp_path.iterdir()) == [path]


def test_digests_depend_on_content_alone(tmp_path):
    assert provenance.digest({"a": 1, "b": [2.5]}) == provenance.digest({"b": [2.5], "a": 1})
    assert provenance.digest({"a": 1}) != provenance.digest({"a": "1"})
    for name in ("x", "y"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "file").write_text("same")
    assert provenance.digest_dir(tmp_path / "x") == provenance.digest_dir(tmp_path / "y")
    (tmp_path / "y" / provenance.STAGE_RECORD).write_text('{"seconds": 1.0}')
    assert provenance.digest_dir(tmp_path / "x") == provenance.digest_dir(tmp_path / "y")
    (tmp_path / "y" / "deep" / "file").rename(tmp_path / "y" / "file")
    assert provenance.digest_dir(tmp_path / "x") != provenance.digest_dir(tmp_path / "y")


def test_the_commit_says_whether_the_source_differs_from_it(tmp_path):
    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    outside = provenance.commit(tmp_path)
    git("init")
    assert provenance.commit(tmp_path) == outside
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "one")
    head = git("rev-parse", "HEAD")
    assert provenance.commit(tmp_path) == head
    (tmp_path / "file").write_text("2")
    assert provenance.commit(tmp_path) == f"{head}+dirty"
    assert outside != head


def test_hardware_names_the_machine_but_not_whose_it_is():
    found = provenance.hardware()
    assert found["cores"] >= 1
    assert found["memory_gib"] > 0
    text = json.dumps(found)
    assert os.uname().nodename not in text
    assert str(Path.home()) not in text
