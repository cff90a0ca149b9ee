"""A countdown tree of four leaves, with labels and readings that can be reckoned by hand.

    root ── 1  3 + 2 = 5 : 4 5 ── 2  5 * 4 = 20 : 20   correct
        │                      └─ 3  5 + 4 = 9 : 9     wrong
        └── 4  2 * 3 = 6 : 4 6 ── 5  6 * 4 = 24 : 24   wrong
                               └─ 6  6 + 4 = 10 : 10   wrong

Soft labels: root 1/4, node 1 1/2, node 2 1, the others 0.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

from grown import TASK, judged

from mcts.tree import NO_NODE
from mcts.types import Problem
from policy.prompts import PromptFormat
from policy.tokenizer import build_tokenizer
from regrow.objectives.material import Material
from regrow.tasks.task import GradedProblem

PROMPT = PromptFormat()
TOKENIZER = build_tokenizer(TASK.words())
GRADED = GradedProblem(Problem("p", "2 3 4 -> 20"), "20")
PARENTS = [NO_NODE, 0, 1, 1, 0, 4, 4]
TEXTS = [
    "",
    "3 + 2 = 5 : 4 5",
    "5 * 4 = 20 : 20",
    "5 + 4 = 9 : 9",
    "2 * 3 = 6 : 4 6",
    "6 * 4 = 24 : 24",
    "6 + 4 = 10 : 10",
]
FINALS = (2, 3, 5, 6)


def tree_of(likelihoods=(0.0, -0.1, -0.1, -0.4, -0.2, -0.3, -0.2), name="p", question=GRADED.problem.question):
    """The tree, judged; every token of a node's step has the log-probability given for the node."""
    steps = [None]
    for node, text in enumerate(TEXTS[1:], start=1):
        step = PROMPT.encode_steps(TOKENIZER, [text], is_complete=node in FINALS)[0]
        steps.append(replace(step, logprobs=(likelihoods[node],) * len(step.token_ids)))
    problem = Problem(name, question)
    return judged(GradedProblem(problem, GRADED.answer), steps, PARENTS)


@dataclass
class TableReadings:
    """Readings by the text of a solution's last step: of the PRM, the PRM before, the policy against its past."""

    now: dict[str, float] = field(default_factory=dict)
    earlier: dict[str, float] = field(default_factory=dict)
    gained: dict[str, float] | None = None
    answers: dict[str, float] = field(default_factory=dict)

    @property
    def has_past(self):
        return self.gained is not None

    def value(self, states):
        return self._read(self.now, states)

    def value_before(self, states):
        return self._read(self.earlier, states)

    def gain(self, states):
        return self._read(self.gained, states)

    def asked(self, question, states):
        return self._read(self.answers, states)

    def _read(self, table, states):
        return [table[state.steps[-1].text] for state in states]


def by_leaf(*values):
    """Values of the four leaves, by their texts."""
    return {TEXTS[leaf]: value for leaf, value in zip(FINALS, values, strict=True)}


def material_of(*trees, readings=None, samples=None, window=256):
    """What a round with these trees offers."""
    return Material(
        task=TASK,
        tokenizer=TOKENIZER,
        prompt=PROMPT,
        window=window,
        per_problem=2,
        seed=0,
        trees=trees,
        fresh=trees,
        readings=readings or TableReadings(by_leaf(0.9, 0.2, 0.4, 0.1), by_leaf(0.9, 0.4, 0.2, 0.1)),
        first=Path("nowhere"),
        samples=samples or {},
    )


def learned(example):
    """What an example teaches, as text."""
    return TOKENIZER.decode(
        [token for token, is_learned in zip(example.token_ids, example.loss_mask, strict=True) if is_learned]
    )


def whole(example):
    """All that the model reads of it."""
    return TOKENIZER.decode(example.token_ids)


def said(*nodes):
    """What a solution reads like, its end of sequence included."""
    return "\n".join(TEXTS[node] for node in nodes) + " <eos>"
