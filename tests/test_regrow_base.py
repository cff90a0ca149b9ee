"""The cache of first models: made once, by one process at a time, and nothing left over."""

import threading
import time

from regrow import base
from regrow.compose import composed


def test_two_that_need_a_model_at_once_make_it_once_and_what_was_left_is_removed(tmp_path):
    config, made = composed([f"cache={tmp_path}"]), []

    def make(folder):
        made.append(folder)
        time.sleep(0.2)
        (folder / "weights").touch()

    def fit():
        return base._cached(config, "base", {"a": 1}, ("policy",), make)

    name = fit().name
    (tmp_path / name / "weights").unlink()
    (tmp_path / name).rmdir()
    left = [tmp_path / f".{name}.0123456789ab.tmp", tmp_path / f"..{name}.0123456789ab.tmp.abc.tmp"]
    other = tmp_path / ".another.0123456789ab.tmp"
    for folder in (*left, other):
        folder.mkdir()
    made.clear()
    threads = [threading.Thread(target=fit) for _ in range(3)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(made) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([f".{name}.lock", other.name, name])
    assert (tmp_path / name / "weights").exists()
