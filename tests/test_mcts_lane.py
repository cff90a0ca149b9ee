from queue import Empty, SimpleQueue
from threading import Timer
from time import perf_counter, sleep

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


class InProcess:
    """A scorer that computes for `work_s` when it is waited for."""

    fingerprint = "in process"

    def __init__(self, work_s: float) -> None:
        self.work_s, self.batches = work_s, []
        self._waiting: list = []

    def submit(self, ticket, request):
        self._waiting.append(ticket)

    def poll(self, timeout_s):
        if not timeout_s or not self._waiting:
            return []
        sleep(self.work_s)
        batch, self._waiting = self._waiting, []
        self.batches.append(len(batch))
        return [(ticket, (0.5,)) for ticket in batch]


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
    assert alone.patience == [POLL_S]
    assert idle.patience == []


def ask(lane: Lane, *numbers: int) -> None:
    for number in numbers:
        lane.ask(Ticket("t", number), STATE, Waiting(None, number, ""))


def paced(scorer: InProcess, policy: Remote) -> list[Lane]:
    """Both lanes, the first with one request computed."""
    lanes = [Lane(scorer), Lane(policy)]
    ask(lanes[0], 0)
    assert [ticket.number for ticket, _, _ in poll(lanes)] == [0]
    return lanes


def test_an_engine_in_process_fills_up_while_another_is_fuller():
    lanes = paced(InProcess(0.5), Remote(0.02))
    ask(lanes[0], 1)
    ask(lanes[1], 2, 3)
    (ticket, _, _), *_ = poll(lanes)
    assert ticket.number in (2, 3)
    ask(lanes[0], 4)
    while len(lanes[0]):
        poll(lanes)
    assert lanes[0].engine.batches == [1, 2]


def test_an_engine_in_process_waits_no_longer_than_its_work_lasts():
    lanes = paced(InProcess(0.05), Remote(30.0))
    ask(lanes[0], 1)
    ask(lanes[1], 2, 3)
    start = perf_counter()
    assert [ticket.number for ticket, _, _ in poll(lanes)] == [1]
    assert 0.09 < perf_counter() - start < 5.0


def test_a_policy_in_process_computes_only_when_no_scorer_has_an_answer():
    scorer, policy = TableScorer(), ScriptedPolicy()
    lanes = asked(scorer, policy)
    assert [ticket.number for ticket, _, _ in poll(lanes)] == [0]
    assert policy.replies == {}


def test_two_slow_engines_are_waited_for_no_longer_than_patience_lasts_and_one_in_process_gets_its_turn():
    assert poll(asked(Remote(30.0), Remote(30.0)), patience_s=0.02) == []
    lanes = paced(InProcess(0.05), Remote(30.0))
    ask(lanes[0], 1)
    ask(lanes[1], 2, 3)
    assert [ticket.number for ticket, _, _ in poll(lanes, patience_s=0.001)] == [1]
