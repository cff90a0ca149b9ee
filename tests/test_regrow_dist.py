"""Searches spread over processes: the same trees, each once, whoever dies meanwhile."""

import json
import os
import pickle
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import pytest
from fakes import HashChecker, ScriptedPolicy, TableScorer, World, assert_same_tree
from tiny_run import TINY

from mcts.budget import Budget
from mcts.errors import InputError
from mcts.journal import JournalError, _parse
from mcts.search import BestOfN, MctsStar, RolloutBranching
from mcts.types import Problem
from mcts.walk import Query
from regrow.build import dist_of
from regrow.cli import UNUSABLE, main
from regrow.config import Config, SchedulerConfig, schema_of
from regrow.dist.fleet import Fleet, end, fleet_of
from regrow.dist.growing import Growing
from regrow.dist.records import Records
from regrow.dist.settings import Dist
from regrow.dist.spread import Spread
from regrow.dist.worker import Report, begin
from regrow.engines import Engines
from regrow.grow import grow
from regrow.lazy import Lazy
from regrow.searches import name_of

WORLD = World(vocabulary=3, depth=4, truncated=0.1, empty=0.05)
SEARCHES = (BestOfN(2), RolloutBranching(opening=2), MctsStar(rollout_steps=2))
QUERIES = [Query(Problem(f"p{i}", f"question {i}"), SEARCHES[i % 3], Budget(tokens=80), seed=i) for i in range(24)]
PACE_S = 0.02


class SlowPolicy(ScriptedPolicy):
    """Answers two requests at a time, after a while."""

    def __init__(self, world, pace_s=PACE_S):
        super().__init__(world)
        self._pace_s = pace_s

    def poll(self, timeout_s):
        if timeout_s <= 0:
            return []
        time.sleep(self._pace_s)
        waiting, self._waiting = self._waiting, self._waiting[:2]
        replies = super().poll(timeout_s)
        self._waiting = waiting[2:]
        return replies


PACES = []


def in_turn(world):
    return SlowPolicy(world, PACES.pop())


class Broken(ScriptedPolicy):
    def __init__(self):
        raise InputError("policy nowhere: no such directory")


def configured(kind="local", **settings):
    limits = SchedulerConfig(trees_at_once=4, max_depth=3, max_tokens=16)
    return Config(scheduler=limits, dist=schema_of(Dist)(kind=kind, **settings))


def engines(policy=ScriptedPolicy):
    return Engines(Lazy(policy, WORLD), Lazy(TableScorer), checker=HashChecker())


def grown(scratch, config, policy=ScriptedPolicy, queries=QUERIES):
    scratch.mkdir(exist_ok=True)
    return grow(queries, engines(policy), config, scratch=scratch, what="growing")


def recorded(scratch):
    """(tree, ticket number) of every intact record in the journals."""
    lines = [line for path in sorted(scratch.glob("**/journal.txt")) for line in path.open("rb")]
    return [tuple(_parse(line)[0]) for line in lines if _parse(line)]


class Lost(Exception):  # noqa: N818 - what has happened, not what is wrong
    """The process is gone."""


class ThreadSeat:
    """A seat in this process that is gone at its call number `end`."""

    lost = (Lost,)

    def __init__(self, end=None):
        self.calls, self.orders, self.end, self.worker = 0, [], end, None
        self.pool = ThreadPoolExecutor(1)

    def call(self, function, argument):
        return self.pool.submit(self._call, function, argument)

    def _call(self, function, argument):
        self.calls += 1
        if self.end is not None and self.calls >= self.end:
            raise Lost("signal 9")
        if function is begin:
            self.worker = pickle.loads(pickle.dumps(argument))()
            return Report()
        self.orders.append(len(argument))
        return self.worker.advance(argument)

    def close(self):
        self.pool.shutdown(wait=True)


def spread(scratch, ends, policy=ScriptedPolicy, queries=QUERIES, restarts=0):
    """Trees by name, and the seats: the first two are there at the start, the others take the places of lost ones."""
    scratch.mkdir(exist_ok=True)
    seats = [ThreadSeat(end) for end in ends]
    coming = iter(seats)
    fleet = Fleet(Dist("local", restarts=restarts, patience_s=20.0), lambda dist, place: next(coming))
    work = Growing(engines(policy), configured().scheduler, scratch)
    found = Counter()
    trees = {}
    for report in Spread(fleet, work, queries).run():
        found.update(report.done.keys())
        trees |= {key: pickle.loads(packed) for key, packed in report.done.items()}
    fleet.close()
    assert set(found.values()) <= {1}
    return [trees[name_of(query)] for query in queries], seats


def same(trees, others):
    for tree, expected in zip(trees, others, strict=True):
        assert_same_tree(tree, expected)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return grown(tmp_path_factory.mktemp("alone"), configured("none"))


@pytest.fixture(scope="module")
def processes():
    """The numbers of the processes of two workers, which all tests share."""
    yield lambda: [seat.call(os.getpid).result() for seat in fleet_of(dist_of(configured())).seats.values()]
    end()


# --- processes --------------------------------------------------------------------------------------------------------


def test_two_workers_grow_the_trees_of_one_and_stay_for_the_next(alone, tmp_path, processes):
    before = processes()
    found = grown(tmp_path, configured(), SlowPolicy)
    same(found.trees, alone.trees)
    assert found.policy == alone.policy
    assert found.counted == alone.counted == sum(tree.spent.tokens_generated for tree in alone.trees)
    assert all(recorded(tmp_path / name) for name in ("worker-0000", "worker-0001"))
    assert len(set(recorded(tmp_path))) == len(recorded(tmp_path))
    assert processes() == before


def test_a_worker_that_is_killed_is_replaced_and_nothing_recorded_is_paid_for_again(alone, tmp_path, processes):
    folders = [tmp_path / f"worker-000{i}" for i in range(3)]
    killer = Thread(target=kill_once_busy, args=(processes()[0], folders[0] / "journal.txt"))
    killer.start()
    found = grown(tmp_path, configured(), SlowPolicy)
    killer.join()
    same(found.trees, alone.trees)
    tickets = recorded(tmp_path)
    assert len(tickets) == len(set(tickets))
    by_others = {tree for folder in folders[1:] for tree, _ in recorded(folder)}  # the third may not have begun in time
    assert by_others & {tree for tree, _ in recorded(folders[0])}, "no tree was begun by one and ended by another"


def kill_once_busy(pid, journal):
    while not (journal.exists() and journal.read_bytes().count(b"\n") > 12):
        time.sleep(PACE_S)
    os.kill(pid, signal.SIGKILL)


def test_what_a_worker_cannot_load_is_told_here(tmp_path, processes):
    processes()
    with pytest.raises(InputError, match=r"^policy nowhere: no such directory$"):
        grow(QUERIES, Engines(Lazy(Broken)), configured(), scratch=tmp_path, what="growing")


@pytest.mark.slow
def test_an_evaluation_on_two_workers_has_the_trees_and_scores_of_one_process(cache, tmp_path):
    for kind in ("none", "local"):
        words = [*TINY, "evaluate.diagnosis=true", f"cache={cache}", f"run.dir={tmp_path / kind}", f"dist={kind}"]
        assert main(["evaluate", *words]) == 0
    for name in ("samples/nodes.parquet", "samples/problems.parquet", "scores.json"):
        one, other = (tmp_path / kind / "round-0/evaluate" / name for kind in ("none", "local"))
        assert one.read_bytes() == other.read_bytes()
    scores = json.loads((tmp_path / "local/round-0/evaluate/scores.json").read_text())
    assert scores.keys() == {"greedy", "sample", "search", "best_of_n", "oracle", "shuffled"}


# --- without processes ------------------------------------------------------------------------------------------------


def test_the_others_do_what_lost_workers_held_each_tree_once(alone, tmp_path):
    for i, ends in enumerate([(None, 3), (3, 4, None), (1, 1, 3, None)]):
        trees, seats = spread(tmp_path / str(i), ends, SlowPolicy, restarts=len(ends) - 2)
        same(trees, alone.trees)
        assert len(set(recorded(tmp_path / str(i)))) == len(recorded(tmp_path / str(i)))
        assert all(seat.calls for seat in seats)


def test_it_ends_in_one_line_when_no_worker_is_left(tmp_path):
    with pytest.raises(InputError, match=r"^dist=local: worker \d died \(signal 9\), no worker is left"):
        spread(tmp_path, (3, 4, 3), SlowPolicy, restarts=1)


def test_a_worker_that_is_quick_does_what_a_slow_one_does_not_come_to(alone, tmp_path):
    PACES[:] = [0.0, 0.1]
    trees, (slow, quick) = spread(tmp_path, (None, None), in_turn)
    same(trees, alone.trees)
    assert sum(slow.orders) + sum(quick.orders) == len(QUERIES)
    assert min(sum(slow.orders), sum(quick.orders)) < len(QUERIES) / 3


def test_a_run_goes_on_from_the_journals_of_any_number_of_workers(alone, tmp_path):
    grown(tmp_path / "whole", configured("none"))
    lines = (tmp_path / "whole/journal.txt").read_bytes().splitlines(keepends=True)
    for kind in ("none", "spread"):
        scratch = tmp_path / kind
        for number, its in zip((0, 2, 5), (lines[:40:2], lines[1:40:2], lines[40:60]), strict=True):
            folder = scratch / f"worker-{number:04d}"
            folder.mkdir(parents=True)
            (folder / "journal.txt").write_bytes(b"".join(its) + lines[60 + number][:9])
        (scratch / "journal.txt").write_bytes(b"".join(lines[63:70]))
        trees = grown(scratch, configured("none")).trees if kind == "none" else spread(scratch, (None, None))[0]
        same(trees, alone.trees)
        assert sorted(recorded(scratch)) == sorted(recorded(tmp_path / "whole"))
    assert grown(tmp_path / "spread", configured("none")).counted == alone.counted  # as the journals tell
    assert sorted(recorded(tmp_path / "spread")) == sorted(recorded(tmp_path / "whole"))


def test_what_a_worker_writes_after_it_was_given_up_counts_for_nothing(tmp_path):
    grown(tmp_path, configured("none"))
    journal = tmp_path / "worker-0000/journal.txt"
    journal.parent.mkdir()
    lines = (tmp_path / "journal.txt").read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:10]) + lines[10][:5])
    kept = {tree: Records.of_workers(tmp_path).of(tree) for tree in Records.of_workers(tmp_path)}
    assert sorted(line for its in kept.values() for line in its) == sorted(lines[:10])
    journal.write_bytes(b"".join(lines[:14]))
    late = Records.of_workers(tmp_path)
    assert {tree: late.of(tree) for tree in late} == kept
    journal.with_suffix(".end").unlink()
    journal.write_bytes(lines[0] + b"damaged\n" + lines[1])
    with pytest.raises(JournalError, match=r"worker-0000/journal.txt: damaged at byte \d+"):
        Records.of_workers(tmp_path)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "cloud"}, "kind=cloud, expected one of none, local, ray"),
        ({"workers": 0}, "workers=0, expected 1 or more"),
        ({"gpus": -1.0}, "gpus=-1.0, expected 0 or more"),
        ({"gpus": 1.5}, "gpus=1.5, expected whole devices"),
        ({"patience_s": 0.0}, "patience_s=0.0"),
        ({"kind": "local", "address": "auto"}, "address or resources with kind=local, expected dist=ray"),
    ],
)
def test_settings_that_cannot_be_are_told(wrong, said):
    with pytest.raises(ValueError, match=said):
        Dist(**wrong)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["dist=local", "dist.workers=0"], "config dist: workers=0, expected 1 or more"),
        (["dist.address=auto"], "address or resources with kind=none, expected dist=ray"),
        (["dist=ray"], "dist=ray: ray is not installed, expected pip install 'regrow[ray]'"),
    ],
)
def test_what_cannot_be_is_told_in_one_line_before_anything_is_done(words, said, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("regrow.build.find_spec", lambda name: None)
    assert main(["generate", "count=3", f"run.dir={tmp_path / 'run'}", *words]) == UNUSABLE
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not (tmp_path / "run/manifest.json").exists()


def test_workers_share_devices_out_among_themselves():
    assert [Dist(gpus=2).devices(place) for place in range(3)] == [[0, 1], [2, 3], [4, 5]]
    assert [Dist(gpus=0.5).devices(place) for place in range(4)] == [[0], [0], [1], [1]]
    assert Dist().devices(0) == []
