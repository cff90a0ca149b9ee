"""A fit from start to end: models, the Trainer's settings, checkpoints within it, and what it leaves."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from accelerate import DistributedType, PartialState
from transformers import PreTrainedModel, PrinterCallback, TrainingArguments
from transformers.utils import logging as transformers_logging

from mcts.errors import InputError
from policy import adapter, checkpoint
from policy.callbacks import Plateau, Pulse
from policy.lesson_trainer import LessonTrainer
from policy.lessons import Lesson, examples_of
from policy.loggers import logger_callbacks
from policy.lora import adapted
from policy.losses import Loss
from policy.resumption import checkpoints
from policy.train import TrainPolicy

_REPORTS = 100
"""Progress reports a run."""
_EVAL_BATCH, _EVAL_LOGITS = 512, 2**27
"""Most lessons of an evaluation batch, and most numbers in its logits where that is less."""


def fit(
    start: Path,
    lessons: Sequence[Lesson],
    out: Path,
    config: TrainPolicy,
    *,
    loss: Loss,
    reference: Path | None,
    seed: int,
    validation: Sequence[Lesson],
    progress: Callable[[int, int, float], None] | None,
    scratch: Path | None,
    loggers: Sequence[str],
    logs: Path | None,
) -> dict[str, float]:
    """What `policy.train.train` documents."""
    began = time.perf_counter()
    watching = logger_callbacks(loggers, logs)
    tokenizer = checkpoint.load_tokenizer(start)
    model = checkpoint.load_model(start, attention="sdpa")
    if not lessons:
        raise InputError("policy training: no lessons, expected at least one")
    for name, data in (("lessons", lessons), ("validation", validation)):
        _check(data, name, loss, model.config.max_position_embeddings)

    caches, at_once = model.config.use_cache, _at_once(validation, model.config.vocab_size, config)
    frozen = _reference(start, reference, config) if loss.has_reference else None
    model = adapted(model, config.lora, seed)
    pulse, plateau = Pulse(progress), Plateau(model, config.patience)
    key = _key(start, reference, lessons, validation, config, loss, seed) if scratch else ""
    with _workspace(scratch, key) as folder:
        arguments = TrainingArguments(
            **_schedule(config, seed),
            **_resources(config),
            **_intervals(config, folder if scratch else None),
            **_evaluation(config, at_once),
            output_dir=str(folder),
        )
        # A process has one device; left alone, the Trainer takes all that it sees and makes batches larger.
        arguments._n_gpu = min(arguments.n_gpu, 1)
        _shard_cpus_too()
        trainer = LessonTrainer(
            loss=loss,
            reference=frozen,
            model=model,
            args=arguments,
            train_dataset=lessons,
            eval_dataset=validation or None,
            callbacks=[pulse, *([plateau] if validation else []), *watching],
        )
        if trainer.is_fsdp_enabled and (validation or config.lora.rank or config.checkpoint_every):
            raise InputError("policy training: FSDP goes without validation, lora and checkpoint_every")
        if _wants_fsdp() and not trainer.is_fsdp_enabled:
            raise InputError("policy training: FSDP in a process by itself, expected accelerate launch before it")
        trainer.remove_callback(PrinterCallback)
        trainer.plateau = plateau if validation else None
        last = [str(path) for path in checkpoints(folder)][-1:]
        with checkpoint.without_progress_bars(), _errors_alone():
            trainer.train(resume_from_checkpoint=last[0] if last else None)
        if validation:
            plateau.restore()
        model.config.use_cache = caches
        _save(trainer, model, tokenizer, start, out, config)
    epochs = float(trainer.state.epoch or 0.0)
    tokens = epochs * sum(len(example.token_ids) for lesson in lessons for example in examples_of(lesson))
    result = {"train_loss": pulse.train_loss} | ({"validation_loss": plateau.loss} if validation else {})
    seconds = time.perf_counter() - began
    return result | {"steps": trainer.state.global_step, "seconds": seconds, "tokens": round(tokens)}


# --- settings -------------------------------------------------------------------------------------------------------


def _schedule(config: TrainPolicy, seed: int) -> dict[str, Any]:
    return {
        "learning_rate": config.learning_rate,
        "per_device_train_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.accumulate,
        "num_train_epochs": config.epochs,
        "max_steps": config.max_steps or -1,
        "warmup_steps": config.warmup_ratio,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "adam_beta2": config.beta2,
        "lr_scheduler_type": "constant_with_warmup" if config.scheduler == "constant" else config.scheduler,
        "seed": seed % 2**32,
    }


def _resources(config: TrainPolicy) -> dict[str, Any]:
    return {
        "bf16": config.precision == "bfloat16",
        "dataloader_pin_memory": torch.cuda.is_available(),
        "use_cpu": not torch.cuda.is_available(),
        "ddp_find_unused_parameters": False,
    }


def _intervals(config: TrainPolicy, scratch: Path | None) -> dict[str, Any]:
    saves = scratch is not None and config.checkpoint_every is not None
    return {
        "save_strategy": "steps" if saves else "no",
        "save_steps": config.checkpoint_every or 1,
        "logging_steps": 1 / _REPORTS,
        "report_to": "none",
        "disable_tqdm": True,
    }


def _evaluation(config: TrainPolicy, at_once: int) -> dict[str, Any]:
    """Args: `at_once` is how many validation lessons a pass has; 0 where there are none."""
    return {
        "per_device_eval_batch_size": max(at_once, 1),
        "eval_strategy": "steps" if at_once else "no",
        "eval_steps": config.eval_every,
        "prediction_loss_only": True,
        "label_names": ["labels"],
        "remove_unused_columns": False,
    }


def _wants_fsdp() -> bool:
    return os.environ.get("ACCELERATE_USE_FSDP", "false") == "true"


def _shard_cpus_too() -> None:
    """Have FSDP where it was asked for: accelerate 1.15 trains whole copies on CPUs instead, without a word."""
    if _wants_fsdp() and PartialState().distributed_type is DistributedType.MULTI_CPU:
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU  # whose branch it takes then


# --- models ---------------------------------------------------------------------------------------------------------


def _reference(start: Path, reference: Path | None, config: TrainPolicy) -> PreTrainedModel | None:
    """The frozen model to compare with; None where it is the policy without its adapter."""
    if config.lora.rank and reference in (None, start):
        return None
    return checkpoint.load_model(reference or start, attention="sdpa")


def _save(trainer: LessonTrainer, model: Any, tokenizer: Any, start: Path, out: Path, config: TrainPolicy) -> None:
    """Write the checkpoint, from one process; the others wait for it."""
    weights = _gathered(trainer) if trainer.is_fsdp_enabled else None
    if trainer.is_world_process_zero():
        if config.lora.rank and config.lora.merged:
            model = model.merge_and_unload()
        elif config.lora.rank:
            if adapter.Adapter.at(start):
                raise InputError(f"policy {start}: is an adapter, expected lora.merged=true to train from it")
            model.peft_config["default"].base_model_name_or_path = str(start.resolve())
        checkpoint.save(model, tokenizer, out, weights)
    trainer.accelerator.wait_for_everyone()


def _gathered(trainer: LessonTrainer) -> dict[str, torch.Tensor]:
    """The whole weights out of the shards of all processes, on the first; tied ones once, as elsewhere."""
    tied: Any = getattr(trainer.model, "all_tied_weights_keys", {})
    whole: dict[str, torch.Tensor] = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    return {name: weight for name, weight in whole.items() if name not in tied}


@contextmanager
def _errors_alone() -> Iterator[None]:
    """Keep transformers from telling a resumed fit that intervals given as shares have become steps."""
    before = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)


# --- checkpoints within the fit -------------------------------------------------------------------------------------


@contextmanager
def _workspace(scratch: Path | None, key: str) -> Iterator[Path]:
    """A folder for checkpoints: that of the same training in `scratch`, kept if it fails, or a temporary one."""
    if scratch is None:
        with tempfile.TemporaryDirectory() as temporary:
            yield Path(temporary)
        return
    folder = scratch / "training" / key
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    shutil.rmtree(folder.parent, ignore_errors=True)


def _key(start: Path, reference: Path | None, *settings: object) -> str:
    """Stands for all that decides the weights: only the same training goes on from a checkpoint."""
    digest = blake2b(checkpoint.digest(start).encode(), digest_size=16)
    digest.update(checkpoint.digest(reference or start).encode())
    for setting in (*settings, _processes()):
        digest.update(repr(setting).encode())
    return digest.hexdigest()


# --- lessons --------------------------------------------------------------------------------------------------------


def _at_once(lessons: Sequence[Lesson], vocabulary: int, config: TrainPolicy) -> int:
    """How many lessons are evaluated in one pass: what fits into memory, and a process's share at most."""
    examples = [examples_of(lesson) for lesson in lessons]
    logits = vocabulary * max((len(one) * max(len(each.token_ids) for each in one) for one in examples), default=0)
    fit = max(config.batch_size, min(_EVAL_BATCH, _EVAL_LOGITS // max(logits, 1)))
    return min(fit, math.ceil(len(lessons) / _processes()))


def _processes() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def _check(lessons: Sequence[Lesson], name: str, loss: Loss, max_positions: int) -> None:
    learns = False
    for i, lesson in enumerate(lessons):
        if not isinstance(lesson, loss.lesson):
            kind, expected = type(lesson).__name__, loss.lesson.__name__
            raise InputError(f"policy training: {name}[{i}] is of kind {kind}, {loss} expected {expected}")
        sequences = loss.sequences([lesson])
        learns = learns or any(any(sequence.loss_mask[1:]) for sequence in sequences)
        if (tokens := max(len(sequence.token_ids) for sequence in sequences)) > max_positions:
            raise InputError(f"policy training: {name}[{i}] has {tokens} tokens, expected at most {max_positions}")
    if lessons and not learns:
        raise InputError(f"policy training: {name} have no token to learn, expected a solution after each prompt")
