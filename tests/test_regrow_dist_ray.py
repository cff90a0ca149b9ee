"""Searches spread over Ray actors, in processes of their own: the same trees, each once, though one is killed."""

import os
import signal
import time
from pathlib import Path
from threading import Thread

import pytest
from fakes import assert_same_tree
from test_regrow_dist import QUERIES, Broken, SlowPolicy, configured, grown, recorded

from mcts.errors import InputError
from regrow.build import dist_of
from regrow.dist.fleet import end, fleet_of
from regrow.engines import Engines
from regrow.grow import grow
from regrow.lazy import Lazy

ray = pytest.importorskip("ray")
RAY = configured("ray")


@pytest.fixture(scope="module", autouse=True)
def cluster():
    """A cluster of this machine, whose processes find what these tests bring along."""
    path = os.pathsep.join(str(Path(name).resolve()) for name in ("tests", "."))
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        object_store_memory=100 << 20,
        runtime_env={"env_vars": {"PYTHONPATH": path}},
    )
    yield
    end()
    ray.shutdown()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return grown(tmp_path_factory.mktemp("alone"), configured("none"))


def test_two_actors_grow_the_trees_of_one_process_though_one_is_killed(alone, tmp_path):
    victim, other = (seat.call(os.getpid).result() for seat in fleet_of(dist_of(RAY)).seats.values())
    assert len({victim, other, os.getpid()}) == 3
    journal = tmp_path / "worker-0000/journal.txt"

    def kill_once_busy():
        while not (journal.exists() and journal.read_bytes().count(b"\n") > 12):
            time.sleep(0.02)
        os.kill(victim, signal.SIGKILL)

    killer = Thread(target=kill_once_busy)
    killer.start()
    found = grown(tmp_path, RAY, SlowPolicy)
    killer.join()
    for tree, expected in zip(found.trees, alone.trees, strict=True):
        assert_same_tree(tree, expected)
    assert found.policy == alone.policy
    tickets = recorded(tmp_path)
    assert len(tickets) == len(set(tickets)), "what was recorded was paid for again"
    assert victim not in [seat.call(os.getpid).result() for seat in fleet_of(dist_of(RAY)).seats.values()]


def test_what_an_actor_cannot_load_is_told_here_in_one_line(tmp_path):
    with pytest.raises(InputError, match=r"^policy nowhere: no such directory$"):
        grow(QUERIES, Engines(Lazy(Broken)), RAY, scratch=tmp_path, what="growing")


def test_workers_that_find_no_room_are_not_waited_for_for_ever(tmp_path):
    config = configured("ray", resources={"moon": 1.0}, patience_s=2.0)
    with pytest.raises(InputError, match=r"^dist=ray: no worker has begun after 2 s, expected room for one"):
        grown(tmp_path, config)
