"""The journal: every reply of an engine, in the order it arrived. It determines every tree.

A record is one line: the CRC-32 of the rest in hexadecimal, a space, and the JSON array
`[tree, ticket number, request digest, reply]`. Floats survive exactly. Where the clock stopped a search, the digest is
`stop` and the ticket the one that was not asked any more.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import blake2b
from typing import BinaryIO, Protocol
from zlib import crc32

from mcts.errors import InputError
from mcts.types import Proposal, Propose, Score, State, Step, StepEnd, Ticket, Values, tokens_in

STOP = "stop"
_FIRST = json.JSONDecoder()


class JournalError(InputError):
    """The journal is damaged, or was written by another configuration."""


def digest_of(fingerprint: str, request: Propose | Score) -> str:
    """Digest of all that decides the reply: the engine's weights and formats, and the whole request."""
    digest = blake2b(fingerprint.encode(), digest_size=12)
    digest.update(_spell(request.state))
    if isinstance(request, Propose):
        sampling = (
            request.width,
            request.until.value,
            request.temperature,
            request.max_tokens,
            request.seed,
            request.drawn,
        )
        digest.update(json.dumps(sampling).encode())
    return digest.hexdigest()


def _spell(state: State) -> bytes:
    problem, steps = state.problem, [(s.text, s.token_ids, s.end) for s in state.steps]
    return json.dumps([problem.question, steps, *([problem.before] if problem.before else [])]).encode()


class Recorder(Protocol):
    """What a scheduler needs of a journal, or of several; see `Journal`."""

    def recorded(self, ticket: Ticket, digest: str, asked: Propose | Score) -> Proposal | Values | None:
        """The recorded reply to `asked`, or None if there is none yet."""

    def holds(self, ticket: Ticket) -> bool:
        """Whether there is a record of `ticket` that was not replayed yet."""

    def is_stop(self, ticket: Ticket) -> bool:
        """Whether the clock stopped a search before `ticket`."""

    def append_stop(self, ticket: Ticket) -> None:
        """Record that the clock stopped a search before `ticket`."""

    def append(self, ticket: Ticket, digest: str, reply: Proposal | Values) -> None:
        """Record a reply."""

    def flush(self) -> None:
        """Hand what was appended to the operating system."""


class Journal:
    """Append-only record of replies, replayed on the next start.

    Args:
        stream: Opened for reading and appending in binary; a torn last record is cut off.

    Attributes:
        replayed: Replies given from the journal.
        tokens_replayed: Tokens of those that a policy had generated.
        appended: Replies recorded.

    Raises:
        JournalError: A record before the last one is damaged.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._replies: dict[Ticket, tuple[str, str]] = {}
        self.replayed = 0
        self.tokens_replayed = 0
        self.appended = 0
        self._load()

    def _load(self) -> None:
        self._stream.seek(0)
        whole = 0
        for number, line in enumerate(self._stream, start=1):
            record = _parse(line)
            if record is None:
                if self._stream.read(1):
                    raise JournalError(
                        f"journal record {number} is damaged: expected an intact record; delete the journal"
                    )
                break
            ticket, digest, reply = record
            self._replies[ticket] = (digest, reply)
            whole += len(line)
        self._stream.seek(whole)
        self._stream.truncate()

    def recorded(self, ticket: Ticket, digest: str, asked: Propose | Score) -> Proposal | Values | None:
        """The recorded reply to `asked`, or None if there is none yet.

        Raises:
            JournalError: The record answers another request.
        """
        record = self._replies.pop(ticket, None)
        if record is None or record[0] == STOP:
            return None
        if record[0] != digest:
            raise JournalError(
                f"journal of tree {ticket.tree}, ticket {ticket.number}: written by other weights or settings; "
                "expected the run that wrote it; delete the journal to search anew"
            )
        self.replayed += 1
        reply = json.loads(record[1])
        if isinstance(asked, Score):
            return tuple(reply)
        proposal = tuple(
            tuple(Step(text, tuple(ids), tuple(logprobs), StepEnd(end)) for text, ids, logprobs, end in continuation)
            for continuation in reply
        )
        self.tokens_replayed += tokens_in(proposal)
        return proposal

    def admit(self, records: Iterable[bytes]) -> None:
        """Take in records of another journal, as `tree_of` found them: they are replayed, and not written again."""
        for line in records:
            record = _parse(line)
            assert record is not None
            self._replies[record[0]] = record[1:]

    def holds(self, ticket: Ticket) -> bool:
        """Whether there is a record of `ticket` that was not replayed yet."""
        return ticket in self._replies

    def is_stop(self, ticket: Ticket) -> bool:
        """Whether the clock stopped a search before `ticket`."""
        return self._replies[ticket][0] == STOP

    def append_stop(self, ticket: Ticket) -> None:
        """Record that the clock stopped a search before `ticket`."""
        self.append(ticket, STOP, ())

    def append(self, ticket: Ticket, digest: str, reply: Proposal | Values) -> None:
        """Record a reply. It reaches the operating system with the next `flush`."""
        body = json.dumps([ticket.tree, ticket.number, digest, _plain(reply)], separators=(",", ":")).encode()
        self._stream.write(b"%08x %s\n" % (crc32(body), body))
        self.appended += 1

    def flush(self) -> None:
        """Hand what was appended to the operating system: it survives the death of this process."""
        self._stream.flush()


def tree_of(line: bytes) -> str | None:
    """The tree that a record is of; None if the line is not intact. Much quicker than reading the reply."""
    body = _body(line)
    return None if body is None else str(_FIRST.raw_decode(body.decode(), 1)[0])


def _plain(reply: Proposal | Values) -> object:
    return [
        [[s.text, s.token_ids, s.logprobs, s.end] for s in item] if isinstance(item, tuple) else item for item in reply
    ]


def _parse(line: bytes) -> tuple[Ticket, str, str] | None:
    """A record's ticket, digest and still encoded reply; None if the line is not intact."""
    body = _body(line)
    if body is None:
        return None
    tree, number, digest, reply = json.loads(body)
    return Ticket(tree, number), digest, json.dumps(reply)


def _body(line: bytes) -> bytes | None:
    checksum, _, body = line.rstrip(b"\n").partition(b" ")
    return body if line.endswith(b"\n") and checksum == b"%08x" % crc32(body) else None
