"""The policy as its own critic, asked about a state: is it finished (ReST-MCTS*, 2406.03816, section 3.3), or other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from mcts.errors import InputError
from mcts.types import Score, Step, Ticket, Values
from policy import checkpoint
from policy.prompts import PromptFormat


@dataclass(frozen=True, slots=True)
class CriticFormat:
    """How the policy is asked: `question` goes behind the solution, and the first tokens of two words are weighed."""

    question: str = "Is the solution complete ? Answer yes or no :"
    yes: str = "yes"
    no: str = "no"


@dataclass(frozen=True, slots=True)
class JudgeFormat(CriticFormat):
    """How it is asked whether a step, shown behind another, says the same (AlphaLLM, 2404.12253, section 4.3.3)."""

    question: str = "Do the last two steps say the same ? Answer yes or no :"


class SelfCritic:
    """The probability of `yes` against `no` as the policy's next token. Implements `mcts.ports.StepScorer`.

    Only the whole state is judged: the values of the prefixes before it, which nobody asks for, are 0.

    Raises:
        InputError: The tokenizer does not know the question, or tells yes and no by the same token.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        prompt: PromptFormat,
        asked: CriticFormat,
        fingerprint: str,
    ) -> None:
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._prompt = prompt
        self.fingerprint = fingerprint
        self._question = words_of(tokenizer, asked.question)
        self._end = tokenizer.eos_token_id
        self._yes, self._no = words_of(tokenizer, asked.yes)[0], words_of(tokenizer, asked.no)[0]
        if self._yes == self._no:
            raise InputError(f"policy critic: {asked.yes!r} and {asked.no!r} begin with the same token")
        self._waiting: list[tuple[Ticket, int, tuple[int, ...]]] = []

    @classmethod
    def load(
        cls,
        path: Path,
        asked: CriticFormat,
        prompt: PromptFormat,
    ) -> SelfCritic:
        """The critic of a policy's directory. Raises `InputError` if it cannot be asked."""
        parts = (checkpoint.digest(path, prompt.key), asked.question, asked.yes, asked.no)
        return cls(
            checkpoint.load_model(path, attention="eager"),
            checkpoint.load_tokenizer(path),
            prompt=prompt,
            asked=asked,
            fingerprint=blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest(),
        )

    def submit(self, ticket: Ticket, request: Score) -> None:
        """Queue a request. Returns at once."""
        steps = request.state.steps
        problem = request.state.problem
        prompt = self._prompt.encode_prompt(self._tokenizer, problem.question, problem.before)
        ids = (*prompt, *(token for step in steps for token in self._shown(step)), *self._question)
        self._waiting.append((ticket, len(steps), ids))

    @torch.inference_mode()
    def poll(self, timeout_s: float) -> list[tuple[Ticket, Values]]:
        """Answer everything that waits; rows of equal length share a pass, so that nothing is padded."""
        if timeout_s <= 0:
            return []
        waiting, self._waiting = self._waiting, []
        by_length: dict[int, list[tuple[Ticket, int, tuple[int, ...]]]] = defaultdict(list)
        for item in waiting:
            by_length[len(item[2])].append(item)
        replies: list[tuple[Ticket, Values]] = []
        for rows in by_length.values():
            logits = self._model(torch.tensor([ids for _, _, ids in rows]), logits_to_keep=1).logits[:, -1]
            shares = torch.softmax(logits[:, [self._yes, self._no]].float(), dim=-1)[:, 0].tolist()
            replies += [
                (ticket, (*[0.0] * steps, share)) for (ticket, steps, _), share in zip(rows, shares, strict=True)
            ]
        return replies

    def _shown(self, step: Step) -> tuple[int, ...]:
        """A step's tokens as sampled; of a last one, as if it went on, since something stands behind it."""
        if not step.token_ids or step.token_ids[-1] != self._end:
            return step.token_ids
        return tuple(self._tokenizer(step.text + self._prompt.delimiter, add_special_tokens=False)["input_ids"])


def words_of(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[int, ...]:
    """Token ids of a text of the critic's. Raises `InputError` if it is empty, or the tokenizer has no word for it."""
    ids = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
    if not ids or tokenizer.unk_token_id in ids:
        raise InputError(f"policy critic: the policy's tokenizer has no words for {text!r}, expected another question")
    return ids
