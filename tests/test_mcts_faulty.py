"""Scheduler and journal before engines to which everything happens, in any order: a machine of hypothesis."""

import json
from collections import Counter
from io import BytesIO
from random import Random

from fakes import HashChecker, ScriptedPolicy, TableScorer, World, assert_same_tree
from faulty import PROPOSALS, VALUES, DeadError, Faulty
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mcts.budget import Budget
from mcts.journal import Journal
from mcts.kernels import Fault
from mcts.scheduler import Scheduler
from mcts.search import BestOfN, MctsStar, RolloutBranching
from mcts.silence import SilentError
from mcts.types import Problem, Ticket
from mcts.walk import Query

SHARE = 0.06
QUERIES = 60
SEARCHES = (BestOfN(2), RolloutBranching(opening=2), MctsStar(rollout_steps=2))
WORLD = World(truncated=0.1)
seeds = st.integers(0, 2**32)


def query(i):
    return Query(Problem(f"p{i}", f"question {i}"), SEARCHES[i % 3], Budget(tokens=40, simulations=8), seed=i)


def name_of(one):
    return f"{one.search.name}/{one.problem.id}"


def engines(moods=None, lost=0.0):
    policy, scorer = ScriptedPolicy(WORLD), TableScorer()
    dice = [None if moods is None else Random(moods + i) for i in range(2)]
    return (
        Faulty(policy, PROPOSALS, share=SHARE, moods=dice[0], lost=lost),
        Faulty(scorer, VALUES, share=SHARE, moods=dice[1], lost=lost),
    )


def scheduler_of(pair, journal=None):
    return Scheduler(*pair, checker=HashChecker(), max_depth=4, journal=journal, silence_s=1e-3)


def tickets_in(written):
    return [Ticket(*json.loads(line.partition(b" ")[2])[:2]) for line in written.split(b"\n")[:-1]]


class Machine(RuleBasedStateMachine):
    """Queries come, engines answer, fail, die; the process is killed and started again."""

    def __init__(self):
        super().__init__()
        self.stream, self.asked, self.given_up, self.found, self.starts = BytesIO(), {}, set(), {}, 0
        self.start(0, 0.0)

    # --- what happens -------------------------------------------------------------------------------------------------

    @rule(moods=seeds, lost=st.sampled_from([0.0, 0.0, 0.05]))
    def start(self, moods, lost):
        """A new process: the journal is all that it has of the old one, and every query is asked again."""
        self.paid = set(tickets_in(self.stream.getvalue()))
        self.starts += 1
        self.engines = engines(moods + 2 * self.starts, lost)
        self.scheduler = scheduler_of(self.engines, Journal(self.stream))
        self.found.clear()
        kept = [one for name, one in self.asked.items() if name not in self.given_up]
        self.walks = {name_of(one): self.scheduler.plant(one, name_of(one)) for one in kept}

    @rule(moods=seeds, torn=st.integers(0, 400))
    def kill(self, moods, torn):
        """In the middle of a record that was to follow: what was written before it is there."""
        self.stream.seek(0, 2)
        self.stream.write((b'0123abcd ["best_of_n/p0",' + b"7" * 400)[:torn])
        self.start(moods, 0.0)

    @rule(i=st.integers(0, QUERIES - 1))
    def ask(self, i):
        one = query(i)
        if name_of(one) not in self.asked:
            self.asked[name_of(one)] = one
            self.walks[name_of(one)] = self.scheduler.plant(one, name_of(one))

    @precondition(lambda self: self.walks)
    @rule(passes=st.integers(1, 12))
    def work(self, passes):
        try:
            for _ in range(passes):
                self.turn()
        except (DeadError, SilentError):
            self.start(0, 0.0)

    @precondition(lambda self: self.walks)
    @rule(which=st.sampled_from([0, 1]))
    def die(self, which):
        self.engines[which].is_dead = True

    @precondition(lambda self: self.walks)
    @rule(i=st.integers(0, QUERIES - 1))
    def give_up(self, i):
        name = sorted(self.walks)[i % len(self.walks)]
        self.scheduler.harvest(self.walks.pop(name))
        self.given_up.add(name)

    def turn(self):
        for walk in self.scheduler.advance():
            assert walk.name in self.walks, "a tree came that nobody waits for"
            del self.walks[walk.name]
            self.found[walk.name] = self.scheduler.harvest(walk)
        self.scheduler.poll(0.0)

    # --- what holds ---------------------------------------------------------------------------------------------------

    @invariant()
    def no_ticket_is_paid_for_twice(self):
        recorded = Counter(tickets_in(self.stream.getvalue()))
        assert not [ticket for ticket, times in recorded.items() if times > 1]
        assert not self.paid & {ticket for engine in self.engines for ticket in engine.asked}

    @invariant()
    def the_records_of_every_tree_agree(self):
        for walk in self.walks.values():
            assert self.scheduler._forest.fault(walk.tree)[1] == Fault.NONE

    @invariant()
    def every_tree_is_the_one_that_grows_alone(self):
        for name, tree in self.found.items():
            assert_same_tree(tree, ALONE[name])

    def teardown(self):
        """Left to work, every query ends in its tree; and the journal alone gives them all again."""
        self.start(0, 0.0)
        for _ in range(2000):
            if not self.walks:
                break
            self.work(1)
        assert self.found.keys() == self.asked.keys() - self.given_up
        self.every_tree_is_the_one_that_grows_alone()
        self.start(1, 0.0)
        while self.walks:
            self.turn()
        assert not [ticket for engine in self.engines for ticket in engine.asked]
        self.every_tree_is_the_one_that_grows_alone()


ALONE = {name_of(one): tree for one in map(query, range(QUERIES)) for tree in scheduler_of(engines()).run([one])}

Machine.TestCase.settings = settings(
    max_examples=50, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestSchedulerAndJournal = Machine.TestCase


def test_faults_befall_some_trees_and_leave_the_others_alone():
    pair = engines()
    together = {name_of(one): tree for one, tree in by_name(scheduler_of(pair))}
    befallen = {ticket.tree for engine in pair for ticket in engine.befallen}
    assert {kind for engine in pair for kind in engine.befallen.values()} == PROPOSALS.keys() | VALUES.keys()
    sound = {name_of(one): tree for one, tree in by_name(scheduler_of((ScriptedPolicy(WORLD), TableScorer())))}
    for name, tree in together.items():
        assert_same_tree(tree, ALONE[name])
        assert tree.failure == "" or tree.failure.startswith(f"{name}: the ")
        if name not in befallen:
            assert_same_tree(tree, sound[name])
    assert 5 < len([tree for tree in together.values() if tree.failure]) <= len(befallen) < QUERIES - 5


def by_name(scheduler):
    """Every query with its tree, all searched together."""
    found = {(tree.strategy, tree.problem.id): tree for tree in scheduler.run(map(query, range(QUERIES)))}
    return [(one, found[one.search.name, one.problem.id]) for one in map(query, range(QUERIES))]
