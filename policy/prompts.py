"""From questions and steps to token ids, once: what was sampled is never tokenised again."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mcts.errors import InputError
from mcts.types import Continuation, Message, Step, StepEnd

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

QUESTION = "{question}"


@dataclass(frozen=True, slots=True)
class PromptFormat:
    r"""How a question is put to the policy, what ends a step, and what ends a solution.

    A state is the prompt's token ids followed by every step's own; a step's ids include the token that ended it.

    Attributes:
        template: Text with the place of the question; other braces are left alone. Examples for a few-shot prompt
            stand before the question.
        delimiter: Text that ends a step.
        chat: Whether the policy is asked as an assistant, in the words of its tokenizer's chat template.
        system: The system message of a chat; None leaves it to the chat template.
        final: Regular expression: the first step in which it is found completes the solution. None leaves that to the
            end of sequence.
        stop: Texts with which a policy that does not end by itself begins something new, such as the next question of
            a few-shot prompt: a solution is complete before the first of them.
    """

    template: str = QUESTION + "\n"
    delimiter: str = "\n"
    chat: bool = False
    system: str | None = None
    final: str | None = None
    stop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "stop", tuple(self.stop))
        if QUESTION not in self.template:
            raise InputError(f"prompt template {self.template!r}: expected the place of the question, {QUESTION}")
        if not self.delimiter:
            raise InputError("prompt delimiter: is empty, expected the text that ends a step")
        if self.system is not None and not self.chat:
            raise InputError("prompt system: is for chat prompts, expected chat=true beside it")
        if "" in self.stop:
            raise InputError("prompt stop: an empty text, expected what begins something new")
        try:
            re.compile(self.final or "")
        except re.error as error:
            raise InputError(f"prompt final {self.final!r}: {error}, expected a regular expression") from error

    @property
    def key(self) -> str:
        """All that it says, as text: part of an engine's fingerprint."""
        return json.dumps(asdict(self))

    def render(self, question: str) -> str:
        """The prompt as text; of a chat, the user's message."""
        return self.template.replace(QUESTION, question)

    def messages(self, question: str, before: Sequence[Message] = ()) -> list[dict[str, str]]:
        """The prompt as the messages of a chat, `role` and `content` each.

        Args:
            question: The user's last message.
            before: What was said until then; a system message in it takes the place of `system`.
        """
        said = [message._asdict() for message in before]
        if self.system is not None and not any(message.role == "system" for message in before):
            said.insert(0, {"role": "system", "content": self.system})
        return [*said, {"role": "user", "content": self.render(question).strip()}]

    def example(self, question: str, steps: Sequence[str]) -> dict[str, Any]:
        """A solution to learn from, as trainers take it: `prompt` and `completion`, texts or a chat's messages."""
        solution = self.delimiter.join(steps)
        if self.chat:
            return {"prompt": self.messages(question), "completion": [{"role": "assistant", "content": solution}]}
        return {"prompt": self.render(question), "completion": solution}

    def before_stop(self, text: str) -> str:
        """The text before the first of the `stop` texts."""
        return min((text.partition(stop)[0] for stop in self.stop), key=len, default=text).strip()

    def is_last(self, step: str) -> bool:
        """Whether a step completes the solution by what it says."""
        return self.final is not None and re.search(self.final, step) is not None

    def encode_prompt(
        self, tokenizer: PreTrainedTokenizerBase, question: str, before: Sequence[Message] = ()
    ) -> tuple[int, ...]:
        """The prompt's token ids; what was said `before` is part of a chat's only.

        Raises:
            InputError: The question has words that the tokenizer does not know, or a chat's tokenizer has no template.
        """
        if self.chat:
            if not tokenizer.chat_template:
                raise InputError("policy tokenizer: has no chat template, expected one or prompt.chat=false")
            messages = self.messages(question, before)
            prompt = str(tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False))
            token_ids = tuple(tokenizer(prompt, add_special_tokens=False)["input_ids"])
        else:
            prompt = self.render(question)
            token_ids = tuple(tokenizer(prompt)["input_ids"])
        _refuse_unknown(tokenizer, prompt, token_ids)
        return token_ids

    def encode_steps(
        self, tokenizer: PreTrainedTokenizerBase, steps: Sequence[str], is_complete: bool
    ) -> tuple[Step, ...]:
        """Steps written by others, as the policy would have generated them: each ends in the delimiter.

        Args:
            tokenizer: The policy's.
            steps: [K] texts without delimiters.
            is_complete: Whether the last step completes the solution: then it ends in end-of-sequence instead.

        Raises:
            InputError: A step contains the delimiter or words that the tokenizer does not know.
        """
        if not steps:
            return ()
        texts = [step + self.delimiter for step in steps]
        if is_complete:
            texts[-1] = steps[-1]
        for i, step in enumerate(steps):
            if self.delimiter in step:
                raise InputError(f"step {i} {step!r}: contains the step delimiter {self.delimiter!r}")
        encoded = []
        for step, text, ids in zip(steps, texts, tokenizer(texts, add_special_tokens=False)["input_ids"], strict=True):
            _refuse_unknown(tokenizer, text, ids)
            encoded.append(Step(step, tuple(ids)))
        if is_complete:
            last = encoded[-1]
            encoded[-1] = Step(last.text, (*last.token_ids, eos_of(tokenizer)), end=StepEnd.FINAL)
        return tuple(encoded)


def ended(steps: Continuation, prompt: PromptFormat) -> Continuation:
    """A continuation that is over with the first step that completes its solution by what it says.

    What was sampled beyond, without a stop for it, belongs to that step; its text ends before a text of `prompt.stop`.
    """
    for i, step in enumerate(steps):
        if not (prompt.is_last(step.text) or any(stop in step.text for stop in prompt.stop)):
            continue
        rest = steps[i:]
        text = prompt.before_stop(prompt.delimiter.join(one.text for one in rest))
        ids = tuple(token for one in rest for token in one.token_ids)
        logprobs = tuple(logprob for one in rest for logprob in one.logprobs)
        return (*steps[:i], Step(text, ids, logprobs, StepEnd.FINAL))
    return steps


def eos_of(tokenizer: PreTrainedTokenizerBase) -> int:
    """The end-of-sequence token. Raises `InputError` if the tokenizer has none."""
    if not isinstance(tokenizer.eos_token_id, int):
        raise InputError(
            f"tokenizer {tokenizer.name_or_path}: has no end-of-sequence token, which completes a solution"
        )
    return tokenizer.eos_token_id


def _refuse_unknown(tokenizer: PreTrainedTokenizerBase, text: str, token_ids: Sequence[int]) -> None:
    unknown = tokenizer.unk_token_id
    if unknown is None or unknown not in token_ids:
        return
    words = [word for word in text.split() if unknown in tokenizer(word, add_special_tokens=False)["input_ids"]]
    raise InputError(
        f"text {text.strip()!r}: the tokenizer does not know {', '.join(map(repr, words)) or 'its white space'}"
    )
