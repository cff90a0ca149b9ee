"""Model folders that cannot be used: files gone, cut off or of another kind, weights that do not fit, foreign code."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from bad_input import HERE, BadCommand, models, with_models
from safetensors.torch import load_file, save_file
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from policy.base import PolicySize, create
from prm import model as prm_model
from regrow.tasks.countdown import Countdown

SIZE = PolicySize(hidden=16, layers=1, heads=2, intermediate=16, max_positions=64)
WEIGHTS, CONFIG, TOKENIZER = "model.safetensors", "config.json", "tokenizer.json"
PAYLOAD = "payload_was_here"
Change = Callable[[Path], object]


def write_models(folder: Path) -> None:
    """A policy and a PRM of countdown, untrained."""
    create(Countdown().words(), SIZE, folder / "policy", seed=1)
    disable_progress_bar()
    set_verbosity_error()
    prm_model.create(folder / "policy", folder / "prm", activation=prm_model.SIGMOID)


class Payload:
    """Makes a file, in the working directory, of whoever unpickles it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {PAYLOAD}",)


def checkpoints() -> Iterator[BadCommand]:
    """Each broken policy at the door of `search`, each broken PRM there and at that of `evaluate`."""
    search = ["search", "2 3 -> 5", *with_models()]
    for kind in ("policy", "prm"):
        words = [*search, f"{kind}.path={HERE}/model"]
        for name, change in _changes(kind):
            yield BadCommand(f"checkpoint/{kind} {name}", words, ("/model",), _maker(kind, change))
    for name, change in _adapters().items():
        words = [*search, f"policy.path={HERE}/model"]
        yield BadCommand(f"checkpoint/adapter {name}", words, ("/model", "policy /"), _maker("policy", change))
    for path in (
        "/absent",
        "absent",
        "../absent",
        "/dev/null",
        "/etc/passwd",
        "''",
        "nobody/model",
        "https://x.invalid/m",
    ):
        for kind in ("policy", "prm"):
            given = [word for word in with_models() if not word.startswith(f"{kind}.path")]
            named = (path, "checkpoint", "PRM") if path == "''" else (path,)
            yield BadCommand(
                f"checkpoint/{kind}.path={path}", ["search", "2 3 -> 5", *given, f"{kind}.path={path}"], named
            )


def checkpoint(kind: str, change: str) -> Change:
    """Puts a broken policy or PRM into a folder, as `model`; the change by its name."""
    return _maker(kind, dict(_changes(kind))[change])


def _maker(kind: str, change: Change) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        shutil.copytree(models() / kind, folder / "model")
        change(folder / "model")

    return make


def _changes(kind: str) -> Iterator[tuple[str, Change]]:
    yield from _of_files()
    yield from _of_weights(list(load_file(models() / kind / WEIGHTS)))
    yield from _of_descriptions()
    yield from _of_folders()
    yield from _of_prm() if kind == "prm" else _of_ends()


def _of_files() -> Iterator[tuple[str, Change]]:
    for file in (WEIGHTS, CONFIG, TOKENIZER):
        for name, change in _BYTES.items():
            yield f"{file} {name}", lambda folder, f=file, c=change: c(folder / f)


def _of_weights(names: list[str]) -> Iterator[tuple[str, Change]]:
    for tensor in names:
        for name, change in _TENSOR.items():
            yield f"{tensor} {name}", lambda folder, t=tensor, c=change: weights(folder, t, c)


def _of_descriptions() -> Iterator[tuple[str, Change]]:
    for key, values in _CONFIG.items():
        for value in values:
            yield f"config {key}={value!r}"[:90], lambda folder, k=key, v=value: _json(folder / CONFIG, k, v)
    for key, value in _TOKENIZER.items():
        yield f"tokenizer {key}={value!r}"[:90], lambda folder, k=key, v=value: _json(folder / TOKENIZER, k, v)


def _of_prm() -> Iterator[tuple[str, Change]]:
    yield "a policy", lambda folder: (shutil.rmtree(folder), shutil.copytree(models() / "policy", folder))
    for key, value in {"activation": "tanh", "template": 5, "delimiter": ""}.items():
        section = {"activation": "sigmoid", "template": "{question}\n", "delimiter": "\n", key: value}
        yield f"prm.{key}={value!r}", lambda folder, s=section: _json(folder / CONFIG, "prm", s)
    for name, text in {"no JSON": "x", "a list": "[]", "unknown": '{"method": "luck"}'}.items():
        yield f"calibration {name}", lambda folder, t=text: (folder / "calibration.json").write_text(t)


def _of_ends() -> Iterator[tuple[str, Change]]:
    told = {"no JSON": "x", "a list": "[]", "a word": '{"eos_token_id": "end"}', "far": '{"eos_token_id": 10000000}'}
    for name, text in told.items():
        yield f"generation_config {name}", lambda folder, t=text: (folder / "generation_config.json").write_text(t)


def _of_folders() -> Iterator[tuple[str, Change]]:
    yield "pickled weights alone", lambda folder: (_pickled(folder, "pytorch_model.bin"), (folder / WEIGHTS).unlink())
    yield "pickle named safetensors", lambda folder: _pickled(folder, WEIGHTS)
    yield "code of its own", _code
    yield "index of weights elsewhere", lambda folder: _index(folder, "../../../etc/passwd")
    yield "index of absent weights", lambda folder: _index(folder, "model-00001-of-00002.safetensors")
    yield "a file in its place", lambda folder: (shutil.rmtree(folder), folder.write_bytes(b"x"))
    yield "an empty folder", lambda folder: (shutil.rmtree(folder), folder.mkdir())


_BYTES: dict[str, Change] = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-10]),
    "cut in half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "of nul bytes": lambda path: path.write_bytes(b"\x00" * 1000),
    "a list": lambda path: path.write_bytes(b"[]"),
    "null": lambda path: path.write_bytes(b"null"),
    "an empty object": lambda path: path.write_bytes(b"{}"),
    "of other bytes": lambda path: path.write_bytes(bytes(range(256)) * 8),
    "deep": lambda path: path.write_bytes(b"[" * 100_000),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "a loop of links": lambda path: (path.unlink(), path.symlink_to(path)),
    "a link to nowhere": lambda path: (path.unlink(), path.symlink_to("/absent/file")),
    "a link to /etc/passwd": lambda path: (path.unlink(), path.symlink_to("/etc/passwd")),
}

_TENSOR: dict[str, Callable[[torch.Tensor], torch.Tensor | None]] = {
    "gone": lambda tensor: None,
    "of another shape": lambda tensor: torch.zeros([size + 1 for size in tensor.shape]),
    "flat": lambda tensor: tensor.reshape(-1)[:1].clone(),
    "nan": lambda tensor: torch.full_like(tensor, float("nan")),
    "one nan": lambda tensor: tensor.index_fill(0, torch.tensor([0]), float("nan")),
    "infinite": lambda tensor: torch.full_like(tensor, float("inf")),
}

_CONFIG: dict[str, list[Any]] = {
    "hidden_size": [0, -1, 17, 10**9, "16", None, 1.5],
    "num_hidden_layers": [-1, 2, 10**6, "one"],
    "num_attention_heads": [0, 3, -2, 10**6],
    "num_key_value_heads": [0, 3],
    "vocab_size": [0, 1, -5, 10**9, "many"],
    "intermediate_size": [0, 1, -1],
    "max_position_embeddings": [0, -1, "long", None],
    "model_type": ["unheard_of", "", 5, None, "bert"],
    "architectures": [5],
    "hidden_act": ["explode"],
    "rms_norm_eps": ["small"],
    "dtype": ["complex256"],
    "rope_parameters": [{"rope_type": "spiral"}, 5],
}
_TOKENIZER: dict[str, Any] = {
    "model": {"type": "Oracle"}, "version": 7, "added_tokens": [{"id": "x"}], "pre_tokenizer": {"type": "Knife"},
    "decoder": 5, "normalizer": {"type": "Sequence"}, "post_processor": [],
}  # fmt: skip


def _json(path: Path, key: str, value: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))


def weights(folder: Path, name: str, change: Callable[[torch.Tensor], torch.Tensor | None]) -> None:
    """Change one tensor of a checkpoint; None takes it away."""
    found = load_file(folder / WEIGHTS)
    changed = change(found.pop(name))
    save_file(found if changed is None else found | {name: changed}, folder / WEIGHTS, {"format": "pt"})


def _pickled(folder: Path, name: str) -> None:
    (folder / name).write_bytes(pickle.dumps(Payload()))


def _code(folder: Path) -> None:
    """A class that transformers would run where it trusts what it reads."""
    (folder / "own.py").write_text(f"open({PAYLOAD!r}, 'w')\n")
    told = json.loads((folder / CONFIG).read_text())
    told |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}}
    (folder / CONFIG).write_text(json.dumps(told))


def _index(folder: Path, file: str) -> None:
    names = list(load_file(folder / WEIGHTS))
    (folder / WEIGHTS).rename(folder / "model-00003-of-00003.safetensors")
    told = {"metadata": {}, "weight_map": dict.fromkeys(names, file)}
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps(told))


def _adapters() -> dict[str, Change]:
    """Configurations of LoRA adapters beside weights that are none."""
    good = {"base_model_name_or_path": "BASE", "r": 4, "peft_type": "LORA", "task_type": "CAUSAL_LM"}
    bases = {"absent": "/absent", "none": None, "itself": ".", "above": "../../../..", "etc": "/etc", "nul": "\x00"}
    told: dict[str, Any] = {
        "no JSON": "x",
        "a list": [],
        "empty": {},
        "without a rank": {key: value for key, value in good.items() if key != "r"},
        "of rank many": good | {"r": "many"},
        "of rank -1": good | {"r": -1},
        "of another kind": good | {"peft_type": "SPELL"},
        "of other weights": good,
        **{f"of base {name}": good | {"base_model_name_or_path": base} for name, base in bases.items()},
    }

    def writing(content: Any) -> Change:
        def write(folder: Path) -> None:
            text = (
                content if isinstance(content, str) else json.dumps(content).replace("BASE", str(models() / "policy"))
            )
            (folder / "adapter_config.json").write_text(text)
            (folder / WEIGHTS).rename(folder / "adapter_model.safetensors")

        return write

    return {name: writing(content) for name, content in told.items()}
