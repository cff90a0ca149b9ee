"""What `bench_alphallm.py` runs: overrides of `regrow train`, `evaluate` and `imagine`."""

from __future__ import annotations

TASK = "task=arithmetic_synthesis"
OPEN_GATES = ["gate.policy=false", "gate.prm=false"]
SMALL_EVALUATION = ["evaluate.problems=1000", "evaluate.drawn=300"]

SMALL_PRMS = ["prm.zero.problems=4000", "prm.train.max_steps=500"]
"""Fitted to a fifth of what the task takes otherwise, for half as long: many are fitted here."""

CRITICS = [
    TASK,
    "round.count=1",
    "round.controls=[]",
    "search=eta_mcts",
    "search.rollouts=0",
    "search.widening.root_least=3",
    "round.budget.tokens=400",
    "evaluate.budget.tokens=400",
    "prm.labels=soft",
    *SMALL_PRMS,
    "critics.train=[prm,orm]",
    "evaluate.problems=300",
    "evaluate.drawn=300",
    *OPEN_GATES,
]
"""The value function, PRM and ORM: of the same trees of the base policy, with soft, hard and outcome labels.

Fast rollouts are no part of a tree, so nothing is learned from them: without any, and with a narrow root, 400 tokens
come to solutions.
"""
FAST = [
    TASK,
    "round.count=0",
    "policy.base.size.layers=2",
    "prm.zero.problems=100",
    "prm.zero.train.max_steps=2",
    "evaluate.problems=20",
    "evaluate.drawn=20",
]
"""The policy of fast rollouts: half as deep."""

WIDTH, ROLLOUTS, MORE = 4, 32, 128
_FIXED = [f"widening.{name}={WIDTH}" for name in ("least", "most", "root_least", "root_most")]
_UNMERGED, _MERGED = "merging.nearest=0", "merging.nearest=1"
LADDER = {
    "vanilla MCTS": ["beta_prm=0", "beta_orm=0", _UNMERGED, *_FIXED],
    "+ adaptive width": ["beta_prm=0", "beta_orm=0", _UNMERGED],
    "+ PRM": ["beta_orm=0", _UNMERGED],
    "+ fast-rollout ORM": [_UNMERGED],
    "+ state merge": [_MERGED],
}
"""Rung -> settings of `search=eta_mcts`. Each adds one thing; the last rung of the paper is more rollouts."""
REFERENCES = {"best-of-N": "best_of_n name=best-of-N choice=vote", "our search": "rollout_branching name=our-search"}
LADDER_PROBLEMS = 300

ROUNDS = 2
LOOP = [TASK, f"round.count={ROUNDS}", "round.controls=[]", *SMALL_PRMS, *OPEN_GATES, *SMALL_EVALUATION]
_LEAST = "pseudo_labels.least=0.3"
ARMS = {
    "labels": [],
    "majority": ["pseudo_labels.share=1", "pseudo_labels.by=majority", _LEAST],
    "threshold": ["pseudo_labels.share=1", "pseudo_labels.by=threshold", "pseudo_labels.least=0.9"],
    "agreement": [
        "pseudo_labels.share=1",
        "pseudo_labels.by=agreement",
        _LEAST,
        "imagine=arithmetic",
        "imagine.count=0",
    ],
    "self-consistency training": ["pseudo_labels.share=1", "pseudo_labels.by=majority", _LEAST, "search=best_of_n"],
}
"""Who says what is right -> overrides. All generate the same number of tokens a problem; the last arm only samples."""

IMAGINED = [TASK, "imagine=arithmetic", "imagine.count=1000", "imagine.ways=[rephrase,numbers,backward,new,challenge]"]


def name_of(rung: str) -> str:
    """A rung's name as that of a search."""
    return rung.replace("+ ", "with-").replace(" ", "-")
