"""Further critics in the loop: retrained from a round's traces on labels of their own, and asked in the next."""

import dataclasses
import json
from pathlib import Path

import pytest
from tiny_run import MODELS

from mcts.errors import InputError
from mcts.options import Merging
from mcts.search import BestOfN, EtaMcts
from policy import critic as critic_file
from policy.critic import CriticFormat
from prm.fixed import ConstantScorer
from regrow import learner as learner_file
from regrow import panel as panel_file
from regrow.cli import UNUSABLE, main
from regrow.comparison import Comparison
from regrow.config import Config, CriticsConfig
from regrow.gate import POLICY, Verdict
from regrow.models import Models
from regrow.panel import panel_of
from regrow.provenance import digest_dir
from regrow.report import read_report
from regrow.strategy import Strategy
from regrow.tool_orm import ToolOrm
from regrow.trial import Passed

TINY = [
    *MODELS,
    "policy.train.max_steps=5",
    "prm.train.max_steps=5",
    "round.count=2",
    "round.problems=16",
    "round.budget.simulations=6",
    "round.controls=[rest_em]",
    "evaluate.problems=4",
    "evaluate.drawn=4",
    "evaluate.samples=2",
    "evaluate.budget.simulations=2",
    "search=eta_mcts",
    "search.rollouts=2",
    "critics.train=[prm,orm]",
    "critics.prm_labels=soft",
    "critics.tool=true",
]


def stage_of(folder, name):
    return json.loads((folder / name / "stage.json").read_text())


@pytest.fixture(scope="module")
def run(tmp_path_factory, cache):
    """Two rounds. What the first makes of the policy is refused."""
    folder = tmp_path_factory.mktemp("runs") / "critics"
    refused = Verdict(POLICY, False, Comparison("new", "old", -0.5, -0.7, -0.3, 0.01, 9), 0.0, 1.0)

    def gate(it, name, new, old):
        return Passed(dataclasses.replace(new, policy=old.policy), (refused,)) if "round-1" in name else Passed(new)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learner_file, "at_gate", gate)
        assert main(["train", *TINY, f"run.dir={folder}", f"cache={cache}"]) == 0
    return folder


def test_each_critic_learns_its_own_labels_from_the_rounds_traces(run):
    for number in (1, 2):
        value, prm, orm = (stage_of(run, f"round-{number}/{name}") for name in ("prm", "critic-prm", "critic-orm"))
        assert value["inputs"]["traces"] == prm["inputs"]["traces"] == orm["inputs"]["traces"]
        assert prm["result"]["labels"] > prm["result"]["examples"]
        assert orm["result"]["labels"] == orm["result"]["examples"] > 0
    models = [f"round-{number}/{name}" for number in (0, 1, 2) for name in ("prm", "critic-prm", "critic-orm")]
    digests = {model: digest_dir(run / model) for model in models}
    assert digests.pop("round-0/critic-prm") == digests["round-0/prm"]  # of known steps hard labels are soft ones
    assert len(set(digests.values())) == len(digests)
    assert {"critic-prm", "critic-orm"} < set(read_report(run / "report.json").rounds[2].seconds)


def test_a_round_searches_with_the_critics_of_the_round_before_and_is_measured_with_its_own(run):
    first = stage_of(run, "round-1/search")["inputs"]
    assert first["process"] == digest_dir(run / "round-0/critic-prm")
    assert first["outcome"] == digest_dir(run / "round-0/critic-orm")
    measured = stage_of(run, "round-2/evaluate")["inputs"]
    assert measured["process"] == digest_dir(run / "round-2/critic-prm")
    assert measured["outcome"] == digest_dir(run / "round-2/critic-orm")


def test_where_a_gate_refuses_a_model_the_critics_of_its_traces_stay_behind_with_them(run):
    search = stage_of(run, "round-2/search")["inputs"]
    assert search["process"] == digest_dir(run / "round-0/critic-prm")
    assert search["prm"] == digest_dir(run / "round-1/prm")
    for name in ("prm", "orm"):
        assert stage_of(run, f"round-2/critic-{name}")["inputs"]["prm"] == digest_dir(run / f"round-0/critic-{name}")
    assert len(stage_of(run, "round-2/critic-orm")["inputs"]["traces"]) == 1


def test_a_control_has_no_critics(run):
    assert not (run / "controls/rest_em/round-1/critic-prm").exists()
    assert "process" not in stage_of(run, "controls/rest_em/round-1/search")["inputs"]


def test_a_critic_that_is_only_read_is_told_before_anything_is_measured(run, tmp_path, capsys):
    given = [f"policy.path={run / 'round-0/policy'}", f"prm.path={run / 'round-0/prm'}", "critics.train=[orm]"]
    (tmp_path / "orm").mkdir()
    config = {"architectures": ["Qwen2ForProcessRewardModel"], "model_type": "qwen2"}
    (tmp_path / "orm/config.json").write_text(json.dumps(config))
    told = [*TINY, *given, f"critics.orm={tmp_path / 'orm'}", f"run.dir={tmp_path / 'run'}"]
    assert main(["train", *told]) == UNUSABLE
    assert "orm: holds Qwen2ForProcessRewardModel, which is only read" in capsys.readouterr().err


# --- who is asked ---------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch):
    """Scorers by the name of their directory."""
    scorers = {}
    monkeypatch.setattr(panel_file, "scorer_of", lambda _, path: scorers.setdefault(path.name, ConstantScorer(0.5)))
    return scorers


def panel(critics, models, search=None):
    return panel_of(Config(critics=critics), models, Strategy(search or EtaMcts()))


VALUE, PROCESS, OUTCOME = map(Path, ("value", "process", "outcome"))


def test_eta_mcts_asks_the_critics_of_the_round_and_no_other_search_does(asked):
    models = Models(None, VALUE, None, PROCESS, OUTCOME)
    found = panel(CriticsConfig(), models)
    assert (found.prm, found.orm, found.fast) == (asked["process"], asked["outcome"], None)
    assert panel(CriticsConfig(), models, BestOfN()).orm is None


def test_the_policy_judges_likeness_where_a_search_merges_by_it(asked, monkeypatch):
    loaded = []
    monkeypatch.setattr(critic_file.SelfCritic, "load", lambda path, format, prompt: loaded.append((path, format)))
    merging = Merging("judge", nearest=0.5)
    panel(CriticsConfig(), Models(VALUE, VALUE), EtaMcts(merging=merging))
    assert loaded == [(VALUE, CriticFormat(**vars(Config().policy.judge)))]
    assert "the same" in loaded[0][1].question
    panel(CriticsConfig(), Models(VALUE, VALUE), EtaMcts(merging=Merging("share", nearest=0.5)))
    assert len(loaded) == 1
    with pytest.raises(InputError, match=r"is no judge of its own, expected search\.merging\.likeness=share"):
        panel(CriticsConfig(), Models(None, VALUE), EtaMcts(merging=merging))


def test_a_shared_critic_is_the_prm_in_all_roles(asked):
    found = panel(CriticsConfig(shared=True), Models(None, VALUE))
    assert found.prm is found.orm is asked["value"]


def test_the_tool_goes_before_the_orm_or_judges_alone(asked):
    found = panel(CriticsConfig(tool=True), Models(None, VALUE, None, None, OUTCOME))
    alone = panel(CriticsConfig(tool=True), Models(None, VALUE))
    assert isinstance(found.orm, ToolOrm)
    assert isinstance(alone.orm, ToolOrm)
    assert set(asked) == {"outcome"}
    assert alone.prm is None
    assert found.orm.fingerprint != alone.orm.fingerprint


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["critics.train=[fast]"], "critics.train[0]=fast: expected one of prm, orm"),
        (["critics.orm_labels=luck"], "critics.orm_labels=luck: expected one of progress, hard"),
        (["critics.train=[prm]"], "critics.train with search=rollout_branching: expected search=eta_mcts"),
        (["search=eta_mcts", "critics.shared=true", "critics.train=[orm]"], "critics.shared: the PRM has all roles"),
        (
            ["search=eta_mcts", "critics.train=[prm]", "critics.prm_labels=progress", "prm.balance=true"],
            "prm.balance with critics.prm_labels=progress: expected",
        ),
        (["search=eta_mcts", "search.blend=mean"], "blend=mean: expected one of sum, renorm"),
    ],
)
def test_settings_that_do_not_go_together_are_one_line(settings, said, tmp_path, capsys):
    assert main(["train", *settings, f"run.dir={tmp_path / 'run'}"]) == UNUSABLE
    complaint = capsys.readouterr().err
    assert said in complaint
    assert complaint.count("\n") == 1
