"""Whether a tree can take what an engine replied."""

from __future__ import annotations

from math import isnan

from mcts.types import Proposal, Values

DEEPEST = 65535
"""Steps on the way to a node, at most: what a record of the forest can count."""

LARGEST_ID = 2**31 - 1
"""What a trace store can hold."""

ROUNDING = 1e-3
"""How far a log-probability may lie above 0: engines subtract in single precision."""


class BadReplyError(Exception):
    """An engine's reply that no tree can take: the tree is given up, the others go on."""


def check_proposal(proposal: Proposal, width: int, depth: int) -> None:
    """Check continuations of a node at `depth`, of which there should be `width`.

    Raises:
        BadReplyError: There are more or fewer, one has no step or too many, or there is no such text, token or chance.
    """
    if len(proposal) != width or not all(proposal):
        found = f"{len(proposal)} continuations" if all(proposal) else "a continuation without a step"
        raise BadReplyError(f"the policy gave {found}, expected {width} of at least one step")
    for continuation in proposal:
        if depth + len(continuation) > DEEPEST:
            raise BadReplyError(f"the policy gave {len(continuation)} steps at once, expected {DEEPEST} on one way")
        for step in continuation:
            _check_text(step.text)
            _check_tokens(step.token_ids, step.logprobs)


def _check_text(text: str) -> None:
    """Half a surrogate pair, as JSON can spell it, is no text that a file could hold."""
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadReplyError(f"the policy gave a text with {text[error.start]!r} in it, expected Unicode") from error


def _check_tokens(ids: tuple[int, ...], logprobs: tuple[float, ...]) -> None:
    if ids and not 0 <= min(ids) <= max(ids) <= LARGEST_ID:
        wrong = next(one for one in ids if not 0 <= one <= LARGEST_ID)
        raise BadReplyError(f"the policy gave the token {wrong}, expected 0 to {LARGEST_ID}")
    if not logprobs:
        return
    if len(logprobs) != len(ids):
        raise BadReplyError(f"the policy gave {len(logprobs)} log-probabilities of {len(ids)} tokens")
    if isnan(sum(logprobs)) or max(logprobs) > ROUNDING:
        wrong_one = next(one for one in logprobs if not one <= ROUNDING)
        raise BadReplyError(f"the policy gave the log-probability {wrong_one}, expected at most 0")


def check_values(values: Values, steps: int, engine: str) -> None:
    """Check the values of the prefixes of so many `steps`, the bare problem's included.

    Raises:
        BadReplyError: There are more or fewer, or one is not between 0 and 1.
    """
    if len(values) != steps + 1:
        raise BadReplyError(f"the {engine} gave {len(values)} values, expected {steps + 1}")
    if not all(0.0 <= value <= 1.0 for value in values):
        wrong = next(value for value in values if not 0.0 <= value <= 1.0)
        raise BadReplyError(f"the {engine} gave {wrong}, expected 0 to 1")
