"""What tests share."""

import pytest


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """Where base policies and first PRMs lie: those of the same settings are fitted once."""
    return tmp_path_factory.mktemp("cache")
