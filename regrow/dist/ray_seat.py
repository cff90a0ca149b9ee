"""A seat in a Ray cluster: an actor. Where it runs, and what is restarted of the cluster, is Ray's."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import ray
from ray.exceptions import ObjectLostError, RayActorError

from mcts.errors import InputError, first_line
from regrow.dist.settings import Dist

T = TypeVar("T")


class Desk:
    """The actor: runs what it is called for, one call after the other.

    Args:
        folder: Where relative paths begin, on every machine.
    """

    def __init__(self, folder: str) -> None:
        os.chdir(folder)

    def run(self, function: Callable[..., T], *arguments: Any) -> T | InputError:
        """What the function gives; where something given cannot be used, the error itself, as it was worded."""
        try:
            return function(*arguments)
        except InputError as error:
            return error


class RaySeat:
    """An actor with devices, cores and resources that Ray keeps for it. The first one joins or starts the cluster."""

    lost: tuple[type[BaseException], ...] = (RayActorError, ObjectLostError)  # or the report, with its machine

    def __init__(self, dist: Dist) -> None:
        _join(dist)
        actor: Any = ray.remote(Desk)
        self._actor = actor.options(
            num_cpus=dist.cpus,
            num_gpus=dist.gpus,
            resources=dist.resources or None,
            max_restarts=0,  # another worker begins with what the dead one left behind
        ).remote(str(Path.cwd()))

    def call(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """Have a function of a module run there."""
        answer: Future[T] = Future()

        def tell(there: Future[T | InputError]) -> None:
            if (error := there.exception()) is not None:
                answer.set_exception(error)
            elif isinstance(found := there.result(), InputError):
                answer.set_exception(found)
            else:
                answer.set_result(found)

        self._actor.run.remote(function, *arguments).future().add_done_callback(tell)
        return answer

    def close(self) -> None:
        """End the process. Where Ray has left already, at our own end, its actors have, too."""
        if ray.is_initialized():
            ray.kill(self._actor)


def _join(dist: Dist) -> None:
    if ray.is_initialized():
        return
    try:
        ray.init(address=dist.address or "local", log_to_driver=False, include_dashboard=False, logging_level="error")
    except (ConnectionError, ValueError, RuntimeError) as error:
        told = f"config dist.address={dist.address}: {first_line(error)}"
        raise InputError(f"{told}, expected a Ray cluster's address, auto, or null to start one here") from error
