"""The recipes for GPUs, dry: one round with their own settings, but for engines, sizes and how long they learn."""

import json

import pytest
import tiny_qwen

from policy.adapter import Adapter
from regrow.build import prompt_of
from regrow.cli import main
from regrow.compose import NO_OUTPUT, run_composed
from regrow.trace_store import read_trees

RECIPES = ("gsm8k_1.5b", "math_7b")
SIZES = [
    "policy.train.max_steps=4",
    "policy.train.batch_size=4",
    "policy.train.accumulate=1",
    "prm.train.max_steps=4",
    "prm.train.batch_size=4",
    "prm.train.accumulate=1",
    "scheduler.max_tokens=48",
    "round.count=1",
    "round.problems=16",
    "round.budget.tokens=200",
    "gate.problems=12",
    "gate.samples=2",
    "evaluate.problems=6",
    "evaluate.drawn=4",
    "evaluate.samples=2",
    "evaluate.budget.tokens=100",
]
ANSWERS = (7, 8)
"""What the policy says; the first is right."""


def written(path, count, first):
    numbers = range(first, first + count)
    rows = [{"question": f"Tell the number {n} .\nHow much is it ?", "answer": "#### 7"} for n in numbers]
    path.write_text("\n".join(map(json.dumps, rows)))
    return [row["question"] for row in rows]


@pytest.fixture(scope="module", params=RECIPES)
def recipe(request, tmp_path_factory):
    """The recipe with tiny models and problems in the places of its own."""
    folder, prompts = tmp_path_factory.mktemp(request.param), []
    run_composed("train", [*NO_OUTPUT, f"experiment={request.param}"], lambda config: prompts.append(prompt_of(config)))
    questions = written(folder / "train.jsonl", 200, 0)
    written(folder / "test.jsonl", 10, 1000)
    tiny_qwen.write_policy(folder / "policy", prompts[0], questions, ANSWERS)
    tiny_qwen.write_prm(folder / "prm", questions)
    places = [f"policy.path={folder / 'policy'}", f"prm.path={folder / 'prm'}"]
    sources = [f"task.options.{name}={folder / name}.jsonl" for name in ("train", "test")]
    return [f"experiment={request.param}", *places, *sources, *SIZES]


def test_a_round_of_a_recipe_learns_an_adapter_and_a_prm_and_goes_on_from_them(recipe, tmp_path):
    run = tmp_path / "run"
    assert main(["train", *recipe, "policy=transformers", "prm=hf", f"run.dir={run}"]) == 0
    first, last = json.loads((run / "report.json").read_text())["rounds"]
    assert 0 < first["eval"]["sample"]["accuracy"] < 1
    trees = list(read_trees(run / "round-1/traces"))
    assert {step.text for one in trees for step in one.tree.steps if step} >= {"\\[", "\\boxed{7}", "\\]"}
    adapter = Adapter.at(run / "round-1/policy")
    assert adapter is not None
    assert adapter.rank == 32
    assert json.loads((run / "round-1/policy/stage.json").read_text())["result"]["steps"] == 4
    assert json.loads((run / "round-1/prm/stage.json").read_text())["result"]["steps"] == 4
    assert json.loads((run / "round-1/prm/config.json").read_text())["architectures"] == ["Qwen2ForTokenClassification"]
    assert last["eval"]["search"]["accuracy"] is not None
