"""How many problems the policy is to make, in which ways, and which of them are kept."""

from __future__ import annotations

from dataclasses import dataclass, field

from mcts.errors import InputError
from policy.prompts import PromptFormat
from regrow.imagine.ways import WAYS


@dataclass(frozen=True, slots=True)
class Imagination:
    """The policy's own problems.

    Attributes:
        count: How many the policy is asked for, by `ways` in turn; the filters leave fewer. 0 asks for none.
        ways: Names of `regrow.imagine.ways`.
        templates: Way -> what the policy is asked, with the places `{question}` and `{examples}`.
        examples: Questions at `{examples}`.
        form: The prompt format of the asking, which need not be that of solving. The whole reply is the question.
        temperature: Of the asking. Solutions are drawn as warm as the search draws.
        samples: Solutions drawn for each candidate, to see whether they agree.
        agreement: Least share of the samples that must have the most frequent answer.
        too_easy: Largest such share; 1 keeps what is always answered alike.
        near_duplicate: Similarity of two questions with the same numbers, from 0 to 1, from which on the later one is
            dropped: one minus the indel distance over the length of both. None drops equal ones only.
        ngram: Words in a row that a question may not share with a held-out one; None holds whole questions against
            each other, and what `Task.is_training` says.
        decontaminate: Files or data sets of further questions that must not come up.

    Raises:
        InputError: A setting that cannot be.
    """

    count: int = 0
    ways: tuple[str, ...] = ()
    templates: dict[str, str] = field(default_factory=dict)
    examples: int = 3
    form: PromptFormat = PromptFormat()  # noqa: RUF009 - frozen
    temperature: float = 1.0
    samples: int = 8
    agreement: float = 0.5
    too_easy: float = 1.0
    near_duplicate: float | None = 0.95
    ngram: int | None = 13
    decontaminate: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("ways", "decontaminate"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        least = {"count": 0, "examples": 0, "temperature": 0, "samples": 1, "ngram": 1}
        for name, bound in least.items():
            if (found := getattr(self, name)) is not None and found < bound:
                raise InputError(f"imagine.{name}={found}: expected {bound} or more")
        if not 0.0 < self.agreement <= self.too_easy <= 1.0:
            raise InputError(
                f"imagine.agreement={self.agreement}, too_easy={self.too_easy}: expected shares of at most 1, in order"
            )
        if self.near_duplicate is not None and not 0.0 < self.near_duplicate <= 1.0:
            raise InputError(f"imagine.near_duplicate={self.near_duplicate}: expected more than 0 and up to 1")
        if self.count and not self.ways:
            raise InputError(f"imagine.count={self.count}: no ways, expected imagine=arithmetic, imagine=llm, or ways")
        for name in self.ways:
            self.template(name)

    def template(self, way: str) -> str:
        """What the policy is asked for a problem of this way.

        Raises:
            InputError: There is no such way, or no template of it, or one without a place that it needs.
        """
        if way not in WAYS:
            raise InputError(f"imagine.ways: {way}, expected some of {', '.join(WAYS)}")
        if way not in self.templates:
            raise InputError(f"imagine.templates.{way}: missing, expected imagine=arithmetic, imagine=llm, or a text")
        template = self.templates[way]
        if complaint := WAYS[way].complaint(template):
            raise InputError(f"imagine.templates.{way}={template!r}: {complaint}")
        return template
