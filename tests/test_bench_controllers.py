"""Controllers under measurement: every query goes out once, and a tree comes back for it."""

import pickle

from controllers import Replay, Replayer, cost_s, queue
from grown import verified_trees

from mcts.budget import Budget
from mcts.search import BestOfN
from mcts.types import Problem
from mcts.walk import Query


def queries(count):
    return [Query(Problem(str(n), "q"), BestOfN(), Budget(tokens=1), seed=n) for n in range(count)]


def test_every_query_is_answered_once_by_processes_that_take_turns():
    trees = tuple(one.tree for one in verified_trees(3))
    replay = Replay(trees, workers=2, rate=400.0, room=8)
    packed = list(queue(queries(60), replay))
    assert len(packed) == 60
    assert {pickle.loads(one).problem.id for one in packed} == {tree.problem.id for tree in trees}


def test_a_replayer_gives_no_more_than_it_holds_and_what_it_was_handed_first():
    replayer = Replayer([verified_trees(1)[0].tree], rate=16.0)
    first = replayer.advance(queries(6))
    assert list(first) == ["0", "1", "2", "3"]
    assert list(replayer.advance([])) == ["4", "5"]
    assert replayer.advance([]) == {}


def test_what_is_told_is_the_cost_of_this_process_between_the_first_trees_and_the_last():
    asked, given = queries(40), []

    def controller(waiting, replay):
        for query in waiting:
            given.append(query)
            yield b""

    cost, rate = cost_s(controller, asked, Replay((), workers=2, rate=1.0, room=5))
    assert given == asked
    assert 0.0 <= cost < 1e-2
    assert rate > 10
