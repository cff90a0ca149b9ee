"""Memory and time of the recipes, reckoned from architectures and data sheets: nothing is measured.

    python benchmarks/reckon_recipes.py [--write]

`--write` puts the tables into `docs/recipes.md`. Settings are those of the recipes as they compose.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from architectures import GIB, HALF, QWEN_05B, QWEN_7B, QWEN_15B, Architecture, cached_tokens, training
from page_marks import fill, table
from speeds import H100, RTX_4090, Device, Speed

from regrow.compose import composed
from regrow.config import Config
from regrow.provenance import commit

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
SCORED = 2.9
"""Tokens that the PRM reads for one that the policy writes, as `bench_scale.py`'s searches have it."""
CONTEXT = 0.5
"""Share of a solution that stands, on average, while it is written."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """An experiment, its models, and how long its texts are, in tokens: assumptions.

    Attributes:
        prompt: Of the policy.
        solution: As it writes them.
        more: Overrides.
    """

    name: str
    policy: Architecture
    prm: Architecture
    prompt: int
    solution: int
    more: tuple[str, ...] = ()

    @property
    def config(self) -> Config:
        """As it composes."""
        return composed([f"experiment={self.name}", *self.more])


GSM8K = Recipe("gsm8k_1.5b", QWEN_15B, QWEN_05B, prompt=150, solution=250)
MATH = Recipe("math_7b", QWEN_7B, QWEN_15B, prompt=150, solution=600)
WHOLE = ("policy.train.lora.rank=0", "policy.train.batch_size=4")
PLANS = [
    (GSM8K, RTX_4090),
    (GSM8K, H100),
    (replace(GSM8K, more=WHOLE), RTX_4090),
    (replace(GSM8K, more=WHOLE), H100),
    (MATH, RTX_4090),
    (MATH, H100),
    (replace(MATH, more=WHOLE), H100),
]


def memory(recipe: Recipe, device: Device) -> list[str]:
    """A row: what engines and trainings take of a device, in GiB."""
    config, policy, prm = recipe.config, recipe.policy, recipe.prm
    longest = recipe.prompt + config.scheduler.max_tokens
    caches = {
        "policy": cached_tokens(policy, device.memory, config.policy.vllm.gpu_memory_utilization),
        "prm": cached_tokens(prm, device.memory, config.prm.vllm.gpu_memory_utilization),
    }
    fits = (
        training(policy, config.policy.train.batch_size * longest, rank=config.policy.train.lora.rank),
        training(prm, config.prm.train.batch_size * longest, reads_vocabulary=False),
    )
    taken = [one.together / GIB for one in fits]
    lacks = [name for name, cache in caches.items() if cache < longest]
    lacks += [f"training the {name}" for name, each in zip(caches, taken, strict=True) if each > device.gib - 1]
    return [
        " ".join((f"`{recipe.name}`", *(f"`{one}`" for one in recipe.more))),
        f"{device.name}, {device.gib} GB",
        f"{HALF * policy.parameters / GIB:.1f} + {caches['policy']:,} tokens",
        f"{HALF * prm.parameters / GIB:.1f} + {caches['prm']:,} tokens",
        *(f"{each:.1f}" for each in taken),
        f"no: {', '.join(lacks)}" if lacks else "yes",
    ]


def minutes(recipe: Recipe, device: Device, devices: int) -> list[str]:
    """A row: the minutes of the whole run, by what they go into."""
    config = recipe.config
    policy, prm = Speed(recipe.policy, device), Speed(recipe.prm, device)
    rounds, problems = config.round.count, config.round.problems
    cache = cached_tokens(recipe.policy, device.memory, config.policy.vllm.gpu_memory_utilization)
    context = recipe.prompt + CONTEXT * recipe.solution
    running = min(config.policy.vllm.max_num_seqs, cache / context)

    def search_s(tokens: float) -> float:
        return tokens / policy.tokens_per_second(running, context) + prm.reading_s(SCORED * tokens)

    assert config.round.budget.tokens is not None
    assert config.evaluate.budget.tokens is not None
    searched = rounds * search_s(problems * config.round.budget.tokens)
    evaluated = (rounds + 1) * search_s(2 * config.evaluate.drawn * config.evaluate.budget.tokens)
    drawn = (rounds + 1) * (config.evaluate.problems + config.evaluate.drawn * config.evaluate.samples)
    gates = rounds * 2 * config.gate.problems * config.gate.samples
    plain = (drawn + gates) * recipe.solution / policy.tokens_per_second(running, context)
    # A round learns from the traces of all rounds so far.
    seen = problems * rounds * (rounds + 1) / 2 * (recipe.prompt + recipe.solution)
    lessons = seen * config.round.traces_per_problem * config.policy.train.epochs
    learned = policy.training_s(lessons, is_frozen=config.policy.train.lora.rank > 0)
    valued = prm.training_s(seen * config.prm.states_per_problem * config.prm.train.epochs, is_frozen=False)
    parts = [searched / devices, (evaluated + plain) / devices, learned / devices, valued]
    return [
        " ".join((f"`{recipe.name}`", *(f"`{one}`" for one in recipe.more))),
        f"{devices} x {device.name}",
        f"{policy.tokens_per_second(running, context):,.0f}",
        *(f"{each / 60:,.0f}" for each in (*parts, sum(parts))),
    ]


def fitting() -> Iterator[tuple[Recipe, Device, int]]:
    """What fits, and on how many devices it is reckoned."""
    for recipe, device in PLANS:
        if memory(recipe, device)[-1] == "yes":
            yield recipe, device, 1
            if device is H100:
                yield recipe, device, 8


def main() -> None:
    """Reckon and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true")
    heads = ["recipe", "device", "policy engine", "PRM engine", "training the policy", "training the PRM", "fits"]
    sizes = table(heads, [memory(*plan) for plan in PLANS])
    heads = ["recipe", "devices", "tokens a second, an engine", "search", "evaluation", "policy", "PRM", "together"]
    times = table(heads, [minutes(*plan) for plan in fitting()])
    print(sizes, times, sep="\n\n")
    if parser.parse_args().write:
        facts = f"Commit {commit()}; `python benchmarks/reckon_recipes.py --write`."
        fill(PAGE, {"memory": sizes, "time": times, "facts": facts})


if __name__ == "__main__":
    main()
