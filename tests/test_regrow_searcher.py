import gc
import time
import weakref
from concurrent.futures import wait
from threading import Event, Thread

import pytest
from fakes import HashChecker, ScriptedPolicy, TableScorer, World, assert_same_tree

from mcts.budget import Budget
from mcts.search import BestOfN, MctsStar, RolloutBranching
from mcts.types import Problem
from mcts.walk import Query
from regrow.config import Config, SchedulerConfig
from regrow.engines import Engines
from regrow.grow import grow
from regrow.lazy import Lazy
from regrow.searcher import ClosedError, Searcher

WORLD = World(vocabulary=3, depth=4, truncated=0.1, empty=0.05)
SEARCHES = (BestOfN(2), RolloutBranching(opening=2), MctsStar(rollout_steps=2))
SOON_S = 20.0


def limits(trees_at_once=256):
    return SchedulerConfig(trees_at_once=trees_at_once, max_depth=3, max_tokens=16)


def query(i, search=None, **budget):
    return Query(Problem(f"p{i}", f"question {i}"), search or SEARCHES[i % 3], Budget(**(budget or {"tokens": 60})), i)


def engines(arrival=None):
    return ScriptedPolicy(WORLD, arrival=arrival), TableScorer(arrival=arrival)


class Held(ScriptedPolicy):
    """A policy in process that computes until it is let go."""

    def __init__(self):
        super().__init__(WORLD)
        self.is_computing, self.go = Event(), Event()

    def poll(self, timeout_s):
        if timeout_s > 0 and self._waiting:
            self.is_computing.set()
            self.go.wait(SOON_S)
        return super().poll(timeout_s)


class Silent(ScriptedPolicy):
    """A policy elsewhere that never answers."""

    def poll(self, timeout_s):
        time.sleep(timeout_s)
        return []


class Broken(ScriptedPolicy):
    """A policy that answers so many requests and then raises."""

    def poll(self, timeout_s):
        if len(self.replies) > 20:
            raise OSError("out of order")
        return super().poll(timeout_s)


@pytest.fixture
def held():
    policy = Held()
    with Searcher(policy, TableScorer(), limits=limits(2)) as searcher:
        yield policy, searcher
        policy.go.set()


@pytest.mark.parametrize(("arrival", "trees_at_once"), [(None, 256), (1, 1), (2, 3)])
def test_trees_are_those_of_grow_whoever_asks_and_whatever_is_searched_beside(tmp_path, arrival, trees_at_once):
    queries = [query(i) for i in range(12)]
    asked = Engines(Lazy(ScriptedPolicy, WORLD), Lazy(TableScorer), checker=HashChecker())
    grown = grow(queries, asked, Config(scheduler=limits()), scratch=tmp_path, what="searching").trees
    pending = []
    with Searcher(*engines(arrival), checker=HashChecker(), limits=limits(trees_at_once)) as searcher:
        askers = [
            Thread(target=lambda part: pending.extend(map(searcher.submit, part)), args=(queries[i::3] + queries[:2],))
            for i in range(3)
        ]
        for asker in askers:
            asker.start()
        for asker in askers:
            asker.join()
        trees = [one.result(SOON_S) for one in pending]
    assert len(trees) == 18
    for tree in trees:
        assert_same_tree(tree, grown[tree.seed])


def test_a_tree_can_be_looked_at_and_given_up_while_the_policy_computes(held):
    policy, searcher = held
    one, other, queued = (searcher.submit(query(i)) for i in range(3))
    assert policy.is_computing.wait(SOON_S)
    assert not one.done
    assert len(one.best().parent) == 1
    assert queued.best() is None
    with pytest.raises(TimeoutError, match=r"best_of_n/p0#0: not done after 0.01 s"):
        one.result(0.01)
    one.cancel()
    queued.cancel()
    assert len(one.result(0.0).parent) == len(queued.result(0.0).parent) == 1
    assert one.done
    asked = len(policy.asked)
    policy.go.set()
    assert other.result(SOON_S).spent.tokens_generated >= 60
    assert {ticket.tree for ticket in list(policy.asked)[asked:]} == {other.name}


def test_seconds_hold_while_the_policy_computes_and_while_a_search_waits_for_its_turn(held):
    policy, searcher = held
    start = time.monotonic()
    pending = [searcher.submit(query(i, tokens=60, seconds=0.3)) for i in range(3)]
    trees = [one.result(SOON_S) for one in pending]
    assert 0.3 <= time.monotonic() - start < 0.3 + 2.0
    assert [len(tree.parent) for tree in trees] == [1, 1, 1]
    assert not policy.replies


def test_seconds_hold_where_nobody_waits_and_nobody_answers():
    with Searcher(Silent(WORLD), TableScorer(), limits=limits(1)) as searcher:
        pending = [searcher.submit(query(1, seconds=0.1)) for _ in range(2)]
        futures = [one.future for one in pending]
        assert len(wait(futures, SOON_S).done) == 2


def test_an_engine_that_raises_ends_every_search_with_its_error():
    with Searcher(Broken(WORLD), TableScorer(), limits=limits(2)) as searcher:
        pending = [searcher.submit(query(i, tokens=10**6)) for i in range(3)]
        for one in pending:
            with pytest.raises(OSError, match="out of order"):
                one.result(SOON_S)
            assert one.done
            assert one.best() is None
        with pytest.raises(OSError, match="out of order"):
            searcher.submit(query(1)).result(SOON_S)


def test_a_closed_searcher_leaves_nobody_waiting(held):
    policy, searcher = held
    pending = [searcher.submit(query(i)) for i in range(3)]
    assert policy.is_computing.wait(SOON_S)
    closing = Thread(target=searcher.close)
    closing.start()
    for one in pending:
        with pytest.raises(ClosedError):
            one.result(SOON_S)
    policy.go.set()
    closing.join(SOON_S)
    assert not closing.is_alive()
    with pytest.raises(ClosedError):
        searcher.submit(query(1)).result(SOON_S)


def test_a_searcher_without_work_sleeps_and_wakes_at_once():
    with Searcher(*engines(), limits=limits()) as searcher:
        searcher.submit(query(0)).result(SOON_S)
        used = time.process_time()
        time.sleep(0.5)
        assert time.process_time() - used < 0.1
        start = time.monotonic()
        searcher.submit(query(1)).result(SOON_S)
        assert time.monotonic() - start < 2.0


def test_nothing_is_kept_of_searches_that_are_done():
    with Searcher(*engines(), limits=limits(4)) as searcher:
        scheduler = searcher._scheduler
        pending = [searcher.submit(query(i)) for i in range(30)]
        for one in pending[::2]:
            one.cancel()
        for one in pending:
            one.result(SOON_S)
        watched = [weakref.ref(one) for one in pending]
        del pending, one
        searcher.submit(query(0)).result(SOON_S)
        gc.collect()
        while scheduler.is_busy:
            time.sleep(0.01)
        assert [ref() for ref in watched if ref() is not None] == []
        assert len(scheduler._forest._free) == len(scheduler._forest.nodes)
        assert not any(scheduler._forest._steps)
