"""How well the grader agrees with gold answers, with forms that mean the same and with forms that do not; how fast.

    python benchmarks/bench_grader.py --gsm8k FILE [FILE ...] --math FILE [--write]

FILEs are JSON lines: GSM8K's `answer` ends in `#### final`; MATH's have `answer` and `solution`. Every pair has the
outcome that it must have; pairs that have another one are printed and counted. One JSON line a part. `--write` puts the
figures into `docs/grader.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from grader_forms import right_forms, wrong_forms
from page_marks import fill, table

from mcts.types import Outcome
from regrow.grader import Grader, extractor
from regrow.grader.grader import decide
from regrow.provenance import commit, hardware

PAGE = Path(__file__).resolve().parents[1] / "docs/grader.md"


class Pair(NamedTuple):
    """An answer to be graded and the outcome that it must have; `form` says how it was made."""

    form: str
    gold: str
    answer: str | None
    expected: Outcome


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines."""
    with path.open(encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def gsm8k_pairs(path: Path) -> list[Pair]:
    """Gold answers against themselves: as they are, and in a box at the end of their solution."""
    final, boxed = extractor(["hashes"]), extractor(["boxed", "hashes"])
    texts = [line["answer"] for line in lines(path)]
    golds = [final(text) or "" for text in texts]
    pairs = [Pair("itself", gold, gold, Outcome.CORRECT) for gold in golds]
    ends = (
        text.rpartition("####")[0] + f"The answer is $\\boxed{{{gold}}}$."
        for text, gold in zip(texts, golds, strict=True)
    )
    return pairs + [Pair("boxed", gold, boxed(text), Outcome.CORRECT) for gold, text in zip(golds, ends, strict=True)]


def math_pairs(path: Path) -> list[Pair]:
    """Gold answers against themselves, and against what is in the box of their solution."""
    boxed = extractor(["boxed"])
    rows = list(lines(path))
    pairs = [Pair("itself", row["answer"], row["answer"], Outcome.CORRECT) for row in rows]
    return pairs + [Pair("solution", row["answer"], boxed(row["solution"]), Outcome.CORRECT) for row in rows]


def rewritten(golds: Iterable[str]) -> tuple[list[Pair], list[Pair]]:
    """Every form of every gold answer that means the same, and every form that does not."""
    golds = list(dict.fromkeys(golds))
    right = [Pair(name, gold, answer, Outcome.CORRECT) for gold in golds for name, answer in right_forms(gold)]
    wrong = [Pair(name, gold, answer, Outcome.WRONG) for gold in golds for name, answer in wrong_forms(gold)]
    return right, wrong


def graded(pairs: list[Pair], grader: Grader) -> tuple[list[tuple[Pair, Outcome]], float]:
    """(pair, outcome) of all pairs, and the seconds it took."""
    start = time.perf_counter()
    futures = [grader.submit(pair.gold, pair.answer) for pair in pairs]
    outcomes = [future.result() for future in futures]
    return list(zip(pairs, outcomes, strict=True)), time.perf_counter() - start


def agreement(part: str, pairs: list[Pair], grader: Grader, about: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Grade one part; print its line and what disagrees.

    Returns:
        A row of the table of agreement, and rows of the table of disagreements.
    """
    outcomes, seconds = graded(pairs, grader)
    others = [(pair, outcome) for pair, outcome in outcomes if outcome is not pair.expected]
    right = len(pairs) - len(others)
    figure = {
        "part": part,
        "pairs": len(pairs),
        "as_expected": right,
        "share": round(right / len(pairs), 5),
        "seconds": round(seconds, 2),
        "forms": Counter(pair.form for pair in pairs),
    }
    print(json.dumps(figure | about), flush=True)
    for pair, outcome in others:
        print(f"{part}: {pair.form}: gold {pair.gold!r} answer {pair.answer!r}: {outcome}", file=sys.stderr, flush=True)
    rows = [[part, pair.form, code(pair.gold), code(pair.answer or ""), outcome] for pair, outcome in others]
    return [part, f"{len(pairs):,}", f"{right:,}", f"{right / len(pairs):.2%}"], rows


def code(text: str) -> str:
    """Text in a cell of a table."""
    return f"`{text}`".replace("|", "\\|").replace("\n", " ")


def speeds(pairs: list[Pair], about: dict[str, Any]) -> list[list[str]]:
    """Answers per second: those decided in process, and those that take algebra, by workers; imports left out."""
    distinct = list({(pair.gold, pair.answer): pair for pair in pairs}.values())
    hard = [pair for pair in distinct if decide(pair.gold, pair.answer) is None]
    easy = [pair for pair in distinct if decide(pair.gold, pair.answer) is not None]
    rows = []
    for name, chosen, workers in (("plain", easy, 1), ("algebra", hard, 1), ("algebra", hard, 2)):
        with Grader(workers=workers) as grader:
            for number in range(4 * workers):  # until every worker has imported
                grader.grade(r"\sqrt{2}", rf"\sqrt{{{number + 3}}}")
            _, seconds = graded(chosen, grader)
        rate = len(chosen) / seconds
        load = round(os.getloadavg()[0], 1)
        figure = {
            "part": f"speed, {name}",
            "workers": workers,
            "pairs": len(chosen),
            "per_second": round(rate, 1),
            "load": load,
        }
        print(json.dumps(figure | about), flush=True)
        rows.append([name, "none" if name == "plain" else str(workers), f"{len(chosen):,}", f"{rate:,.0f}", str(load)])
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gsm8k", type=Path, nargs="+", required=True)
    parser.add_argument("--math", type=Path, required=True)
    parser.add_argument("--write", action="store_true")
    settings = parser.parse_args()
    names = " ".join(path.name for path in settings.gsm8k)
    command = f"python benchmarks/bench_grader.py --gsm8k {names} --math {settings.math.name}"
    about = {"command": command, "commit": commit(), "hardware": hardware()}
    parts = {f"{path.stem} against itself": gsm8k_pairs(path) for path in settings.gsm8k}
    parts[f"{settings.math.stem} against itself"] = math_pairs(settings.math)
    for name, path in (("GSM8K", settings.gsm8k[-1]), ("MATH", settings.math)):
        golds = [pair.gold for pair in parts[f"{path.stem} against itself"]]
        parts[f"{name}, forms that mean the same"], parts[f"{name}, forms that do not"] = rewritten(golds)
    with Grader() as grader:
        measured = [agreement(part, pairs, grader, about) for part, pairs in parts.items()]
    rates = speeds([pair for pairs in parts.values() for pair in pairs], about)
    if settings.write:
        facts = f"Commit {about['commit']}; {about['hardware']['cpu']}; `{command} --write`."
        head = ["part", "form", "gold", "answer", "graded as"]
        others = [row for _, rows in measured for row in rows]
        parts_of_page = {
            "agreement": table(["", "pairs", "as they must be", "share"], [row for row, _ in measured]),
            "disagreements": table(head, others) if others else "None.",
            "speed": table(["answers", "workers", "pairs", "per second", "load"], rates),
            "grader facts": facts,
        }
        fill(PAGE, parts_of_page)


if __name__ == "__main__":
    main()
