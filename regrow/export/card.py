"""The card of an exported folder: what `datasets.load_dataset` and the hub read, and what a person wants to know."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
from datasets import Features
from omegaconf import OmegaConf

from regrow import atomic, provenance
from regrow.export.formats import Format
from regrow.export.recipe import Recipe

CARD = "README.md"
_SOURCE = "Written by `regrow export`"


def write_card(
    folder: Path, name: str, form: Format, recipe: Recipe, schema: pa.Schema, *, trees: int, rows: int
) -> None:
    """Write the card of an export in the format `name` into `folder`, its files beside it."""
    pattern = f"{form.name(recipe) if form.name else f'{recipe.split}-*'}.{form.suffix}"
    size = sum(file.stat().st_size for file in folder.glob(pattern))
    head = {
        "configs": [{"config_name": "default", "data_files": [{"split": recipe.split, "path": pattern}]}],
        "dataset_info": {
            "config_name": "default",
            "features": Features.from_arrow_schema(schema)._to_yaml_list(),
            "splits": [{"name": recipe.split, "num_bytes": size, "num_examples": rows}],
            "download_size": size,
            "dataset_size": size,
        },
        "tags": ["regrow", "reasoning"],
    }
    told = {
        "format": f"`{name}`",
        "loaded by": form.loads,
        "rows": f"{rows:,}",
        "trees": f"{trees:,}",
        "task": f"`{recipe.task}`",
        "values": f"`{recipe.labels}` labels",
        "solutions a problem": "all" if recipe.per_problem is None else f"up to {recipe.per_problem} of each verdict",
        "margin of step preferences": str(recipe.margin),
        "source": f"commit `{provenance.commit()}`",
    }
    lines = [
        "---",
        OmegaConf.to_yaml(OmegaConf.create(head)).rstrip(),
        "---",
        f"# {recipe.task}, {name}",
        f"{_SOURCE} from verified search trees. `datasets.load_dataset(FOLDER)` opens it.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in told.items()),
    ]
    atomic.write_text(folder / CARD, "\n".join(lines) + "\n")


def is_export(folder: Path) -> bool:
    """Whether `folder` is an export, which another may replace."""
    card = folder / CARD
    return card.is_file() and _SOURCE in card.read_text(encoding="utf-8", errors="replace")
