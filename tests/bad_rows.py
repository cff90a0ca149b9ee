"""Files of rows that cannot be read: problems, recorded solutions, solutions with judged steps."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from bad_input import HERE, MODELS, BadCommand, with_models

RUN = f"run.dir={HERE}/run"
ABSENT = object()

VALUES: dict[str, Any] = {
    "absent": ABSENT,
    "null": None,
    "list": ["2 3 -> 5"],
    "object": {"a": 1},
    "true": True,
    "empty": "",
    "blank": " \t\n",
    "nan": float("nan"),
    "infinity": float("inf"),
    "half a character": "2 3 -> 5 \ud800",
    "nul": "2 3 -> \x00",
    "long": "1 " * 200_000 + "-> 3",
    "html": "<script>alert(1)</script>",
    "path": "../../../etc/passwd",
    "digits": "2 " + "9" * 5_000 + " -> 5",
    "empty list": [],
    "list of lists": [[]],
    "deep": [[[[{"a": []}]]]],
    "negative": -7,
    "large": 10**40,
    "fraction": 0.5,
    "list of nulls": [None, None],
    "nested text": [["a"]],
    "mixed list": ["a", 1, None],
    "list with an empty text": ["a", ""],
    "other numerals": "\uff12 \uff13 -> \uff15",
    "arrow": "->",
}
"""What stands where something else was expected."""

Content = bytes | Callable[[Path], None] | None


def _contents(row: Mapping[str, Any]) -> dict[str, Content]:
    """Files that hold no rows, made of a row that would do."""
    line = json.dumps(row).encode()
    return {
        "absent": None,
        "a folder": lambda path: path.mkdir(),
        "a loop of links": lambda path: path.symlink_to(path),
        "a broken link": lambda path: path.symlink_to(path.with_name("nowhere")),
        "empty": b"",
        "blank lines": b"\n \n\t\n",
        "cut off": line[: len(line) // 2],
        "cut off later": line + b"\n" + line[:-2],
        "two in a line": line + line,
        "a list": b"[" + line + b"]",
        "a list behind a row": line + b"\n[1, 2]",
        "a number": b"5",
        "a text": b'"2 3 -> 5"',
        "null": b"null",
        "true": b"true",
        "csv": b"problem,answer\n2 3 -> 5,5\n",
        "yaml": b"- problem: 2 3 -> 5\n  answer: 5\n",
        "python": str(dict(row)).encode(),
        "latin-1": line[:-1] + b', "x": "' + b'\xe9\xff"}',
        "utf-16": line.decode().encode("utf-16"),
        "byte order mark": b"\xef\xbb\xbf" + line,
        "nul bytes": b"\x00" * 100,
        "gzip": gzip.compress(line, mtime=0),
        "pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00}\x94.",
        "deep": b'{"a":' * 100_000,
        "deep lists": b"[" * 100_000,
        "a long number": b'{"problem": ' + b"9" * 10_000 + b"}",
        "a long line": b'{"problem": "' + b"x" * 3_000_000,
        "a comment": b"// rows\n" + line,
        "a trailing comma": line[:-1] + b",}",
        "single quotes": line.replace(b'"', b"'"),
        "html": b"<html><script>alert(1)</script></html>",
        "no object but keys": b'{"problem"}',
        "nothing known": b'{"foo": 1, "bar": 2}',
        "an empty object": b"{}",
    }


def _parquets(row: Mapping[str, Any]) -> dict[str, Content]:
    """Parquet files that hold no rows either."""

    def table(path: Path, columns: Mapping[str, Any]) -> None:
        pq.write_table(pa.table(columns), path)

    def cut(path: Path) -> None:
        table(path, {key: [value] for key, value in row.items()})
        path.write_bytes(path.read_bytes()[:-20])

    def scrambled(path: Path) -> None:
        table(path, {key: [value] * 50 for key, value in row.items()})
        content = bytearray(path.read_bytes())
        content[4:40] = b"\xff" * 36
        path.write_bytes(bytes(content))

    return {
        "absent parquet": None,
        "empty parquet": b"",
        "no parquet": b"PAR1" + b"\x00" * 40 + b"PAR1",
        "json as parquet": json.dumps(row).encode(),
        "cut off parquet": cut,
        "scrambled parquet": scrambled,
        "parquet without rows": lambda path: table(path, {key: pa.array([], pa.string()) for key in row}),
        "parquet of other columns": lambda path: table(path, {"foo": [1]}),
        "parquet of bytes": lambda path: table(path, {key: [b"\xff\xfe"] for key in row}),
        "parquet of nulls": lambda path: table(path, {key: pa.nulls(1) for key in row}),
        "parquet of times": lambda path: table(path, {key: pa.array([0], pa.timestamp("ns")) for key in row}),
        "parquet of lists": lambda path: table(path, {key: [[1, 2]] for key in row}),
    }


def _files(row: Mapping[str, Any], keys: tuple[str, ...]) -> Iterator[tuple[str, str, Content]]:
    """What is wrong, the file's name, and what it holds."""
    for name, content in _contents(row).items():
        yield name, "in.jsonl", content
    for name, content in _contents(row).items():
        if name in ("absent", "empty", "cut off", "a number", "null", "deep lists", "a long number", "html"):
            yield f"{name} .json", "in.json", content
    for name, content in _parquets(row).items():
        yield name, "in.parquet", content
    for key in keys:
        for name, value in VALUES.items():
            changed = {k: v for k, v in {**row, key: value}.items() if v is not ABSENT}
            lines = json.dumps(row | {"id": "first"}) + "\n" + json.dumps(changed)
            yield f"{key} {name}", "in.jsonl", lines.encode("utf-8", "surrogatepass")


def _maker(file: str, content: Content, beside: Mapping[str, bytes] = {}) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        for name, text in beside.items():
            (folder / name).write_bytes(text)
        if callable(content):
            content(folder / file)
        elif content is not None:
            (folder / file).write_bytes(content)

    return make


FINE_PROBLEMS = {"answer": ("html", "path", "half a character", "long", "digits", "nul", "other numerals", "arrow")}
"""Not fine, perhaps, but a gold answer may be any text or number, and `search` reads none."""


def problem_files() -> Iterator[BadCommand]:
    """Problem files for each command that reads them."""
    row = {"problem": "2 3 -> 5", "answer": "5", "id": "a"}
    commands = {
        "search": ["search", *with_models()],
        "generate": ["generate", RUN, *with_models()],
        "evaluate": ["evaluate", RUN, "strategies=[best_of_n]", "budgets=[10]", *with_models()],
    }
    for command, words in commands.items():
        keys = ("problem",) if command == "search" else ("problem", "answer", "id")
        for name, file, content in _files(row, keys):
            if name.startswith(("byte order mark", "id ", "answer ", "a list .json")):
                continue
            yield BadCommand(
                f"problems/{command}: {name}", [*words, f"problems={HERE}/{file}"], (file,), _maker(file, content)
            )
    for name in ("absent", "null", "empty", "blank", "true", "list", "object"):
        lines = [
            json.dumps(row),
            json.dumps({k: v for k, v in {**row, "id": "b", "answer": VALUES[name]}.items() if v is not ABSENT}),
        ]
        yield BadCommand(
            f"problems/answer {name}",
            [*commands["generate"], f"problems={HERE}/in.jsonl"],
            ("in.jsonl:2",),
            _maker("in.jsonl", "\n".join(lines).encode()),
        )
    twice = (json.dumps(row) + "\n") * 2
    for command, words in commands.items():
        yield BadCommand(
            f"problems/{command}: an id twice", [*words, f"problems={HERE}/in.jsonl"], ("in.jsonl:2",),
            _maker("in.jsonl", twice.encode()),
        )  # fmt: skip
        for source in ("nobody", "http://127.0.0.1:9/x.jsonl", "/dev/null", "a/b/c", "x.csv"):
            yield BadCommand(f"problems/{command}: {source}", [*words, f"problems={source}"], (source.split("/")[-1],))
    for column in ("problem", "answer"):
        yield BadCommand(
            f"problems/columns.{column}",
            [*commands["generate"], f"problems={HERE}/in.jsonl", f"columns.{column}=elsewhere"],
            ("elsewhere",),
            _maker("in.jsonl", json.dumps(row).encode()),
        )


def recordings() -> Iterator[BadCommand]:
    """Files of recorded solutions, and of their scores."""
    row = {"id": "a", "problem": "2 3 -> 5", "completions": ["2 + 3 = 5", "2 + 3 = 6"], "scores": [0.5, 0.25]}
    problems = json.dumps({"id": "a", "problem": "2 3 -> 5", "answer": "5"}).encode()
    words = ["evaluate", RUN, "policy=recorded", "prm=recorded", "strategies=[weighted_vote]", "budgets=[2]"]
    fine = (
        "nan", "half a character", "nul", "long", "html", "path", "digits", "other numerals", "arrow", "blank", "empty",
        "negative", "large", "fraction", "infinity", "list", "mixed list", "list with an empty text", "absent",
    )  # fmt: skip
    for name, file, content in _files(row, ("completions", "scores")):
        key, _, value = name.partition(" ")
        if name == "byte order mark" or (key == "completions" and value in fine):
            continue
        if key == "scores" and value in ("absent", "null", "empty list"):
            continue
        yield BadCommand(
            f"recorded/{name}",
            [*words, f"policy.recorded.path={HERE}/{file}", f"problems={HERE}/problems.jsonl"],
            (file,),
            _maker(file, content, {"problems.jsonl": problems}),
        )
    for name, scores in {"too many": [0.5] * 3, "too few": [0.5], "above 1": [1.5, 0.5], "below 0": [-1, 0.5]}.items():
        yield BadCommand(
            f"recorded/scores {name}",
            [*words, f"policy.recorded.path={HERE}/in.jsonl", f"problems={HERE}/problems.jsonl"],
            ("in.jsonl",),
            _maker("in.jsonl", json.dumps(row | {"scores": scores}).encode(), {"problems.jsonl": problems}),
        )
    others = {"problem": "2 4 -> 6", "id": "z", "answer": "6"}
    yield BadCommand(
        "recorded/another problem",
        [*words, f"policy.recorded.path={HERE}/in.jsonl", f"problems={HERE}/problems.jsonl"],
        ("in.jsonl",),
        _maker("in.jsonl", json.dumps(row).encode(), {"problems.jsonl": json.dumps(others).encode()}),
    )


def benches() -> Iterator[BadCommand]:
    """Files of the forms of ProcessBench and PRMBench."""
    process = {"id": "a", "problem": "2 3 -> 5", "steps": ["2 + 3 = 5"], "label": -1}
    steps = {
        "id": "a",
        "question": "2 3 -> 5",
        "modified_question": "2 3 -> 5",
        "modified_process": ["2 + 3 = 5"],
        "error_steps": [1],
        "classification": "domain",
    }
    words = ["evaluate", RUN, f"prm.path={MODELS}/prm"]
    texts = ("half a character", "nul", "html", "path", "digits", "other numerals", "arrow", "list", "blank", "empty")
    for form, row, keys in (
        ("process", process, ("steps", "label", "problem")),
        ("prm", steps, ("modified_process", "error_steps", "classification")),
    ):
        for name, file, content in _files(row, keys):
            key, _, value = name.partition(" ")
            if name == "byte order mark" or (form == "prm" and key not in keys):
                continue
            if key in ("problem", "classification", "steps", "modified_process") and value in texts:
                continue
            if (key, value) in (("error_steps", "empty list"), ("label", "absent")):
                continue
            yield BadCommand(
                f"bench/{form}: {name}", [*words, f"prm.bench=[{HERE}/{file}]"], (file,), _maker(file, content)
            )
