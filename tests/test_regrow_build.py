"""From configuration to objects: settings that decide results reach what they are for."""

import pytest
from prm_tiny import write_policy

from prm.model import create
from prm.scorer import fingerprint
from regrow.build import scorer_of
from regrow.config import Config


@pytest.mark.parametrize("aggregate", ["last", "min"])
def test_the_scorer_reads_values_as_configured(aggregate, tmp_path):
    create(write_policy(tmp_path / "policy"), tmp_path / "prm")
    config = Config()
    config.prm.aggregate = aggregate
    assert scorer_of(config, tmp_path / "prm").fingerprint == fingerprint(tmp_path / "prm", aggregate)
