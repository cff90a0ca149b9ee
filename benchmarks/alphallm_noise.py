"""PRMs on labels of which a share was turned around, with peers that choose among them and without."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import Any

from prm_label_figures import Kind, Traces

from prm import model as prm_model
from prm.labels import LabelledState
from prm.train import TrainPrm
from regrow import atomic
from regrow.base import activation_of
from regrow.config import PrmConfig
from regrow.prm_training import train_prm

FLIPPED = (0.0, 0.1, 0.2, 0.3)
STEPS = 800
HARD = Kind(PrmConfig(labels="hard"))
PEERS = Kind(PrmConfig(labels="hard", noise="peer"))


def noisy_prms(run: Path, out: Path, seed: int) -> Iterator[dict[str, Any]]:
    """One row a share: what both PRMs know of the exact truth. What lies in `out` is not made again.

    Args:
        run: Whose first round's traces are learned from.
    """
    traces = Traces(run)
    known = traces.states(HARD)
    for share in FLIPPED:
        states = flipped(known, share, seed)
        row: dict[str, Any] = {"flipped": share, "seed": seed}
        for name, kind in (("plain", HARD), ("peers", PEERS)):
            target = out / f"{name}-{share}-{seed}"
            if not target.exists():
                with atomic.directory(target) as folder:
                    _train(traces, kind, states, folder, seed)
                    quality = traces.quality(kind, folder / "prm")
                    atomic.write_json(folder / "quality.json", {key: quality[key] for key in ("auroc", "brier_skill")})
            row[name] = json.loads((target / "quality.json").read_text())
        yield row


def flipped(states: Sequence[LabelledState], share: float, seed: int) -> list[LabelledState]:
    """The same states with a share of their labels y as 1 - y."""
    rng = random.Random(seed)
    return [
        replace(
            item,
            labels=tuple(1.0 - label if not isnan(label) and rng.random() < share else label for label in item.labels),
        )
        for item in states
    ]


def _train(traces: Traces, kind: Kind, states: Sequence[LabelledState], folder: Path, seed: int) -> None:
    start = folder / "start"
    prm_model.create(traces.run / "round-0/policy", start, activation=activation_of(kind.prm), seed=seed)
    train_prm(kind.prm, start, states, folder / "prm", TrainPrm(max_steps=STEPS), seed=seed)
