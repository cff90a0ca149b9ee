"""A policy trained with LaSeR as its own scorer: what it says of a reserved token at the end of each step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from mcts.errors import InputError
from mcts.types import Score, Ticket, Values
from policy import checkpoint
from policy.batch import batch_of, log_probabilities
from policy.decoding import ROW_BLOCK
from policy.examples import Example
from policy.lessons import Judged
from policy.losses import Laser
from policy.prompts import PromptFormat


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A request: its token ids, and the index of the last token of each prefix, the bare problem's first."""

    ticket: Ticket
    token_ids: tuple[int, ...]
    ends: tuple[int, ...]


class LaserScorer:
    """The policy's own reward of each prefix. Implements `mcts.ports.StepScorer`; no PRM is needed.

    The value of a prefix is beta (log pi(z_c|prefix) - reference), clipped to [0, 1]: r_s of `policy.losses.Laser`
    (arXiv 2510.14943), which is fitted at the ends of whole solutions. At the end of a step it is what the policy would
    say if the solution ended there.

    A value is bit for bit the same whatever else waits, for the reasons of `policy.decoding.ROW_BLOCK`: rows of a pass
    are equally long and fill whole blocks, and a pass runs on one thread.

    Args:
        model: In float32.
        loss: The constants that it was trained with.
        fingerprint: Digest of all of these.
        batch_rows: Most rows in one forward pass.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        prompt: PromptFormat,
        loss: Laser,
        fingerprint: str,
        batch_rows: int = 256,
    ) -> None:
        if loss.token >= model.config.vocab_size:
            raise InputError(f"laser token {loss.token}: the policy has {model.config.vocab_size} tokens")
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._prompt = prompt
        self._loss = loss
        self._batch_rows = batch_rows
        self.fingerprint = fingerprint
        self._waiting: list[_Waiting] = []

    @classmethod
    def load(cls, path: Path, loss: Laser, prompt: PromptFormat, *, batch_rows: int = 256) -> LaserScorer:
        """The scorer of a policy's directory. Raises `InputError` if it cannot be used."""
        constants = f"{loss.token} {loss.beta} {loss.reference}"
        parts = "\x1f".join((checkpoint.digest(path, prompt.key), constants))
        return cls(
            checkpoint.load_model(path, attention="eager"),
            checkpoint.load_tokenizer(path),
            prompt=prompt,
            loss=loss,
            fingerprint=blake2b(parts.encode(), digest_size=16).hexdigest(),
            batch_rows=batch_rows,
        )

    def submit(self, ticket: Ticket, request: Score) -> None:
        """Queue a request. Returns at once. Raises `InputError` if the policy has no words for it."""
        steps = request.state.steps
        problem = request.state.problem
        prompt = self._prompt.encode_prompt(self._tokenizer, problem.question, problem.before)
        lengths = accumulate((len(step.token_ids) for step in steps), initial=len(prompt))
        ids = (*prompt, *(token for step in steps for token in step.token_ids))
        self._waiting.append(_Waiting(ticket, ids, tuple(length - 1 for length in lengths)))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Values]]:
        """Answer everything that waits, if there is any time for it."""
        if timeout_s <= 0:
            return []
        waiting, self._waiting = self._waiting, []
        by_length: dict[int, list[_Waiting]] = defaultdict(list)
        for item in waiting:
            by_length[len(item.token_ids)].append(item)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return [
                reply
                for rows in by_length.values()
                for begin in range(0, len(rows), self._batch_rows)
                for reply in self._score(rows[begin : begin + self._batch_rows])
            ]
        finally:
            torch.set_num_threads(threads)

    @torch.inference_mode()
    def _score(self, rows: Sequence[_Waiting]) -> list[tuple[Ticket, Values]]:
        """Values of equally long rows, in one pass; logits only where a prefix of any of them ends."""
        places = sorted({end for row in rows for end in row.ends})
        whole = -(-len(rows) // ROW_BLOCK) * ROW_BLOCK
        ids = torch.tensor([rows[i % len(rows)].token_ids for i in range(whole)])
        logits = self._model(ids, logits_to_keep=torch.tensor(places)).logits
        told = logits.float().log_softmax(-1)[..., self._loss.token]
        values = (self._loss.beta * (told - self._loss.reference)).clamp(0.0, 1.0).tolist()
        at = {place: i for i, place in enumerate(places)}
        return [(row.ticket, tuple(values[i][at[end]] for end in row.ends)) for i, row in enumerate(rows)]


@torch.inference_mode()
def level(path: Path, solutions: Sequence[Example], token: int) -> float:
    """A policy's mean log pi(z_c|x, y) at the ends of solutions: c_ref of `Laser`.

    Raises:
        InputError: There are no solutions, or the policy cannot be used.
    """
    if not solutions:
        raise InputError("laser reference: no solutions, expected some to measure it at")
    model, loss = checkpoint.load_model(path, attention="sdpa"), Laser(token=token)
    total = 0.0
    for begin in range(0, len(solutions), 64):
        batch = batch_of(loss, [Judged(one, is_good=False) for one in solutions[begin : begin + 64]])
        total += float(log_probabilities(model, batch["input_ids"], batch["labels"]).sum())
    return total / len(solutions)
