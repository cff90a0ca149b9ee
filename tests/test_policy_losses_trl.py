"""Our losses of pairs and verdicts beside TRL's on the same batch: same values, same gradients."""

import pytest
import torch
from datasets import Dataset

from policy.base import PolicySize, create
from policy.batch import batch_of, loss_of
from policy.checkpoint import load_model, load_tokenizer
from policy.examples import Example
from policy.lessons import Judged, Pair
from policy.losses import Dpo, Kto

trl = pytest.importorskip("trl")
kto_trainer = pytest.importorskip("trl.trainer.kto_trainer")
dpo_trainer = pytest.importorskip("trl.trainer.dpo_trainer")

SIZE = PolicySize(hidden=32, layers=1, heads=2, intermediate=32, max_positions=32)
QUIET = {"report_to": "none", "use_cpu": True, "bf16": False, "disable_tqdm": True, "per_device_train_batch_size": 4}
# prompt, chosen, rejected
WAYS = [([4, 5, 3], [6, 3, 7, 1], [5, 1]), ([6, 3], [4, 1], [4, 5, 3, 7, 1]), ([7, 7, 3], [5, 1], [6, 1])]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    paths = [tmp_path_factory.mktemp("trl") / name for name in ("policy", "reference")]
    for seed, path in enumerate(paths):
        create(tuple("abcd"), SIZE, path, seed=seed)
    return paths


@pytest.fixture(autouse=True)
def _apart(monkeypatch, tmp_path):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)


def example(prompt, solution):
    return Example((*prompt, *solution), (False,) * len(prompt) + (True,) * len(solution))


def ours(loss, lessons, folders):
    policy, reference = (load_model(path, attention="sdpa") for path in folders)
    return gradient(loss_of(loss, batch_of(loss, lessons), policy, reference), policy)


def theirs(trainer, config, batch, rows, folders, tmp_path):
    """What TRL's trainer makes of a batch of its own collator's."""
    policy, reference = (load_model(path, attention="sdpa") for path in folders)
    made = trainer(
        policy,
        reference,
        args=config(output_dir=str(tmp_path), **QUIET),
        train_dataset=Dataset.from_dict(rows),
        processing_class=load_tokenizer(folders[0]),
    )
    return gradient(made._compute_loss(policy, batch, return_outputs=False), policy)


def gradient(loss, model):
    loss.backward()
    return loss.item(), {name: weights.grad for name, weights in model.named_parameters() if weights.grad is not None}


def same(one, other):
    assert one[0] == pytest.approx(other[0], rel=1e-5)
    assert one[1].keys() == other[1].keys()
    assert all(torch.allclose(one[1][name], other[1][name], rtol=1e-4, atol=1e-6) for name in one[1])


@pytest.mark.parametrize(
    ("loss", "types", "weights"),
    [(Dpo(0.3), ["sigmoid"], [1.0]), (Dpo(0.3, "hinge"), ["hinge"], [1.0])],
)
def test_dpo_is_that_of_trl(loss, types, weights, folders, tmp_path):
    keys = ("prompt_ids", "chosen_ids", "rejected_ids")
    batch = dpo_trainer.DataCollatorForPreference(pad_token_id=0)([dict(zip(keys, way, strict=True)) for way in WAYS])
    rows = {"prompt": ["a b\n"], "chosen": ["c"], "rejected": ["d"]}

    def config(**settings):
        return trl.DPOConfig(beta=loss.beta, loss_type=types, loss_weights=weights, **settings)

    pairs = [Pair(example(prompt, chosen), example(prompt, rejected)) for prompt, chosen, rejected in WAYS]
    same(ours(loss, pairs, folders), theirs(trl.DPOTrainer, config, batch, rows, folders, tmp_path))


def test_kto_is_that_of_trl(folders, tmp_path):
    verdicts = (True, False, True)
    solutions = [way[1] for way in WAYS]
    items = [
        {"prompt_ids": way[0], "completion_ids": way[1], "KL_completion_ids": other, "label": verdict}
        for way, other, verdict in zip(WAYS, [*solutions[-1:], *solutions[:-1]], verdicts, strict=True)
    ]
    longest = max(len(way[0]) + len(way[1]) for way in WAYS)
    batch = kto_trainer.DataCollatorForUnpairedPreference(pad_token_id=0, max_length=longest)(items)
    rows = {"prompt": ["a b\n", "b\n"], "completion": ["c", "d"], "label": [True, False]}

    def config(**settings):
        return trl.KTOConfig(beta=0.3, desirable_weight=1.2, undesirable_weight=0.7, **settings)

    lessons = [Judged(example(*way[:2]), verdict) for way, verdict in zip(WAYS, verdicts, strict=True)]
    found = ours(Kto(0.3, 1.2, 0.7), lessons, folders)
    same(found, theirs(trl.KTOTrainer, config, batch, rows, folders, tmp_path))
    assert found[0] != pytest.approx(ours(Kto(0.3, 1.2, 0.7), lessons[:1], folders)[0])
