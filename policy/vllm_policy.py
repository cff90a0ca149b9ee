"""A policy in vLLM: requests go in at once, replies come as they are finished."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mcts.replies import Replies
from mcts.types import Continuation, Proposal, Propose, Step, StepEnd, Ticket, Until, tokens_in
from policy import checkpoint
from policy.adapter import Adapter, base_of
from policy.prompts import PromptFormat
from policy.token_states import TokenStates
from policy.vllm_engine import engine_of
from policy.vllm_settings import VllmSettings


class VllmPolicy:
    """Implements `mcts.ports.Policy`. Replies come as they are finished, in any order.

    A request is one of vLLM's, `n` continuations wide; what was sampled stays token ids, in prompts and in replies.
    Log-probabilities are raw: before temperature, before anything is forbidden. The engine caches prefixes. On most
    devices vLLM is not batch-invariant, so a reply may depend on its company; the journal keeps what was said. An
    adapter is laid over its base in the engine, request by request.

    Raises:
        InputError: vLLM is not installed, or cannot serve the checkpoint.
    """

    def __init__(self, path: Path, *, prompt: PromptFormat, settings: VllmSettings) -> None:
        self._states = TokenStates.at(path, prompt)
        self.fingerprint = checkpoint.digest(path, prompt.key, "vllm", repr(settings))
        self._replies: Replies[Proposal] = Replies("policy=vllm")
        self._tokens_generated = 0
        dtype = settings.dtype or str(checkpoint.load_config(path).dtype or "float32").removeprefix("torch.")
        base = base_of(path)
        adapter = Adapter.at(path)
        self._adapter = None if adapter is None else _as_request(adapter, self.fingerprint)
        self.engine = engine_of(
            base, checkpoint.digest(base), settings, dtype, lora_rank=0 if adapter is None else adapter.rank
        )

    @property
    def tokens_generated(self) -> int:
        """Tokens of all replies so far."""
        return self._tokens_generated

    def submit(self, ticket: Ticket, request: Propose) -> None:
        """Hand a request to the engine. Returns at once."""
        prefix = list(self._states.prefix(request.state))
        self.engine.soon(self._replies.answer(ticket, self._generate(ticket, request, prefix)))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Proposal]]:
        """Take the finished replies; wait up to `timeout_s` seconds if there are none.

        Raises:
            InputError: The engine has failed; what was answered before is in the journal.
        """
        arrived = self._replies.take(timeout_s)
        self._tokens_generated += sum(tokens_in(proposal) for _, proposal in arrived)
        return arrived

    # --- on the engine's thread -------------------------------------------------------------------------------------

    async def _generate(self, ticket: Ticket, request: Propose, prefix: list[int]) -> Proposal:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        room = self._states.window - len(prefix)
        if room <= 0:
            return ((Step("", end=StepEnd.TRUNCATED),),) * request.width
        sampling = SamplingParams(
            n=request.width if request.temperature > 0 else 1,
            temperature=request.temperature,
            # vLLM seeds the i-th of n siblings with seed + i; hashes are far apart.
            seed=request.seed >> 1,
            max_tokens=min(request.max_tokens, room),
            stop_token_ids=sorted(self._states.words.stops(request.until)),
            stop=list(self._states.stop),
            logit_bias=self._states.bias,
            logprobs=0,
            detokenize=bool(self._states.stop),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        output = await self.engine.generate(prefix, sampling, f"{ticket.tree}/{ticket.number}", self._adapter)
        drawn = sorted(output.outputs, key=lambda one: one.index)
        lines = tuple(self._continuation(one, request.until) for one in drawn)
        return lines if request.temperature > 0 else lines * request.width  # greedy ones are alike

    def _continuation(self, output: Any, until: Until) -> Continuation:
        ids = tuple(output.token_ids)
        logprobs = [of[token].logprob for token, of in zip(ids, output.logprobs, strict=True)]
        return self._states.continuation(ids, logprobs, until)


def _as_request(adapter: Adapter, fingerprint: str) -> Any:
    """The adapter as vLLM knows it: by a number that no other weights have."""
    from vllm.lora.request import LoRARequest

    return LoRARequest(fingerprint, int(fingerprint[:7], 16) + 1, str(adapter.path))
