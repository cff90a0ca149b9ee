"""The command line: `regrow COMMAND [hydra overrides]`.

The command, a question and folders are taken out before Hydra parses the rest. Exit codes: 0 done, 1 failed (or runs of
a sweep did), 2 unusable input or configuration (one line), 130 interrupted (state saved).
"""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import pairwise
from types import FrameType
from typing import TYPE_CHECKING

from mcts.errors import InputError, one_line
from regrow.refusal import refusal

if TYPE_CHECKING:
    from regrow.config import Config

DONE, FAILED, UNUSABLE, INTERRUPTED = 0, 1, 2, 130
_OVERRIDE = re.compile(r"\+{0,2}[A-Za-z_][\w./@:-]*=.*|~[\w./@:-]+(=.*)?", re.DOTALL)
_FLAGS_WITH_VALUE = (
    "--cfg",
    "-c",
    "--info",
    "-i",
    "--package",
    "-p",
    "--config-dir",
    "-cd",
    "--config-name",
    "-cn",
    "--experimental-rerun",
)
_QUIET = {
    "DO_NOT_TRACK": "1",  # vLLM and huggingface_hub
    "HF_HUB_DISABLE_TELEMETRY": "1",  # huggingface_hub, through which transformers and TRL report, too
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # datasets
    "RAY_USAGE_STATS_ENABLED": "0",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(frozen=True, slots=True)
class Command:
    """A door: what it does, and examples of its use."""

    summary: str
    examples: tuple[str, ...]
    takes: str | None = None
    """What its words that are no overrides are, if it takes such."""
    is_kept: bool = True
    """Whether it keeps a record of its configuration in the run directory."""
    node: str | None = None
    """The node of the configuration that is the command's own: its keys may be given without its name."""
    given: tuple[str, ...] = ()
    """Overrides that go before the user's."""
    sweeps: bool = False
    """Whether `-m` runs it many times."""
    is_composed: bool = True
    """Whether it has a configuration; one that has none loads nothing for it."""


COMMANDS = {
    "train": Command(
        "rounds of self-training: search, verify, label, retrain policy and PRM, evaluate",
        (
            "regrow train                                         # the demo: three rounds of countdown",
            "regrow train run.dir=runs/arithmetic task=arithmetic # another task",
            "regrow train run.dir=runs/s1 seed=1 round.count=5    # another seed, more rounds",
            "regrow train run.dir=runs/open gate.policy=false gate.prm=false log.tensorboard=true",
            "regrow train run.dir=runs/dpo objective=dpo          # preferences instead of traces",
            "regrow train -m seed=0,1,2 round.count=2,3           # a sweep: six runs, in runs/demo-sweep",
        ),
        sweeps=True,
    ),
    "generate": Command(
        "a data set of verified solutions out of a problem set",
        (
            "regrow generate count=10000                          # countdown, with the demo policy",
            "regrow generate task=gsm8k problems=train.jsonl policy.path=DIR search=best_of_n samples_per_problem=16",
            "regrow generate task=file problems=mine.parquet columns.problem=prompt policy=vllm policy.path=DIR "
            "decontaminate=[test.jsonl] dry_run=true",
        ),
        node="generate",
        given=("run.name=generate",),
    ),
    "imagine": Command(
        "problems that the policy makes of its training problems, filtered; no gold answers",
        (
            "regrow imagine task=arithmetic imagine=arithmetic policy.path=DIR count=200",
            "regrow imagine task=gsm8k problems=train.jsonl policy=vllm policy.path=DIR imagine=llm count=5000",
            "regrow imagine task=gsm8k policy=server imagine=llm ways=[rephrase,backward] agreement=0.75",
        ),
        node="imagine",
        given=("run.name=imagine",),
    ),
    "search": Command(
        "search one question, lines of them, or a file; no training, no gold answers",
        (
            'regrow search "2 3 5 8 -> 21"',
            'regrow search "2 3 5 8 -> 21" tree=true search=rest_mcts_star_code budget.tokens=500',
            "regrow search problems=questions.jsonl policy.path=runs/demo/round-3/policy "
            "prm.path=runs/demo/round-3/prm output=json",
            "regrow search - search=auto budget.seconds=10 < questions.txt > answers.txt",
        ),
        takes="QUESTION",
        is_kept=False,
    ),
    "evaluate": Command(
        "greedy, sampling, search and best-of-N on held-out problems, PRM quality; a contest of strategies, "
        "also on recorded solutions; or a PRM on judged steps",
        (
            "regrow evaluate run.dir=runs/base",
            "regrow evaluate run.dir=runs/r3 policy.path=runs/demo/round-3/policy prm.path=runs/demo/round-3/prm",
            "regrow evaluate run.dir=runs/contest strategies=[best_of_n,rollout_branching,puct] budgets=[100,200,400]",
            "regrow evaluate run.dir=runs/votes policy=recorded policy.recorded.path=samples.jsonl prm=recorded "
            "problems=problems.jsonl",
            "regrow evaluate run.dir=runs/prm prm.path=DIR prm.bench=[gsm8k.jsonl,math.jsonl] "
            "prm.threshold_from=gsm8k.jsonl",
        ),
        sweeps=True,
    ),
    "table": Command(
        "runs side by side: the overrides in which they differ, figures, cost, what failed",
        (
            "regrow table runs/demo-sweep",
            "regrow table runs out=table.csv",
            "regrow table runs/demo runs/dpo out=table.html       # a page with a plot",
        ),
        takes="FOLDER ...",
        is_kept=False,
        is_composed=False,
    ),
    "research": Command(
        "stored trees searched again under many settings and budgets, without a policy",
        (
            "regrow research traces=runs/demo/round-3/traces budgets=[100,200] "
            "strategies=['rollout_branching root_share=0.1:0.9:0.1 strength=1,3,10','best_of_n choice=best,vote']",
            "regrow research traces=DIR budgets=[200] strategies=[rollout_branching] prm.path=DIR out=found.csv",
            "regrow research traces=DIR budgets=[200] strategies=[rollout_branching] values=shuffled",
        ),
        is_kept=False,
        node="research",
    ),
    "serve": Command(
        "an HTTP server of the OpenAI kind that searches",
        (
            "regrow serve policy.path=runs/demo/round-3/policy prm.path=runs/demo/round-3/prm",
            "regrow serve port=8080 model=solver search=weighted_vote budget.tokens=2000 deadline_s=20",
            "regrow serve host=0.0.0.0 key_env=REGROW_KEY task=file policy=vllm policy.path=DIR prm=vllm prm.path=DIR",
        ),
        is_kept=False,
        node="serve",
    ),
    "export": Command(
        "traces as training data of TRL, verl and others, or as evaluation logs; a folder for datasets.load_dataset",
        (
            "regrow export traces=runs/demo/round-1/traces format=sft out=data/sft",
            "regrow export traces=runs/demo format=stepwise out=data/prm labels=soft per_problem=8",
            "regrow export out=runs/demo/round-3/policy hub=NAME/policy",
        ),
        is_kept=False,
        node="export",
    ),
    "view": Command(
        "search trees to look at: one offline page of a trace store, a run or a single search",
        (
            "regrow view traces=runs/demo/round-3/traces out=tree.html",
            "regrow view run=runs/demo out=rounds.html            # curves, and what changed from round to round",
            "regrow view search=answer.jsonl out=answer.html      # of regrow search ... output=json tree=true",
        ),
        is_kept=False,
        node="view",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the console script's entry point. Returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        print(_overview())
        return DONE
    name, rest = words[0], words[1:]
    if name not in COMMANDS:
        return _complain(f"unknown command {name!r}, expected one of {', '.join(COMMANDS)}")
    if any(word in ("-h", "--help") for word in rest):
        print(_help(name))
        return DONE
    signal.signal(signal.SIGTERM, _interrupt)
    _quiet_libraries()
    return _told(name, words, rest)


def _told(name: str, words: list[str], rest: list[str]) -> int:
    """Run a command; what ends it before it is done is told in one line, where it is no mistake of ours."""
    try:
        named, overrides = _split(name, rest)
        return _run(name, named, overrides) if COMMANDS[name].is_composed else _table(named, overrides)
    except KeyboardInterrupt:
        print(f"regrow: interrupted{_goes_on(words)}", file=sys.stderr)
        return INTERRUPTED
    except InputError as error:
        return _complain(str(error))
    except Exception as error:
        if (refused := refusal(error)) is None:
            raise
        print(f"regrow: {refused}{_goes_on(words)}", file=sys.stderr)
        return FAILED


def _run(name: str, words: list[str], overrides: list[str]) -> int:
    from regrow.compose import NO_OUTPUT, run_composed

    def job(config: Config) -> None:
        if name == "search":
            from regrow.ask import ask

            ask(config, words[0] if words else None)
        elif name == "serve":
            from regrow.serve.door import serve

            serve(config)
        elif name == "generate":
            from regrow.generate.door import generate

            generate(config)
        elif name == "imagine":
            from regrow.imagine.door import imagine_alone

            imagine_alone(config)
        elif name == "export":
            from regrow.export.door import export

            export(config)
        elif name == "research":
            from regrow.research.door import research

            research(config)
        elif name == "view":
            from regrow.view.door import view

            view(config)
        else:
            from regrow.training import evaluate, train

            (train if name == "train" else evaluate)(config)

    command = COMMANDS[name]
    overrides = [_in_node(command.node, override) for override in overrides]
    given = command.given if command.is_kept else (*NO_OUTPUT, *command.given)
    failed = run_composed(name, [*given, *overrides], job, sweeps=command.sweeps)
    if failed:
        print(f"regrow: {failed}", file=sys.stderr)
    return FAILED if failed else DONE


def _table(folders: list[str], settings: list[str]) -> int:
    from regrow.table import tabulate

    tabulate(folders, settings)
    return DONE


def _in_node(node: str | None, override: str) -> str:
    """An override of a key of the command's own node, by its full name."""
    from regrow.config import Config

    keys = vars(getattr(Config(), node)) if node else ()
    return f"{node}.{override}" if override.partition("=")[0].partition(".")[0] in keys else override


def _split(name: str, arguments: list[str]) -> tuple[list[str], list[str]]:
    """Separate words from overrides: a word has a space, is `-`, or does not look like `key=value` or a flag."""
    words: list[str] = []
    overrides: list[str] = []
    for before, word in pairwise(["", *arguments]):
        is_override = before in _FLAGS_WITH_VALUE or (word.startswith("-") and word != "-") or _OVERRIDE.fullmatch(word)
        (overrides if is_override else words).append(word)
    takes = COMMANDS[name].takes
    if takes is None and words:
        raise InputError(f"{words[0]!r}: `regrow {name}` takes key=value overrides only; see regrow {name} --help")
    if takes == "QUESTION" and len(words) > 1:
        raise InputError(f"{len(words)} questions, expected one (in quotes) or problems=FILE")
    return words, overrides


def _overview() -> str:
    width = max(map(len, COMMANDS)) + 2
    lines = ["regrow: tree-search self-training for LLM reasoning", "", "usage: regrow COMMAND [key=value ...]", ""]
    lines += [f"  {name:<{width}}{command.summary}" for name, command in COMMANDS.items()]
    lines += ["", "regrow COMMAND --help shows the command's settings and examples."]
    return "\n".join(lines)


def _help(name: str) -> str:
    command = COMMANDS[name]
    argument = f" [{command.takes}]" if command.takes else ""
    lines = [
        f"regrow {name}: {command.summary}",
        "",
        f"usage: regrow {name}{argument} [key=value ...]",
        "",
        "examples:",
    ]
    lines += [f"  {example}" for example in command.examples]
    if not command.is_composed:
        return "\n".join(lines)
    lines += ["", "config groups (choose with GROUP=NAME):"]
    for group in sorted(files("conf").iterdir(), key=lambda entry: entry.name):
        if group.is_dir() and not group.name.startswith("_"):
            names = sorted(file.name.removesuffix(".yaml") for file in group.iterdir() if file.name.endswith(".yaml"))
            lines.append(f"  {group.name:<10}{', '.join(names)}")
    lines += [
        "",
        "often set: run.dir=PATH seed=N problems=FILE policy.path=DIR prm.path=DIR output=json",
        f"all settings with their values: regrow {name} --cfg job",
    ]
    return "\n".join(lines)


def _complain(message: str) -> int:
    """Say in one line what cannot be used."""
    print(f"regrow: {one_line(message)}", file=sys.stderr)
    return UNUSABLE


def _goes_on(words: list[str]) -> str:
    """How to go on with a command that ended before it was done, where it keeps what was done."""
    told = f"; what was done is saved. To go on: regrow {' '.join(map(_quoted, words))}"
    return told if COMMANDS[words[0]].is_kept else ""


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _quoted(word: str) -> str:
    return f'"{word}"' if re.search(r"[\s>|&;]", word) else word


def _quiet_libraries() -> None:
    """No library phones home or chats; set before any of them is imported, unless the user has set it."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


if __name__ == "__main__":
    sys.exit(main())
