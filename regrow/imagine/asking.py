"""Asking the policy for questions: what it is shown, and what it replied."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcts.ports import Policy
from mcts.search import BestOfN
from mcts.seeds import seed_of
from mcts.tree import SearchTree
from mcts.types import Problem
from policy.prompts import QUESTION
from regrow.build import policy_of
from regrow.engines import Engines
from regrow.evaluation import texts
from regrow.experiment import Experiment
from regrow.grow import Grown, grow
from regrow.imagine.imagination import Imagination
from regrow.imagine.ways import EXAMPLES, WAYS, Start
from regrow.lazy import Lazy
from regrow.sampling import ONCE
from regrow.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Asking:
    """One question that is asked for.

    Attributes:
        prompt: What the policy is shown, as if it were a problem.
        parents: The problems that are shown in it.
    """

    way: str
    prompt: Problem
    parents: tuple[Problem, ...]


def askings(settings: Imagination, starts: dict[Start, Sequence[Problem]], number: int, seed: int) -> list[Asking]:
    """What to ask in round `number`: `settings.count` questions, by all ways in turn that have what they start from.

    A way goes through its problems in an order drawn by the seed, then again.
    """
    decks = {way: _shuffled(starts[WAYS[way].start], seed, number, way) for way in settings.ways}
    ready = [way for way in settings.ways if decks[way] or not _shown(settings, way)]
    found = []
    for turn in range(settings.count if ready else 0):
        way, place = ready[turn % len(ready)], turn // len(ready)
        deck = decks[way]
        parents = tuple(deck[(place + i) % len(deck)] for i in range(min(_shown(settings, way), len(deck))))
        prompt = Problem(f"{number}:{way}:{place}", rendered(settings.template(way), parents))
        found.append(Asking(way, prompt, parents))
    return found


def rendered(template: str, parents: Sequence[Problem]) -> str:
    """A template with questions in its places: the first at `{question}` if there is one, the others as examples."""
    shown = [parent.question for parent in parents]
    first = QUESTION in template
    filled = {QUESTION: "".join(shown[:first]), EXAMPLES: "\n\n".join(shown[first:])}
    return re.sub("|".join(map(re.escape, filled)), lambda place: filled[place[0]], template)


def replies(
    it: Experiment, policy: Path | None, asked: Sequence[Asking], scratch: Path, *, name: str, what: str
) -> tuple[list[str | None], list[SearchTree], str]:
    """Ask the policy.

    Args:
        policy: Its directory; None where there is none here.
        name: The stage's, which seeds the draws.
        what: What the progress bar says.

    Returns:
        The replies, None where there is none that is whole; their trees; and the policy's fingerprint.
    """
    settings = it.imagination
    asks = Lazy(policy_of, dataclasses.replace(it.config, prompt=settings.form), policy)
    strategy = Strategy(BestOfN(temperature=settings.temperature, name="imagine"))
    found = drawn(it, asks, [one.prompt for one in asked], strategy, scratch, name=name, what=what)
    return [_said(tree, settings.form.delimiter) for tree in found.trees], found.trees, found.policy


def drawn(
    it: Experiment,
    policy: Lazy[Policy],
    problems: Sequence[Problem],
    strategy: Strategy,
    scratch: Path,
    *,
    name: str,
    what: str,
) -> Grown:
    """One simulation of a strategy for each problem; journalled in `scratch`."""
    scratch.mkdir(parents=True, exist_ok=True)
    queries = [strategy.query(problem, ONCE, it.config.seed, name) for problem in problems]
    return grow(queries, Engines(policy), it.config, scratch=scratch, what=what)


def _shown(settings: Imagination, way: str) -> int:
    """How many questions a prompt of this way has places for."""
    template = settings.template(way)
    return (QUESTION in template) + settings.examples * (EXAMPLES in template)


def _shuffled(problems: Sequence[Problem], seed: int, number: int, way: str) -> list[Problem]:
    return sorted(problems, key=lambda problem: seed_of(seed, "imagine", number, way, problem.id))


def _said(tree: SearchTree, delimiter: str) -> str | None:
    finals = tree.finals()
    return delimiter.join(texts(tree.path(int(finals[0])))) if len(finals) else None
