"""Training a PRM as the configuration says: what is held out, what counts how much, and calibration afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from prm.calibrating import calibrate
from prm.calibration import NONE
from prm.labels import LabelledState, apart, balanced
from prm.train import TrainPrm, train
from regrow.config import PrmConfig


def train_prm(
    prm: PrmConfig,
    start: Path,
    data: Sequence[LabelledState],
    out: Path,
    settings: TrainPrm,
    *,
    seed: int,
    validation: Sequence[LabelledState] = (),
    progress: Callable[[int, int, float], None] | None = None,
    loggers: Sequence[str] = (),
    logs: Path | None = None,
) -> dict[str, float]:
    """Train the PRM of `start` on `data` and write it to `out`, calibrated if that is wanted.

    For calibration and for stopping early, the same share of the problems is kept out of every training, so that no
    model has ever seen them, whichever it goes on from. Class balance is for what is learned and validated; a
    calibration shall hold at the true shares.

    Args:
        prm: Which loss, balance and calibration, and how much is held out for it.
        settings: How it is trained.
        validation: Held out already; None is taken from the data then.

    Returns:
        As `prm.train.train`, and how many labels the PRM was `calibrated_on`, if it was to be.
    """
    held_out: list[LabelledState] = []
    stops_early = settings.patience is not None
    if prm.calibration != NONE or (stops_early and not validation):
        data, held_out = apart(data, prm.calibration_share)
    if stops_early and not validation:
        validation = held_out
    result = train(
        start,
        balanced(data) if prm.balance else data,
        out,
        settings,
        loss=prm.loss,
        format=prm.format,
        seed=seed,
        validation=balanced(validation) if prm.balance else validation,
        progress=progress,
        loggers=loggers,
        logs=logs,
    )
    if prm.calibration == NONE:
        return result
    return result | {"calibrated_on": float(calibrate(out, held_out, prm.calibration, format=prm.format))}
