"""The tables of `docs/scale.md`, from what `bench_scale.py` measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from architectures import LLAMA_8B, QWEN_72B
from page_marks import fill, table
from speeds import A100_40, H100, Speed

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
NETWORK, STORAGE = 25e9 / 8, 1e9
"""Bytes a second that a controller's network takes, and a shared file system: assumptions."""
GOAL_ENGINES, GOAL_RATE = 64, 20_000
PUBLISHED = [
    ("Llama-3.1-8B, A100 40 GB, bfloat16, vLLM", Speed(LLAMA_8B, A100_40), 1, 1_024, 128, 75),
    ("Llama-3.1-8B, H100, FP8, TensorRT-LLM", Speed(LLAMA_8B, H100, 1, 1), 512, 128, 2_048, 22_714),
    ("Llama-3.1-8B, H100, FP8, TensorRT-LLM", Speed(LLAMA_8B, H100, 1, 1), 512, 1_000, 1_000, 15_220),
    ("a 70 B, 2 x H100, FP8, TensorRT-LLM", Speed(QWEN_72B, H100, 2, 1), 256, 128, 2_048, 6_651),
    ("a 70 B, 2 x H100, FP8, TensorRT-LLM", Speed(QWEN_72B, H100, 2, 1), 256, 1_000, 1_000, 4_205),
]
"""What, its model, sequences at once (assumed), tokens in and out, and tokens out a second as published.

vLLM's is of the sweep that `speeds.py` names, TensorRT-LLM's of its performance overview
(docs/source/performance/perf-overview.md, version 1.0).
"""


def write(figures: dict[str, Any], about: dict[str, Any]) -> None:
    """Put the tables into the page."""
    facts = (
        f"Commit {about['commit']}; {about['hardware']['cpu']}, Python {about['hardware']['python']}; "
        f"`{about['command']} --write`."
    )
    parts = {
        "published": _published(),
        "alone": _alone(figures),
        "worker": _workers(figures),
        "controller": _controller(figures),
        "scale": _scale(figures),
    }
    fill(PAGE, parts | {"facts": facts})


def _published() -> str:
    heads = ["engine", "tokens in, out", "at once", "published", "modelled", "modelled / published"]
    rows = []
    for what, speed, running, read, out, told in PUBLISHED:
        seconds = speed.reading_s(read) / out + 1 / speed.tokens_per_second(running, read + out / 2)
        lengths = [f"{read:,}, {out:,}", str(running)]
        rows.append([what, *lengths, f"{told:,}", f"{1 / seconds:,.0f}", f"{1 / seconds / told:.2f}"])
    return table(heads, rows)


def _alone(figures: dict[str, Any]) -> str:
    heads = ["engines", "front end", "tokens a second", "of what they could", "CPU of the process"]
    rate = figures["one"]["7 B"]["tokens per second"]
    rows = [
        [
            str(row["engines"]),
            "in this process" if row["front end"] else "not counted",
            f"{row['tokens per second']:,.0f}",
            f"{row['tokens per second'] / (rate * row['engines']):.0%}",
            f"{row['python share']:.0%}",
        ]
        for row in figures["alone"]
    ]
    return table(heads, rows)


def _workers(figures: dict[str, Any]) -> str:
    heads = ["policy", "GPUs", "tokens a second", "trees a second", "scheduler", "with vLLM's front end"]
    rows = [
        [
            name,
            str(row["gpus"]),
            f"{row['tokens per second']:,.0f}",
            f"{row['tokens per second'] / figures['tokens']:.1f}",
            f"{row['scheduler share']:.1%}",
            f"{row['python share']:.1%}",
        ]
        for name, row in figures["one"].items()
    ]
    return table(heads, rows)


def _controller(figures: dict[str, Any]) -> str:
    stored, controller = figures["stored"], figures["controller"]
    goal = GOAL_ENGINES * GOAL_RATE / figures["tokens"]
    rows = [
        ["hand out and take packed, controller's CPU", f"{1e6 * controller['s a tree']:.0f} µs"],
        [
            f"the same at {GOAL_ENGINES} engines of {GOAL_RATE:,} tokens/s",
            f"{goal * controller['s a tree']:.1%} of a core",
        ],
        ["pack, worker's CPU", f"{1e6 * stored['packing s']:.0f} µs"],
        ["unpack, once searches are over", f"{1e6 * stored['unpacking s']:.0f} µs"],
        ["write as traces", f"{1e6 * stored['storing s']:.0f} µs"],
        ["query", f"{stored['query bytes']:,.0f} bytes"],
        ["packed tree", f"{stored['packed bytes']:,.0f} bytes"],
        ["traces on disk", f"{stored['trace bytes']:,.0f} bytes"],
        ["journal on disk", f"{figures['one']['7 B']['journal bytes a token'] * figures['tokens']:,.0f} bytes"],
    ]
    return table(
        [f"a tree of {figures['tokens']:,} tokens", f"{controller['controller']}, {figures['workers']} workers"], rows
    )


def _scale(figures: dict[str, Any]) -> str:
    heads = ["policy", "GPUs", "engines", "tokens a second", "trees a second"]
    heads += ["worker", "controller", "network", "storage", "storing", "first to be full"]
    rows = []
    for name, row in figures["one"].items():
        each = row["gpus"] + 0.5
        for gpus in (1, 8, 64, 512):
            engines = gpus / each if gpus < each and name == "7 B" else gpus // each
            rows.append([name, str(gpus), *_row(figures, row, engines)] if engines else [name, str(gpus), *["-"] * 9])
    return table(heads, rows)


def _row(figures: dict[str, Any], row: dict[str, Any], engines: float) -> list[str]:
    stored = figures["stored"]
    tokens = engines * row["tokens per second"]
    trees = tokens / figures["tokens"]
    taken = trees * (stored["query bytes"] + stored["packed bytes"])
    written = tokens * row["journal bytes a token"] + trees * stored["trace bytes"]
    uses = {
        "worker": row["python share"] * min(1.0, engines),
        "controller": trees * figures["controller"]["s a tree"],
        "network": taken / NETWORK,
        "storage": written / STORAGE,
        "storing": trees * (stored["unpacking s"] + stored["storing s"]),
    }
    first = max(uses, key=lambda name: uses[name])
    return [
        f"{engines:.3g}",
        f"{tokens:,.0f}",
        f"{trees:,.1f}",
        f"{uses['worker']:.0%}",
        f"{uses['controller']:.1%}",
        f"{taken / 1e6:.1f} MB/s, {uses['network']:.1%}",
        f"{written / 1e6:.1f} MB/s, {uses['storage']:.1%}",
        f"{uses['storing']:.0%}",
        f"{first}, {uses[first]:.0%}",
    ]
