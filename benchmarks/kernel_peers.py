"""Peers of the kernels, each under the workload that `bench_kernels.py` describes."""

from __future__ import annotations

import importlib.util
import tempfile
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

DEPTH, C_INIT, C_BASE = 10, 1.25, 19652.0
TABLES = 64  # steps after which priors and values come again
Run = Callable[[], float]
"""Returns simulations per second."""


def cpu_clock() -> float:
    """Seconds of this thread alone: others on the machine slow it, but do not count."""
    return time.thread_time()


def mctx_run(trees: int, simulations: int, width: int) -> Run:
    """Mctx's MuZero search, compiled for the CPU; priors and values out of a table."""
    import jax
    import mctx

    rng = np.random.default_rng(0)
    logits = jax.numpy.asarray(rng.normal(size=(4096, width)).astype(np.float32))
    values = jax.numpy.asarray(rng.random(4096, np.float32))

    def model(_parameters: Any, _key: Any, action: Any, code: Any) -> Any:
        code = (code * 31 + action + 1) % 4096
        zeros = jax.numpy.zeros(trees)
        known = {"reward": zeros, "discount": zeros + 1, "prior_logits": logits[code], "value": values[code]}
        return mctx.RecurrentFnOutput(**known), code

    codes = jax.numpy.arange(trees) % 4096
    root = mctx.RootFnOutput(prior_logits=logits[codes], value=values[codes], embedding=codes)
    search = jax.jit(
        partial(
            mctx.muzero_policy,
            recurrent_fn=model,
            num_simulations=simulations,
            max_depth=DEPTH,
            dirichlet_fraction=0.0,
        )
    )

    def run() -> float:
        wall, cpu = time.perf_counter(), time.process_time()
        search(None, jax.random.PRNGKey(0), root).action_weights.block_until_ready()
        spent = min(time.perf_counter() - wall, time.process_time() - cpu)  # XLA has threads of its own
        return trees * simulations / spent

    return run


def lightzero_tree(wheel: Path) -> Any:
    """LightZero's compiled MuZero tree, taken out of its wheel.

    Raises:
        ImportError: The wheel is for another Python.
    """
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        (name,) = [name for name in archive.namelist() if "/ctree_muzero/mz_tree" in name and name.endswith(".so")]
        path = archive.extract(name, folder)
        spec = importlib.util.spec_from_file_location("mz_tree", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


def lightzero_run(tree: Any, trees: int, simulations: int, width: int) -> Run:
    """LightZero's batched C++ search; policies and values are lists, as it wants them."""
    rng = np.random.default_rng(0)
    policies = [rng.normal(size=(trees, width)).tolist() for _ in range(TABLES)]
    values = [rng.random(trees).tolist() for _ in range(TABLES)]
    zeros, nobody = [0.0] * trees, [-1] * trees

    def run() -> float:
        start = cpu_clock()
        roots = tree.Roots(trees, [list(range(width)) for _ in range(trees)])
        roots.prepare_no_noise(zeros, policies[0], nobody)
        bounds = tree.MinMaxStatsList(trees)
        bounds.set_delta(0.01)
        for step in range(simulations):
            results, row = tree.ResultsWrapper(trees), step % TABLES
            tree.batch_traverse(roots, int(C_BASE), C_INIT, 1.0, bounds, results, nobody)
            tree.batch_backpropagate(step + 1, 1.0, zeros, values[row], policies[row], bounds, results, nobody)
        return trees * simulations / (cpu_clock() - start)

    return run


def treequest_run(simulations: int, width: int) -> Run:
    """Treequest's MCTS, one tree; it makes one child a step, so `width` steps are a simulation."""
    import treequest

    rng = np.random.default_rng(0)

    def run() -> float:
        algorithm = treequest.StandardMCTS(samples_per_action=width)
        state = algorithm.init_tree()
        start = cpu_clock()
        for _ in range(simulations * width):
            state = algorithm.step(state, {"a": lambda _parent: ("step", float(rng.random()))})
        return simulations / (cpu_clock() - start)

    return run
