"""Training a PRM as the configuration says: what is held out, what counts how much, and calibration afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from prm.calibrating import calibrate
from prm.calibration import NONE
from prm.labels import LabelledState, apart, balanced
from prm.peers import PEER, Peers, train_peers
from prm.train import TrainPrm, train
from regrow.build import fields_of
from regrow.config import PrmConfig, settings_of


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
        prm: Which loss, balance and calibration, how much is held out for it, and what is done about wrong labels.
        settings: How it is trained.
        validation: Held out already; None is taken from the data then.

    Returns:
        As `prm.train.train` or `prm.peers.train_peers`, and how many labels the PRM was `calibrated_on`, if any.
    """
    held_out: list[LabelledState] = []
    stops_early = settings.patience is not None
    if prm.calibration != NONE or (stops_early and not validation):
        data, held_out = apart(data, prm.calibration_share)
    if stops_early and not validation:
        validation = held_out
    fit = partial(train_peers, peers=peers_of(prm)) if prm.noise == PEER else train
    result = fit(
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


def peers_of(prm: PrmConfig) -> Peers:
    """How two PRMs filter each other's labels. Raises `InputError` for a setting that cannot be."""
    return settings_of(Peers, fields_of(prm.peers), "prm.peers")
