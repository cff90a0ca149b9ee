"""PUCT, leaves in flight, blocks of siblings, and that all paths of a kernel give the same bits."""

import importlib
import os
import pkgutil
import subprocess
import sys
from functools import partial
from random import Random
from types import ModuleType

import naive
import numpy as np
import pytest
from arenas import Arena, dice, forests, seeds, select, trees
from hypothesis import given, settings
from hypothesis import strategies as st

from mcts import kernels
from mcts.kernels import backup, grow
from mcts.kernels import select as walks
from mcts.tree import NO_NODE, Flag

UCT = (0.5, 2.0, 0.9)
PUCT = (1.25, 19652.0, 0.5)


@settings(max_examples=150, deadline=None)
@given(
    forests(expanded=True, valued=False),
    st.lists(seeds, min_size=3, max_size=3),
    st.sampled_from([0.0, 1.25]),
    st.sampled_from([2.0, 19652.0]),
    st.sampled_from([0.0, 0.5]),
    dice,
)
def test_select_puct_equals_its_twin_wherever_the_records_lie(forest, seeds, c_init, c_base, unvisited, placement):
    roots, seeds = [tree[0] for tree in forest], seeds[: len(forest)]
    how = (c_init, c_base, unvisited)
    expected = [naive.select_puct(root, seed, *how) for root, seed in zip(roots, seeds, strict=True)]
    for _ in range(2):
        arena = Arena(forest, placement)
        assert select(kernels.select_puct, arena, roots, seeds, *how) == expected
        arena.assert_equal(forest)


@pytest.mark.parametrize("visits", [3, walks.TABULATED - 1, walks.TABULATED, 40 * walks.TABULATED])
def test_the_puct_score_by_hand(visits):
    """With c_base = 2 and 3 visits the growth is ln 3 + 1.25."""
    root = naive.Node(0, flags=int(Flag.EXPANDED), visits=visits)
    tried = naive.Node(1, root, visits=2, value_sum=1.5, prior=0.25)
    fresh = naive.Node(2, root, prior=0.5)
    arena = Arena([[root, tried, fresh]], Random(0))
    spread = visits**0.5 * (np.log((visits + 3.0) / 2.0) + 1.25)
    draw = 0.75 + 0.25 * spread / 3 - 0.5 * spread  # the unvisited value at which both score alike
    assert select(kernels.select_puct, arena, [root], [0], 1.25, 2.0, draw - 1e-9) == [tried]
    assert select(kernels.select_puct, arena, [root], [0], 1.25, 2.0, draw + 1e-9) == [fresh]


@settings(max_examples=100, deadline=None)
@given(forests(expanded=True), dice, dice)
def test_a_life_of_selecting_growing_and_backing_up_equals_its_twin(forest, rng, placement):
    """Random steps in any order, up to three leaves of a tree in flight, some come to nothing."""
    arena = Arena(forest, placement)
    keys = [rng.getrandbits(64) for _ in forest]
    held: list[tuple[list[naive.Node], naive.Node]] = []
    for _ in range(8):
        held += _select_and_hold(arena, forest, keys, rng)
        arena.assert_equal(forest)
        rng.shuffle(held)
        for tree, leaf in [held.pop() for _ in range(rng.randint(0, len(held)))]:
            _finish(arena, tree, leaf, rng)
            arena.assert_equal(forest)
    for tree, leaf in held:
        _finish(arena, tree, leaf, rng)
    arena.assert_equal(forest)
    assert not arena.column("in_flight")[arena.ids([node for tree in forest for node in tree])].any()


def _select_and_hold(arena, forest, keys, rng):
    kernel, twin, how = rng.choice(
        [(kernels.select_uct, naive.select_uct, UCT), (kernels.select_puct, naive.select_puct, PUCT)]
    )
    many = rng.randint(1, 3)
    leaves = np.full((len(forest), many), -7, np.int32)
    roots = arena.ids([tree[0] for tree in forest])
    kernel(arena.nodes, arena.ledger, roots, np.asarray(keys, np.uint64), *how, True, leaves)
    chosen = []
    for tree, key, found in zip(forest, keys, leaves.tolist(), strict=True):
        for place in found:
            leaf = twin(tree[0], key, *how)
            assert place == (NO_NODE if leaf is None else arena.id_of[leaf])
            if leaf is not None:
                naive.hold(leaf)
                chosen.append((tree, leaf))
    return chosen


def _finish(arena: Arena, tree: list[naive.Node], leaf: naive.Node, rng: Random) -> None:
    ids = arena.ids([leaf])
    match rng.choice(["mean", "child mean", "child max", "nothing", "nothing"]):
        case "nothing":
            kernels.release(arena.nodes, ids)
            naive.release(leaf)
        case "mean":
            value = naive.single(rng.random())
            kernels.backup_mean(arena.nodes, ids, np.asarray([value], np.float32))
            naive.backup_mean(leaf, value)
        case "child mean" | "child max" as kind:
            _expand(arena, tree, leaf, rng)
            if kind == "child mean":
                kernels.backup_child_mean(arena.nodes, ids)
                naive.backup_child_mean(leaf)
            else:
                kernels.backup_child_max(arena.nodes, ids)
                naive.backup_child_max(leaf)
    kernels.close(arena.nodes, ids)
    naive.close(leaf)


def _expand(arena: Arena, tree: list[naive.Node], leaf: naive.Node, rng: Random) -> None:
    width, depth = rng.randint(1, 4), rng.choice([2, 30])
    priors, values = ([naive.single(rng.random()) for _ in range(width)] for _ in range(2))
    both = [np.asarray([numbers], np.float32) for numbers in (priors, values)]
    sizes = np.asarray([len(tree)], np.int32)
    kernels.expand(arena.nodes, arena.ledger, arena.ids([leaf]), arena.end, sizes, depth, *both)
    children = naive.expand(leaf, len(tree), depth, priors, values)
    arena.add_block(children, len(children))
    tree.extend(children)
    assert sizes.tolist() == [len(tree)]
    for child in children:
        if rng.random() < 0.3:
            child.flags |= Flag.CLOSED
            arena.nodes[arena.id_of[child]]["flags"] |= Flag.CLOSED


def test_a_tree_whose_every_open_leaf_is_in_flight_waits():
    root = naive.Node(0, flags=int(Flag.EXPANDED), visits=3)
    inner = naive.Node(1, root, flags=int(Flag.EXPANDED), value=0.5)
    tree = [root, inner, *(naive.Node(2 + i, inner, value=0.5) for i in range(2)), naive.Node(4, root, value=0.5)]
    arena = Arena([tree], Random(0))
    leaves = np.empty((1, 4), np.int32)
    kernels.select_uct(arena.nodes, arena.ledger, arena.ids([root]), np.zeros(1, np.uint64), *UCT, True, leaves)
    assert sorted(leaves[0, :3]) == sorted(arena.ids([tree[2], tree[3], tree[4]]))
    assert leaves[0, 3] == NO_NODE
    kernels.release(arena.nodes, arena.ids([tree[3]]))
    kernels.select_uct(arena.nodes, arena.ledger, arena.ids([root]), np.zeros(1, np.uint64), *UCT, True, leaves)
    assert leaves[0].tolist() == [arena.id_of[tree[3]], NO_NODE, NO_NODE, NO_NODE]


class Grown:
    """Many trees grown by the kernels alone, beside their twins.

    Args:
        width: Children a block; None chains them one by one, so that siblings of one leaf lie apart.
    """

    def __init__(self, count: int, width: int | None, rng: Random) -> None:
        self.rng, self.width = rng, width
        self.nodes, self.ledger = kernels.allocate(count * 400)
        self.ids = np.arange(count, dtype=np.int32)
        self.sizes = np.ones(count, np.int32)
        self.seeds = np.asarray([rng.getrandbits(64) for _ in range(count)], np.uint64)
        self.first = count
        for place in range(count):
            kernels.append_child(self.nodes, self.ledger, NO_NODE, place, 0, 1.0, 0)

    def columns(self) -> dict[str, np.ndarray]:
        return {name: self.nodes[name][: self.first].copy() for name in kernels.NODE.names}

    def step(self, leaves_at_once: int, alone: bool) -> np.ndarray:
        """Select in every tree, then grow and back up; `alone`: one call a tree. Returns the leaves."""
        leaves = np.full((len(self.ids), leaves_at_once), -7, np.int32)
        for some in self._calls(alone):
            where = self.nodes, self.ledger, self.ids[some], self.seeds[some]
            kernels.select_puct(*where, *PUCT, leaves_at_once > 1, leaves[some])
        for k in range(leaves_at_once):
            column = np.ascontiguousarray(leaves[:, k])
            self._grow(column)
            values = np.asarray([self.rng.random() for _ in column], np.float32)
            for some in self._calls(alone):
                kernels.backup_mean(self.nodes, column[some], values[some])
        return leaves

    def _calls(self, alone: bool) -> list[slice]:
        return [slice(t, t + 1) for t in self.ids] if alone else [slice(None)]

    def _grow(self, leaves: np.ndarray) -> None:
        width = self.width or self.rng.randint(1, 4)
        shape = len(leaves), width
        priors = np.asarray([self.rng.random() for _ in range(shape[0] * width)], np.float32).reshape(shape)
        scores = np.asarray([self.rng.random() for _ in range(shape[0] * width)], np.float32).reshape(shape)
        if self.width:
            kernels.expand(self.nodes, self.ledger, leaves, self.first, self.sizes, 4, priors, scores)
            self.first += shape[0] * width
            return
        for i in range(width):
            for t, leaf in enumerate(leaves):
                if leaf != NO_NODE and self.nodes[leaf]["depth"] < 4:
                    prior, ordinal = float(priors[t, i]), int(self.sizes[t])
                    kernels.append_child(self.nodes, self.ledger, leaf, self.first, ordinal, prior, 0)
                    self.nodes[leaf]["flags"] |= Flag.EXPANDED
                    self.sizes[t] += 1
                    self.first += 1


@pytest.mark.parametrize("width", [1, 2, 5, None])
@pytest.mark.parametrize("count", [3, 5, 40])
@pytest.mark.parametrize("leaves_at_once", [1, 3])
def test_serial_lockstep_and_threaded_paths_give_the_same_bits(monkeypatch, width, count, leaves_at_once):
    grown = []
    for alone, threaded_from in ((True, 10**9), (False, 10**9), (False, 0)):
        for module in (walks, grow, backup):
            monkeypatch.setattr(module, "THREADED_FROM", threaded_from)
        forest = Grown(count, width, Random(count))
        leaves = [forest.step(leaves_at_once, alone).tolist() for _ in range(12)]
        assert kernels.find_fault(forest.nodes, forest.ledger, forest.ids, True) == (NO_NODE, kernels.Fault.NONE)
        grown.append((leaves, forest.columns()))
    for leaves, columns in grown[1:]:
        assert leaves == grown[0][0]
        for name, column in columns.items():
            np.testing.assert_array_equal(column, grown[0][1][name], err_msg=name)


@pytest.mark.parametrize(("asked", "expected"), [({}, 1), ({"NUMBA_NUM_THREADS": "2"}, 2)])
def test_the_number_of_threads_that_holds_for_a_process_holds_for_its_kernels(asked, expected):
    code = "import mcts.kernels, numba; print(numba.get_num_threads())"
    told = {name: value for name, value in os.environ.items() if name != "NUMBA_NUM_THREADS"}
    env = told | {"OMP_NUM_THREADS": "1"} | asked
    run = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert int(run.stdout) == expected


def test_records_fill_cache_lines():
    nodes, ledger = kernels.allocate(3)
    assert kernels.NODE.itemsize == 32
    assert nodes.ctypes.data % 64 == 0
    assert not nodes.view(np.uint8).any()
    assert not ledger.view(np.uint8).any()


FAULTS = [
    ("nodes", "first_child", 99999, kernels.Fault.LINK),
    ("nodes", "parent", 1, kernels.Fault.PARENT),
    ("nodes", "depth", 9, kernels.Fault.DEPTH),
    ("ledger", "ordinal", 0, kernels.Fault.ORDER),
    ("ledger", "last_child", 0, kernels.Fault.CHAIN),
    ("ledger", "children", 7, kernels.Fault.CHAIN),
    ("nodes", "visits", 0, kernels.Fault.VISITS),
    ("nodes", "in_flight", 2, kernels.Fault.IN_FLIGHT),
    ("nodes", "flags", int(Flag.EXPANDED) | 128, kernels.Fault.IN_FLIGHT),
    ("nodes", "flags", int(Flag.EXPANDED | Flag.CLOSED), kernels.Fault.CLOSED),
]


@pytest.mark.parametrize(("records", "field", "wrong", "fault"), FAULTS)
def test_every_kind_of_fault_is_found_where_it_is(records, field, wrong, fault):
    forest = Grown(2, 3, Random(1))
    for _ in range(12):
        forest.step(1, False)
    assert kernels.find_fault(forest.nodes, forest.ledger, forest.ids, True) == (NO_NODE, kernels.Fault.NONE)
    depths, visits = forest.nodes["depth"][: forest.first], forest.nodes["visits"][: forest.first]
    inner = (depths == 1) & (visits > 1) & (forest.nodes["first_child"][: forest.first] > 0)
    (node, *_) = np.flatnonzero(inner)
    getattr(forest, records)[node][field] = wrong
    found, code = kernels.find_fault(forest.nodes, forest.ledger, forest.ids, True)
    assert code == fault
    assert found in (node, forest.nodes[node]["parent"])


def _modules() -> list[ModuleType]:
    names = [module.name for module in pkgutil.iter_modules(kernels.__path__)]
    return [importlib.import_module(f"mcts.kernels.{name}") for name in names]


@pytest.mark.parametrize("module", _modules(), ids=lambda module: module.__name__)
def test_compiled_code_is_used_in_its_own_file_only(module):
    """numba's disk cache would not see an edit of the helper. What is compiled anew in each process may use others."""
    own = [thing for thing in vars(module).values() if getattr(thing, "__module__", "") == module.__name__]
    if not any(getattr(thing, "stats", None) and thing.stats.cache_path for thing in own):
        return
    for name, thing in vars(module).items():
        source = getattr(thing, "py_func", None) or getattr(thing, "_defn", None)  # a dispatcher, an intrinsic
        if source is not None:
            assert source.__module__ == module.__name__, name


@settings(max_examples=60, deadline=None)
@given(trees(valued=False), dice)
def test_vote_weights_equal_their_twin(tree, rng):
    for node in tree:
        node.prior = rng.choice((naive.single(rng.random()), 1.0, 0.0))
    finals = [node for node in tree if node.is_(Flag.FINAL)]
    weights = np.full(len(finals), -7.0)
    columns = [np.asarray([NO_NODE if node.parent is None else node.parent.ordinal for node in tree], np.int32)]
    columns += [np.asarray([node.visits for node in tree], np.int32)]
    columns += [np.asarray([getattr(node, name) for node in tree], np.float32) for name in ("prior", "value")]
    kernels.vote_weights(*columns, np.asarray([node.ordinal for node in finals], np.int32), weights)
    np.testing.assert_array_equal(weights, [naive.vote_weight(node) for node in finals])


@settings(max_examples=60, deadline=None)
@given(trees(valued=False), dice, dice)
def test_the_best_final_equals_its_twin(tree, rng, placement):
    for node in tree:
        if node.is_(Flag.FINAL):
            node.flags |= rng.choice((0, 0, int(Flag.ACCEPTED), int(Flag.REJECTED)))
    arena = Arena([tree], placement)
    found = int(kernels.best_final(arena.nodes, arena.ids(tree)))
    expected = naive.best_final(tree)
    assert (NO_NODE if found == NO_NODE else arena.node_at[found].ordinal) == expected


def test_visit_counts_equal_those_of_mctx():
    """100 random trees, the same priors and values in both: what a node has is a hash of its path.

    mctx breaks ties by a noise of 1e-7, ours fall by the hash of the node; no two scores are that close here.
    """
    mctx = pytest.importorskip("mctx")
    import jax

    count, simulations, width, size = 100, 48, 4, 1 << 16
    rng = np.random.default_rng(7)
    values, logits = rng.random(size).astype(np.float32), rng.normal(size=(size, width)).astype(np.float32)
    roots = np.arange(count, dtype=np.int32) * 613

    def below(code, action):
        return (code * 31 + action + 1) % size

    def model(_parameters, _key, action, code):
        code = below(code, action)
        zeros, here = jax.numpy.zeros(count), jax.numpy.asarray(values)[code]
        known = {"reward": zeros, "discount": zeros + 1, "prior_logits": jax.numpy.asarray(logits)[code], "value": here}
        return mctx.RecurrentFnOutput(**known), code

    output = mctx.muzero_policy(
        None,
        jax.random.PRNGKey(0),
        mctx.RootFnOutput(prior_logits=logits[roots], value=values[roots], embedding=jax.numpy.asarray(roots)),
        model,
        num_simulations=simulations,
        dirichlet_fraction=0.0,
        qtransform=partial(mctx.qtransform_by_min_max, min_value=0.0, max_value=1.0),
    )
    priors = np.asarray(jax.nn.softmax(logits))

    nodes, ledger = kernels.allocate(count * (1 + width * (simulations + 1)))
    leaves, sizes = np.arange(count, dtype=np.int32)[:, None], np.ones(count, np.int32)
    ids, keys, codes = leaves[:, 0].copy(), np.zeros(count, np.uint64), np.zeros(len(nodes), np.int64)
    codes[:count] = roots
    for root in ids:
        kernels.append_child(nodes, ledger, NO_NODE, root, 0, 1.0, 0)
    for simulation in range(simulations + 1):  # the first evaluates the root, as mctx does before it starts
        kernels.select_puct(nodes, ledger, ids, keys, 1.25, 19652.0, 0.0, False, leaves)
        chosen, first = leaves[:, 0], count * (1 + width * simulation)
        unknown = np.full((count, width), np.nan, np.float32)
        kernels.expand(nodes, ledger, chosen, first, sizes, 10**4, priors[codes[chosen]], unknown)
        codes[first : first + count * width] = below(codes[chosen][:, None], np.arange(width)).ravel()
        kernels.backup_mean(nodes, chosen, values[codes[chosen]])
    visits = nodes["visits"][count : count * (1 + width)].reshape(count, width)
    np.testing.assert_array_equal(visits, output.search_tree.summary().visit_counts)
