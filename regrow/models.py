"""The models of a round."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from regrow import provenance


@dataclass(frozen=True, slots=True)
class Models:
    """The models of a round, as checkpoint directories.

    Attributes:
        policy: None where a server has it: then nothing can be learned.
        prm: None in a line that has none.
        exact: The PRM's yardstick: the same model trained on the same steps with exact labels.
        process: A PRM beside `prm`, which is a search's value function then; None where no such critic is asked.
        outcome: The outcome reward model; None likewise.
    """

    policy: Path | None
    prm: Path | None = None
    exact: Path | None = None
    process: Path | None = None
    outcome: Path | None = None

    def digests(self) -> dict[str, str]:
        """For the inputs of a stage."""
        named = ((item.name, getattr(self, item.name)) for item in dataclasses.fields(self))
        return {name: provenance.digest_dir(path) for name, path in named if path is not None}
