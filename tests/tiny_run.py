"""Settings of a run of seconds: countdown of two and three numbers, models that hardly learn."""

MODELS = [
    "task.options.numbers=[2,3]",
    "policy.base.size.hidden=32",
    "policy.base.size.layers=2",
    "policy.base.size.intermediate=64",
    "policy.base.demonstrations=3000",
    "policy.base.validation=100",
    "policy.base.train.max_steps=150",
    "policy.base.train.learning_rate=0.01",
    "prm.zero.problems=100",
    "prm.zero.train.max_steps=20",
]

TINY = [
    *MODELS,
    "policy.train.max_steps=5",
    "prm.train.max_steps=5",
    "round.count=2",
    "round.problems=24",
    "round.budget.tokens=100",
    "round.controls=[]",
    "evaluate.problems=8",
    "evaluate.drawn=4",
    "evaluate.samples=2",
    "evaluate.budget.tokens=40",
]
