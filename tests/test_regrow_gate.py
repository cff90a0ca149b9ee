"""The gate: by hand what scores say, and when a new model is refused; validation problems stay apart."""

import dataclasses
import json

import pytest
from sampled import samples, values
from scipy import stats

from mcts.errors import InputError
from regrow.cli import UNUSABLE, main
from regrow.compose import NO_OUTPUT, run_composed
from regrow.experiment import Experiment
from regrow.gate import LEAST, Gate, Verdict, order_right, share_right
from regrow.manifest import open_run
from regrow.tasks import make_task
from regrow.tasks.task import Split

OLD = [0.5, 0.25, 1.0, 0.0, 0.75, 0.5, 0.25, 0.5]
WORSE = [0.25, 0.0, 0.75, 0.0, 0.5, 0.25, 0.0, 0.5]


# --- scores -----------------------------------------------------------------------------------------------------------


def test_a_policys_score_is_the_share_of_draws_that_are_right():
    assert share_right(samples(("a b +", 2), ("a c -", 3), ("d ?", 1), ("e ~", 2))) == 2 / 8
    assert share_right(samples(("a -", 4))) == 0.0


def test_a_prms_score_counts_pairs_of_one_depth_in_the_right_order():
    drawn = samples(("a b +", 1), ("a c -", 2), ("d e -", 1))
    # First steps: a before d. Second steps: b before c, b before e. All others are of one kind, or of other depths.
    assert order_right(*valued(drawn, a=0.4, d=0.6, b=0.9, c=0.2, e=0.3)) == 2 / 3
    assert order_right(*valued(drawn, a=0.6, d=0.6, b=0.9, c=0.2, e=0.9)) == pytest.approx((0.5 + 1 + 0.5) / 3)


def test_complete_solutions_are_compared_whatever_their_length():
    drawn = samples(("a b c +", 1), ("d -", 1))
    # a before d as first steps, and c before d as ends of solutions.
    assert order_right(*valued(drawn, a=0.9, b=0.9, c=0.1, d=0.5)) == 1 / 2


def test_problems_with_one_kind_of_solution_or_no_values_tell_nothing():
    assert order_right(*valued(samples(("a +", 1), ("b +", 2)), a=0.1, b=0.9)) is None
    assert order_right(*valued(samples(("a -", 1), ("b -", 2)), a=0.1, b=0.9)) is None
    assert order_right(*valued(samples(("a +", 1), ("b -", 2)), a=0.9)) is None


def valued(verified, **of):
    with_values = values(verified, **of)
    return with_values, with_values.tree.value


# --- verdicts ---------------------------------------------------------------------------------------------------------


def test_a_model_is_refused_when_its_whole_interval_lies_below_zero():
    verdict = Gate().verdict("policy", WORSE, OLD)
    test = stats.ttest_rel(WORSE, OLD).confidence_interval(0.95)
    assert not verdict.is_kept
    assert (verdict.new, verdict.old) == pytest.approx((0.28125, 0.46875))
    assert (verdict.test.low, verdict.test.high) == pytest.approx((test.low, test.high))
    assert Gate().verdict("policy", OLD, WORSE).is_kept
    assert Gate().verdict("policy", OLD, OLD).is_kept


def test_chance_alone_refuses_nobody():
    other = [0.5, 0.0, 1.0, 0.0, 0.5, 0.75, 0.25, 0.25]
    assert sum(other) < sum(OLD)
    assert Gate().verdict("policy", other, OLD).is_kept


def test_margin_and_confidence_make_a_gate_lenient():
    assert Gate(margin=0.13).verdict("prm", WORSE, OLD).is_kept
    assert not Gate(margin=0.05).verdict("prm", WORSE, OLD).is_kept
    assert Gate(confidence=0.9999).verdict("prm", WORSE, OLD).is_kept


def test_only_problems_that_tell_under_both_count_and_too_few_decide_nothing():
    blank = [None] * 4
    verdict = Gate().verdict("prm", [*WORSE, *blank], [*OLD, 0.5, None, 0.5, 0.5])
    assert verdict.test.n == len(OLD)
    few = Gate().verdict("prm", WORSE[: LEAST - 1], OLD[: LEAST - 1])
    assert few == Verdict("prm", is_kept=True, test=None)
    assert "untried" in str(few)


def test_a_verdict_reads_back_and_says_in_one_line_what_was_found():
    verdict = Gate().verdict("policy", WORSE, OLD)
    assert Verdict.from_dict(json.loads(json.dumps(dataclasses.asdict(verdict)))) == verdict
    assert str(verdict).startswith("the new policy is refused: 0.281 of sampled solutions right, 0.469 by the old")
    assert "\n" not in str(verdict)
    assert str(Gate().verdict("prm", OLD, WORSE)).startswith("the new PRM is kept: 0.469 ")


# --- problems ---------------------------------------------------------------------------------------------------------


def experiment(folder, command, *overrides):
    """What a command would work on."""
    found = []

    def job(config):
        with open_run(folder, command, {}) as run:
            found.append(Experiment(config, run))

    run_composed(command, [*NO_OUTPUT, *overrides], job)
    return found[0]


def test_validation_problems_are_of_their_own_split_and_held_out_from_nothing_else(tmp_path):
    it = experiment(tmp_path, "train", "gate.problems=40")
    validation = {graded.problem.question for graded in it.validation}
    assert len(validation) == 40
    everyone = it.task.problems(Split.VALIDATION, 1566, seed=0)
    assert validation <= {graded.problem.question for graded in everyone}
    assert not validation & {graded.problem.question for graded in [*it.held_out, *it.fresh(1), *it.fresh(2)]}
    measured = experiment(tmp_path / "sweep", "train", "evaluate.split=validation", "evaluate.problems=1000")
    assert not {one.problem.id for one in measured.validation} & {one.problem.id for one in measured.held_out}
    assert len(measured.validation) >= LEAST


def test_given_problems_that_a_gate_needs_are_not_learned_from(tmp_path):
    task = make_task("countdown", numbers=(3, 4), largest=9, limit=40)
    given = [*task.problems(Split.VALIDATION, 10, seed=1), *task.problems(Split.TRAIN, 5, seed=0)]
    path = tmp_path / "mine.jsonl"
    path.write_text("\n".join(json.dumps({"problem": one.problem.question, "answer": one.answer}) for one in given))
    it = experiment(tmp_path / "gated", "train", f"problems={path}", "gate.problems=8")
    assert len(it.fresh(1)) == 7
    shut = ["gate.policy=false", "gate.prm=false"]
    assert len(experiment(tmp_path / "open", "train", f"problems={path}", *shut).fresh(1)) == 15


def test_commands_without_rounds_need_no_validation_problems(tmp_path):
    assert experiment(tmp_path, "evaluate", "gate.problems=100000").validation == []


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("gate.problems=100000", "gate.problems=100000: countdown: expected count <= 1566"),
        ("gate.problems=3", f"expected {LEAST}"),
        ("gate.samples=0", "0 samples"),
        ("gate.confidence=1", "expected (0, 1)"),
        ("gate.margin=-0.1", "margin=-0.1"),
        ("alarms.length=-1", "alarms.length=-1"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_one_line(tmp_path, capsys, override, said):
    assert main(["train", override, f"run.dir={tmp_path / 'run'}"]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1


def test_an_evaluation_of_all_validation_problems_leaves_none_for_a_gate(tmp_path):
    with pytest.raises(InputError, match="held out for evaluation, expected 6 or more"):
        experiment(tmp_path, "train", "evaluate.split=validation", "evaluate.problems=1566")
