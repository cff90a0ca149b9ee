"""The report: the contract of report.json, honest intervals, and a page that stands on its own."""

import copy
import json
import re
from html.parser import HTMLParser

import plotly.graph_objects as go
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from mcts.errors import InputError
from regrow import atomic, report_plots
from regrow.alarms import ALARMS, Alarms, readings
from regrow.comparison import Comparison
from regrow.gate import Verdict
from regrow.manifest import Manifest
from regrow.report import Control, Report, Round, eval_row, read_report, wilson_interval
from regrow.report_html import write_html

QUALITY = {
    "auroc": 0.81,
    "auroc_by_depth": {"1": 0.7, "2": 0.8, "10": 0.9, "3": None},
    "depth_only_auroc": 0.6,
    "brier_skill": 0.2,
    "within_0.1": 0.4,
    "constant_within_0.1": 0.5,
    "depth_only_within_0.1": 0.55,
    "n": 1830,
    "own_success_skill": 0.15,
}
CONFIG = {"seed": 3, "task": {"name": "</script><script>alert(1)</script>", "empty": {}}, "path": None}


def a_round(number, *, stages=("search", "evaluate"), quality=QUALITY):
    rows = {
        "greedy": eval_row("greedy", "none", 14.25, [1.0, 0.0, 0.0, 0.0]),
        "sample": eval_row("best_of_n", "mean", 220.0, [0.5, 0.25, 0.0, 0.0]),
        "search": eval_row("rollout_branching", "checker", 611.0, [1.0, 1.0, 1.0, 0.0]),
        "best_of_n": eval_row("best_of_n", "checker", 610.0, [1.0, 1.0, 0.0, 0.0]),
    }
    seconds = {stage: 1.5 + number for stage in stages}
    kept = Verdict("prm", is_kept=True, test=None)
    refused = Verdict(
        "policy", is_kept=False, test=Comparison("policy", "old", -0.1, -0.2, -0.05, 0.004, 150), new=0.2, old=0.3
    )
    control = Control("controls/rest_em/round-1/policy", 990, seconds, {"greedy": rows["best_of_n"]}, 30, (refused,))
    return Round(
        number,
        f"round-{number}/policy",
        f"round-{number}/prm",
        1000 * number,
        seconds,
        rows,
        quality,
        quality and quality | {"auroc": 0.87},
        {"rest_em": control} if number else {},
        (Comparison("search", "best_of_n", 0.25, -0.1, 0.6, 0.391, 4),),
        500 * number,
        (refused, kept) if number else (),
        readings(Alarms(), dict.fromkeys(ALARMS, 0.25 + 0.125 * number), {}, dict.fromkeys(ALARMS, 0.25)),
    )


@pytest.fixture
def report():
    manifest = Manifest(1, "train", CONFIG, "0123abcd+dirty", "2025-01-01T00:00:00+00:00")
    return Report.of("train", manifest, 3, [a_round(0, stages=("evaluate",)), a_round(1)])


# --- report.json ------------------------------------------------------------------------------------------------------


def test_the_object_has_the_keys_of_the_contract_in_order(report):
    data = report.as_dict()
    assert list(data) == ["schema", "command", "commit", "config", "hardware", "seed", "rounds"]
    done = data["rounds"][1]
    models = ["round", "policy", "prm", "tokens_generated", "seconds", "eval", "prm_eval", "prm_exact_eval"]
    assert list(done) == [*models, "controls", "comparisons", "gate_tokens", "verdicts", "alarms"]
    assert list(done["verdicts"][0]) == ["of", "is_kept", "test", "new", "old"]
    assert list(done["alarms"][0]) == ["name", "figure", "value", "threshold", "rang"]
    row = ["strategy", "selected_by", "tokens_per_problem", "accuracy", "low", "high", "n"]
    assert {name: list(cell) for name, cell in done["eval"].items()} == dict.fromkeys(
        ("greedy", "sample", "search", "best_of_n"), row
    )
    assert list(done["prm_eval"]) == list(QUALITY)


def test_a_report_reads_back_as_it_was_written(report, tmp_path):
    atomic.write_json(tmp_path / "report.json", report.as_dict())
    assert read_report(tmp_path / "report.json") == report


def test_a_task_without_truth_has_no_prm_figures():
    manifest = Manifest(1, "train", {}, "c", "t")
    assert Report.of("train", manifest, 0, [a_round(0, quality=None)]).rounds[0].prm_eval is None


def drop_accuracy(data):
    del data["rounds"][1]["eval"]["search"]["accuracy"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (drop_accuracy, r"rounds\[1\]\.eval\.search\.accuracy is missing"),
        (lambda data: data["rounds"][0].update(extra=1), r"rounds\[0\]\.extra is unknown"),
        (lambda data: data.update(seed="3"), "seed is '3', expected int"),
        (lambda data: data.update(seed=True), "seed is True, expected int"),
        (lambda data: data.update(schema=2), "schema is 2, expected 3"),
        (lambda data: data.update(schema="3"), "schema is '3', expected 3"),
        (lambda data: data.update(rounds={}), r"rounds is \{\}, expected list"),
        (
            lambda data: data["rounds"][1]["prm_eval"].update(auroc=float("nan")),
            r"prm_eval\.auroc is nan, expected float",
        ),
        (lambda data: data["rounds"][1]["eval"].update(beam=data["rounds"][1]["eval"]["search"]), "eval has beam"),
    ],
)
def test_a_report_of_another_form_is_refused_by_key(report, change, says):
    data = copy.deepcopy(report.as_dict())
    change(data)
    with pytest.raises(InputError, match=says):
        Report.from_dict(data)


def test_a_file_that_is_no_report_is_named(tmp_path):
    for name, content in (("absent", None), ("broken", "{")):
        path = tmp_path / name
        if content is not None:
            path.write_text(content)
        with pytest.raises(InputError, match=f"{name} is not readable JSON"):
            read_report(path)


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(counts):
    correct, n = counts
    expected = binomtest(correct, n).proportion_ci(method="wilson")
    assert wilson_interval(correct / n, n) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_a_row_sums_up_shares_and_refuses_to_sum_up_nothing():
    row = eval_row("sample", "mean", 20.0, [0.5, 0.25, 0.0, 0.25])
    assert (row.accuracy, row.n) == (0.25, 4)
    assert (row.low, row.high) == wilson_interval(0.25, 4)
    with pytest.raises(InputError, match="no problems"):
        eval_row("sample", "mean", 0.0, [])


# --- report.html ------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Tags with their attributes, and the text outside scripts and styles."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self._open = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        if not {"script", "style"} & set(self._open):
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


@pytest.fixture
def html(report, tmp_path):
    write_html(report.as_dict(), tmp_path / "report.html")
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_page_shows_the_figures_of_the_report(html):
    text = Page(html).text
    for expected in ("regrow train", "0123abcd+dirty", "75.0 %", "611 tokens", "by checker", "rollout branching"):
        assert expected in text
    for expected in ("ReST-EM", "+25.0 points", "-10.0 to +60.0", "0.391"):
        assert expected in text
    low, high = wilson_interval(0.75, 4)
    assert f"{100 * low:.1f}\N{EN DASH}{100 * high:.1f}" in text
    for value in ("0.810", "0.200", "0.400", "0.500", "0.550", "1,830", "0.870", "0.600", "0.150"):
        assert value in text


def test_a_report_of_an_older_schema_is_refused_as_such_before_its_keys_are(report, tmp_path):
    data = report.as_dict() | {"schema": 2}
    del data["rounds"][0]["alarms"]
    atomic.write_json(tmp_path / "report.json", data)
    with pytest.raises(InputError, match=r"report\.json\.schema is 2, expected 3"):
        read_report(tmp_path / "report.json")


def test_the_page_shows_verdicts_and_alarms_and_in_a_line_each_what_went_wrong(report, html):
    text = Page(html).text
    assert "Round 1: the new policy is refused; round-1/policy stays." in text
    assert "Round 1: the new policy is refused; controls/rest_em/round-1/policy stays." in text
    assert "too few problems tell" in text
    for expected in ("-0.100", "-0.200 to -0.050", "0.375", "500 more by their gates"):
        assert expected in text
    assert "Round 1, length: solutions have grown or shrunk." not in text
    assert "Round 1, repetition: the policy falls into loops." in text
    rung = sum(one.rang for done in report.rounds for one in done.alarms)
    assert text.count(" rings ") - text.count("rings above") == rung > 0


def test_a_run_whose_gates_were_open_has_no_section_of_gates(report, tmp_path):
    data = report.as_dict()
    for done in (data["rounds"][1], data["rounds"][1]["controls"]["rest_em"]):
        done |= {"verdicts": [], "gate_tokens": 0}
    write_html(data, tmp_path / "report.html")
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "Gates" not in text
    assert "by their gates" not in text


def test_the_page_loads_nothing_from_anywhere(html):
    sources = [attrs for _, attrs in Page(html).tags if "src" in attrs or "href" in attrs]
    assert sources == []
    assert not re.search(r"@import|url\(", html[: html.index("</style>")])
    assert "Plotly.react" in html


def test_text_of_the_report_is_never_markup(report, tmp_path):
    data = report.as_dict()
    evil = "</script><img src=x onerror=alert(1)>"
    data |= {"command": evil, "commit": evil, "hardware": {"cpu": evil, "cores": 2}}
    done = data["rounds"][1]
    done["seconds"] = {evil: 1.0}
    done["eval"]["search"] |= {"strategy": evil, "selected_by": evil}
    write_html(data, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert [tag for tag, _ in page.tags if tag == "img"] == []
    assert [tag for tag, _ in page.tags].count("script") == 2
    assert evil in page.text


def test_every_plot_has_its_place_and_is_a_figure_that_plotly_knows(html):
    figures = json.loads(re.search(r"^const figures = (.*);$", html, re.MULTILINE).group(1))
    places = {attrs.get("id") for tag, attrs in Page(html).tags if tag == "div"}
    assert set(figures) == {"accuracy", "controls", "depth", "seconds", "tokens"} <= places
    for figure in figures.values():
        go.Figure(json.loads(re.sub(r"var\(--[a-z0-9-]+\)", "#123456", json.dumps(figure))))


def test_a_page_without_prm_figures_has_no_prm_section(report, tmp_path):
    data = report.as_dict()
    for done in data["rounds"]:
        done["prm_eval"] = None
    write_html(data, tmp_path / "report.html")
    page = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Process reward model" not in page.text
    assert "depth" not in {attrs.get("id") for _, attrs in page.tags}


def test_error_bars_reach_from_low_to_high(report):
    rounds = report.as_dict()["rounds"]
    series = next(trace for trace in report_plots.accuracy(rounds)["data"] if trace["name"] == "search")
    for index, done in enumerate(rounds):
        row = done["eval"]["search"]
        assert series["y"][index] + series["error_y"]["array"][index] == pytest.approx(row["high"])
        assert series["y"][index] - series["error_y"]["arrayminus"][index] == pytest.approx(row["low"])


def test_depths_are_in_numeric_order_without_those_that_have_no_auroc(report):
    series = report_plots.auroc_by_depth(report.as_dict()["rounds"])["data"][0]
    assert series["x"] == [1, 2, 10]
    assert series["y"] == [0.7, 0.8, 0.9]
