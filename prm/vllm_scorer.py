"""A PRM in vLLM: requests go in at once, values come as they are finished."""

from __future__ import annotations

from pathlib import Path

from mcts.replies import Replies
from mcts.types import Score, Ticket, Values
from prm.calibration import value_from
from prm.checkpoint import fingerprint, read_config, read_tokenizer
from prm.encode import Encoded, check_length
from prm.engine import GENERATE, POOLING, StartEngine
from prm.formats import format_of
from prm.served import served
from prm.vllm_readings import NextWord, Pooled, Reading


class VllmScorer:
    """Implements `mcts.ports.StepScorer`. Replies come as they are finished, in any order.

    On most devices vLLM is not batch-invariant, so a value may depend on its company; the journal keeps what was said.

    Args:
        path: A model directory.
        start: Starts the engine.
        settings: Of the engine, spelt out: part of the fingerprint.
        format: A name of `prm.formats`; None goes by the directory's config.json.

    Raises:
        InputError: No such format, vLLM is not installed, or it cannot serve the checkpoint.
    """

    def __init__(self, path: Path, start: StartEngine, *, settings: str, format: str | None = None) -> None:
        config, tokenizer = read_config(path), read_tokenizer(path)
        how = format_of(format, config)
        self.fingerprint = fingerprint(path, format or "", "vllm", settings)
        self._encoder = how.encoder(tokenizer, config)
        self._value = value_from(path, how.activation(config))
        self._replies: Replies[Values] = Replies("prm=vllm")
        dtype = str(config.dtype or "float32").removeprefix("torch.")
        verdict = how.verdict(tokenizer)
        if verdict is None:
            folder = served(path, how, tokenizer, self.fingerprint)
            self._engine = start(folder, self.fingerprint, dtype, POOLING)
            self._reading: Reading = Pooled(self._engine)
            self._max_tokens = None
        else:
            self._engine = start(path, self.fingerprint, dtype, GENERATE)
            self._reading = NextWord(self._engine, verdict)
            # The word that could come next takes a place, too.
            self._max_tokens = int(config.max_position_embeddings) - 1

    def submit(self, ticket: Ticket, request: Score) -> None:
        """Hand a request to the engine. Returns at once. Raises `InputError` if the state cannot be encoded."""
        state = request.state
        encoded = self._encoder.encode(state.problem.question, state.steps)
        check_length(len(encoded.token_ids), state.problem.question, state.steps, self._max_tokens)
        self._engine.soon(self._replies.answer(ticket, self._values(encoded)))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Values]]:
        """Take the finished replies; wait up to `timeout_s` seconds if there are none. A value may be NaN.

        Raises:
            InputError: The engine has failed; what was answered before is in the journal.
        """
        return self._replies.take(timeout_s)

    # --- on the engine's thread -------------------------------------------------------------------------------------

    async def _values(self, encoded: Encoded) -> Values:
        logits = await self._reading.logits(encoded) if encoded.reads else []
        return encoded.values(dict(zip(encoded.reads, map(self._value, logits), strict=True)))
