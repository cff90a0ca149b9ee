"""What a policy is taught in a round: an objective's lessons, made of what the round offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from mcts.tree import SearchTree
from policy.checkpoint import load_config, load_tokenizer
from policy.examples import Example, from_demonstration
from policy.lessons import Lesson
from regrow.build import prompt_of, scorer_of
from regrow.experiment import Experiment
from regrow.models import Models
from regrow.objectives import Objective
from regrow.objectives.material import Material, Need
from regrow.readings import ModelReadings
from regrow.tasks import embedded
from regrow.verified import VerifiedTree


def material_of(
    it: Experiment,
    start: Path,
    trees: Sequence[Sequence[VerifiedTree]],
    models: Models,
    *,
    first: Path,
    before: Models | None = None,
    prm: Path | None = None,
    samples: Mapping[Need, Sequence[SearchTree]] | None = None,
) -> Material:
    """What a round offers to learn from.

    Args:
        start: The policy that is trained.
        trees: Of each round so far those that are learned from.
        models: Which the round began with.
        first: The policy of round 0.
        before: Which the round before began with; None in round 1.
        prm: Which the round has trained.
        samples: What was drawn besides.
    """
    assert models.policy is not None
    prompt = prompt_of(it.config)
    readings = ModelReadings(
        prompt=prompt,
        scorer_of=partial(scorer_of, it.config),
        aggregate=it.strategy.aggregate,
        policy=models.policy,
        # Where a gate kept the old policy, it is both: it has nothing to say against itself.
        before=before.policy if before and before.policy != models.policy else None,
        prm=prm,
        prm_before=models.prm,
    )
    return Material(
        task=it.task,
        tokenizer=load_tokenizer(start),
        prompt=prompt,
        window=load_config(start).max_position_embeddings,
        per_problem=it.config.round.traces_per_problem,
        seed=it.config.seed,
        trees=[tree for found in trees for tree in found],
        fresh=trees[-1] if trees else [],
        readings=readings,
        first=first,
        samples=samples or {},
    )


def lessons_of(
    it: Experiment, objective: Objective, material: Material, demonstrations: int | None, seed: int
) -> tuple[list[Lesson], dict[str, int]]:
    """What an objective makes of the material, and base demonstrations; how many there are of each.

    Args:
        demonstrations: How many; None goes by `round.replay` where the lessons are traces: pairs and verdicts have no
            use for them.
    """
    lessons = objective.lessons(material)
    if demonstrations is None:
        is_told = all(isinstance(lesson, Example) for lesson in lessons)
        demonstrations = round(it.config.round.replay * len(lessons)) if is_told else 0
    known = embedded(it.task).demonstrations(demonstrations, seed) if demonstrations else []
    replayed = [from_demonstration(material.tokenizer, material.prompt, d.question, d.steps) for d in known]
    return [*lessons, *replayed], {"lessons": len(lessons), "replayed": len(replayed)}
