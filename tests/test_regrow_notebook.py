import subprocess
import sys

import pytest
from fakes import ScriptedPolicy, TableScorer
from test_regrow_ask import QUESTIONS, SOLUTIONS, solved

from mcts.errors import InputError
from regrow import answering, search
from regrow.answer import Answer
from regrow.compose import run_composed

SETTINGS = ("task.options.numbers=[2]", "seed=3")


@pytest.fixture
def engines(monkeypatch):
    made = []
    monkeypatch.setattr(answering, "policy_of", lambda config, path: made.append(str(path)) or ScriptedPolicy(solved))
    monkeypatch.setattr(answering, "scorer_of", lambda config, path: made.append(str(path)) or TableScorer())
    return made


def test_a_question_gives_an_answer_and_a_list_a_list(engines, tmp_path):
    answer = search(QUESTIONS[0], *SETTINGS, policy=tmp_path / "policy = 1", prm="p", tokens=30)
    assert engines == [str(tmp_path / "policy = 1"), "p"]
    assert (answer.text, answer.steps, answer.accepted) == (SOLUTIONS[0], (SOLUTIONS[0],), True)
    assert answer.tokens == answer.tree.spent.tokens_generated > 0
    assert 0.0 <= answer.score <= 1.0
    several = search(QUESTIONS, *SETTINGS, policy="p", prm="p", seconds=30)
    assert [one.text for one in several] == SOLUTIONS
    assert several[0].row()["solution"] == answer.row()["solution"]
    assert search([], *SETTINGS, policy="p", prm="p") == []


def test_an_answer_shows_itself_in_a_notebook_as_text(engines):
    answer = search(QUESTIONS[0], *SETTINGS, policy="p", prm="p", tokens=30)
    shown = answer._repr_html_()
    assert "<b>3 4 -&gt; 7</b>" in shown
    assert f"<li>{SOLUTIONS[0]}</li>" in shown
    assert f"score {answer.score:.3f}, {answer.tokens} tokens" in shown


def test_budgets_are_those_that_are_given(engines):
    tokens, simulations = [
        search(QUESTIONS[0], *SETTINGS, *more, "checker=false", policy="p", prm="p", **budget).tree.spent
        for more, budget in (((), {"tokens": 9}), (("budget.tokens=null", "budget.simulations=3"), {}))
    ]
    assert 9 <= tokens.tokens_generated < 12
    assert simulations.policy_calls == 3


@pytest.mark.parametrize(
    ("question", "settings", "said"),
    [
        ("two and two", (), "question 'two and two'"),
        (QUESTIONS[0], ("search=alphazero",), "alphazero"),
        (QUESTIONS[0], ("policy=recorded",), "policy=recorded: is for regrow evaluate"),
    ],
)
def test_what_cannot_be_asked_is_one_line(engines, question, settings, said):
    with pytest.raises(InputError, match=said) as error:
        search(question, *settings, policy="p", prm="p")
    assert "\n" not in str(error.value)


def test_a_program_that_uses_hydra_may_search(engines):
    found: list[Answer] = []
    run_composed(
        "search",
        ["hydra.run.dir=.", "hydra.output_subdir=null"],
        lambda _: found.append(search(QUESTIONS[0], *SETTINGS, policy="p", prm="p")),
    )
    assert found[0].text == SOLUTIONS[0]


def test_importing_it_is_light():
    heavy = "{'torch', 'transformers', 'numba', 'numpy', 'hydra'}"
    code = f"import sys; from regrow import search; assert not {heavy} & set(sys.modules), sorted(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
