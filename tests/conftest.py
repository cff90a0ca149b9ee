"""What tests share."""

import numba
import pytest
import torch

# When it starts its threads, numba's OpenMP layer sets the number of threads of all that its process computes, torch
# included. Here it starts them before any test, so that torch keeps its own: else trainings are many times slower.
_OF_TORCH = torch.get_num_threads()
numba.set_num_threads(numba.config.NUMBA_NUM_THREADS)
torch.set_num_threads(_OF_TORCH)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """Where base policies and first PRMs lie: those of the same settings are fitted once."""
    return tmp_path_factory.mktemp("cache")
