"""Configurations that cannot be: settings with values of the wrong kind or out of range, and words nobody knows."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from bad_input import HERE, MODELS, BadCommand

from regrow.compose import composed, preset_names

RUN = f"run.dir={HERE}/run"

COMMANDS = {
    "export": ("export", f"traces={HERE}/absent", "format=sft", f"out={HERE}/run/out"),
    "view": ("view", f"traces={HERE}/absent", f"out={HERE}/run/page.html"),
    "serve": ("serve", "port=0"),
    "generate": ("generate", "count=2"),
    "imagine": ("imagine", "imagine=llm", "count=2"),
    "budget": ("search", "2 3 -> 5"),
    "policy.vllm": ("search", "2 3 -> 5", "policy=vllm"),
    "policy.server": ("search", "2 3 -> 5", "policy=server", "policy.server.attempts=1", "policy.server.timeout_s=2"),
    "prm.vllm": ("search", "2 3 -> 5", "prm=vllm"),
    "policy.base": ("search", "2 3 -> 5", "policy.path=null", f"cache={HERE}/run/cache"),
    "prm.zero": ("search", "2 3 -> 5", "prm.path=null", f"cache={HERE}/run/cache"),
}
"""Which command reads which settings, the longest name first that fits; others are those of `train`."""

ANY_NUMBER = (
    "alarms.",
    "gate.margin",
    "search.unvisited",
    "search.prune_below",
    "search.end_gate",
)
"""Settings that any number will do for."""

OPEN_CHOICES = {
    "output": "yaml", "policy.engine": "gpt", "prm.engine": "gpt", "prm.labels": "luck", "prm.loss": "hinge",
    "prm.weights": "luck", "prm.noise": "white", "prm.calibration": "platt", "prm.head": "two", "prm.aggregate": "max",
    "prm.format": "gguf", "evaluate.split": "dev", "evaluate.unit": "dollars", "evaluate.values": "gold",
    "search.choice": "luck", "search.aggregate": "median", "pseudo_labels.by": "vote",
    "generate.selection.keep": "some",
    "policy.train.scheduler": "zigzag", "policy.train.precision": "int1", "prm.train.schedule": "zigzag",
    "prm.train.precision": "int1", "policy.server.api": "soap", "export.format": "csv", "export.labels": "luck",
    "export.split": "a/b", "task.name": "chess", "critics.prm_labels": "luck", "critics.orm_labels": "luck",
    "search.kind": "bfs", "objective.kind": "ppo", "policy.base.train.scheduler": "zigzag",
}  # fmt: skip

TOGETHER = [
    (("train", "prm.balance=true", "prm.labels=progress"), ("prm.balance",)),
    (("train", "prm.noise=peer", "prm.loss=pairwise"), ("prm.noise",)),
    (("train", "prm.weights=visits", "prm.labels=simple"), ("prm.weights",)),
    (("train", "prm.calibration=temperature", "prm.labels=progress"), ("prm.calibration",)),
    (("train", "prm.calibration_share=1"), ("prm.calibration_share",)),
    (("train", "prm=recorded"), ("prm=recorded",)),
    (("train", "prm=laser", "prm.path=null"), ("prm=laser",)),
    (("train", "policy=server"), ("policy=server",)),
    (("train", "policy=recorded"), ("policy=recorded",)),
    (("train", "critics.train=[prm]"), ("critics.train",)),
    (("train", "critics.train=[nobody]"), ("critics.train",)),
    (("train", "search=eta_mcts", "critics.shared=true", "critics.train=[orm]"), ("critics.shared",)),
    (("train", "round.controls=[nobody]"), ("round.controls",)),
    (("train", "prm.format=skywork", "prm.path=null"), ("prm.format",)),
    (("train", "task=gsm8k"), ("gsm8k",)),
    (("train", "task=file"), ("file",)),
    (("train", "task=game24"), ("game24",)),
    (("train", "task.options.numbers=[99]"), ("numbers",)),
    (("train", "task.options.numbers=[]"), ("numbers",)),
    (("train", "task.options.numbers=many"), ("numbers",)),
    (("train", "task.options.largest=-1"), ("largest",)),
    (("train", "task.options.largest=a"), ("largest",)),
    (("train", "task.options.limit=0"), ("limit",)),
    (("train", "+task.options.colour=red"), ("colour",)),
    (("train", "task=arithmetic", "task.options.steps=0"), ("steps",)),
    (("train", "task=file", "task.options.answers=['(']"), ("answer",)),
    (("train", "task=file", "task.options.answers=[]"), ("answer",)),
    (("train", "task=file", "task.options.answers=['x']"), ("answer",)),
    (("train", "policy.train.launch=rm -rf"), ("launch",)),
    (("train", "policy.train.lora.rank=4", "policy.train.lora.alpha=0"), ("alpha",)),
    (("train", "policy.train.lora.rank=4", "policy.train.lora.targets=''"), ("targets",)),
    (("train", "prompt.template=nothing"), ("template",)),
    (("train", "prompt.template='{question} {other}'"), ("template",)),
    (("train", "prompt.delimiter=''"), ("delimiter",)),
    (("train", "prompt.final='('"), ("final",)),
    (("train", "experiment=absent"), ("experiment",)),
    (("evaluate", "strategies=[chess]"), ("strategies",)),
    (("evaluate", "strategies=['']"), ("strategies",)),
    (("evaluate", "strategies=['step_beam beams=0']", "budgets=[10]"), ("beams",)),
    (("evaluate", "strategies=['step_beam colour=1']", "budgets=[10]"), ("colour",)),
    (("evaluate", "strategies=[best_of_n]", "budgets=[0]"), ("budgets",)),
    (("evaluate", "strategies=[best_of_n]", "budgets=[-5]"), ("budgets",)),
    (("evaluate", "strategies=[best_of_n]", "budgets=[]"), ("budgets",)),
    (("evaluate", "strategies=[best_of_n,best_of_n]", "budgets=[10]"), ("best_of_n",)),
    (("evaluate", "prm.bench=[absent.jsonl]"), ("absent.jsonl",)),
    (("evaluate", "policy=recorded"), ("recorded",)),
    (("evaluate", "policy=recorded", "policy.recorded.path=absent.jsonl", "prm=recorded"), ("absent.jsonl",)),
    (("search", "2 3 -> 5", "output=parquet"), ("output=parquet",)),
    (("search", "2 3 -> 5", f"out={HERE}/run/x"), ("out=",)),
    (("search", "2 3 -> 5", "output=parquet", "out=/absent/x"), ("out=",)),
    (("search", "2 3 -> 5", "problems=x.jsonl"), ("problems",)),
    (("search", "2 3 -> 5", "policy=recorded"), ("policy=recorded",)),
    (("search", ""), ("question",)),
    (("search", "   "), ("question",)),
    (("search", "-"), ("standard input",)),
    (("search", "2 3"), ("2 3",)),
    (("search", "2 + 3 -> 5"), ("2 + 3",)),
    (("search", "2 3 -> 5 -> 6"), ("->",)),
    (("search", "9" * 5000 + " 1 -> 3"), ("question",)),
    (("search", "2 3 -> 5 \ud800"), ("question",)),
    (("search", "2 3 -> 5 \x00"), ("question",)),
    (("search", "1 " * 500 + "-> 3"), ("question",)),
    (("serve", "host=0.0.0.0"), ("serve.host",)),
    (("serve", "key_env=ABSENT_KEY"), ("key_env",)),
    (("serve", "port=99999"), ("port",)),
    (("serve", "host=not.a.host.invalid"), ("host",)),
    (("serve", "host=''"), ("host",)),
    (("serve", "model='a@b'"), ("model",)),
    (("export",), ("out",)),
    (("export", f"out={HERE}/run/x"), ("traces", "hub")),
    (("export", f"out={HERE}/run/x", "traces=absent"), ("absent", "format")),
    (("export", f"out={HERE}/run/x", "traces=absent", "format=csv"), ("format",)),
    (("view",), ("out",)),
    (("view", f"out={HERE}/run"), ("traces",)),
    (("view", f"out={HERE}/run/x", "traces=a", "run=b"), ("traces",)),
    (("view", f"out={HERE}/run/x", "search=absent.jsonl"), ("absent.jsonl",)),
    (("view", f"out={HERE}/run/x", "run=absent"), ("absent",)),
    (("imagine",), ("imagine",)),
    (("imagine", "imagine=llm"), ("count",)),
    (("imagine", "imagine=llm", "count=2", "ways=[dream]"), ("ways",)),
    (("imagine", "imagine=llm", "count=2", "ways=[]"), ("ways",)),
    (("generate",), ("count",)),
    (("generate", "count=2", "decontaminate=[absent.jsonl]"), ("absent.jsonl",)),
    (("generate", "problems=nowhere"), ("nowhere",)),
    (("generate", "problems=''"), ("problems",)),
    (("generate", f"problems={HERE}"), ("problems", HERE)),
    (("trian",), ("trian",)),
    (("Train",), ("Train",)),
    (("--version",), ("--version",)),
    (("train;ls",), ("train;ls",)),
]
"""Settings that cannot be together, and questions that are none."""

UNSAID = [
    "=5", "seed", "seed=", "++seed=abc", "~seed=1", "~no.such.key", "+seed=1", "no.such.key=1", "seed.deeper=1",
    "round=5", "budget=[1]", "task=[a,b]", "search=", "search=a/../../b", "search=../../../etc/passwd",
    "task=/etc/passwd",
    "policy=${x}", "seed=${no.such.key}", "seed=${oc.env:ABSENT}", "seed=${oc.decode:x}", "seed=${nobody:1}",
    "seed=${seed}", "run.name=${run.dir}", "round.controls=[a", "round.controls={a", "run.name='unclosed",
    'run.name="unclosed', "seed=1,2", "seed=[1,2]", "seed={a:1}", "seed=1 2", "seed=0x", "seed=1e3", "seed=true",
    "dry_run=maybe", "checker=2", "tree=ja", "prompt=absent", "imagine=absent", "objective=ppo", "prm=gguf",
    "experiment=../../x", "hydra.run.dir=", "hydra/job_logging=absent", "hydra.mode=FAST", "hydra/launcher=absent",
    "hydra/sweeper=absent", "@x=1", "seed@=1", "+=1", "~", "++", "a b=1", "seed==1", "seed=\x00", "séed=1",
    "--config-dir=absent", "--config-name=absent", "--cfg=nothing", "--info=nothing", "--package=nothing", "--nonsense",
    "-x", "-c", "--resolve", "--multirun=1", "--shell-completion",
]  # fmt: skip
"""Overrides and flags that mean nothing."""


def values() -> Iterator[BadCommand]:
    """Settings with values that they cannot have."""
    for key, kind, default in _leaves(composed(["search=rollout_branching"])):
        yield from _of_leaf(key, kind, default)
    for preset in preset_names():
        for key, kind, default in _leaves(composed([f"search={preset}"]).search, "search."):
            if isinstance(default, int | float):
                yield from _of_leaf(key, kind, default, f"search={preset}")


def words() -> Iterator[BadCommand]:
    """Words that nobody knows, and settings that cannot be together."""
    for key, word in OPEN_CHOICES.items():
        yield _command(key, (f"{key}={word}",), (key.rpartition(".")[2], word))
    for number, (given, names) in enumerate(TOGETHER):
        yield BadCommand(f"words/{number}: {' '.join(given)[:80]!a}", _with_models(given), names)
    for word in UNSAID:
        names = (word[:20], word.rpartition("=")[2] or word, *word.strip("-+~").split("=")[:1])
        yield BadCommand(f"words/{word!a}", _with_models(("train", word)), names)
    for key in ("round.cuont", "sed", "budget.token", "prm.label", "evaluate.problem", "policy.train.lr", "run.dirr"):
        yield BadCommand(f"words/{key}", _with_models(("train", f"{key}=1")), (key, key.rpartition(".")[2]))


def _leaves(node: Any, prefix: str = "") -> Iterator[tuple[str, str, Any]]:
    """Settings with their types and values."""
    for item in dataclasses.fields(node):
        value = getattr(node, item.name)
        if dataclasses.is_dataclass(value):
            yield from _leaves(value, f"{prefix}{item.name}.")
        else:
            kind = item.type if isinstance(item.type, str) else getattr(item.type, "__name__", str(item.type))
            yield f"{prefix}{item.name}", kind, value


WRONG = {
    "int": ["abc", "[1]", "nan", "1" + "0" * 30, "1.5"],
    "float": ["abc", "[1]", "nan", "inf", "-inf"],
    "bool": ["maybe", "null", "[true]"],
    "list": ["abc", "1"],
    "tuple": ["abc", "1"],
    "str": ["[1]"],
    "dict": ["abc", "[1]"],
}
"""Values of another kind than the setting's."""


def _of_leaf(key: str, kind: str, default: Any, *more: str) -> Iterator[BadCommand]:
    its = next(name for name in WRONG if kind.startswith(name)) if kind.startswith(tuple(WRONG)) else "str"
    wrong = list(WRONG[its])
    if its in ("int", "float"):
        wrong += [] if "None" in kind else ["null"]
        wrong += [] if "seed" in key or key.startswith(ANY_NUMBER) else ["-1"]
    if its != "dict":
        wrong += ["{a:1}"]
    for value in wrong:
        yield _command(key, (*more, f"{key}={value}"), (key, key.rpartition(".")[2]))


def _command(key: str, overrides: tuple[str, ...], names: tuple[str, ...]) -> BadCommand:
    fitting = [prefix for prefix in COMMANDS if f"{key}.".startswith(f"{prefix}.")]
    words = COMMANDS[max(fitting, key=len)] if fitting else ("train",)
    return BadCommand(f"config/{' '.join(overrides)}", _with_models((*words, *overrides)), names)


def _with_models(words: tuple[str, ...]) -> list[str]:
    """The command with sound models, so that nothing is fitted first."""
    command, *rest = words
    known = {word.partition("=")[0] for word in rest}
    models = {"policy.path": f"policy.path={MODELS}/policy", "prm.path": f"prm.path={MODELS}/prm"}
    given = [word for key, word in models.items() if key not in known]
    if command in ("trian", "Train", "--version", "train;ls"):
        return [command]
    if command == "view":
        return [command, *rest]
    return [command, *given, *([] if "run.dir" in known else [RUN]), *rest]
