"""The gate as a stage of a round: new models and those they would replace, tried on the same validation problems."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from regrow.build import policy_of, scorer_of
from regrow.engines import Engines
from regrow.experiment import Experiment, digest_of
from regrow.gate import POLICY, PRM, Verdict, order_right, share_right
from regrow.grow import grow
from regrow.judging import judged
from regrow.lazy import Lazy
from regrow.models import Models
from regrow.prm_evaluation import node_values
from regrow.progress import console
from regrow.sampling import ONCE, sampler, tokens_of
from regrow.trace_store import write_trees
from regrow.verified import VerifiedTree


@dataclass(frozen=True, slots=True)
class Passed:
    """What came through a gate.

    Attributes:
        models: The new ones, but for those that were refused: there the old ones.
        verdicts: No one where nothing was tried.
        tokens_generated: For the trial.
        seconds: Name of the stage -> wall-clock seconds.
    """

    models: Models
    verdicts: tuple[Verdict, ...] = ()
    tokens_generated: int = 0
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def refused(self) -> list[Verdict]:
        """The verdicts by which old models stay."""
        return [one for one in self.verdicts if not one.is_kept]


def at_gate(it: Experiment, name: str, new: Models, old: Models) -> Passed:
    """Let the new models through that are not worse than the old; say which are.

    Args:
        name: Of the stage.
    """
    if not (it.gate.policy or (it.gate.prm and new.prm)):
        return Passed(new)

    def work(folder: Path) -> dict[str, Any]:
        return Trial(it, name, folder, it.run.scratch(name)).hold(new, old)

    inputs = {"new": new.digests(), "old": old.digests(), "problems": digest_of(it.validation)}
    stage = it.run.stage(name, inputs=inputs, work=work)
    verdicts = tuple(map(Verdict.from_dict, stage.result["verdicts"]))
    passed = Passed(new, verdicts, stage.result["tokens_generated"], {"gate": stage.seconds})
    stays = {one.of: getattr(old, one.of) for one in passed.refused}
    for one in passed.refused:
        console.print(f"{name}: {one}; the round goes on with {stays[one.of]}", soft_wrap=True)
    return dataclasses.replace(passed, models=dataclasses.replace(new, **stays))


@dataclass(frozen=True, slots=True)
class Trial:
    """Draws, judges and scores.

    Attributes:
        name: Of the stage: for seeds and progress.
        folder: Where the samples are kept, without verdicts: nothing can be learned from them.
        scratch: Working folder that survives a crash.
    """

    it: Experiment
    name: str
    folder: Path
    scratch: Path

    def hold(self, new: Models, old: Models) -> dict[str, Any]:
        """Both gates, one after the other: the PRM is tried on samples of the policy that it is to guide from now on.

        Returns:
            The `verdicts` and the `tokens_generated` for them, as JSON.
        """
        gate = self.it.gate
        verdicts: list[Verdict] = []
        drawn = {"new": self._samples("new", new.policy)}
        kept = drawn["new"]
        if gate.policy:
            drawn["old"] = self._samples("old", old.policy)
            verdicts.append(gate.verdict(POLICY, *([share_right(tree) for tree in drawn[side]] for side in drawn)))
            kept = drawn["new" if verdicts[-1].is_kept else "old"]
        if gate.prm and new.prm and old.prm:
            verdicts.append(gate.verdict(PRM, self._orders(new.prm, kept), self._orders(old.prm, kept)))
        spent = tokens_of([one.tree for trees in drawn.values() for one in trees])
        return {"verdicts": [dataclasses.asdict(one) for one in verdicts], "tokens_generated": spent}

    def _samples(self, side: str, policy: Path | None) -> list[VerifiedTree]:
        """Judged samples of a policy. Both sides share their seeds: what they draw alike comes out alike."""
        it, config = self.it, self.it.config
        scratch = self.scratch / side
        scratch.mkdir(parents=True, exist_ok=True)
        strategy = sampler(it, it.gate.samples)
        trees = grow(
            [strategy.query(graded.problem, ONCE, config.seed, self.name) for graded in it.validation],
            Engines(Lazy(policy_of, config, policy)),
            config,
            scratch=scratch,
            what=f"{self.name}, samples of the {side} policy",
        ).trees
        write_trees(self.folder / side, (VerifiedTree.labelled(tree, "", {}) for tree in trees))
        return [judged(it.task, graded, tree) for graded, tree in zip(it.validation, trees, strict=True)]

    def _orders(self, prm: Path, samples: Sequence[VerifiedTree]) -> list[float | None]:
        """The PRM's score on each problem."""
        trees = [one.tree for one in samples]
        values = node_values(scorer_of(self.it.config, prm), self.it.strategy.aggregate, trees)
        return [order_right(one, its) for one, its in zip(samples, values, strict=True)]
