import math

import numpy as np
import pytest

from mcts.types import Problem, Score, State, Step, Ticket
from regrow.diagnosis import OracleScorer, ShuffledScorer
from regrow.tasks import make_task
from regrow.tasks.task import GradedProblem

PROBLEM = Problem("p", "2 3 4 -> 20")
RIGHT = ("3 + 2 = 5 : 4 5", "5 * 4 = 20 : 20")
LOST = ("4 - 3 = 1 : 1 2", "2 * 1 = 2 : 2")


def values(scorer, texts, problem=PROBLEM):
    ticket = Ticket("t", 0)
    scorer.submit(ticket, Score(State(problem, tuple(Step(text) for text in texts))))
    [(answered, reply)] = scorer.poll(math.inf)
    assert answered == ticket
    assert scorer.poll(0) == []
    return reply


def test_the_oracle_knows_what_is_still_in_reach():
    oracle = OracleScorer(make_task("countdown"), [GradedProblem(PROBLEM, "20")])
    assert values(oracle, RIGHT) == (1.0, 1.0, 1.0)
    assert values(oracle, LOST) == (1.0, 0.0, 0.0)
    assert values(oracle, (RIGHT[0], "5 + 4 = 9 : 9")) == (1.0, 1.0, 0.0)
    assert values(oracle, ()) == (1.0,)


def test_the_oracle_refuses_what_it_cannot_know():
    problem = Problem("q", "what ?")
    oracle = OracleScorer(make_task("arithmetic"), [GradedProblem(problem, "1")])
    with pytest.raises(ValueError, match="problem q: no truth is known"):
        values(oracle, ("1 + 1 = 2",), problem)


def test_shuffled_values_have_the_scale_and_not_the_sense():
    pools = {0: [0.5], 1: [0.0, 0.25, 0.75, 1.0], 2: [0.125]}
    scorer = ShuffledScorer(pools, seed=3)
    root, first, second = values(scorer, RIGHT)
    assert (root, second) == (0.5, 0.125)
    assert first in pools[1]
    assert values(scorer, RIGHT) == (root, first, second)
    assert values(scorer, (RIGHT[0], "anything"))[1] == first
    assert values(scorer, (*RIGHT, "deeper than any pool"))[3] == 0.125
    drawn = [values(scorer, (str(i),))[1] for i in range(2000)]
    assert np.mean(drawn) == pytest.approx(0.5, abs=0.05)
    assert set(drawn) == set(pools[1])
