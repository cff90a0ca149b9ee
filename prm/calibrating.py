"""Calibrating a checkpoint: its logits at held-out labels, and the curve that brings them there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mcts.errors import InputError
from prm.calibration import METHODS, NONE, Floats, fitted, write_calibration
from prm.checkpoint import read_config, read_tokenizer
from prm.encode import Encoder
from prm.formats import format_of
from prm.labels import LabelledState
from prm.losses import Pointwise
from prm.model import StepModel

_ROWS = 256


def calibrate(path: Path, data: Sequence[LabelledState], method: str, *, format: str | None = None) -> int:
    """Fit a calibration to labelled steps that were not trained on, and keep it with the checkpoint in `path`.

    The bare problem is left out. Where there is nothing to learn, since no step has a label or all labels are of one
    kind, the checkpoint stays as it is.

    Args:
        method: One of `prm.calibration.METHODS`; `none` does nothing.
        format: A name of `prm.formats`; None goes by the directory's config.json.

    Returns:
        The number of labels it was fitted to.

    Raises:
        InputError: No such method or format, or a solution that cannot be encoded.
    """
    if method not in METHODS:
        raise InputError(f"calibration {method!r}: expected one of {', '.join(METHODS)}")
    if method == NONE:
        return 0
    config, tokenizer = read_config(path), read_tokenizer(path)
    how = format_of(format, config)
    model, encoder = how.load(path, tokenizer), how.encoder(tokenizer, config)
    logits, labels, weights = _read(model, encoder, data)
    calibration = fitted(method, model.activation, logits, labels, weights) if len(logits) else None
    if calibration is None:
        return 0
    write_calibration(path, calibration)
    return len(logits)


@torch.inference_mode()
def _read(model: StepModel, encoder: Encoder, data: Sequence[LabelledState]) -> tuple[Floats, Floats, Floats]:
    """[n] the logits, labels and weights of all labelled steps."""
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    device = next(model.parameters()).device
    loss = Pointwise(is_squared=False, root_weight=0.0)
    examples = sorted(loss.examples(encoder, data), key=lambda example: len(example["sequences"][0]))
    found: list[Floats] = [np.empty((3, 0))]
    for start in range(0, len(examples), _ROWS):
        batch = loss.collate(examples[start : start + _ROWS])
        logits = model(batch["input_ids"].to(device), batch["attention_mask"].to(device)).cpu()
        counted = batch["weights"] > 0.0
        columns = (logits.gather(1, batch["positions"]), batch["targets"], batch["weights"])
        found.append(np.stack([column[counted].double().numpy() for column in columns]))
    logits_found, labels, weights = np.concatenate(found, axis=1)
    return logits_found, labels, weights
