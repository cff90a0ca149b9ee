from collections.abc import Iterable
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from fakes import HashChecker, ScriptedPolicy, TableScorer, World, assert_same_tree
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts.budget import Budget
from mcts.journal import Journal, JournalError, digest_of, tree_of
from mcts.scheduler import Scheduler
from mcts.search import BestOfN, MctsStar, RolloutBranching
from mcts.tree import SearchTree
from mcts.types import Problem, Propose, Score, State, Step, StepEnd, Ticket, Until
from mcts.walk import Query

SEARCHES = (BestOfN(2), RolloutBranching(opening=2), MctsStar(end_gate=0.9))
QUERIES = tuple(
    Query(Problem(f"p{i}", f"wie viel ist {i} + ½?"), SEARCHES[i % 3], Budget(tokens=40, simulations=8), seed=i)
    for i in range(5)
)
PROPOSE = Propose(State(Problem("p", "q"), (Step("a", (1, 2)),)), 2, Until.END, 0.5, 64, 7)


@dataclass
class Run:
    """What one run of the scheduler left behind."""

    trees: dict[str, SearchTree]
    journal: Journal
    written: bytes
    policy: ScriptedPolicy
    scorer: TableScorer

    @property
    def asked(self) -> int:
        return len(self.policy.asked) + len(self.scorer.asked)


def run(
    written: bytes = b"",
    queries: Iterable[Query] = QUERIES,
    *,
    arrival: int | None = 1,
    policy: str = "policy",
    scorer: str = "scorer",
    **limits: Any,
) -> Run:
    stream = BytesIO(written)
    journal = Journal(stream)
    engines = (
        ScriptedPolicy(World(truncated=0.1), arrival=arrival, fingerprint=policy),
        TableScorer(arrival=arrival, fingerprint=scorer),
    )
    scheduler = Scheduler(*engines, checker=HashChecker(), max_depth=3, trees_at_once=3, journal=journal, **limits)
    trees = {tree.problem.id: tree for tree in scheduler.run(queries)}
    return Run(trees, journal, stream.getvalue(), *engines)


WHOLE = run()
RECORDS = WHOLE.written.splitlines(keepends=True)


def assert_same_trees(a: Run, b: Run) -> None:
    assert a.trees.keys() == b.trees.keys()
    for name, tree in a.trees.items():
        assert_same_tree(tree, b.trees[name])


def test_every_reply_is_recorded_once():
    assert len(RECORDS) == WHOLE.journal.appended == WHOLE.asked
    assert WHOLE.journal.replayed == 0


def test_a_journal_changes_nothing_about_the_search():
    engines = ScriptedPolicy(World(truncated=0.1)), TableScorer()
    for tree in Scheduler(*engines, checker=HashChecker(), max_depth=3).run(QUERIES):
        assert_same_tree(tree, WHOLE.trees[tree.problem.id])


def test_a_finished_run_is_replayed_without_asking_anyone():
    again = run(WHOLE.written)
    assert again.asked == again.journal.appended == 0
    assert again.journal.replayed == len(RECORDS)
    assert again.written == WHOLE.written
    assert again.journal.tokens_replayed == WHOLE.policy.tokens_generated > 0
    assert WHOLE.journal.tokens_replayed == 0
    assert_same_trees(again, WHOLE)


def check_restart(length: int, arrival: int | None) -> None:
    """Kill the run after `length` bytes, go on, and expect the trees of a run that was never killed."""
    kept = WHOLE.written[:length]
    intact = kept.count(b"\n")
    again = run(kept, QUERIES[::-1], arrival=arrival)
    assert_same_trees(again, WHOLE)
    assert again.journal.replayed == intact
    assert again.asked == again.journal.appended == len(RECORDS) - intact
    assert again.policy.tokens_generated + again.journal.tokens_replayed == WHOLE.policy.tokens_generated
    assert again.written.startswith(b"".join(RECORDS[:intact]))
    assert sorted(again.written.splitlines()) == sorted(WHOLE.written.splitlines())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(WHOLE.written)), st.sampled_from([None, 5]))
def test_a_run_killed_at_any_byte_goes_on_as_if_it_had_not_been(length, arrival):
    check_restart(length, arrival)


@pytest.mark.parametrize("offset", [-1, 0, 1])
@pytest.mark.parametrize("records", [1, len(RECORDS) // 2, len(RECORDS) - 1])
def test_a_run_killed_about_the_end_of_a_record_goes_on(records, offset):
    check_restart(len(b"".join(RECORDS[:records])) + offset, None)


def test_a_run_may_be_killed_again_and_again():
    written = b""
    for length in range(0, len(WHOLE.written), 500):
        written = run(written, arrival=length).written[:length]
    assert_same_trees(run(written), WHOLE)


def test_a_torn_tail_is_cut_off():
    stream = BytesIO(WHOLE.written[:-5])
    Journal(stream)
    assert stream.getvalue() == b"".join(RECORDS[:-1])


def test_records_that_no_query_asks_for_are_left_alone():
    part = run(WHOLE.written, QUERIES[:2])
    assert part.asked == 0
    assert part.written == WHOLE.written


def test_a_larger_budget_goes_on_from_the_journal():
    more = [replace(query, budget=Budget(tokens=80, simulations=16)) for query in QUERIES[:2]]
    longer, fresh = run(WHOLE.written, more), run(b"", more)
    assert_same_trees(longer, fresh)
    assert longer.journal.replayed > 0
    assert longer.asked == fresh.asked - longer.journal.replayed > 0


@settings(max_examples=80, deadline=None)
@given(st.integers(0, len(RECORDS) - 3), st.floats(0, 1, exclude_max=True), st.integers(1, 255))
def test_a_damaged_record_is_refused_by_its_number(index, place, flip):
    damaged = bytearray(WHOLE.written)
    damaged[len(b"".join(RECORDS[:index])) + int(place * len(RECORDS[index]))] ^= flip
    with pytest.raises(JournalError, match=rf"^journal record {index + 1} is damaged: expected"):
        Journal(BytesIO(damaged))


def test_a_lost_record_in_the_middle_is_asked_for_again():
    again = run(b"".join([*RECORDS[:7], *RECORDS[8:]]))
    assert again.asked == 1
    assert_same_trees(again, WHOLE)


@pytest.mark.parametrize(
    "changed",
    [
        {"policy": "other weights"},
        {"scorer": "other weights"},
        {"max_tokens": 255},
        {"queries": [replace(QUERIES[0], search=BestOfN(2, temperature=0.5))]},
        {"queries": [replace(QUERIES[0], search=BestOfN(3))]},
        {"queries": [replace(QUERIES[0], seed=99)]},
        {"queries": [replace(QUERIES[0], problem=Problem("p0", "another question"))]},
        {"queries": [replace(QUERIES[1], search=RolloutBranching(opening=2, temperature=0.5))]},
    ],
    ids=str,
)
def test_a_journal_of_another_run_is_refused_by_tree_and_ticket(changed):
    with pytest.raises(
        JournalError, match=r"journal of tree \w+/p\d, ticket \d+: written by other weights or settings"
    ):
        run(WHOLE.written, **changed)


def test_a_journal_error_is_one_line():
    for written, policy in [(b"damaged\n" + WHOLE.written, "policy"), (WHOLE.written, "other")]:
        with pytest.raises(JournalError) as error:
            run(written, policy=policy)
        assert "\n" not in str(error.value)


# --- digests ----------------------------------------------------------------------------------------------------------

CHANGES = [
    {"width": 3},
    {"until": Until.STEP},
    {"temperature": 0.25},
    {"max_tokens": 65},
    {"seed": 8},
    {"drawn": 1},
    {"state": State(Problem("p", "another question"), PROPOSE.state.steps)},
    {"state": State(PROPOSE.state.problem)},
    {"state": State(PROPOSE.state.problem, (Step("b", (1, 2)),))},
    {"state": State(PROPOSE.state.problem, (Step("a", (1, 3)),))},
    {"state": State(PROPOSE.state.problem, (Step("a", (1, 2), end=StepEnd.FINAL),))},
    {"state": State(PROPOSE.state.problem, (Step("a", (1,)), Step("", (2,))))},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_the_digest_tells_apart_whatever_decides_the_reply(change):
    assert digest_of("w", replace(PROPOSE, **change)) != digest_of("w", PROPOSE)
    if "state" in change:
        assert digest_of("w", Score(change["state"])) != digest_of("w", Score(PROPOSE.state))


def test_the_digest_tells_apart_engines_and_kinds_of_request_and_nothing_else():
    assert digest_of("w", PROPOSE) == digest_of("w", replace(PROPOSE))
    assert digest_of("w", PROPOSE) != digest_of("v", PROPOSE)
    assert digest_of("w", PROPOSE) != digest_of("w", Score(PROPOSE.state))
    renamed = replace(PROPOSE, state=State(Problem("another id", "q"), PROPOSE.state.steps))
    assert digest_of("w", PROPOSE) == digest_of("w", renamed)


# --- payloads ---------------------------------------------------------------------------------------------------------

texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=12)
steps = st.builds(
    Step,
    texts,
    st.lists(st.integers(0, 2**31), max_size=4).map(tuple),
    st.lists(st.floats(), max_size=4).map(tuple),
    st.sampled_from(StepEnd),
)
proposals = st.lists(st.lists(steps, max_size=3).map(tuple), max_size=3).map(tuple)


@settings(max_examples=80, deadline=None)
@given(proposals, st.lists(st.floats(), max_size=5).map(tuple), texts)
def test_floats_and_texts_come_back_to_the_last_bit(proposal, values, name):
    stream = BytesIO()
    journal = Journal(stream)
    first, second = Ticket(name, 0), Ticket(name, 1)
    journal.append(first, "d", proposal)
    journal.append(second, "d", values)
    journal = Journal(stream)
    score = Score(State(Problem("p", "q")))
    assert repr(journal.recorded(first, "d", PROPOSE)) == repr(proposal)  # repr: NaN and -0.0 are themselves
    assert repr(journal.recorded(second, "d", score)) == repr(values)
    assert journal.recorded(second, "d", score) is None


@pytest.mark.parametrize("value", [5e-324, -0.0, 0.1, 1 - 2**-53, float("nan"), float("inf"), float("-inf")])
def test_extreme_floats_come_back(value):
    stream = BytesIO()
    Journal(stream).append(Ticket("t", 0), "d", (value,))
    (back,) = Journal(stream).recorded(Ticket("t", 0), "d", Score(State(Problem("p", "q"))))
    assert repr(back) == repr(value)


def test_a_journal_lives_in_a_file(tmp_path: Path):
    path = tmp_path / "journal"
    path.write_bytes(b"".join(RECORDS[:9]) + RECORDS[9][:-4])
    with path.open("a+b") as stream:
        journal = Journal(stream)
        engines = ScriptedPolicy(World(truncated=0.1)), TableScorer()
        trees = list(Scheduler(*engines, checker=HashChecker(), max_depth=3, journal=journal).run(QUERIES))
        assert path.read_bytes().count(b"\n") == len(RECORDS)  # flushed as it went, before it was closed
    assert journal.replayed == 9
    for tree in trees:
        assert_same_tree(tree, WHOLE.trees[tree.problem.id])


def test_records_of_another_journal_are_replayed_and_not_written_again():
    whole = run()
    lines = whole.written.splitlines(keepends=True)
    assert {tree_of(line) for line in lines} == {f"{query.search.name}/{query.problem.id}" for query in QUERIES}
    assert tree_of(lines[0][:-1]) is tree_of(lines[0][:9] + b"x" + lines[0][10:]) is None
    stream, policy, scorer = BytesIO(), ScriptedPolicy(World(truncated=0.1)), TableScorer()
    journal = Journal(stream)
    journal.admit(lines)
    scheduler = Scheduler(policy, scorer, checker=HashChecker(), max_depth=3, trees_at_once=3, journal=journal)
    for tree in scheduler.run(QUERIES):
        assert_same_tree(tree, whole.trees[tree.problem.id])
    assert (policy.asked, scorer.asked, stream.getvalue()) == ({}, {}, b"")
