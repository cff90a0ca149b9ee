"""The formats of `regrow export`, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa

from regrow.export import lm_eval, prms, trl, verl
from regrow.export.recipe import Recipe
from regrow.export.rows import COUNT, FLAG, MESSAGES, REAL, SPEECH, TEXT, Rows

PARQUET, JSONL = "parquet", "jsonl"


@dataclass(frozen=True, slots=True)
class Format:
    """How traces are written for another program.

    Attributes:
        rows: From a tree to rows.
        columns: Their names and types.
        loads: What opens it, for the card.
        suffix: `PARQUET` or `JSONL`.
        is_per_problem: Whether a problem that several rounds had counts once.
        name: The only file's, without its suffix; None for numbered files of the split.
        finish: What is left to write when all rows are.
    """

    rows: Rows
    columns: Mapping[str, pa.DataType]
    loads: str
    suffix: str = PARQUET
    is_per_problem: bool = False
    name: Callable[[Recipe], str] | None = None
    finish: Callable[[Path, Recipe], None] | None = None


_PAIR = {"prompt": SPEECH, "chosen": SPEECH, "rejected": SPEECH, "problem_id": TEXT}
_RATED = pa.struct({"text": TEXT, "rating": COUNT, "flagged": FLAG})
_CHOICE = pa.struct({"completions": pa.list_(_RATED), "human_completion": TEXT, "chosen_completion": COUNT})
_ARGUMENTS = pa.struct({"arg_0": TEXT, "arg_1": pa.struct({"until": pa.list_(TEXT)})})

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        "sft": Format(trl.sft, {"prompt": SPEECH, "completion": SPEECH, "problem_id": TEXT}, "TRL `SFTTrainer`"),
        "sft_messages": Format(trl.sft_messages, {"messages": MESSAGES, "problem_id": TEXT}, "TRL `SFTTrainer`"),
        "preference": Format(trl.preference, _PAIR, "TRL `DPOTrainer`"),
        "step_preference": Format(trl.step_preference, _PAIR, "TRL `DPOTrainer`"),
        "kto": Format(
            trl.kto,
            {"prompt": SPEECH, "completion": SPEECH, "label": FLAG, "problem_id": TEXT},
            "TRL `KTOTrainer`",
        ),
        "stepwise": Format(
            trl.stepwise,
            {
                "prompt": TEXT,
                "completions": pa.list_(TEXT),
                "labels": pa.list_(FLAG),
                "values": pa.list_(REAL),
                "problem_id": TEXT,
            },
            "TRL `PRMTrainer` (TRL up to 1.12)",
        ),
        "math_shepherd": Format(
            prms.math_shepherd, {"input": TEXT, "label": TEXT, "task": TEXT}, "trainers of Math-Shepherd's data", JSONL
        ),
        "prm800k": Format(
            prms.prm800k,
            {
                "labeler": TEXT,
                "timestamp": TEXT,
                "generation": COUNT,
                "is_quality_control_question": FLAG,
                "is_initial_screening_question": FLAG,
                "question": pa.struct(
                    {
                        "problem": TEXT,
                        "ground_truth_solution": TEXT,
                        "ground_truth_answer": TEXT,
                        "pre_generated_steps": pa.list_(TEXT),
                        "pre_generated_answer": TEXT,
                    }
                ),
                "label": pa.struct({"steps": pa.list_(_CHOICE), "total_time": COUNT, "finish_reason": TEXT}),
            },
            "readers of PRM800K",
            JSONL,
        ),
        "rlhflow": Format(prms.rlhflow, {"conversations": MESSAGES}, "RLHFlow's PRM training", JSONL),
        "verl": Format(
            verl.verl,
            {
                "data_source": TEXT,
                "prompt": MESSAGES,
                "ability": TEXT,
                "reward_model": pa.struct({"style": TEXT, "ground_truth": TEXT}),
                "extra_info": pa.struct({"split": TEXT, "index": COUNT, "problem_id": TEXT}),
            },
            "verl `RLHFDataset`, with a reward function of yours for the data source",
            is_per_problem=True,
        ),
        "lm_eval": Format(
            lm_eval.lm_eval,
            {
                "doc_id": COUNT,
                "doc": pa.struct({"id": TEXT, "question": TEXT, "answer": TEXT}),
                "target": TEXT,
                "arguments": pa.struct({"gen_args_0": _ARGUMENTS}),
                "resps": pa.list_(pa.list_(TEXT)),
                "filtered_resps": pa.list_(TEXT),
                "filter": TEXT,
                "metrics": pa.list_(TEXT),
                "doc_hash": TEXT,
                "prompt_hash": TEXT,
                "target_hash": TEXT,
                "exact_match": REAL,
            },
            "tools for the logs of lm-evaluation-harness",
            JSONL,
            is_per_problem=True,
            name=lm_eval.samples_name,
            finish=lm_eval.write_results,
        ),
    }
)
"""TRL's first, then those of process reward models, of reinforcement learning, of evaluations."""
