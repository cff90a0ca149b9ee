from math import isclose, prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcts.aggregate import Aggregate, aggregated

VALUES = st.lists(st.floats(0, 1), max_size=6)


@pytest.mark.parametrize(
    ("how", "twin"),
    [
        (Aggregate.LAST, lambda steps: steps[-1]),
        (Aggregate.MIN, min),
        (Aggregate.PRODUCT, prod),
        (Aggregate.MEAN, lambda steps: sum(steps) / len(steps)),
    ],
)
@given(st.floats(0, 1), VALUES)
def test_every_prefix_is_read_with_the_steps_before_it_and_the_question_stays_apart(how, twin, question, steps):
    read = aggregated((question, *steps), how)
    assert read[0] == question
    assert len(read) == len(steps) + 1
    for k in range(1, len(read)):
        assert isclose(read[k], twin(steps[:k]), abs_tol=1e-12)
