"""Judging beside the searches: threads, and a limit to how late they may be."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from mcts.tree import SearchTree
from regrow.judging import judged
from regrow.tasks.task import GradedProblem, Task
from regrow.verified import VerifiedTree


class Judges:
    """Threads that judge finished trees.

    Args:
        late: Trees that may wait to be judged; who brings more waits, so that memory stays bounded.
    """

    def __init__(self, task: Task, late: int) -> None:
        self._task = task
        self._late = late
        self._waiting: deque[Future[VerifiedTree]] = deque()
        self._pool = ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="judge")

    def judge(self, graded: GradedProblem, tree: SearchTree) -> Future[VerifiedTree]:
        """Have a tree judged. Returns at once, unless judging does not keep up."""
        judging = self._pool.submit(judged, self._task, graded, tree)
        self._waiting.append(judging)
        if len(self._waiting) > self._late:
            self._waiting.popleft().result()
        return judging
