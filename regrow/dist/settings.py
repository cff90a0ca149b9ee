"""How many engines there are, and where."""

from __future__ import annotations

from dataclasses import dataclass, field

NONE, LOCAL, RAY = "none", "local", "ray"
KINDS = (NONE, LOCAL, RAY)


@dataclass(frozen=True, slots=True)
class Dist:
    """Where searches and generation run. Models are trained where the command was started; see `policy.train.launch`.

    Attributes:
        kind: `none` (one engine of each role, in or beside this process), `local` (workers are processes of this
            machine) or `ray` (actors of a Ray cluster); `dist=local` and so on choose them.
        workers: Engines of each role; each worker has a policy, a scorer and whoever else is asked.
        gpus: Devices of a worker; a part of one where several workers share it.
        cpus: Threads of a worker; also what Ray reserves.
        resources: Further resources that Ray reserves for a worker, by name.
        address: Of the Ray cluster; `auto` is the one that this machine belongs to, None starts one here.
        restarts: How many workers that died are replaced, between two trainings; then the others go on without them.
        patience_s: How long Ray may take to find room for a first worker, and that to load its engines.

    Raises:
        ValueError: Numbers that cannot be, or settings of another kind.
    """

    kind: str = NONE
    workers: int = 2
    gpus: float = 0.0
    cpus: int = 1
    resources: dict[str, float] = field(default_factory=dict)
    address: str | None = None
    restarts: int = 8
    patience_s: float = 1800.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind={self.kind}, expected one of {', '.join(KINDS)}")
        for name, least in (("workers", 1), ("cpus", 1), ("gpus", 0), ("restarts", 0)):
            if (amount := getattr(self, name)) < least:
                raise ValueError(f"{name}={amount}, expected {least} or more")
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise ValueError(f"gpus={self.gpus}, expected whole devices, or a part of one")
        if not self.patience_s > 0:
            raise ValueError(f"patience_s={self.patience_s}, expected more than 0")
        if self.kind != RAY and (self.address or self.resources):
            raise ValueError(f"address or resources with kind={self.kind}, expected dist=ray")

    def devices(self, place: int) -> list[int]:
        """The devices of the worker at `place`, both counted from 0; none where workers are given none."""
        first = int(place * self.gpus)
        return list(range(first, first + max(1, int(self.gpus)))) if self.gpus else []
