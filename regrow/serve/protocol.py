"""Requests and replies as OpenAI's API has them (Chat Completions and Completions).

A field that a search cannot honour may be there with the value that asks for nothing; any other is refused.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from regrow.serve.settings import MOST_CHOICES

Text = Annotated[str, Field(min_length=1)]
Stop = Text | Annotated[list[Text], Field(max_length=4)]
One = Annotated[float, Field(ge=1, le=1)]
Zero = Annotated[float, Field(ge=0, le=0)]
Nothing = Annotated[dict[str, Any] | list[Any], Field(max_length=0)]


class Strict(BaseModel):
    """A part of a request: nothing in it goes unread."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class SearchOptions(Strict):
    """How to search: the extra field `regrow` of a request's body.

    Attributes:
        strategy: A preset of `conf/search`.
        tokens: Tokens that each search may generate.
        seconds: The deadline, from the arrival of the request on.
        trace: Whether the reply has the trees.
    """

    strategy: str | None = None
    tokens: int | None = Field(default=None, gt=0)
    seconds: float | None = Field(default=None, gt=0)
    trace: bool = False


class StreamOptions(Strict):
    """What a stream has beside the answer."""

    include_usage: bool = False
    include_obfuscation: Literal[False] = False


class Asked(Strict):
    """What both kinds of request have."""

    model: str
    n: int | None = Field(default=None, ge=1, le=MOST_CHOICES)
    stop: Stop | None = None
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    max_tokens: int | None = Field(default=None, gt=0)
    temperature: float | None = Field(default=None, ge=0, le=2)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    regrow: SearchOptions = SearchOptions()
    user: str | None = None
    top_p: One | None = None
    frequency_penalty: Zero | None = None
    presence_penalty: Zero | None = None
    logit_bias: Nothing | None = None

    @property
    def longest(self) -> int | None:
        """Tokens of an answer, at most."""
        return self.max_tokens


class TextPart(Strict):
    """A part of a message."""

    type: Literal["text"]
    text: str


class ChatMessage(Strict):
    """A message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]
    name: str | None = None

    @property
    def text(self) -> str:
        """What it says."""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class TextFormat(Strict):
    """The only format of a reply."""

    type: Literal["text"]


class ChatRequest(Asked):
    """The body of `/v1/chat/completions`."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    max_completion_tokens: int | None = Field(default=None, gt=0)
    logprobs: Literal[False] | None = None
    response_format: TextFormat | None = None
    store: Literal[False] | None = None
    tools: Nothing | None = None

    @property
    def longest(self) -> int | None:
        """Tokens of an answer, at most; the field is called by two names."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens


class CompletionRequest(Asked):
    """The body of `/v1/completions`."""

    prompt: str | Annotated[list[str], Field(min_length=1, max_length=1)]
    echo: Literal[False] | None = None
    best_of: One | None = None


# --- replies ----------------------------------------------------------------------------------------------------------


class Reply(BaseModel):
    """A part of a reply; the fields named in `absent` are left out where they have no value."""

    absent: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields: dict[str, Any] = handler(self)
        return {name: value for name, value in fields.items() if value is not None or name not in self.absent}


class Usage(Reply):
    """What a request cost: every token that its searches generated is a completion token."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Searched(Reply):
    """What a search says of its answer: the extra field `regrow` of a choice."""

    absent = ("tree",)
    strategy: str
    score: float | None
    accepted: bool | None
    tokens: int
    nodes: int
    seconds: float
    tree: list[dict[str, Any]] | None = None


FinishReason = Literal["stop", "length"]


class ChoiceOfAny(Reply):
    """An answer, or a piece of one."""

    absent = ("regrow",)
    index: int
    finish_reason: FinishReason | None
    logprobs: None = None
    regrow: Searched | None = None


class AssistantMessage(Reply):
    """An answer in a chat."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Delta(Reply):
    """A piece of an answer in a chat."""

    absent = ("role", "content")
    role: Literal["assistant"] | None = None
    content: str | None = None


class ChatChoice(ChoiceOfAny):
    """Of a `ChatCompletion`."""

    message: AssistantMessage


class ChatChunkChoice(ChoiceOfAny):
    """Of a `ChatChunk`."""

    delta: Delta


class TextChoice(ChoiceOfAny):
    """Of a `Completion`, whole or in pieces."""

    text: str


class ReplyOfAny(Reply):
    """A reply, or a piece of one."""

    absent = ("usage",)
    id: str
    created: int
    model: str
    usage: Usage | None = None


class ChatCompletion(ReplyOfAny):
    """The reply of `/v1/chat/completions`."""

    object: Literal["chat.completion"] = "chat.completion"
    choices: list[ChatChoice]


class ChatChunk(ReplyOfAny):
    """A piece of the same, streamed."""

    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    choices: list[ChatChunkChoice]


class Completion(ReplyOfAny):
    """The reply of `/v1/completions`, and its pieces."""

    object: Literal["text_completion"] = "text_completion"
    choices: list[TextChoice]


class Model(Reply):
    """A model: the policy with a strategy."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["regrow"] = "regrow"


class ModelList(Reply):
    """The reply of `/v1/models`."""

    object: Literal["list"] = "list"
    data: list[Model]
