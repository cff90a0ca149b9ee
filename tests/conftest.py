"""What tests share."""

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """Where base policies and first PRMs lie: those of the same settings are fitted once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def kernel_threads():
    """Numba's OpenMP layer sets the number of threads for the whole process, and so for the tests that follow."""
    with threadpool_limits(limits=1, user_api="openmp"):
        yield
