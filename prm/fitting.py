"""A fit from start to end, with the Hugging Face Trainer and fp32 master weights."""

from __future__ import annotations

import importlib.util
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import PrinterCallback, TrainingArguments

from mcts.errors import InputError
from prm.callbacks import Plateau, Progress, Report
from prm.checkpoint import read_tokenizer
from prm.formats import trainable_format
from prm.labels import LabelledState
from prm.losses import loss_of
from prm.step_trainer import StepTrainer
from prm.train import LOSSES, PAIRWISE, TrainPrm

LOGGERS = ("tensorboard", "wandb")

_REPORTS = 100
"""Progress reports a run."""


def fit(
    start: Path,
    data: Sequence[LabelledState],
    out: Path,
    config: TrainPrm,
    *,
    loss: str,
    format: str | None,
    seed: int,
    validation: Sequence[LabelledState],
    progress: Progress | None,
    loggers: Sequence[str],
    logs: Path | None,
) -> dict[str, float]:
    """What `prm.train.train` documents."""
    began = time.perf_counter()
    if loss not in LOSSES:
        raise InputError(f"PRM loss {loss!r}: expected one of {', '.join(LOSSES)}")
    how, tokenizer = trainable_format(format, start), read_tokenizer(start)
    model = how.load(start, tokenizer)
    model.network.set_attn_implementation("sdpa")
    encoder = how.encoder(tokenizer, model.network.config)
    cost = loss_of(is_pairwise=loss == PAIRWISE, activation=model.activation, root_weight=config.root_weight)
    examples, held_out = cost.examples(encoder, data), cost.examples(encoder, validation)
    if not examples:
        lacks = "has two steps to compare" if loss == PAIRWISE else "carries a label"
        raise InputError(f"PRM training from {start}: none of {len(data)} solutions {lacks}, expected some")
    report, plateau = Report(progress), Plateau(model, config.patience)
    with TemporaryDirectory(prefix="prm-train-") as scratch:
        trainer = StepTrainer(
            loss=cost,
            model=model,
            args=TrainingArguments(
                **_schedule(config, seed),
                **_resources(config),
                **_watching(config, loggers, logs, scratch, evaluates=bool(held_out)),
            ),
            train_dataset=examples,
            eval_dataset=held_out or None,
            callbacks=[report, *([plateau] if held_out else [])],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    if held_out:
        plateau.restore()
    losses = {"loss": _late(report.losses)} | ({"validation_loss": plateau.loss} if held_out else {})
    if not all(map(math.isfinite, losses.values())):
        raise InputError(f"PRM training from {start}: the loss is not a number, expected a lower learning_rate")
    if trainer.is_world_process_zero():
        model.eval().save(out, tokenizer)
    trainer.accelerator.wait_for_everyone()
    return losses | {
        "steps": float(trainer.state.global_step),
        "examples": float(len(examples)),
        "labels": float(sum(int(example["weights"].count_nonzero()) for example in examples)),
        "seconds": time.perf_counter() - began,
    }


def _late(losses: Sequence[float]) -> float:
    """The mean of the last tenth."""
    late = losses[-max(1, len(losses) // 10) :]
    return sum(late) / len(late)


def _schedule(config: TrainPrm, seed: int) -> dict[str, Any]:
    return {
        "learning_rate": config.learning_rate,
        "per_device_train_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.accumulate,
        "num_train_epochs": config.epochs,
        "max_steps": config.max_steps or -1,
        "warmup_steps": config.warmup_ratio,
        "lr_scheduler_type": config.schedule,
        "weight_decay": config.weight_decay,
        "adam_beta2": config.beta2,
        "max_grad_norm": config.max_grad_norm,
        "seed": seed % (1 << 32),
    }


def _resources(config: TrainPrm) -> dict[str, Any]:
    return {
        "bf16": config.precision == "bfloat16",
        "use_cpu": not torch.cuda.is_available(),
        "dataloader_pin_memory": torch.cuda.is_available(),
        "remove_unused_columns": False,
    }


def _watching(
    config: TrainPrm, loggers: Sequence[str], logs: Path | None, scratch: str, *, evaluates: bool
) -> dict[str, Any]:
    """Reports, evaluations and loggers. Weights & Biases stays offline unless the environment has a `WANDB_MODE`."""
    for name in loggers:
        if name not in LOGGERS:
            raise InputError(f"logger {name!r}: expected one of {', '.join(LOGGERS)}")
        if importlib.util.find_spec(name) is None:
            raise InputError(f"logger {name}: its package is not installed, expected `pip install {name}`")
        if logs is None:
            raise InputError(f"logger {name}: has no folder to write to, expected one")
    if "wandb" in loggers:
        os.environ.setdefault("WANDB_MODE", "offline")
        os.environ["WANDB_DIR"] = str(logs)
    return {
        "output_dir": str(logs) if loggers else scratch,
        "report_to": list(loggers) or "none",
        "logging_steps": 1 / _REPORTS,
        "logging_nan_inf_filter": False,
        "eval_strategy": "steps" if evaluates else "no",
        "eval_steps": config.eval_every,
        "per_device_eval_batch_size": config.batch_size,
        "save_strategy": "no",
        "disable_tqdm": True,
    }
