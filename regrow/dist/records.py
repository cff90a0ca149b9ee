"""What stands in the journals of workers that are gone."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

from mcts.journal import JournalError, tree_of
from regrow import atomic

JOURNAL_FILE = "journal.txt"


class Records:
    """Finds records by their tree. In memory is only where they lie.

    The journal of a worker is read once. Where it was cut off and lives all the same, what it writes later counts for
    nothing: how far its journal was read is noted beside it, for later starts, too.
    """

    def __init__(self) -> None:
        self._paths: list[Path] = []
        self._places: dict[str, array[int]] = {}

    @classmethod
    def of_workers(cls, scratch: Path) -> Records:
        """Those of all workers that ever had a folder in `scratch`."""
        records = cls()
        for path in sorted(scratch.glob(f"worker-*/{JOURNAL_FILE}")):
            records.add(path)
        return records

    def add(self, path: Path, *, goes_on: bool = False) -> None:
        """Read a journal; a torn last record is left out.

        Args:
            goes_on: Somebody may rightly write on later.

        Raises:
            JournalError: A record before the last one is damaged.
        """
        end = path.with_suffix(".end")
        limit = int(end.read_text(encoding="utf-8")) if end.exists() else path.stat().st_size
        place = 0
        with path.open("rb") as stream:
            for line in stream:
                if place + len(line) > limit:
                    break
                if (tree := tree_of(line)) is None:
                    if place + len(line) < limit:
                        raise JournalError(f"{path}: damaged at byte {place}, expected intact records; delete it")
                    break
                self._places.setdefault(tree, array("q")).extend((len(self._paths), place, len(line)))
                place += len(line)
        self._paths.append(path)
        if not goes_on:
            atomic.write_text(end, str(place))

    def __iter__(self) -> Iterator[str]:
        """The trees."""
        return iter(self._places)

    def of(self, tree: str) -> list[bytes]:
        """The records of a tree."""
        records, places = [], self._places.get(tree, array("q"))
        for number, place, length in zip(places[::3], places[1::3], places[2::3], strict=True):
            with self._paths[number].open("rb") as stream:
                stream.seek(place)
                records.append(stream.read(length))
        return records
