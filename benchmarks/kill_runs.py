"""Does a run that is killed again and again end as if nothing had been? `kill -9` at random moments, then once more.

    python benchmarks/kill_runs.py policy.path=DIR prm.path=DIR [policy=vllm] [prm=vllm] [KEY=VALUE ...]
        [--kills 45] [--seed 0] [--longest 20]

Runs of `regrow train`, each started again after every kill until it is finished, until there were as many kills. Then,
and after every kill, what is left on the disk is held against what was promised:

- no ticket stands twice in a journal: a reply that was recorded was never paid for again;
- what a journal held at a kill, it holds after the next start, in the same order;
- the finished traces hold every problem once, and nothing of an engine still runs;
- with `transformers`, whose replies do not depend on their company, the tables are those of an unbroken run.

One JSON line at the end, exit code 1 where a promise was broken.
"""

from __future__ import annotations

import argparse
import filecmp
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from regrow.provenance import commit, hardware
from regrow.trace_store import read_trees

SMALL = (
    "round.count=1",
    "round.controls=[]",
    "round.problems=300",
    "evaluate.problems=60",
    "evaluate.drawn=60",
    "policy.train.max_steps=40",
    "prm.train.max_steps=40",
)
TABLES = ("round-1/search/nodes.parquet", "round-1/traces/nodes.parquet", "round-1/traces/problems.parquet")


def start(folder: Path, overrides: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the run, or let it go on."""
    command = [sys.executable, "-m", "regrow.cli", "train", f"run.dir={folder}", *SMALL, *overrides]
    with folder.with_suffix(".said").open("wb") as said:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)


def journals(folder: Path) -> dict[Path, list[bytes]]:
    """The whole records of the journals that are there."""
    found = {path: path.read_bytes().split(b"\n")[:-1] for path in folder.glob("round-*/.*.scratch/**/journal.txt")}
    return {path: records for path, records in found.items() if records}


def check_journal(records: Sequence[bytes]) -> str:
    """A promise that a journal breaks, or nothing."""
    tickets = [tuple(json.loads(record.partition(b" ")[2])[:2]) for record in records]
    return (
        "" if len(tickets) == len(set(tickets)) else f"{len(tickets) - len(set(tickets))} tickets were paid for twice"
    )


def left_processes() -> list[str]:
    """What of vLLM still runs."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if "VLLM::" in line]


def killed_run(
    folder: Path, overrides: Sequence[str], rng: random.Random, kills: int, longest: float
) -> dict[str, int]:
    """One run, killed up to `kills` times, then left to end. Counts of what happened.

    Raises:
        SystemExit: A promise was broken.
    """
    counts = {"kills": 0, "while searching": 0, "records kept": 0}
    while counts["kills"] < kills:
        process = start(folder, overrides)
        try:
            process.wait(rng.uniform(1.0, longest))
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        counts["kills"] += 1
        at_kill = journals(folder)
        counts["while searching"] += bool(at_kill)
        counts["records kept"] += sum(map(len, at_kill.values()))
        for path, records in at_kill.items():
            hold(not (broken := check_journal(records)), f"{path}: {broken}")
        if at_kill:
            kept_on_going(folder, overrides, at_kill, rng)
            counts["kills"] += 1
    process = start(folder, overrides)
    hold(process.wait() == 0, f"the run stopped: {folder.with_suffix('.said').read_text()[-300:]}")
    check_traces(folder)
    return counts


def kept_on_going(folder: Path, overrides: Sequence[str], before: dict[Path, list[bytes]], rng: random.Random) -> None:
    """Start again, wait until a journal grows or is done with, kill: what it held is still at its head."""
    process = start(folder, overrides)
    end = time.monotonic() + 300
    path, records = max(before.items(), key=lambda item: item[0].stat().st_mtime)
    while path.exists() and path.stat().st_size <= sum(len(one) + 1 for one in records) and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(rng.uniform(0.0, 2.0))
    process.kill()
    process.wait()
    after = journals(folder).get(path)
    if after is not None:
        hold(after[: len(records)] == records, f"{path}: records were lost or changed by a start")
        hold(not (broken := check_journal(after)), f"{path}: {broken}")


def check_traces(folder: Path) -> None:
    """Every problem of the round once."""
    problems = [tree.tree.problem.id for tree in read_trees(folder / "round-1/traces")]
    expected = int(next(one for one in SMALL if one.startswith("round.problems")).partition("=")[2])
    hold(len(problems) == len(set(problems)) == expected, f"{len(problems)} traces, expected {expected}, each once")


def hold(kept: bool, otherwise: str) -> None:
    """Stop where a promise is broken."""
    if not kept:
        raise SystemExit(f"BROKEN: {otherwise}")


def main() -> None:
    """Kill and tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=45)
    parser.add_argument("--longest", type=float, default=20.0, help="seconds until a kill, at most")
    parser.add_argument("--seed", type=int, default=0)
    settings, overrides = parser.parse_known_args()
    rng, total = random.Random(settings.seed), {"runs": 0, "kills": 0, "while searching": 0, "records kept": 0}
    with tempfile.TemporaryDirectory(prefix="regrow-kills-") as place:
        unbroken = Path(place, "unbroken")
        is_exact = not any("vllm" in one or "server" in one for one in overrides)
        if is_exact:
            hold(start(unbroken, overrides).wait() == 0, "the unbroken run stopped")
        while total["kills"] < settings.kills:
            folder = Path(place, f"run-{total['runs']}")
            left = settings.kills - total["kills"]
            counts = killed_run(folder, overrides, rng, min(left, 12), settings.longest)
            total = {key: total[key] + counts.get(key, 1) for key in total}
            if is_exact:
                for table in TABLES:
                    same = filecmp.cmp(folder / table, unbroken / table, shallow=False)
                    hold(same, f"{table} is not that of an unbroken run")
            print(json.dumps(total), file=sys.stderr)
        time.sleep(3.0)
        hold(not (left_over := left_processes()), f"still running: {left_over}")
    print(json.dumps(total | {"overrides": overrides, "commit": commit(), "hardware": hardware()}))


if __name__ == "__main__":
    main()
