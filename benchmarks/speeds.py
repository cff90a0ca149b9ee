"""How fast an engine is, reckoned: a pass over its batch takes the longer of reading memory and of computing.

Devices are as their makers' data sheets say, in bfloat16 without sparsity. What of that is reached are assumptions:
`BANDWIDTH` is what a published sweep of vLLM 0.23 with Llama-3.1-8B on an A100 of 40 GB reached with one request (75
tokens a second, johnmusgrave.com/p/vllm-throughput-latency-sweep-on); `COMPUTE`, `OVERHEAD_S`, `EXCHANGE_S` and
`TRAINING` are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from architectures import GIB, HALF, Architecture

BANDWIDTH = 0.77
COMPUTE = 0.5
OVERHEAD_S = 0.003
"""Of every pass: scheduling, sampling, launches."""
EXCHANGE_S = 20e-6
"""Of each of a layer's two exchanges between tensor-parallel devices, with a batch of some hundred tokens."""
TRAINING = 0.35
"""Share of a device's operations that training reaches."""


@dataclass(frozen=True, slots=True)
class Device:
    """A GPU.

    Attributes:
        gib: Memory.
        bandwidth: Bytes a second.
        operations: A second, in bfloat16.
    """

    name: str
    gib: int
    bandwidth: float
    operations: float

    @property
    def memory(self) -> float:
        """Bytes."""
        return float(self.gib * GIB)


RTX_4090 = Device("RTX 4090", 24, 1.008e12, 165e12)
A100_40 = Device("A100 40 GB", 40, 1.555e12, 312e12)
H100 = Device("H100 SXM", 80, 3.35e12, 989e12)


@dataclass(frozen=True, slots=True)
class Speed:
    """A model on `devices` tensor-parallel devices.

    Attributes:
        number_bytes: Of weights and cache: 2, or 1 in FP8, which computes twice as fast.
    """

    model: Architecture
    device: Device
    devices: int = 1
    number_bytes: int = HALF

    def decoding_s(self, running: float, context: float) -> float:
        """Seconds of a pass that adds a token to each of `running` sequences of `context` tokens."""
        scale = self.number_bytes / HALF
        read = scale * (HALF * self.model.linear + running * context * self.model.cache_bytes)
        reading = read / (self.devices * self.device.bandwidth * BANDWIDTH)
        exchanges = 2 * self.model.layers * EXCHANGE_S if self.devices > 1 else 0.0
        return max(reading, self.reading_s(running)) + OVERHEAD_S + exchanges

    def reading_s(self, tokens: float) -> float:
        """Seconds of computing `tokens` tokens at once: a prompt, or what a PRM is shown."""
        operations = self.devices * self.device.operations * COMPUTE * HALF / self.number_bytes
        return 2 * self.model.linear * tokens / operations

    def tokens_per_second(self, running: float, context: float) -> float:
        """Tokens generated a second."""
        return running / self.decoding_s(running, context)

    def training_s(self, tokens: float, *, is_frozen: bool) -> float:
        """Seconds of training on `tokens` tokens: six operations a parameter, or four where weights are frozen."""
        return (4 if is_frozen else 6) * self.model.linear * tokens / (self.devices * self.device.operations * TRAINING)
