"""`regrow view`: what goes into the page and from where, and that no text in it is ever markup."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import numpy as np
import pytest
from grown import TASK, verified_tree
from trees_by_hand import HOSTILE, small, tree_of

from mcts.errors import InputError
from mcts.tree import Flag
from mcts.types import Outcome
from regrow import atomic
from regrow.answer import Answer
from regrow.cli import DONE, UNUSABLE, main
from regrow.manifest import Manifest
from regrow.report import Report, Round, eval_row
from regrow.tasks.task import Split
from regrow.trace_store import write_trees
from regrow.verified import VerifiedTree
from regrow.view.page import SCRIPTS, page
from regrow.view.searched import searched_problems
from regrow.view.stored import stored_problems
from regrow.view.tree_data import problem_data, tree_data

# --- columns ----------------------------------------------------------------------------------------------------------


def test_the_columns_of_a_tree_are_those_reckoned_by_hand():
    data = tree_data(small(), "round 1")
    assert data["parent"] == [-1, 0, 0, 1, 1, 2]
    assert data["text"] == ["", "first add", "guess", "it is 3", "it is 4", "no idea"]
    assert data["tokens"] == [None, 2, 2, 2, 2, 2]
    assert data["visits"] == [3, 2, 1, 1, 1, 1]
    assert data["q"] == [0.0, 0.25, 1.0, 1.5, 2.0, 2.5]
    assert data["value"] == [None, 0.5, 0.3333, 0.25, 0.2, 0.1667]
    assert data["prior"] == [None, 0.5, 0.3333, 0.25, 0.2, 0.1667]
    assert data["soft"][1:] == [0.5, 0.0, 1.0, 0.0, 0.0]
    assert data["verdicts"] == {3: "correct", 4: "wrong", 5: "unparsed"}
    assert data["answers"] == {3: "a3", 4: "a4", 5: "a5"}
    assert data["ends"] == {3: "final", 4: "final", 5: "final"}
    assert (data["answer"], data["where"], data["strategy"], data["failure"]) == (3, "round 1", "by_hand", "")


def test_a_node_without_visits_has_no_q_and_one_without_tokens_no_count():
    tree = small().tree
    steps = (None, replace(tree.steps[1], token_ids=(), logprobs=()), *tree.steps[2:])
    bare = replace(tree, visits=np.array([4, 2, 0, 1, 1, 0], np.int32), steps=steps)
    data = tree_data(VerifiedTree.labelled(bare, "", {}), "")
    assert data["q"][2] is None
    assert data["tokens"][1] is None


def test_a_checker_speaks_where_no_verifier_did():
    tree = small().tree
    tree.flags[3] |= Flag.ACCEPTED
    tree.flags[4] |= Flag.REJECTED
    assert tree_data(VerifiedTree.labelled(tree, "", {}), "")["verdicts"] == {3: "correct", 4: "wrong"}
    said = VerifiedTree.labelled(tree, "", {4: Outcome.CORRECT})
    assert tree_data(said, "")["verdicts"] == {3: "correct", 4: "correct"}


# --- sources ----------------------------------------------------------------------------------------------------------


def named(name):
    return small(name=name)


def test_a_store_shows_its_first_problems_or_the_one_that_is_named(tmp_path):
    write_trees(tmp_path, [named("a"), named("b"), named("c")])
    assert [one["id"] for one in stored_problems(tmp_path, None, 2)] == ["a", "b"]
    assert [one["id"] for one in stored_problems(tmp_path, "c", 2)] == ["c"]
    (shown,) = stored_problems(tmp_path, "c", 2)
    assert (shown["question"], shown["gold"]) == ("What is 1 + 2?", "3")
    assert shown["trees"][0]["text"] == tree_data(small(), "")["text"]


def test_a_problem_that_two_rounds_met_has_a_tree_of_each(tmp_path):
    write_trees(tmp_path / "round-1/traces", [named("a"), named("b")])
    write_trees(tmp_path / "round-10/traces", [named("c"), named("a")])
    shown = {one["id"]: [tree["where"] for tree in one["trees"]] for one in stored_problems(tmp_path, None, 2)}
    assert shown == {"a": ["round 1", "round 10"], "b": ["round 1"]}


def test_what_a_search_printed_has_the_columns_of_its_tree(tmp_path):
    tree = small().tree
    tree.flags[3] |= Flag.ACCEPTED
    line = json.dumps(Answer(tree).row() | {"tree": Answer(tree).nodes()})
    (tmp_path / "found.jsonl").write_text(f"{line}\n\n{line}\n")
    first, _ = searched_problems(tmp_path / "found.jsonl")
    assert (first["id"], first["gold"]) == ("p1", "")
    expected = tree_data(VerifiedTree.labelled(tree, "", {}), "")
    assert first["trees"] == [expected | {"soft": [None] * 6}]


@pytest.fixture
def run(tmp_path):
    """A run of two rounds, measured on eight problems of countdown; round 1 draws otherwise."""
    config = {
        "task": {"name": "countdown", "options": {"numbers": [3]}},
        "problems": None,
        "columns": {},
        "evaluate": {"problems": 8, "split": "test"},
    }
    held_out = TASK.problems(Split.TEST, 8, seed=0)
    rounds = []
    for number in (0, 1):
        drawn = [verified_tree(graded, width=3 - number).tree for graded in held_out]
        bare = (VerifiedTree.labelled(tree, "", {}) for tree in drawn)
        write_trees(tmp_path / f"run/round-{number}/evaluate/samples", bare)
        row = eval_row("sample", "mean", 12.0, [0.5] * 8)
        rounds.append(Round(number, "policy", "prm", 9, {}, {"sample": row}, None, None, {}, (), 0, (), ()))
    report = Report.of("train", Manifest(1, "train", config, "c", "t"), 0, rounds)
    atomic.write_json(tmp_path / "run/report.json", report.as_dict())
    return tmp_path / "run"


def test_a_run_shows_curves_and_each_problem_round_by_round_judged(run, tmp_path, capsys):
    assert main(["view", f"run={run}", "count=3", f"out={tmp_path / 'new/run.html'}", "output=json"]) == DONE
    assert json.loads(capsys.readouterr().out) == {"out": str(tmp_path / "new/run.html"), "problems": 3, "trees": 6}
    data = data_of((tmp_path / "new/run.html").read_text())
    assert [line["name"] for line in data["figure"]["data"]] == ["sample"]
    held_out = TASK.problems(Split.TEST, 8, seed=0)
    assert [one["id"] for one in data["problems"]] == [graded.problem.id for graded in held_out[:3]]
    for one, graded in zip(data["problems"], held_out, strict=False):
        assert one["gold"] == graded.answer
        assert [tree["where"] for tree in one["trees"]] == ["round 0", "round 1"]
        verdicts = {int(node): Outcome(word) for node, word in one["trees"][0]["verdicts"].items()}
        assert verdicts == verified_tree(graded).outcomes


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["traces=DIR/store"], "no out, expected out=FILE.html"),
        (["out=DIR/x.html"], "nothing to show, expected one of traces=DIR, run=DIR, search=FILE"),
        (["out=DIR/x.html", "traces=DIR/store", "search=DIR/one"], "traces and search to show, expected one of"),
        (["out=DIR/x.html", "traces=DIR/store", "problem=q"], "store: no tree of problem=q"),
        (["out=DIR/x.html", "traces=DIR/store", "count=0"], "view.count=0: expected at least 1"),
        (["out=DIR/store", "traces=DIR/store"], "is a folder, expected a file"),
        (["out=DIR/one/x.html", "traces=DIR/store"], "expected a file that can be written"),
        (["out=DIR/x.html", "run=DIR"], "report.json is not readable JSON"),
        (["out=DIR/x.html", "search=DIR/none"], "none: cannot be read, expected what"),
        (["out=DIR/x.html", "search=DIR/one"], "line 2: no answer with a tree, expected what"),
        (["out=DIR/x.html", "search=DIR/cycle"], "line 1: no answer with a tree, expected what"),
    ],
)
def test_what_cannot_be_shown_is_told_in_a_line_and_nothing_is_written(words, says, tmp_path, capsys):
    write_trees(tmp_path / "store", [small()])
    good = Answer(small().tree).row() | {"tree": Answer(small().tree).nodes()}
    (tmp_path / "one").write_text(json.dumps(good) + '\n{"id": 1}\n')
    good["tree"][1]["parent"] = 3
    (tmp_path / "cycle").write_text(json.dumps(good))
    before = sorted(tmp_path.iterdir())
    assert main(["view", *(word.replace("DIR", str(tmp_path)) for word in words)]) == UNUSABLE
    said = capsys.readouterr().err
    assert says in said
    assert said.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


# --- the page ---------------------------------------------------------------------------------------------------------


class Elements(HTMLParser):
    """The elements of a page, and what stands in its scripts."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.scripts, self.policy, self.is_script = [], [], "", False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, tuple(name for name, _ in attrs)))
        self.is_script = tag == "script"
        if self.is_script:
            self.scripts.append("")
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"]

    def handle_endtag(self, tag):
        self.is_script = False

    def handle_data(self, data):
        if self.is_script:
            self.scripts[-1] += data


def data_of(html):
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])


def hostile():
    texts = ["", *HOSTILE]
    verified = tree_of(texts, [-1, 0, 1, 2, 3], {4: Outcome.WRONG})
    return problem_data(HOSTILE[0], HOSTILE[1], HOSTILE[2], [tree_data(verified, HOSTILE[0])])


def test_hostile_texts_are_data_and_come_back_as_they_were():
    html = page(HOSTILE[1], [hostile()])
    plain = Elements(page("title", [problem_data("p", "q", "", [tree_data(small(), "")])]))
    found = Elements(html)
    assert found.tags == plain.tags
    (shown,) = data_of(html)["problems"]
    assert (shown["id"], shown["question"], shown["gold"]) == HOSTILE[:3]
    assert shown["trees"][0]["text"] == ["", *HOSTILE]
    html.encode("utf-8")


def test_the_policy_of_the_page_names_each_script_and_allows_nothing_else():
    html = page("title", [hostile()])
    found = Elements(html)
    scripts = [one for one in found.scripts if not one.startswith("{")]
    assert len(scripts) == len(SCRIPTS)
    digests = {f"'sha256-{b64encode(sha256(one.encode()).digest()).decode()}'" for one in scripts}
    rules = dict(rule.strip().split(" ", 1) for rule in found.policy.split(";"))
    assert set(rules["script-src"].split()) == digests
    assert rules["default-src"] == "'none'"


def test_the_page_asks_for_nothing_and_names_its_library_and_licence():
    html = page("title", [problem_data("p", "q", "", [tree_data(small(), "")])])
    assert not re.search(r"<(link|iframe|img)\b|\ssrc=|@import|url\(", html)
    assert "D3 7.9.2" in html
    assert "d3js.org v7.9.2 Copyright" in html
    assert "Permission to use, copy, modify, and/or distribute this software" in html


def test_a_store_becomes_a_page_with_its_problems(tmp_path, capsys):
    write_trees(tmp_path / "store", [named("a"), named("b")])
    out = tmp_path / "tree.html"
    assert main(["view", f"traces={tmp_path / 'store'}", f"out={out}", "problem=b"]) == DONE
    assert capsys.readouterr().out == f"out {out}, problems 1, trees 1\n"
    assert [one["id"] for one in data_of(out.read_text())["problems"]] == ["b"]
    with pytest.raises(InputError, match="no tree of problem=z"):
        stored_problems(tmp_path / "store", "z", 5)
