"""Which search is worth its tokens? Every strategy on the same problems at equal tokens, for `docs/strategies.md`.

    python benchmarks/bench_strategies.py            # 2 tasks; an hour on one core
    python benchmarks/bench_strategies.py --render   # only the page, from the contests that are there

Every contest is `regrow evaluate` with the overrides below; it goes on where it was stopped. The models are those of a
finished run (`--models`, by default what `bench_learning.py` leaves behind for seed 0).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench_learning import run
from page_marks import fill, table

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/strategies.md"

STRATEGIES = (
    "greedy",
    "best_of_n",
    "self_consistency",
    "weighted_vote",
    "rollout_branching",
    "step_beam",
    "dvts",
    "lookahead",
    "tot_bfs",
    "tot_dfs",
    "puct",
    "puct widening.growth=progressive width=2 name=puct_progressive",
    "puct widening.growth=importance widening.scale=8 width=2 name=puct_importance",
    "rest_mcts_star_paper",
    "rest_mcts_star_code",
)
BUDGETS = {"countdown": (50, 100, 200, 400), "arithmetic": (38, 75, 150)}
CHOICE = {"countdown": "best", "arithmetic": "vote"}
"""How best-of-N chooses where it is held against a search that chooses so."""
AT_ONCE = (
    "best_of_n",
    *(f"rollout_branching width={width} name=branching_{width}" for width in (1, 2, 4, 8)),
    *(f"puct in_flight={leaves} name=puct_{leaves}" for leaves in (1, 4, 8)),
)
"""More leaves under way at once keep an engine busy with fewer trees, and look less often."""
VALUES = ("prm", "constant", "inverted", "oracle")


def contests(task: str, models: str) -> Iterator[tuple[str, list[str]]]:
    """(name, overrides): all strategies on 200 problems with 3 seeds, and ours with good and bad values on 1,000."""
    model = models.format(task=task)
    paths = [f"task={task}", f"policy.path={model}/policy", f"prm.path={model}/prm"]
    budgets = f"budgets=[{','.join(map(str, BUDGETS[task]))}]"
    named = ",".join(f"'{one}'" for one in STRATEGIES)
    many = ["evaluate.problems=1000", "evaluate.drawn=1000"]
    if task == "countdown":
        at_once = ",".join(f"'{one}'" for one in AT_ONCE)
        yield f"{task}-at-once", [*paths, "budgets=[100,200,400]", f"strategies=[{at_once}]", *many]
    yield f"{task}-all", [*paths, budgets, f"strategies=[{named}]", "evaluate.drawn=200", "evaluate.seeds=3"]
    ours = f"strategies=['best_of_n choice={CHOICE[task]}',rollout_branching]"
    for values in VALUES:
        if (task, values) != ("arithmetic", "oracle"):  # stories have no truth about single steps
            yield f"{task}-{values}", [*paths, budgets, ours, *many, f"evaluate.values={values}"]


def report_of(folder: Path) -> dict[str, Any] | None:
    """The report of a contest that was held."""
    path = folder / "report.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def facts_of(report: dict[str, Any], options: str = "") -> str:
    """Where a contest was held, and with which options."""
    machine = report["hardware"]
    return (
        f"Commit {report['commit']}; {machine['cpu']}, {machine['cores']} core(s); "
        f"`python benchmarks/bench_strategies.py{options}`."
    )


def all_table(report: dict[str, Any]) -> str:
    """Accuracy of each strategy at each budget, and what it has above best-of-N at the largest."""
    budgets = sorted({one["budget"] for one in report["standings"]})
    found = {(one["strategy"], one["budget"]): one for one in report["standings"]}
    last = [found[name, budgets[-1]] for name in dict.fromkeys(one["strategy"] for one in report["standings"])]
    rows = [
        [
            one["strategy"],
            one["choice"],
            *(f"{found[one['strategy'], budget]['accuracy']:.3f}" for budget in budgets[:-1]),
            f"**{one['accuracy']:.3f}** ({' '.join(f'{share:.3f}' for share in one['by_seed'])})",
            f"{one['difference']:+.3f} ({one['difference_low']:+.3f} to {one['difference_high']:+.3f})",
            f"{one['tokens']:.0f}",
        ]
        for one in sorted(last, key=lambda one: -one["accuracy"])
    ]
    head = ["strategy", "chosen by", *map(str, budgets), "above best-of-N", "tokens"]
    return table(head, rows)


def accounts_table(report: dict[str, Any]) -> str:
    """What the searches say they generated beside what the policy counted, over all seeds."""
    rows = []
    for name in dict.fromkeys(one["strategy"] for one in report["accounts"]):
        those = [one for one in report["accounts"] if one["strategy"] == name]
        keys = ("tokens_generated", "counted_by_policy", "tokens_scored", "policy_calls", "nodes", "failed")
        rows.append([name, *(f"{sum(one[key] for one in those):,}" for key in keys)])
    keys = ("tokens_generated", "counted_by_policy")
    rows.append(["**sum**", *(f"**{sum(one[key] for one in report['accounts']):,}**" for key in keys), *[""] * 4])
    return table(["strategy", "tokens", "policy's count", "tokens scored", "policy calls", "nodes", "failed"], rows)


def values_table(reports: dict[str, dict[str, Any]]) -> str:
    """Ours against best-of-N, by what the search was told about steps."""
    rows = []
    for values, report in reports.items():
        for one in report["standings"]:
            if one["strategy"] != one["over"]:
                (base,) = [
                    other["accuracy"]
                    for other in report["standings"]
                    if (other["strategy"], other["budget"]) == (one["over"], one["budget"])
                ]
                paired = f"{one['difference']:+.3f} ({one['difference_low']:+.3f} to {one['difference_high']:+.3f})"
                rows.append([values, str(one["budget"]), f"{base:.3f}", f"{one['accuracy']:.3f}", paired])
    return table(["values", "tokens", "best-of-N", "rollout branching", "difference"], rows)


def render(runs: Path) -> None:
    """Fill the page from the contests that are there."""
    parts: dict[str, str] = {}
    for task in BUDGETS:
        if report := report_of(runs / f"{task}-all"):
            parts[f"{task} facts"] = facts_of(report)
            parts[f"{task} all"] = all_table(report)
            parts[f"{task} accounts"] = accounts_table(report)
        if report := report_of(runs / f"{task}-at-once"):
            parts[f"{task} at once"] = all_table(report)
            parts[f"{task} at once facts"] = facts_of(report, f" --tasks {task} --only {task}-at-once --models DIR")
        reports = {values: report_of(runs / f"{task}-{values}") for values in VALUES}
        if held := {values: report for values, report in reports.items() if report}:
            parts[f"{task} values"] = values_table(held)
    fill(PAGE, parts)
    print(f"{PAGE.relative_to(ROOT)} is up to date")


def main() -> None:
    """Hold the contests, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=str(ROOT / "runs/learning/{task}-0/round-3"), help="{task} is replaced")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs/strategies")
    parser.add_argument("--tasks", nargs="+", choices=BUDGETS, default=list(BUDGETS))
    parser.add_argument("--only", nargs="+", help="names of contests, as the folders of --runs")
    parser.add_argument("--render", action="store_true", help="hold nothing")
    args = parser.parse_args()
    runs = args.runs.resolve()
    runs.mkdir(parents=True, exist_ok=True)
    if not args.render:
        for task in args.tasks:
            for name, overrides in contests(task, args.models):
                if args.only is None or name in args.only:
                    run("evaluate", runs / name, overrides)
    render(runs)


if __name__ == "__main__":
    main()
