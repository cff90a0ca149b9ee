import pytest

from regrow.tasks.progress import progress_values


@pytest.mark.parametrize("total", [1, 2, 3, 5, 8])
def test_a_clean_solution_gains_one_over_its_length_with_every_step(total):
    remaining = list(range(total - 1, -1, -1))
    assert progress_values(total, remaining) == pytest.approx([k / total for k in range(1, total + 1)])


@pytest.mark.parametrize(("total", "right"), [(total, right) for total in (2, 3, 5, 8) for right in range(total)])
def test_a_wrong_step_after_k_right_ones_loses_what_equations_21_and_22_say(total, right):
    remaining = [total - k for k in range(1, right + 1)] + [None]
    *before, value = progress_values(total, remaining)
    expected = (right - 1) / total + 1 / (total * (total - right + 1))
    assert value == pytest.approx(max(0.0, expected))
    if right and expected > 0:
        assert value - before[-1] == pytest.approx(-(total - right) / ((total - right + 1) * total))


def test_values_follow_the_published_two_dice_tree():
    # root -> A -> A1 -> A1 correct | A1 wrong ; A -> A2 -> A2a -> A2b correct, where A is two steps from the end
    assert progress_values(3, [2, 1, 0]) == pytest.approx([1 / 3, 2 / 3, 1])
    assert progress_values(3, [2, 1, None]) == pytest.approx([1 / 3, 2 / 3, 0.5])
    assert progress_values(3, [2, 2, 1, 0]) == pytest.approx([1 / 3, 5 / 9, 7 / 9, 1])
    assert progress_values(3, [None]) == (0.0,)


def test_nothing_is_gained_or_lost_after_the_answer():
    assert progress_values(1, [0, None, None]) == (1.0, 1.0, 1.0)
