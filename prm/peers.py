"""Two PRMs that tell each other which labels to believe, against noise in the labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from mcts.errors import InputError
from mcts.seeds import seed_of
from mcts.types import Score, Ticket, Values
from prm.labels import LabelledState
from prm.train import AUTO, TrainPrm, train

NONE, PEER = "none", "peer"
NOISE = (NONE, PEER)
"""What is done about wrong labels."""

_POLL_S = 1.0


@dataclass(frozen=True, slots=True)
class Peers:
    """How two PRMs filter each other's labels.

    Attributes:
        rounds: Parts of the training; before each but the first the labels are chosen anew.
        keep: Share of the labels that is learned from in the end: 1 less the share that is thought to be wrong.
        ramp: Rounds over which the share falls from 1 to `keep`.

    Raises:
        ValueError: A field is out of its range.
    """

    rounds: int = 4
    keep: float = 0.7
    ramp: int = 2

    def __post_init__(self) -> None:
        if not 0.0 < self.keep <= 1.0:
            raise InputError(f"PRM peers keep={self.keep}: expected a share, more than 0 and at most 1")
        if not 1 <= self.ramp < self.rounds:
            raise InputError(f"PRM peers rounds={self.rounds} ramp={self.ramp}: expected 1 <= ramp < rounds")

    def share(self, number: int) -> float:
        """The share of the labels that round `number`, from 0, learns from."""
        return 1.0 - (1.0 - self.keep) * min(1.0, number / self.ramp)


def train_peers(
    start: Path,
    data: Sequence[LabelledState],
    out: Path,
    config: TrainPrm,
    *,
    peers: Peers,
    loss: str = AUTO,
    format: str | None = None,
    seed: int,
    validation: Sequence[LabelledState] = (),
    progress: Callable[[int, int, float], None] | None = None,
    loggers: Sequence[str] = (),
    logs: Path | None = None,
) -> dict[str, float]:
    """Train two PRMs from the same start, in other orders, each on the labels that the other finds easiest to believe.

    After Collaborative Reward Modeling (arXiv 2505.10597), where two reward models review each other's preference
    pairs, with the schedule of Co-teaching (arXiv 1804.06872, algorithm 1): wrong labels are learned late, and by each
    model other ones. Before a round each model values all labelled steps; the other learns from the share of the labels
    y with the least |value - y|, at first from all. Here a round chooses among all labels at once, not batch by batch.

    A round has its own warm-up and decay; all together are as long for each model as one training by `prm.train.train`,
    whose arguments these are. The first model is written. It runs in one process.

    Returns:
        As `prm.train.train`, of the first model's last round, with the steps and seconds of all, and `kept`, the share
        of the labels that this round learned from.
    """
    steps = math.ceil(config.max_steps / peers.rounds) if config.max_steps else None
    part = replace(config, epochs=config.epochs / peers.rounds, max_steps=steps)
    models = [start, start]
    results: list[dict[str, float]] = []
    with TemporaryDirectory(prefix="prm-peers-") as scratch:
        for number in range(peers.rounds):
            is_last = number == peers.rounds - 1
            learners = (0,) if is_last else (0, 1)
            told = {k: _believed(data, models[1 - k], peers.share(number), config, format) for k in learners}
            for k in learners:
                folder = out if is_last else Path(scratch) / f"{number}-{k}"
                folder.mkdir(exist_ok=True)
                result = train(
                    models[k],
                    told[k],
                    folder,
                    part,
                    loss=loss,
                    format=format,
                    seed=seed_of(seed, "peer", k, number),
                    validation=validation,
                    progress=_part_of(progress, len(results), 2 * peers.rounds - 1),
                    loggers=() if k else loggers,
                    logs=logs / f"peers-{number}" if logs else None,
                )
                results.append(result)
                models[k] = folder
    total = {name: sum(result[name] for result in results) for name in ("steps", "seconds")}
    return results[-1] | total | {"kept": peers.share(peers.rounds - 1)}


def believed(data: Sequence[LabelledState], doubts: NDArray[np.float64], share: float) -> list[LabelledState]:
    """The same data, in which only the labels with the least doubts count; of equal ones the first.

    Args:
        doubts: [labels] of all that count and are not NaN, in order.
        share: Of the labels that is kept; one at least is.
    """
    keeps = np.zeros(len(doubts), np.bool_)
    keeps[np.argsort(doubts, kind="stable")[: max(1, round(share * len(doubts)))]] = True
    is_kept = iter(keeps.tolist())
    return [
        replace(item, weights=tuple(w if not _counts(y, w) or next(is_kept) else 0.0 for y, w in _labels(item)))
        for item in data
    ]


def _believed(
    data: Sequence[LabelledState], peer: Path, share: float, config: TrainPrm, format: str | None
) -> list[LabelledState]:
    """What a peer makes of the data. The label of the bare problem goes with those that count, if it has any weight."""
    if share == 1.0:
        return list(data)
    if config.root_weight == 0.0:
        data = [replace(item, weights=(0.0, *item.weights[1:])) for item in data]
    doubts = [
        abs(value - y)
        for item, values in zip(data, _values(peer, data, format), strict=True)
        for value, (y, w) in zip(values, _labels(item), strict=True)
        if _counts(y, w)
    ]
    return believed(data, np.array(doubts), share)


def _values(model: Path, data: Sequence[LabelledState], format: str | None) -> list[Values]:
    import torch

    from prm.scorer import HfScorer

    scorer = HfScorer.load(model, format=format, device="cuda" if torch.cuda.is_available() else "cpu")
    for number, item in enumerate(data):
        scorer.submit(Ticket("", number), Score(item.state))
    replies = {ticket.number: values for ticket, values in scorer.poll(_POLL_S)}
    return [replies[number] for number in range(len(data))]


def _labels(item: LabelledState) -> list[tuple[float, float]]:
    return list(zip(item.labels, item.weights, strict=True))


def _counts(label: float, weight: float) -> bool:
    return weight > 0.0 and not math.isnan(label)


def _part_of(
    progress: Callable[[int, int, float], None] | None, before: int, parts: int
) -> Callable[[int, int, float], None] | None:
    """Reports of one training as those of the part that comes after `before` others."""
    return progress and (lambda step, total, loss: progress(before * total + step, parts * total, loss))
