"""What a policy would be taught, as text: a few lessons with what is learned of them in brackets."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from rich.console import Console

from mcts.errors import printable
from policy.checkpoint import load_tokenizer
from policy.examples import from_demonstration
from policy.losses import Supervised
from policy.show import shown
from regrow.build import prompt_of
from regrow.experiment import Experiment
from regrow.lessons import material_of
from regrow.models import Models
from regrow.tasks.task import EmbeddedTask
from regrow.trace_store import iter_trees

TREES = 64
"""Trees that lessons are made of to be shown."""
SHOWN = 3
"""Demonstrations that are shown."""


def show_lessons(it: Experiment, models: Models) -> None:
    """Print lessons of the traces that the run directory has, the last round's; without any, base demonstrations.

    Args:
        models: Whose words and readings are taken, whatever the round of the traces.
    """
    if models.policy is None:
        return
    rounds = sorted(Path(it.config.run.dir).glob("round-*/traces"), key=lambda path: int(path.parent.name[6:]))
    title, text = _of_traces(it, models, rounds[-1].parent) if rounds else _of_demonstrations(it, models.policy)
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(title)
    console.print(printable(text) or "  none")


def _of_traces(it: Experiment, models: Models, folder: Path) -> tuple[str, str]:
    """Lessons of the first trees of a round."""
    objective = it.objective
    assert models.policy is not None
    title = f"Lessons of {folder.name}, objective {it.config.objective.kind}; ⟦what is learned⟧:"
    if missing := [need for need in objective.needs() if not (folder / need).is_dir()]:
        return title, f"  none before {', '.join(missing)} are drawn"
    material = material_of(
        it,
        models.policy,
        [list(islice(iter_trees(folder / "traces"), TREES))],
        models,
        first=models.policy,
        prm=models.prm,
        samples={need: [one.tree for one in islice(iter_trees(folder / need), TREES)] for need in objective.needs()},
    )
    lessons = objective.lessons(material)
    return title, shown(material.tokenizer, objective.loss(material), lessons) if lessons else ""


def _of_demonstrations(it: Experiment, policy: Path) -> tuple[str, str]:
    """What the base policy learned from."""
    tokenizer, title = load_tokenizer(policy), "No traces yet. Base demonstrations, ⟦what is learned⟧:"
    known = it.task.demonstrations(SHOWN, it.config.seed) if isinstance(it.task, EmbeddedTask) else []
    examples = [from_demonstration(tokenizer, prompt_of(it.config), one.question, one.steps) for one in known]
    return title, shown(tokenizer, Supervised(), examples)
