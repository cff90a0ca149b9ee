"""The models of a round."""

from __future__ import annotations

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
    """

    policy: Path | None
    prm: Path | None = None
    exact: Path | None = None

    def digests(self) -> dict[str, str]:
        """For the inputs of a stage."""
        named = {"policy": self.policy, "prm": self.prm, "exact": self.exact}
        return {name: provenance.digest_dir(path) for name, path in named.items() if path is not None}
