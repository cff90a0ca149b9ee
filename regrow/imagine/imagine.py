"""Imagination as a stage: the policy is asked for problems, and those that pass the filters are written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcts.tree import SearchTree
from mcts.types import Problem
from regrow.build import columns_of, policy_of
from regrow.experiment import Experiment
from regrow.imagine.agreement import agreement
from regrow.imagine.asking import Asking, askings, drawn, replies
from regrow.imagine.filters import Dropped, Sieve
from regrow.imagine.imagination import Imagination
from regrow.imagine.imagined import Imagined, write_imagined
from regrow.imagine.ways import Start
from regrow.lazy import Lazy
from regrow.provenance import digest
from regrow.sampling import sampler, tokens_of
from regrow.tasks.problems import questions
from regrow.trace_store import write_trees
from regrow.verified import VerifiedTree

ASKED, SOLVED = "asked", "solved"
"""Trace stores in the stage's folder: prompts with their replies, and candidates with their solutions."""
KEPT = "kept"


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A new question, which is yet to be solved."""

    asking: Asking
    problem: Problem

    def imagined(self, number: int, maker: str, share: float) -> Imagined:
        """The problem of round `number` that it becomes."""
        parents = tuple(parent.id for parent in self.asking.parents)
        return Imagined(self.problem.id, self.problem.question, self.asking.way, parents, number, maker, share)


def imagine(
    it: Experiment,
    policy: Path | None,
    problems: Sequence[Problem],
    failures: Sequence[Problem],
    folder: Path,
    *,
    number: int,
    name: str,
    before: Iterable[str] = (),
) -> dict[str, Any]:
    """Fill `folder` with problems that the policy makes: `imagined.jsonl`, and the traces of how it came to them.

    No gold answer is in reach, neither of the problems nor of what is held out.

    Args:
        policy: Its directory; None where there is none here.
        problems: What is trained on.
        failures: What could not be solved the round before; see `regrow.imagine.agreement.failures`.
        number: The round's.
        name: The stage's, which seeds the draws; its scratch folder holds the journals.
        before: Further questions that need not be made again, such as those imagined in earlier rounds.

    Returns:
        `asked`, `kept`, `dropped` (reason -> count), `ways` (way -> the same three, flat) and `tokens_generated`.
    """
    starts = {Start.PROBLEMS: problems, Start.FAILURES: failures}
    asked = askings(it.imagination, starts, number, it.config.seed)
    scratch, counts = it.run.scratch(name), {asking.way: Counter[str]() for asking in asked}
    said, asked_trees, maker = replies(
        it, policy, asked, scratch / ASKED, name=f"{name}, asked", what=f"round {number}, imagining"
    )
    sieve = sieve_of(it, [*(problem.question for problem in (*problems, *failures)), *before])
    candidates = [
        _Candidate(asking, Problem(f"imagined:{number}:{asking.way}:{digest(question)[:12]}", question))
        for asking, question in _sifted(sieve, asked, said, counts)
    ]
    trees = _solved(it, policy, candidates, scratch / SOLVED, name=name, number=number)
    imagined = []
    for candidate, tree in zip(candidates, trees, strict=True):
        share = agreement(tree, it.task)
        fate = _fate(it.imagination, share)
        counts[candidate.asking.way][fate] += 1
        if fate == KEPT:
            imagined.append(candidate.imagined(number, maker, share))
    write_imagined(folder, imagined)
    for store, grown in ((ASKED, asked_trees), (SOLVED, trees)):
        write_trees(folder / store, (VerifiedTree.labelled(tree, "", {}) for tree in grown))
    return _told(counts) | {"tokens_generated": tokens_of([*asked_trees, *trees])}


def sieve_of(it: Experiment, known: Iterable[str]) -> Sieve:
    """The filters of a run: what it measures on and what gates compare models on is held out."""
    held_out = [graded.problem.question for graded in (*it.held_out, *it.validation)]
    further = questions(it.imagination.decontaminate, columns_of(it.config))
    return Sieve(it.task, it.imagination, known, [*held_out, *further])


def _sifted(
    sieve: Sieve, asked: Sequence[Asking], said: Sequence[str | None], counts: Mapping[str, Counter[str]]
) -> Iterator[tuple[Asking, str]]:
    """What passes the sieve, in the order in which it was asked for; counts what does not."""
    for asking, reply in zip(asked, said, strict=True):
        counts[asking.way][ASKED] += 1
        question = sieve.question(reply)
        if isinstance(question, Dropped):
            counts[asking.way][question] += 1
        else:
            yield asking, question


def _solved(
    it: Experiment, policy: Path | None, candidates: Sequence[_Candidate], scratch: Path, *, name: str, number: int
) -> list[SearchTree]:
    """Solutions of each candidate, as the policy draws them."""
    if not candidates:
        return []
    problems = [candidate.problem for candidate in candidates]
    strategy = sampler(it, it.imagination.samples)
    solves, what = Lazy(policy_of, it.config, policy), f"round {number}, solving what was imagined"
    return drawn(it, solves, problems, strategy, scratch, name=f"{name}, solved", what=what).trees


def _fate(settings: Imagination, share: float) -> str:
    """What becomes of a candidate whose most frequent answer has this share."""
    if share < settings.agreement:
        return Dropped.DISPUTED
    return Dropped.EASY if share > settings.too_easy else KEPT


def _told(counts: Mapping[str, Counter[str]]) -> dict[str, Any]:
    """The counts of each way, and of all together."""
    total = sum(counts.values(), Counter[str]())
    dropped = {str(reason): total[reason] for reason in Dropped if total[reason]}
    ways = {way: dict(count) for way, count in counts.items()}
    return {ASKED: total[ASKED], KEPT: total[KEPT], "dropped": dropped, "ways": ways}
