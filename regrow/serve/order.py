"""What a request wants, understood: a question, a strategy, and limits that can be kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcts.budget import Budget
from mcts.errors import InputError
from mcts.search import Auto, Search
from mcts.types import Message, Problem
from mcts.walk import Query
from policy.prompts import PromptFormat
from regrow.answering import problem_of
from regrow.serve.catalogue import Catalogue
from regrow.serve.errors import bad_request
from regrow.serve.protocol import Asked, ChatMessage, ChatRequest, CompletionRequest
from regrow.serve.settings import ServeSettings
from regrow.strategy import Strategy
from regrow.tasks.task import Task

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Order:
    """What one request wants.

    Attributes:
        model: As the client named it.
        prompt_tokens: 0 where no tokenizer is at hand.
        budget: Of each search, the deadline aside.
        seconds: The deadline, from the arrival on.
        seed: Of the first answer's search; those of the others follow from it.
        answers: How many searches, each with an answer of its own.
        stop: Texts before which an answer ends.
        longest: Tokens of an answer; what is longer is cut after the last step that fits.
        trace: Whether the trees are wanted.
    """

    model: str
    problem: Problem
    prompt_tokens: int
    strategy: Strategy
    budget: Budget
    seconds: float
    seed: int
    answers: int
    stop: tuple[str, ...]
    longest: int | None
    trace: bool

    def queries(self, seconds: float) -> list[Query]:
        """The searches, with `seconds` left to them. The first is the one that `regrow search` does with this seed."""
        budget = dataclasses.replace(self.budget, seconds=min(seconds, self.budget.seconds or seconds))
        seeds = [(self.seed, "ask"), *((self.seed, "ask", i) for i in range(1, self.answers))]
        return [self.strategy.query(self.problem, budget, *seed) for seed in seeds]


@dataclass(frozen=True, slots=True)
class Prompts:
    """How questions are read and put.

    Attributes:
        tokenizer: None where the policy's is not at hand.
        longest: Tokens of a prompt, or bytes without a tokenizer.
    """

    task: Task
    form: PromptFormat
    tokenizer: PreTrainedTokenizerBase | None
    longest: int

    def problem(self, question: str, before: Sequence[Message] = ()) -> tuple[Problem, int]:
        """The problem, and the tokens of its prompt.

        Raises:
            ApiError: The task cannot read it, the policy has no words for it, or it is too long.
        """
        try:
            question.encode()
        except UnicodeEncodeError as error:
            told = "the question has half of a character, expected whole ones"
            raise bad_request(told, code="unreadable_question") from error
        try:
            problem = dataclasses.replace(
                problem_of(self.task, question), before=tuple(before) if self.form.chat else ()
            )
            tokens = self._tokens(problem)
        except (InputError, ValueError) as error:
            raise bad_request(str(error), code="unreadable_question") from error
        length = sum(len(text.encode()) for text in (question, *(said.content for said in before)))
        if (length if tokens is None else tokens) > self.longest:
            found = f"{length} bytes" if tokens is None else f"{tokens} tokens"
            raise bad_request(f"a prompt of {found}, expected at most {self.longest}", code="context_length_exceeded")
        return problem, tokens or 0

    def _tokens(self, problem: Problem) -> int | None:
        if self.tokenizer is None:
            return None
        return len(self.form.encode_prompt(self.tokenizer, problem.question, problem.before))


@dataclass(frozen=True, slots=True)
class Orders:
    """Reads requests.

    Attributes:
        budget: Where a request names none.
        seed: Likewise.
    """

    catalogue: Catalogue
    prompts: Prompts
    settings: ServeSettings
    budget: Budget
    seed: int

    def of_chat(self, request: ChatRequest) -> Order:
        """The user's last message is the question; what was said before is shown to policies that chat alone."""
        *before, last = request.messages
        if last.role != "user":
            raise bad_request(f"the last message is the {last.role}'s, expected the user's", "messages")
        return self._order(request, last.text, [_said(message) for message in before])

    def of_completion(self, request: CompletionRequest) -> Order:
        """The prompt is the question."""
        return self._order(request, request.prompt if isinstance(request.prompt, str) else request.prompt[0])

    def _order(self, request: Asked, question: str, before: Sequence[Message] = ()) -> Order:
        options, most = request.regrow, self.settings.max_tokens
        strategy = self.catalogue.strategy(request.model, options.strategy)
        if request.stream_options is not None and not request.stream:
            raise bad_request("stream_options without a stream, expected stream=true beside them", "stream_options")
        for name, tokens in (("max_tokens", request.longest), ("regrow.tokens", options.tokens)):
            if tokens is not None and tokens > most:
                raise bad_request(f"{name}={tokens}, expected at most {most}", name)
        problem, prompt_tokens = self.prompts.problem(question, before)
        stop = request.stop or ()
        return Order(
            model=request.model,
            problem=problem,
            prompt_tokens=prompt_tokens,
            strategy=_at_temperature(strategy, request.temperature),
            budget=self.budget if options.tokens is None else dataclasses.replace(self.budget, tokens=options.tokens),
            seconds=min(options.seconds or self.settings.deadline_s, self.settings.deadline_s),
            seed=self.seed if request.seed is None else request.seed,
            answers=request.n or 1,
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            longest=request.longest,
            trace=options.trace,
        )


def _said(message: ChatMessage) -> Message:
    return Message("system" if message.role == "developer" else message.role, message.text)


def _at_temperature(strategy: Strategy, temperature: float | None) -> Strategy:
    """The strategy with draws of this temperature."""
    if temperature is None:
        return strategy
    return dataclasses.replace(strategy, search=_drawing_at(strategy.search, temperature))


def _drawing_at(search: Any, temperature: float) -> Search:
    """The search with draws of this temperature; `auto` draws as the search within it does."""
    if isinstance(search, Auto):
        return dataclasses.replace(search, tree=dataclasses.replace(search.tree, temperature=temperature))
    drawing: Search = dataclasses.replace(search, temperature=temperature)
    return drawing
