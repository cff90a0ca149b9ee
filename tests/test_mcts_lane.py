from queue import Empty, SimpleQueue
from threading import Timer

from fakes import ScriptedPolicy, TableScorer

from mcts.lane import GLANCE_S, POLL_S, Lane, Waiting, poll
from mcts.types import Problem, Score, State, Ticket

STATE = Score(State(Problem("p", "q")))


class Remote:
    """An engine elsewhere: replies come after `delay_s`, whether or not anybody waits."""

    fingerprint = "remote"

    def __init__(self, delay_s: float) -> None:
        self.delay_s, self.patience = delay_s, []
        self._replies: SimpleQueue = SimpleQueue()

    def submit(self, ticket, request):
        Timer(self.delay_s, self._replies.put, [(ticket, (0.5,))]).start()

    def poll(self, timeout_s):
        self.patience.append(timeout_s)
        try:
            return [self._replies.get(timeout=timeout_s) if timeout_s else self._replies.get_nowait()]
        except Empty:
            return []


def asked(*engines) -> list[Lane]:
    lanes = [Lane(engine) for engine in engines]
    for i, lane in enumerate(lanes):
        lane.ask(Ticket("t", i), STATE, Waiting(None, i, ""))
    return lanes


def test_a_slow_engine_does_not_hold_back_the_replies_of_another():
    slow, quick = Remote(30.0), Remote(0.02)
    lanes = asked(slow, quick)
    for _ in range(100):
        if arrived := poll(lanes):
            break
    assert [ticket.number for ticket, _, _ in arrived] == [1]
    assert max(slow.patience) == max(quick.patience) == GLANCE_S
    assert [lane.is_busy for lane in lanes] == [True, False]


def test_a_lone_engine_is_waited_for_and_an_idle_one_is_not_asked():
    alone, idle = Remote(0.02), Remote(0.0)
    lanes = [Lane(idle), *asked(alone)]
    assert [reply for _, _, reply in poll(lanes)] == [(0.5,)]
    assert alone.patience == [0.0, POLL_S]
    assert idle.patience == []


def test_a_policy_in_process_computes_only_when_no_scorer_has_an_answer():
    scorer, policy = TableScorer(), ScriptedPolicy()
    lanes = asked(scorer, policy)
    assert [ticket.number for ticket, _, _ in poll(lanes)] == [0]
    assert policy.replies == {}
