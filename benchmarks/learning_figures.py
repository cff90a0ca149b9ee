"""The figures of `docs/learning.md`, read from finished runs and their stored samples."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from sklearn.metrics import roc_auc_score

from mcts.types import State
from policy.checkpoint import load_model, load_tokenizer
from policy.examples import from_demonstration
from policy.prompts import PromptFormat
from prm.scorer import HfScorer
from regrow.comparison import compare
from regrow.evaluation import texts
from regrow.prm_evaluation import score_all
from regrow.tasks import make_task
from regrow.tasks.arithmetic_templates import read
from regrow.tasks.arithmetic_truth import parse_answer
from regrow.tasks.countdown import Countdown
from regrow.tasks.countdown_truth import parse_move, play
from regrow.tasks.equation import parse_equation
from regrow.tasks.task import GradedProblem
from regrow.trace_store import read_trees


def report_of(folder: Path) -> dict[str, Any] | None:
    """The report of a finished run."""
    path = folder / "report.json"
    report = json.loads(path.read_text()) if path.exists() else None
    return report if report and len(report["rounds"]) == report["config"]["round"]["count"] + 1 else None


def scores_of(folder: Path, number: int, arm: str = "") -> dict[str, list[float]]:
    """Strategy -> [problems] share of correct answers."""
    prefix = folder / "controls" / arm if arm and number else folder
    scores: dict[str, list[float]] = json.loads((prefix / f"round-{number}/evaluate/scores.json").read_text())
    return scores


def by_problem(folders: Sequence[Path], number: int, name: str, arm: str = "") -> list[float]:
    """[problems] the mean over seeds: problems are the same for all seeds."""
    return [fmean(scores) for scores in zip(*(scores_of(f, number, arm)[name] for f in folders), strict=True)]


def summary(folders: Sequence[Path]) -> dict[str, Any]:
    """All figures of one task: per round the mean over seeds and each seed's own, and tests over problems."""
    reports = [json.loads((folder / "report.json").read_text()) for folder in folders]
    rounds = []
    for number in range(len(reports[0]["rounds"])):
        done = [report["rounds"][number] for report in reports]
        arms = ["", *done[0]["controls"]]
        rows = {
            arm: {
                name: [(one["controls"][arm] if arm else one)["eval"][name]["accuracy"] for one in done]
                for name in (done[0]["controls"][arm] if arm else done[0])["eval"]
            }
            for arm in arms
        }
        pairs = [("search", "best_of_n", number, "")]
        if number:
            pairs += [(name, name, 0, "") for name in ("greedy", "sample")]
            pairs += [(name, name, number, arm) for arm in arms[1:] for name in ("greedy", "sample")]
        tests = [
            asdict(
                compare(
                    of,
                    "base" if not at and number else arm or over,
                    by_problem(folders, number, of),
                    by_problem(folders, at, over, arm),
                )
            )
            for of, over, at, arm in pairs
        ]
        rounds.append(
            {
                "round": number,
                "eval": rows,
                "tokens": {name: done[0]["eval"][name]["tokens_per_problem"] for name in done[0]["eval"]},
                "n": {name: done[0]["eval"][name]["n"] for name in done[0]["eval"]},
                "prm": [one["prm_eval"] for one in done],
                "exact": [one["prm_exact_eval"] for one in done],
                "seconds": [sum(one["seconds"].values()) for one in done],
                "tests": tests,
            }
        )
    for number, done in enumerate(rounds):
        done["valid"] = [valid_steps(folder, report, number) for folder, report in zip(folders, reports, strict=True)]
    if reports[0]["config"]["task"]["name"] == Countdown.name:
        left = [auroc_by_numbers_left(folder, report) for folder, report in zip(folders, reports, strict=True)]
        for number, done in enumerate(rounds):
            done["numbers_left"] = [one[number] for one in left]
    return {
        "seeds": [report["seed"] for report in reports],
        "commits": sorted({report["commit"] for report in reports}),
        "hardware": reports[0]["hardware"],
        "base_loss": [base_losses(folder, report) for folder, report in zip(folders, reports, strict=True)],
        "rounds": rounds,
    }


def auroc_by_numbers_left(folder: Path, report: dict[str, Any]) -> list[dict[str, float]]:
    """Round -> numbers that a countdown step leaves -> AUROC of the PRM against reachability, legal steps only.

    With one number left a PRM compares it with the target, with two it has to know what one operation makes of them.
    """
    task = Countdown(**report["config"]["task"]["options"])
    samples = [verified.tree for verified in read_trees(folder / "round-0/evaluate/samples")]
    paths = {(tree.problem, tree.path(int(node))): None for tree in samples for node in tree.finals()}
    states = [State(problem, steps) for problem, steps in paths]
    truths = [
        task.truth(GradedProblem(state.problem, ""), [step.text for step in state.steps]).reachable for state in states
    ]
    rounds = []
    for done in report["rounds"]:
        found: dict[int, tuple[list[float], list[bool]]] = {}
        values = score_all(HfScorer.load(folder / done["prm"]), states)
        for state, value, truth in zip(states, values, truths, strict=True):
            for k, step in enumerate(state.steps):
                if move := parse_move(step.text):
                    predicted, reachable = found.setdefault(len(move.left), ([], []))
                    predicted.append(value[k + 1])
                    reachable.append(truth[k])
        rounds.append(
            {str(left): float(roc_auc_score(t, p)) for left, (p, t) in sorted(found.items()) if len(set(t)) > 1}
        )
    return rounds


def valid_steps(folder: Path, report: dict[str, Any], number: int) -> float:
    """The share of valid steps among those that the policy of round `number` sampled for held-out problems.

    A step is valid if its equation is true and its operands are at hand; in countdown, if the numbers it leaves are
    right, too; in arithmetic, an answer is valid if it is the last result. What follows a mistake is judged from what
    the mistake claims, so that it counts once.
    """
    is_valid = _countdown_valid if report["config"]["task"]["name"] == Countdown.name else _arithmetic_valid
    limit = report["config"]["task"]["options"].get("limit", 0)
    good = total = 0
    for verified in read_trees(folder / f"round-{number}/evaluate/samples"):
        tree = verified.tree
        for node in tree.finals():
            drawn = int(tree.visits[node])
            for valid in is_valid(tree.problem.question, texts(tree.path(int(node))), limit):
                good += drawn * valid
                total += drawn
    return good / total


def _countdown_valid(question: str, steps: Sequence[str], limit: int) -> Iterator[bool]:
    position = tuple(sorted(map(int, question.partition("->")[0].split())))
    for step in steps:
        move = parse_move(step)
        yield move is not None and play(position, move, limit) is not None
        position = tuple(sorted(move.left)) if move else position


def _arithmetic_valid(question: str, steps: Sequence[str], _limit: int) -> Iterator[bool]:
    story = read(question)
    assert story is not None
    known = list(story.numbers)
    for step in steps:
        equation, answer = parse_equation(step), parse_answer(step)
        if equation:
            yield equation.is_true and {equation.left, equation.right} <= set(known)
            known.append(equation.result)
        else:
            yield answer is not None and answer == known[-1]


def base_losses(folder: Path, report: dict[str, Any]) -> list[float]:
    """The mean loss a token on the base policy's validation data: of the base, and after the control's last round."""
    config = report["config"]
    base, last = config["policy"]["base"], config["round"]["count"]
    task = make_task(config["task"]["name"], **config["task"]["options"])
    demonstrations = task.demonstrations(base["validation"], base["seed"])
    folders = (folder / "round-0/policy", folder / f"controls/base_only/round-{last}/policy")
    return [_loss(path, demonstrations) for path in folders if path.exists()]


@torch.no_grad()
def _loss(policy: Path, demonstrations: Sequence[Any]) -> float:
    model, tokenizer = load_model(policy, attention="sdpa"), load_tokenizer(policy)
    total = tokens = 0.0
    for shown in demonstrations:
        example = from_demonstration(tokenizer, PromptFormat(), shown.question, shown.steps)
        ids, mask = torch.tensor([example.token_ids]), torch.tensor(example.loss_mask)[1:]
        logprobs = model(input_ids=ids).logits[0, :-1].log_softmax(-1)
        total -= float(logprobs.gather(1, ids[0, 1:, None])[mask].sum())
        tokens += float(mask.sum())
    return total / tokens


def swept(runs: Mapping[str, Path]) -> dict[str, Any]:
    """Variant -> what one round of it reached, and at which commit; round 0 is common to all."""
    rows: dict[str, Any] = {}
    for name, folder in runs.items():
        report = report_of(folder)
        if report:
            rows.setdefault("round 0", _swept_row(report, 0))
            rows[name] = _swept_row(report, -1)
    return rows


def _swept_row(report: dict[str, Any], number: int) -> dict[str, Any]:
    done = report["rounds"][number]
    row = {name: done["eval"][name]["accuracy"] for name in ("greedy", "sample", "search", "best_of_n")}
    return row | {"auroc": done["prm_eval"]["auroc"], "commit": report["commit"]}
