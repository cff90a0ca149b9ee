"""The page of `regrow view` in a browser: tapped, walked, filtered, searched, light and dark, on a phone, and large."""

from dataclasses import replace

import pytest
from browsing import PHONE, browser, opened
from trees_by_hand import HOSTILE, large, small, tree_of

from mcts.types import Outcome
from regrow.report_plots import accuracy
from regrow.view.page import page
from regrow.view.tree_data import problem_data, tree_data

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
INTERACTIVE_S = 2.0
FRAME_MS = 100.0

POINT = """node => {
  const {pane} = state.sides[0], spot = pane.places.get(node), box = pane.canvas.getBoundingClientRect();
  const [x, y] = pane.transform.apply([spot.column, spot.row]);
  return [box.left + x, box.top + y];
}"""
SELECTED = "state.sides[0].pane.selected"
SHOWN = "state.sides[0].tree.shown()"


@pytest.fixture(scope="module")
def chromium():
    with browser() as started:
        yield started


@pytest.fixture
def written(tmp_path):
    def write(*problems, figure=None):
        (tmp_path / "page.html").write_text(page("a title", problems, figure))
        return tmp_path / "page.html"

    return write


def problem(*trees, name="p1", question="What is 1 + 2?"):
    return problem_data(name, question, "3", [tree_data(tree, f"round {at}") for at, tree in enumerate(trees)])


def details(shown):
    return shown.inner_text(".details")


def test_a_tap_on_a_node_tells_all_that_is_known_of_it(chromium, written):
    with opened(chromium, written(problem(small())), **DESKTOP) as shown:
        assert shown.evaluate(SELECTED) == 3
        assert "it is 3" in details(shown)
        assert "★ the answer" in details(shown)
        shown.mouse.click(*shown.evaluate(POINT, 4))
        told = details(shown)
        assert "it is 4" in told
        assert "✕ wrong" in told
        assert "answers a4" in told
        figures = shown.eval_on_selector_all(".figures dd", "all => all.map(one => one.textContent)")
        assert figures == ["0.2", "0", "2", "0.2", "1", "2"]
        assert "first add" in told


def test_the_arrows_walk_the_tree_and_other_keys_fold_and_jump(chromium, written):
    with opened(chromium, written(problem(small())), **DESKTOP) as shown:
        for key, node in [
            ("Home", 0), ("ArrowRight", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("ArrowRight", 3), ("ArrowDown", 4),
            ("ArrowDown", 5), ("ArrowDown", 5), ("ArrowLeft", 2), ("a", 3), ("ArrowLeft", 1),
        ]:  # fmt: skip
            shown.keyboard.press(key)
            assert shown.evaluate(SELECTED) == node, key
        shown.keyboard.press("Enter")
        assert shown.evaluate(SHOWN) == [0, 1, 2, 5]
        assert shown.evaluate("state.sides[0].tree.hidden(1)") == 2
        shown.keyboard.press("ArrowRight")
        assert shown.evaluate(SHOWN) == [0, 1, 3, 4, 2, 5]
        shown.keyboard.press("?")
        assert shown.is_visible("#help")


def test_filters_keep_the_ways_to_leaves_of_an_outcome_and_a_depth(chromium, written):
    with opened(chromium, written(problem(small())), **DESKTOP) as shown:
        for outcome, kept in [("wrong", [0, 1, 4]), ("other", [0, 2, 5]), ("right", [0, 1, 3])]:
            shown.click(f"#outcome [value={outcome}]")
            assert shown.evaluate(SHOWN) == kept
            assert shown.get_attribute(f"#outcome [value={outcome}]", "aria-pressed") == "true"
        shown.evaluate("place('depth').value = 1; place('depth').dispatchEvent(new Event('input'))")
        assert shown.evaluate(SHOWN) == [0, 1]
        assert shown.inner_text("#reach") == "≤ 1"
        shown.keyboard.press("Escape")
        assert shown.evaluate(SHOWN) == [0, 1, 3, 4, 2, 5]


def test_search_finds_texts_in_any_case_goes_through_them_and_is_cleared(chromium, written):
    with opened(chromium, written(problem(small())), **DESKTOP) as shown:
        shown.keyboard.press("/")
        shown.keyboard.type("IT IS")
        assert shown.evaluate("[...state.sides[0].pane.hits]") == [3, 4]
        shown.keyboard.press("Enter")
        shown.keyboard.press("Enter")
        assert shown.evaluate(SELECTED) == 4
        assert shown.inner_text("#count") == "2 of 2"
        shown.keyboard.press("Shift+Enter")
        assert shown.evaluate(SELECTED) == 3
        shown.keyboard.press("Escape")
        assert shown.evaluate("state.sides[0].pane.hits.size") == 0
        assert shown.input_value("#words") == ""


def test_hostile_texts_are_shown_as_they_are_and_nothing_of_them_runs(chromium, written):
    verified = tree_of(["", *HOSTILE], [-1, 0, 1, 2, 3], {4: Outcome.WRONG}, answer=4)
    verified = replace(verified, answers={4: HOSTILE[1]}, tree=replace(verified.tree, failure=HOSTILE[0]))
    pages = written(problem(verified, verified, name=HOSTILE[0], question=HOSTILE[1]), problem(small()))
    with opened(chromium, pages, **DESKTOP) as shown:
        assert shown.text_content("#question") == HOSTILE[1]
        for node, text in enumerate(HOSTILE, 1):
            shown.evaluate("node => select(0, node)", node)
            told = shown.text_content(".details .step")
            assert told == text
        assert shown.evaluate("document.querySelectorAll('img, .details script, main script').length") == 0


def test_another_problem_is_picked_and_two_rounds_stand_side_by_side(chromium, written):
    after = tree_of(
        ["", "first add", "it is 3", "so 3"], [-1, 0, 1, 0], {2: Outcome.CORRECT, 3: Outcome.CORRECT}, answer=2
    )
    pages = written(problem(small()), problem(small(), after, name="p2", question="Another?"))
    with opened(chromium, pages, **DESKTOP) as shown:
        assert shown.evaluate("state.sides.length") == 1
        shown.click("#next")
        assert shown.inner_text("#question") == "Another?"
        assert shown.evaluate("state.sides.map(one => one.tree.size)") == [6, 4]
        assert shown.evaluate("[...state.sides[0].match]") == [0, 1, -1, 2, -1, -1]
        told = " ".join(shown.inner_text("#changes").split())
        assert "solutions right: 1 of 3 → 2 of 2" in told
        assert "2 steps in both 3 \N{MINUS SIGN} gone 1 + new" in told
        assert "it is 3 0.25 → 0.33" in told
        shown.evaluate("select(0, 1)")
        assert shown.evaluate("state.sides[1].pane.selected") == 1
        shown.evaluate("select(0, 2)")
        assert "Not in round 1." in details(shown)
        assert shown.evaluate("[...state.sides[1].pane.only]") == [3]
        shown.select_option("#right", "")
        assert shown.evaluate("state.sides.length") == 1


def test_light_dark_and_phone_are_drawn_and_nothing_is_too_wide_or_small(chromium, written, tmp_path):
    pages = written(problem(small()), problem(*[small()] * 4, question="A long question, " * 20 + "unbroken" * 20))
    papers = {}
    for scheme in ("light", "dark"):
        with opened(chromium, pages, color_scheme=scheme, **DESKTOP) as shown:
            papers[scheme] = shown.evaluate("getComputedStyle(document.body).backgroundColor")
            inks = shown.evaluate(
                "new Set(new Uint32Array(state.sides[0].pane.context.getImageData(0, 0, 800, 400).data.buffer)).size"
            )
            assert inks > 50
            shown.screenshot(path=tmp_path / f"{scheme}.png")
            shown.click("#theme")
            shown.click("#theme")
            assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert papers == {"light": "rgb(251, 251, 249)", "dark": "rgb(20, 23, 26)"}
    with opened(chromium, pages, **PHONE) as shown:
        for _ in range(2):
            assert shown.evaluate("document.documentElement.scrollWidth") <= PHONE["viewport"]["width"]
            small_ones = shown.evaluate(
                "[...document.querySelectorAll('button, select, input')].filter(one => one.offsetHeight > 0"
                " && Math.min(one.offsetWidth, one.offsetHeight) < 44).map(one => one.outerHTML)"
            )
            assert small_ones == []
            shown.tap("#next") if shown.is_enabled("#next") else None
        shown.tap("#previous")
        shown.evaluate("scrollTo(0, state.sides[0].pane.canvas.offsetTop)")
        shown.touchscreen.tap(*shown.evaluate(POINT, 2))
        assert shown.evaluate(SELECTED) == 2
        shown.screenshot(path=tmp_path / "phone.png", full_page=True)


def test_a_tree_of_5000_nodes_answers_within_two_seconds_and_stays_smooth(chromium, written):
    pages = written(problem(large(5000)))
    with opened(chromium, pages, **DESKTOP) as shown:
        shown.keyboard.press("ArrowLeft")
        assert "Step" in details(shown)
        since_asked_for_ms = shown.evaluate("performance.now()")
        assert since_asked_for_ms < 1000 * INTERACTIVE_S
        assert shown.evaluate(f"{SHOWN}.length") < 400
        shown.keyboard.press("o")
        assert shown.evaluate(f"{SHOWN}.length") == 5000
        frames = shown.evaluate(
            "[0.15, 0.5, 1].map(k => { const {pane} = state.sides[0]; pane.zoom.scaleTo(d3.select(pane.canvas), k);"
            " return d3.min(d3.range(5), () => { const start = performance.now(); pane.paint();"
            " return performance.now() - start; }); })"
        )
        assert max(frames) < FRAME_MS


@pytest.mark.parametrize("depth", [0, 2000])
def test_a_tree_without_a_step_and_one_that_only_goes_down_are_shown(depth, chromium, written):
    chain = tree_of(
        ["", *("on" for _ in range(depth))], list(range(-1, depth)), {depth: Outcome.WRONG} if depth else {}
    )
    with opened(
        chromium, written(problem(replace(chain, tree=replace(chain.tree, failure="nonsense")))), **DESKTOP
    ) as shown:
        assert "no answer" in shown.inner_text(".side .summary")
        assert "nonsense" in shown.inner_text(".side .summary")
        shown.keyboard.press("o")
        shown.keyboard.press("f")
        assert shown.evaluate(f"{SHOWN}.length") == depth + 1


def test_a_run_has_its_curves_above(chromium, written):
    row = {"accuracy": 0.5, "low": 0.4, "high": 0.6}
    rounds = [{"round": number, "eval": {"sample": row}} for number in (0, 1)]
    with opened(chromium, written(problem(small(), small()), figure=accuracy(rounds)), **DESKTOP) as shown:
        shown.wait_for_selector("#curves .scatterlayer .point")
        assert shown.evaluate("document.querySelectorAll('#curves .scatterlayer .point').length") == 2
        shown.click("#theme")
        assert shown.is_visible("#curves")
