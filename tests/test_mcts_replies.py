import time

import pytest

from mcts.errors import InputError
from mcts.replies import Replies
from mcts.types import Step, Ticket


def test_what_was_answered_before_a_failure_is_taken_first():
    async def answers():
        return ((Step("a", (1, 2)),),)

    async def fails():
        raise OSError("gone")

    store = Replies("policy=any")
    for number, work in enumerate((answers(), fails(), answers())):
        with pytest.raises(StopIteration):
            store.answer(Ticket("t", number), work).send(None)
    assert [ticket.number for ticket, _ in store.take(1.0)] == [0, 2]
    began = time.monotonic()
    with pytest.raises(InputError, match="policy=any: gone; run the same command again"):
        store.take(60.0)
    assert time.monotonic() - began < 30.0
