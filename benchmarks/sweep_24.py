"""Does a sweep hold what it promises? 24 tiny runs, one with a setting that cannot be, one killed; then the same again.

    python benchmarks/sweep_24.py [hydra/launcher=joblib hydra.launcher.n_jobs=2] [KEY=VALUE ...]

PUCT with 0 to 23 steps a node (0 cannot be) evaluates a policy that has hardly learned. One run's process is killed as
soon as it holds its folder. Then is held:

- the two are recorded as failed, and the other 22 finish;
- the same command starts these two alone; the killed one finishes, and the others are as they were, to the byte;
- the table has a row for each run, with the figures of its report.

One JSON line at the end, exit code 1 where a promise was broken.
"""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from regrow.provenance import commit, hardware

RUNS, KILLED, BROKEN = 24, 7, 0
TINY = (
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
    "evaluate.problems=16",
    "evaluate.drawn=16",
    "evaluate.samples=2",
    "evaluate.budget.tokens=60",
)


def sweep(place: Path, overrides: list[str]) -> subprocess.Popen[str]:
    """Start the sweep, or let it go on."""
    grid = ["search=puct", f"search.width=range(0,{RUNS})", f"run.dir={place / 'x'}", f"cache={place / 'cache'}"]
    command = [sys.executable, "-m", "regrow.cli", "evaluate", "-m", *grid, *TINY, *overrides]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill(place: Path) -> None:
    """Kill the process of a run as soon as it holds its folder."""
    end = time.monotonic() + 3600
    while time.monotonic() < end:
        for lock in place.glob(f"x-sweep/search.width-{KILLED}+*/.lock"):
            if (process := lock.read_text().strip()) and (lock.parent / "manifest.json").exists():
                os.kill(int(process), signal.SIGKILL)
                return
        time.sleep(0.01)


def ended(process: subprocess.Popen[str]) -> tuple[float, Counter[str], str]:
    """Wait for a sweep: its seconds, how many runs ended how, and its last line."""
    start = time.monotonic()
    said, complaint = process.communicate()
    hold(process.returncode == 1, f"exit status {process.returncode}, expected 1: {complaint[-300:]}")
    states = Counter(line.partition(": ")[2].partition(",")[0].partition(":")[0] for line in said.splitlines())
    return time.monotonic() - start, states, complaint.strip().splitlines()[-1]


def rows(place: Path) -> tuple[dict[int, dict[str, str]], float]:
    """The table by width, and the seconds that it took."""
    start = time.monotonic()
    table = place / "table.csv"
    command = [sys.executable, "-m", "regrow.cli", "table", str(place / "x-sweep"), f"out={table}"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with table.open(encoding="utf-8") as file:
        return {int(row["search.width"]): row for row in csv.DictReader(file)}, time.monotonic() - start


def reports(place: Path) -> dict[str, bytes]:
    """The reports by folder."""
    return {path.parent.name: path.read_bytes() for path in place.glob("x-sweep/*/report.json")}


def hold(kept: bool, otherwise: str) -> None:
    """Stop where a promise is broken."""
    if not kept:
        raise SystemExit(f"BROKEN: {otherwise}")


def main() -> None:
    """Sweep, kill, sweep again and tell."""
    overrides = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="regrow-sweep-") as name:
        place = Path(name)
        process = sweep(place, overrides)
        kill(place)
        first_s, first, said = ended(process)
        table, _ = rows(place)
        hold(first == {"finished": RUNS - 2, "failed": 2}, f"the first start: {dict(first)}")
        hold("killed by SIGKILL" in table[KILLED]["why"], f"the killed run: {table[KILLED]}")
        hold("width of 1 or more" in table[BROKEN]["why"], f"the broken run: {table[BROKEN]}")
        before = reports(place)

        again_s, again, said_again = ended(sweep(place, overrides))
        hold(again == {"was finished": RUNS - 2, "finished": 1, "failed": 1}, f"the second start: {dict(again)}")
        after = reports(place)
        hold(all(after[run] == report for run, report in before.items()), "a finished run was done again")
        table, table_s = rows(place)
        hold({row["status"] for width, row in table.items() if width != BROKEN} == {"finished"}, "a run is missing")
        for row in (row for row in table.values() if row["status"] == "finished"):
            told = json.loads(Path(row["run"], "report.json").read_text())["rounds"][-1]["eval"]
            hold(all(float(row[name]) == told[name]["accuracy"] for name in told), f"the table of {row['run']}")
    figures = {
        "first": dict(first),
        "first_s": round(first_s),
        "again": dict(again),
        "again_s": round(again_s),
        "table_s": round(table_s, 1),
        "said": [line.partition(": ")[2].partition(": ")[0] for line in (said, said_again)],
    }
    print(json.dumps(figures | {"overrides": overrides, "commit": commit(), "hardware": hardware()}))


if __name__ == "__main__":
    main()
