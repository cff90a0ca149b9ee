"""What came before, in memory that does not grow with it."""

from __future__ import annotations

import sqlite3
from hashlib import blake2b


class Seen:
    """Remembers texts by 63-bit digests, in a table of SQLite's that spills to disk.

    Of a hundred million texts, two are taken for the same by mistake with a chance of one in two thousand.
    """

    def __init__(self) -> None:
        self._table = sqlite3.connect("", isolation_level=None)  # a file of no name: it goes with the connection
        self._table.execute("PRAGMA synchronous = OFF")
        self._table.execute("PRAGMA journal_mode = OFF")
        self._table.execute("CREATE TABLE seen (text INTEGER PRIMARY KEY, number INTEGER)")

    def is_new(self, text: str) -> bool:
        """Whether `text` comes for the first time."""
        return bool(self._added(_key(text), 0))

    def first(self, text: str, number: int) -> int:
        """The number under which `text` came first: `number` itself, which it is remembered by, if it is new."""
        key = _key(text)
        if self._added(key, number):
            return number
        (first,) = self._table.execute("SELECT number FROM seen WHERE text = ?", (key,)).fetchone()
        return int(first)

    def _added(self, key: int, number: int) -> int:
        return self._table.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, number)).rowcount


def _key(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest()) >> 1
