"""How the value of a prefix is read off the values of its steps."""

from __future__ import annotations

from enum import StrEnum
from itertools import accumulate
from operator import mul

from mcts.types import Values


class Aggregate(StrEnum):
    """Which of the values along a path counts.

    Where later steps see further, the last one tells most; where a mistake shows at the step that makes it, the least.
    Product and mean are what best-of-N is often run with.
    """

    LAST = "last"
    MIN = "min"
    PRODUCT = "product"
    MEAN = "mean"


def aggregated(values: Values, how: Aggregate) -> Values:
    """The values of all prefixes of a solution, each read with those of the steps before it.

    Args:
        values: [steps + 1] a scorer's own. The bare problem's, the first, is no step's and stays apart.
    """
    if how is Aggregate.LAST:
        return values
    start, *steps = values
    match how:
        case Aggregate.MIN:
            read = list(accumulate(steps, min))
        case Aggregate.PRODUCT:
            read = list(accumulate(steps, mul))
        case Aggregate.MEAN:
            read = [total / count for count, total in enumerate(accumulate(steps), start=1)]
    return (start, *read)
