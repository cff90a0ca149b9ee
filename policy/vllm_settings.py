"""How vLLM is started."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class VllmSettings:
    """What the engine is started with; see vLLM's engine arguments of the same names.

    Attributes:
        dtype: None takes the checkpoint's own (vLLM's `auto` would halve float32).
        max_num_seqs: Continuations generated at once.
        gpu_memory_utilization: Share of the device's memory; the PRM's is beside it.
        cpu_kv_gib: GiB of key-value cache where there is no GPU.
        enforce_eager: Compile nothing: starts sooner, runs slower.
        devices: Those that the engine may use, such as `"1"` or `"2,3"`, counted among those of its process; empty for
            all. They decide no reply.
    """

    dtype: str | None = None
    max_num_seqs: int = 256
    gpu_memory_utilization: float = 0.8
    cpu_kv_gib: int = 1
    enforce_eager: bool = False
    devices: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if self.max_num_seqs < 1 or self.cpu_kv_gib < 1 or not 0 < self.gpu_memory_utilization <= 1:
            raise ValueError(f"expected positive sizes and a share of memory up to 1, got {self}")
        if not all(one.isdecimal() for one in self.devices.split(",") if self.devices):
            raise ValueError(f"devices={self.devices}, expected numbers with commas between them")

    @property
    def device_numbers(self) -> list[int]:
        """The devices; none for all."""
        return [int(one) for one in self.devices.split(",") if one]
