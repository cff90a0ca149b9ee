"""The two ways to read values from vLLM: a head at every token, and the two words that could come next."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from hashlib import blake2b
from itertools import count
from typing import Any, Protocol

import numpy as np

from prm.encode import Encoded
from prm.engine import Engine
from prm.formats.format import Verdict

_REMEMBERED = 1 << 16
_numbers = count()


class Reading(Protocol):
    """Reads an engine. Works on the engine's loop only."""

    async def logits(self, encoded: Encoded) -> list[float]:
        """The logit at every position that is read, in order."""


class Pooled:
    """One pass over a solution, read wherever a step ends.

    vLLM does not read cached prefixes where every token's output is wanted.
    """

    def __init__(self, engine: Engine) -> None:
        from vllm import PoolingParams

        self._engine = engine
        self._pooling = PoolingParams(task="token_classify", use_activation=False)

    async def logits(self, encoded: Encoded) -> list[float]:
        """The logit at every position that is read, in order."""
        output = await self._engine.encode(list(encoded.token_ids), self._pooling.clone(), f"prm-{next(_numbers)}")
        logits = output.outputs.data.float()
        margins = logits[:, -1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]
        return [float(margins[position]) for position in encoded.reads]


class NextWord:
    """One token asked for where each step ends: the engine's cached prefixes leave only the newest step to compute.

    What is known of a prefix is remembered, and asked for once at a time.
    """

    def __init__(self, engine: Engine, verdict: Verdict) -> None:
        self._engine = engine
        self._verdict = verdict
        self._known: OrderedDict[bytes, asyncio.Task[float]] = OrderedDict()

    async def logits(self, encoded: Encoded) -> list[float]:
        """The logit at every position that is read, in order."""
        asked = [self._ask(encoded.token_ids[: position + 1]) for position in encoded.reads]
        return list(await asyncio.gather(*asked))

    def _ask(self, prefix: tuple[int, ...]) -> asyncio.Task[float]:
        key = blake2b(np.asarray(prefix, np.int64).tobytes(), digest_size=16).digest()
        task = self._known.get(key)
        if task is None or (task.done() and (task.cancelled() or task.exception())):
            task = self._known[key] = asyncio.get_running_loop().create_task(self._margin(prefix))
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return task

    async def _margin(self, prefix: tuple[int, ...]) -> float:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        sampling: Any = SamplingParams(
            max_tokens=1,
            temperature=0.0,
            logprob_token_ids=list(self._verdict),
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        output = await self._engine.generate(list(prefix), sampling, f"prm-{next(_numbers)}")
        told = output.outputs[0].logprobs[0]
        return float(told[self._verdict.good].logprob - told[self._verdict.bad].logprob)
