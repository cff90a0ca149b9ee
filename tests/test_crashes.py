"""The crash harness, short: runs that are killed and hindered end as one that nobody disturbed."""

from random import Random

import pytest
from bench_crashes import COMMANDS
from crashes import Fault, Kind, Server, broken_promises, complaints, differences, journals


@pytest.fixture(scope="module")
def server():
    return Server()


@pytest.fixture(scope="module")
def generated(server, tmp_path_factory, cache):
    words = [*COMMANDS["generate"], f"cache={cache}"]
    server.run(words, tmp_path_factory.mktemp("first") / "run")
    return words, server.whole(words, tmp_path_factory.mktemp("whole") / "run")


def hindered(server, words, folder, faults):
    """Start after start; how they ended, and what was wrong with that."""
    attempts, broken = [], []
    for fault in faults:
        before = journals(folder)
        attempts.append(server.run(words, folder, fault))
        broken += [*complaints(attempts[-1], fault), *broken_promises(before, journals(folder))]
    return attempts, broken


def test_a_run_killed_in_three_ways_ends_as_if_nothing_had_been(server, generated, tmp_path):
    words, whole = generated
    faults = [
        Fault(Kind.KILL_WITHIN, 700),  # the first journal is longer than that
        Fault(Kind.KILL_BEFORE, whole.operations // 2),
        Fault(Kind.KILL, whole.seconds / 2),
    ]
    attempts, broken = hindered(server, words, tmp_path / "run", faults)
    assert not broken
    assert [attempt.is_killed for attempt in attempts[:2]] == [True, True]
    assert server.run(words, tmp_path / "run").code == 0
    assert not list(differences(tmp_path / "run", whole.folder))


def test_a_disk_that_fails_is_one_line_and_the_run_goes_on(server, generated, tmp_path):
    words, whole = generated
    rng = Random(0)
    kinds = [Kind.NO_SPACE, Kind.BROKEN, Kind.NO_ACCESS, Kind.FULL_WITHIN]
    faults = [whole.fault(kind, rng) for kind in kinds] + [Fault(Kind.NO_SPACE, 12), Fault(Kind.FULL_WITHIN, 3000)]
    attempts, broken = hindered(server, words, tmp_path / "run", faults)
    assert not broken
    assert sum(attempt.code > 0 for attempt in attempts) >= 3
    assert server.run(words, tmp_path / "run").code == 0
    assert not list(differences(tmp_path / "run", whole.folder))


@pytest.mark.parametrize("kind", [Kind.INTERRUPT, Kind.TERMINATE])
def test_a_signal_saves_what_was_done_and_says_how_to_go_on(server, generated, tmp_path, kind):
    words, whole = generated
    (attempt,), broken = hindered(server, words, tmp_path / "run", [Fault(kind, whole.seconds * 0.6)])
    assert not broken
    assert attempt.code == 130
    said = attempt.said.splitlines()[-1]
    assert said.startswith("regrow: interrupted; what was done is saved. To go on: regrow generate ")
    assert said.endswith(f"run.dir={tmp_path / 'run'}")
    assert server.run(words, tmp_path / "run").code == 0
    assert not list(differences(tmp_path / "run", whole.folder))


def test_differences_are_found(generated, tmp_path):
    _, whole = generated
    for name in ("manifest.json", "shards/00000/shard.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((whole.folder / name).read_text().replace("created", "create", 1))
    (tmp_path / "left.tmp").touch()
    found = set(differences(tmp_path, whole.folder))
    assert {"manifest.json: differs", "left.tmp: left over", "report.json: missing"} <= found
    assert "shards/00000/shard.json: differs" not in found
    broken = {tmp_path / "j": [b'0 ["t",1,"d",[]]'] * 2}
    assert len(list(broken_promises({tmp_path / "j": [b'0 ["t",0,"d",[]]']}, broken))) == 2
