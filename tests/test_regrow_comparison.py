import pytest
from scipy.stats import ttest_rel

from mcts.errors import InputError
from regrow.comparison import compare


def test_a_comparison_is_the_paired_t_test():
    ours, theirs = [1.0, 1.0, 0.0, 1.0, 0.5], [0.0, 1.0, 0.0, 0.0, 0.25]
    result = compare("greedy", "base", ours, theirs)
    expected = ttest_rel(ours, theirs)
    interval = expected.confidence_interval(0.95)
    assert (result.of, result.over, result.n) == ("greedy", "base", 5)
    assert result.difference == pytest.approx(0.45)
    assert result.p_value == pytest.approx(expected.pvalue)
    assert (result.low, result.high) == pytest.approx((interval.low, interval.high))


def test_pairing_finds_what_two_means_would_not():
    theirs = [0.0] * 50 + [1.0] * 50
    ours = [1.0] * 6 + theirs[6:]
    assert compare("a", "b", ours, theirs).p_value < 0.05
    assert compare("a", "b", theirs, ours).difference == pytest.approx(-0.06)


@pytest.mark.parametrize(("shift", "p"), [(0.0, 1.0), (0.5, 0.0)])
def test_where_nothing_varies_the_difference_is_certain(shift, p):
    result = compare("a", "b", [shift] * 4, [0.0] * 4)
    assert (result.difference, result.low, result.high, result.p_value) == (shift, shift, shift, p)


@pytest.mark.parametrize(("ours", "theirs"), [([1.0, 0.0], [1.0]), ([1.0], [0.0]), ([], [])])
def test_scores_that_cannot_be_paired_are_refused(ours, theirs):
    with pytest.raises(InputError, match="a over b"):
        compare("a", "b", ours, theirs)
