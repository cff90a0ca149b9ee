"""Plain-Python twins of the kernels and the searches: slow, obvious, written from the formulas.

They add and round in the same order as the compiled ones, so that tests may ask for equality and not for closeness.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import isnan, nan

import numpy as np

from mcts.search import Auto, BestOfN, EtaMcts, MctsStar, Puct, RolloutBranching, Search, StepBeam, TreeOfThoughtsDfs
from mcts.seeds import seed_of
from mcts.tree import NO_NODE, UNKNOWN_PRIOR, Flag
from mcts.types import Continuation, Problem, Proposal, Propose, Spent, State, Step, StepEnd, Until, Values
from mcts.widening import Widening

WORD = 1 << 64


def single(x: float) -> float:
    """`x` after it was stored in a float32."""
    return float(np.float32(x))


@dataclass(eq=False)
class Node:
    """A node that knows its parent and its children, as a textbook has it."""

    ordinal: int
    parent: Node | None = None
    step: Step | None = None
    flags: int = 0
    prior: float = 1.0
    children: list[Node] = field(default_factory=list)
    depth: int = 0
    visits: int = 0
    draws: int = 0
    count: int = 0
    value_sum: float = 0.0
    evidence: float = 0.0
    in_flight: int = 0
    is_held: bool = False
    value: float = nan

    def __post_init__(self) -> None:
        if self.parent is not None:
            self.depth = self.parent.depth + 1
            self.parent.children.append(self)

    def is_(self, flag: Flag) -> bool:
        return bool(self.flags & flag)

    def is_busy(self) -> bool:
        """Whether every open leaf at or beneath the node is in flight."""
        if self.is_held or self.is_(Flag.CLOSED) or not self.is_(Flag.EXPANDED):
            return self.is_held
        below = [child for child in self.children if not child.is_(Flag.CLOSED)]
        return bool(below) and all(child.is_busy() for child in below)

    def is_free(self) -> bool:
        """Whether a walk may go on here."""
        return not self.is_(Flag.CLOSED) and not self.is_busy()

    def upwards(self) -> Iterator[Node]:
        """This node, its parent, and so on to the root."""
        node: Node | None = self
        while node is not None:
            yield node
            node = node.parent

    def preorder(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            yield from child.preorder()


# --- kernels ----------------------------------------------------------------------------------------------------------


def tie_break(seed: int, ordinal: int) -> int:
    z = seed ^ (ordinal * 0x9E3779B97F4A7C15 % WORD)
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % WORD
    return z ^ (z >> 31)


def select_uct(root: Node, seed: int, exploration: float, log_factor: float, unvisited_bonus: float) -> Node | None:
    def bound(parent: Node, child: Node) -> float:
        visits = child.visits + child.in_flight
        if visits == 0:
            return child.value + unvisited_bonus
        above = parent.visits + parent.in_flight
        return child.value + exploration * math.sqrt(log_factor * math.log(max(1, above))) / math.sqrt(visits)

    return _walk(root, seed, bound)


def select_ucb(root: Node, seed: int, exploration: float, log_factor: float) -> Node | None:
    def bound(parent: Node, child: Node) -> float:
        above, seen = parent.visits + parent.in_flight, max(1, child.visits + child.in_flight)
        mean = child.value_sum / max(1, child.visits)
        return mean + exploration * math.sqrt(log_factor * math.log(max(1, above))) / math.sqrt(seen)

    return _walk(root, seed, bound)


def select_puct(root: Node, seed: int, c_init: float, c_base: float, unvisited_value: float) -> Node | None:
    def score(parent: Node, child: Node) -> float:
        mean = child.value_sum / child.visits if child.visits else unvisited_value
        above = parent.visits + parent.in_flight
        growth = math.log((above + c_base + 1.0) / c_base) + c_init
        return mean + child.prior * (math.sqrt(above) * growth) / (1.0 + (child.visits + child.in_flight))

    return _walk(root, seed, score)


def _walk(root: Node, seed: int, score: Callable[[Node, Node], float]) -> Node | None:
    if not root.is_free():
        return None
    node = root
    while node.is_(Flag.EXPANDED):
        scored = [(score(node, child), tie_break(seed, child.ordinal), child) for child in node.children]
        open_ = [entry for entry in scored if entry[2].is_free() and not isnan(entry[0])]
        if not open_:
            return None
        node = max(open_, key=lambda entry: entry[:2])[2]
    return node


def hold(leaf: Node) -> None:
    leaf.is_held = True
    for node in leaf.upwards():
        node.in_flight += 1


def release(leaf: Node) -> None:
    if leaf.is_held:
        leaf.is_held = False
        for node in leaf.upwards():
            node.in_flight -= 1


def expand(leaf: Node, ordinal: int, max_depth: int, priors: Sequence[float], values: Sequence[float]) -> list[Node]:
    if leaf.depth >= max_depth:
        return []
    leaf.flags |= Flag.EXPANDED
    both = enumerate(zip(priors, values, strict=True))
    return [Node(ordinal + i, leaf, prior=prior, value=value) for i, (prior, value) in both]


def backup_mean(leaf: Node, value: float) -> None:
    release(leaf)
    for node in leaf.upwards():
        node.visits += 1
        node.value_sum = single(node.value_sum + value)


def backup_child_max(leaf: Node) -> None:
    release(leaf)
    for node in leaf.upwards():
        node.visits += 1
        node.value = max((child.value for child in node.children if not isnan(child.value)), default=node.value)


def vote_weight(final: Node) -> float:
    mass = 1.0
    for node in final.upwards():
        mass *= node.prior if node.parent is not None else 1.0
    known = mass if mass > UNKNOWN_PRIOR else float(final.visits)
    return known if isnan(final.value) else known * final.value


def mean_value(node: Node) -> float:
    total, weight = node.value, 1.0
    for child in node.children:
        if not isnan(child.value):
            total += child.count * child.value
            weight += child.count
    return total / weight


def expected_success(node: Node, strength: float, doubt: float) -> float:
    above, mean = 1.0, 1.0
    if node.parent is not None:
        above, mean = expected_success(node.parent, strength, doubt), mean_value(node.parent)
    expected = above
    if not isnan(node.value) and mean != 0.0:
        expected = min(1.0, node.value * (above / mean) ** doubt)
    return (strength * expected + node.evidence) / (strength + node.visits)


def branching_index(node: Node, success: float, mean_depth: float) -> float:
    new = 1.0
    for child in node.children:
        new -= child.prior
    if any(child.prior == UNKNOWN_PRIOR for child in node.children):
        new = min(new, (1.0 + len(node.children)) / (1.0 + max(node.draws, node.visits)))
    new = max(0.0, new)
    return new * success / (1.0 + new * max(0.0, mean_depth - node.depth - 1.0))


def select_prefix(root: Node, seed: int, strength: float, doubt: float, root_share: float, opening: int) -> Node:
    nodes = list(root.preorder())
    finals = [node for node in nodes if node.is_(Flag.FINAL)]
    floor = max(opening, root_share * sum(node.draws for node in nodes))
    if root.draws < floor or not finals:
        return root
    mean_depth = sum(node.depth for node in finals) / len(finals)

    def rank(node: Node) -> tuple[float, int]:
        success = expected_success(node, strength, doubt)
        return branching_index(node, success, mean_depth), tie_break(seed, node.ordinal)

    candidates = [node for node in nodes if not node.is_(Flag.CLOSED) and not isnan(node.value)]
    return max(candidates, key=rank, default=root)


def credit(leaf: Node, prefix: Node, evidence: float) -> None:
    for node in leaf.upwards():
        node.visits += 1
        node.evidence += evidence
        if node is prefix:
            return


def backup_child_mean(leaf: Node) -> None:
    release(leaf)
    for node in leaf.upwards():
        node.visits += 1
        visits = sum(child.visits for child in node.children)
        total = 0.0
        for child in node.children:
            total += child.visits * child.value
        if visits > 0:
            node.value = single(total / visits)


def close(leaf: Node) -> None:
    for node in leaf.upwards():
        if not node.is_(Flag.EXPANDED) or not all(child.is_(Flag.CLOSED) for child in node.children):
            return
        node.flags |= Flag.CLOSED


def widen(leaf: Node, widening: Widening) -> None:
    for node in leaf.upwards():
        if not node.is_(Flag.EXPANDED) or node.is_(Flag.FINAL) or node.in_flight:
            continue
        least, most, root_least, root_most = widening.bounds
        if node.parent is None:
            least, most = root_least, root_most
        if all(child.is_(Flag.CLOSED) for child in node.children):
            wanted = most
        elif widening.growth == "spread":
            means = [child.value_sum / child.visits for child in node.children if child.visits]
            wanted = math.floor(widening.scale * max([0.0, *[abs(m - sum(means) / len(means)) for m in means]]))
        elif widening.growth == "importance":
            far = [abs(child.value - node.value) for child in node.children]
            wanted = math.floor(widening.scale * max([0.0, *[d for d in far if not isnan(d)]])) + 1
        else:
            wanted = math.ceil(widening.scale * node.visits**widening.power)
        if node.draws < min(most, max(least, wanted)):
            node.flags &= ~Flag.EXPANDED
            for above in node.upwards():
                above.flags &= ~Flag.CLOSED


def share_priors(node: Node) -> None:
    total = sum(child.count for child in node.children)
    for child in node.children:
        child.prior = single(child.count / total)


# --- labels -----------------------------------------------------------------------------------------------------------

SENTINEL = 1024


def infer_labels(
    parent: Sequence[int], correct: Sequence[bool], wrong: Sequence[bool]
) -> tuple[list[int], list[float], list[float]]:
    """The released algorithm word for word, with M = m + 1: (m or -1, hard estimate or NaN, v or NaN) per node."""
    nodes = range(len(parent))
    unlabelled = [-1 for _ in nodes], [nan for _ in nodes], [nan for _ in nodes]
    if not any(correct):
        return unlabelled
    least, hard = [SENTINEL for _ in nodes], [0.0 for _ in nodes]

    # 1. From each correct leaf walk to the root.
    for leaf in (n for n in nodes if correct[n]):
        least[leaf], hard[leaf] = 1, 1.0
        node = parent[leaf]
        while node != NO_NODE:
            least[node] = min(least[child] for child in nodes if parent[child] == node) + 1
            hard[node] = 1.0
            node = parent[node]

    # 2. From each wrong leaf climb to the nearest ancestor with M, and copy its M onto the way.
    for leaf in (n for n in nodes if wrong[n]):
        way, node = [], leaf
        while least[node] == SENTINEL:
            way.append(node)
            node = parent[node]
        for below in way:
            least[below] = least[node]

    # 3. From the root downwards.
    quality = [0.0 for _ in nodes]
    for node in nodes[1:]:
        above = quality[parent[node]]
        gain = (1.0 - above) * (1.0 if hard[node] else -1.0) / least[node]
        quality[node] = single(max(0.0, above + gain))

    remaining, labels, progress = unlabelled
    for node in (n for n in nodes if least[n] != SENTINEL):
        remaining[node], labels[node], progress[node] = least[node] - 1, hard[node], quality[node]
    return remaining, labels, progress


def agreement(process: Sequence[float], outcome: Sequence[float]) -> list[float]:
    """How far process and outcome reward, each about its middle, say the same of a step; NaN is no reward."""
    found = []
    for r_p, r_o in zip(process, outcome, strict=True):
        centred = [0.0 if isnan(reward) else reward - 0.5 for reward in (r_p, r_o)]
        found.append(abs(sum(centred)))
    return found


def success_rates(
    parent: Sequence[int], correct: Sequence[bool], wrong: Sequence[bool], draws: Sequence[int]
) -> list[float]:
    successes, drawn = [0 for _ in parent], [0 for _ in parent]
    for leaf in (n for n in range(len(parent)) if correct[n] or wrong[n]):
        node = leaf
        while node != NO_NODE:
            drawn[node] += max(1, draws[leaf])
            successes[node] += max(1, draws[leaf]) * correct[leaf]
            node = parent[node]
    return [single(s / d) if d else nan for s, d in zip(successes, drawn, strict=True)]


# --- searches ---------------------------------------------------------------------------------------------------------


@dataclass
class Walk:
    """One tree searched on its own: no arena, no scheduler, every reply at once.

    Attributes:
        score: The scorer, or None to search without values.
        check: The checker's verdict on a solution, or None for a task without one.
        critic: Values from one half on mean that a solution is finished; None never says so.
        prm, orm, judge: Scorers that only tell.
        fast: What draws rollouts; None has `propose` do it.
    """

    problem: Problem
    seed: int
    propose: Callable[[Propose], Proposal]
    score: Callable[[State], Values] | None
    check: Callable[[Sequence[Step]], bool] | None
    max_depth: int
    max_tokens: int
    nodes: list[Node] = field(default_factory=lambda: [Node(0)])
    tickets: int = 0
    spent: Spent = field(default_factory=Spent)
    critic: Callable[[State], Values] | None = None
    tells_priors: bool = True
    prm: Callable[[State], Values] | None = None
    orm: Callable[[State], Values] | None = None
    judge: Callable[[State], Values] | None = None
    fast: Callable[[Propose], Proposal] | None = None

    def state(self, node: Node, beyond: tuple[Step, ...] = ()) -> State:
        steps = [above.step for above in node.upwards() if above.step is not None]
        return State(self.problem, (*reversed(steps), *beyond))

    def draw(
        self,
        node: Node,
        width: int,
        until: Until,
        temperature: float,
        beyond: tuple[Step, ...] = (),
        *,
        fast: bool = False,
    ) -> Proposal:
        seed = seed_of(self.seed, self.tickets, "draw")
        self.tickets += 1
        propose = self.fast if fast and self.fast else self.propose
        proposal = propose(Propose(self.state(node, beyond), width, until, temperature, self.max_tokens, seed))
        tokens = sum(len(step.token_ids) for continuation in proposal for step in continuation)
        self.spent += Spent(tokens_generated=tokens, policy_calls=1)
        return proposal

    def value(self, node: Node, beyond: tuple[Step, ...] = ()) -> float:
        self.tickets += 1
        if self.score is None:
            return nan
        state = self.state(node, beyond)
        values = self.score(state)
        tokens = sum(len(step.token_ids) for step in state.steps)
        self.spent += Spent(tokens_scored=tokens, scorer_calls=1)
        if not beyond:
            for above, value in zip(node.upwards(), reversed(values), strict=True):
                above.value = single(value) if isnan(above.value) else above.value
        return values[-1]

    def tell(self, node: Node, score: Callable[[State], Values] | None, beyond: tuple[Step, ...] = ()) -> float:
        self.tickets += 1
        if score is None:
            return nan
        state = self.state(node, beyond)
        tokens = sum(len(step.token_ids) for step in state.steps)
        self.spent += Spent(tokens_scored=tokens, scorer_calls=1)
        return score(state)[-1]

    def criticise(self, node: Node, beyond: tuple[Step, ...] = ()) -> bool:
        self.tickets += 1
        if self.critic is None:
            return False
        state = self.state(node, beyond)
        tokens = sum(len(step.token_ids) for step in state.steps)
        self.spent += Spent(tokens_scored=tokens, scorer_calls=1)
        return self.critic(state)[-1] >= 0.5

    def grow(self, node: Node, continuation: Continuation) -> Node:
        node.draws += 1
        for step in continuation:
            same = [child for child in node.children if _alike(child.step, step)]
            node = same[0] if same else self._append(node, step)
            node.count += 1
            self.tells_priors &= bool(step.logprobs)
        return node

    def expand(self, leaf: Node) -> None:
        leaf.flags |= Flag.EXPANDED
        if not self.tells_priors:
            share_priors(leaf)

    def verdict(self, leaf: Node) -> bool | None:
        if self.check is None or not leaf.is_(Flag.CLOSED):
            return None
        if not leaf.is_(Flag.FINAL):
            return False
        accepted = self.check(self.state(leaf).steps)
        leaf.flags |= Flag.ACCEPTED if accepted else Flag.REJECTED
        return accepted

    def _append(self, parent: Node, step: Step) -> Node:
        prior = single(math.exp(sum(step.logprobs))) if step.logprobs else UNKNOWN_PRIOR
        node = Node(len(self.nodes), parent, step, prior=prior)
        if step.end is StepEnd.FINAL:
            node.flags = Flag.FINAL | Flag.CLOSED
        elif step.end is StepEnd.TRUNCATED or not step.text or node.depth >= self.max_depth or parent.is_(Flag.CLOSED):
            node.flags = Flag.CLOSED
        self.nodes.append(node)
        return node


def _alike(a: Step | None, b: Step) -> bool:
    return a is not None and (a.text, a.token_ids, a.end) == (b.text, b.token_ids, b.end)


def simulate(search: Search, walk: Walk) -> bool:
    """One simulation; returns whether the tree has more to give."""
    root = walk.nodes[0]
    match search:
        case BestOfN():
            leaves = [
                walk.grow(root, continuation)
                for continuation in walk.draw(root, search.width, Until.END, search.temperature)
            ]
            _assess(walk, leaves, [root] * len(leaves))
            return search.temperature > 0
        case RolloutBranching():
            prefix = select_prefix(root, walk.seed, search.strength, search.doubt, search.root_share, search.opening)
            until = Until.END if prefix is root else Until.STEP
            pairs = []
            for continuation in walk.draw(prefix, search.width, until, search.temperature):
                known = len(walk.nodes)
                node = walk.grow(prefix, continuation)
                if len(walk.nodes) > known:
                    pairs.append((node, walk.nodes[known].parent))
            if pairs:
                _assess(walk, [node for node, _ in pairs], [parent for _, parent in pairs])
            return True
        case Auto():
            course = _course(search, walk)
            opening = 10**9 if course == "sample" else search.tree.opening
            return course != "stop" and simulate(replace(search.tree, opening=opening), walk)
        case _:
            twins: dict[type, Callable[..., bool]] = {
                MctsStar: _mcts_star,
                Puct: _puct,
                EtaMcts: _eta_mcts,
                StepBeam: _step_beam,
                TreeOfThoughtsDfs: _tot_dfs,
            }
            return twins[type(search)](search, walk)


def _course(search: Auto, walk: Walk) -> str:
    """A draw at a time: what they answer, and what they are worth."""
    answers, values, depths, certain = [], [], [], set()
    for node in walk.nodes:
        if node.is_(Flag.ACCEPTED):
            return "stop"
        if node.is_(Flag.CLOSED) and not node.children:
            value = 0.0 if node.is_(Flag.REJECTED) else 1.0 if isnan(node.value) else node.value
            if node.is_(Flag.FINAL) and not isnan(node.value) and value >= search.certain:
                certain.add(node.step.text.strip())
            answers += [node.step.text.strip() if node.is_(Flag.FINAL) else ""] * node.count
            values += [value] * node.count
            depths.append(node.depth)
    if len(certain) == 1:
        return "stop"
    if len(values) < search.first:
        return "sample"
    worth = {answer: [v for a, v in zip(answers, values, strict=True) if a == answer] for answer in answers if answer}
    top = max(worth.values(), key=lambda its: (len(its), round(sum(its), 9)), default=[])
    share, value = len(top) / max(1, len(values)), float(np.mean(top)) if top else 0.0
    if share >= search.agreement and value >= search.sure and np.std(values) <= search.spread:
        return "stop"
    is_hard = share < search.split or value < search.doubt
    return "search" if is_hard and max(depths, default=0) > 1 and not search.long_reasoning else "sample"


def _assess(walk: Walk, nodes: list[Node], prefixes: list[Node]) -> dict[Node, float]:
    values, verdicts = {}, {}
    for node in nodes:
        if node not in values:
            values[node] = walk.value(node)
    for node in values:
        verdicts[node] = walk.verdict(node)
    for node, prefix in zip(nodes, prefixes, strict=True):
        guess = 0.0 if isnan(values[node]) else values[node]
        credit(node, prefix, guess if verdicts[node] is None else float(verdicts[node]))
    return values


def _mcts_star(search: MctsStar, walk: Walk) -> bool:
    root = walk.nodes[0]
    urgency = math.inf if search.unvisited_bonus is None else search.unvisited_bonus
    leaf = select_uct(root, walk.seed, search.exploration, search.log_factor, urgency)
    if leaf is None:
        return False
    gate = math.inf if search.end_gate is None else search.end_gate
    is_inference = search.mode == "inference"
    if leaf is not root:
        passes = leaf.value >= gate
        if (search.gate_ends_unfinished and passes) or (search.asks_critic and walk.criticise(leaf)):
            leaf.flags |= Flag.FINAL | Flag.CLOSED | Flag.EXPANDED
            backup_child_mean(leaf)
            close(leaf)
            return not (is_inference and passes)
    known = len(walk.nodes)
    proposal = walk.draw(leaf, max(1, search.width - leaf.draws), Until.STEP, search.temperature)
    children: list[Node] = []
    for continuation in proposal:
        child = walk.grow(leaf, continuation)
        if child not in children:
            children.append(child)
    walk.expand(leaf)
    if len(walk.nodes) > known:
        _evaluate(search, walk, leaf, children)
    close(leaf)
    if search.widening.growth != "fixed":
        widen(leaf, search.widening)
    return not (is_inference and any(child.is_(Flag.FINAL) and child.value >= gate for child in children))


def _evaluate(search: MctsStar, walk: Walk, leaf: Node, children: list[Node]) -> None:
    values = [walk.value(child) for child in children]
    for child in children:
        walk.verdict(child)
    value = max(values)
    best = children[values.index(value)]
    if not best.is_(Flag.CLOSED):
        value = (1.0 - search.rollout_weight) * value + search.rollout_weight * _rollout(search, walk, best)
    best.value = single(value)
    best.visits += 1
    backup_child_mean(leaf)


def _rollout(search: MctsStar, walk: Walk, node: Node) -> float:
    beyond: tuple[Step, ...] = ()
    found = 0.0
    for _ in range(search.rollout_steps):
        if search.asks_critic and walk.criticise(node, beyond):
            break
        proposal = walk.draw(node, search.rollout_width, Until.STEP, search.temperature, beyond)
        values = [walk.value(node, (*beyond, *continuation)) for continuation in proposal]
        best = values.index(max(values)) if search.rollout == "greedy" else 0
        beyond = (*beyond, *proposal[best])
        found = max(found, values[best])
        if beyond[-1].end is not StepEnd.DELIMITER:
            break
    if search.keeps_rollout and beyond:
        last = walk.grow(node, beyond)
        walk.value(last)
        walk.verdict(last)
    return found


def _puct(search: Puct, walk: Walk) -> bool:
    leaves: list[Node] = []
    for _ in range(search.in_flight):
        leaf = select_puct(walk.nodes[0], walk.seed, search.c_init, search.c_base, search.unvisited_value)
        if leaf is not None:
            hold(leaf)
            leaves.append(leaf)
    if not leaves:
        return False
    evaluated = _grow_beneath(search, walk, leaves)
    values = {node: walk.value(node) for node in evaluated}
    verdicts = {node: walk.verdict(node) for node in evaluated}
    for node in evaluated:
        verdict = verdicts[node]
        guess = 0.0 if isnan(values[node]) else values[node]
        backup_mean(node, guess if verdict is None else float(verdict))
    for leaf in leaves:
        release(leaf)
    for node in (*evaluated, *leaves):
        close(node)
    if search.widening.growth != "fixed":
        for leaf in leaves:
            widen(leaf, search.widening)
    return True


def _eta_mcts(search: EtaMcts, walk: Walk) -> bool:
    leaf = select_ucb(walk.nodes[0], walk.seed, search.exploration, search.log_factor)
    if leaf is None:
        return False
    siblings = [child.step for child in leaf.children if child.step is not None]
    draws: list[Step] = []
    far: list[float] = []
    while not draws or (far[-1] < search.merging.nearest and len(draws) <= search.merging.redraws):
        greedy = search.greedy_first and not siblings and not draws
        draws.append(_option(search, walk, leaf, 0.0 if greedy else search.temperature))
        far.append(_distance(search, walk, leaf, draws[-1], siblings))
    known = len(walk.nodes)
    node = walk.grow(leaf, (draws[far.index(max(far))],))
    walk.expand(leaf)
    if len(walk.nodes) > known:
        backup_mean(node, single(_eta_score(search, walk, node)))
    close(leaf)
    widen(node, search.widening)
    return True


def _distance(search: EtaMcts, walk: Walk, leaf: Node, option: Step, siblings: list[Step]) -> float:
    if not siblings or search.merging.likeness != "judge" or not search.merging.nearest:
        return search.merging.distance(option, siblings)
    told = [walk.tell(leaf, walk.judge, (sibling, option)) for sibling in siblings]
    return min(1.0 if isnan(same) else 1.0 - same for same in told)


def _option(search: EtaMcts, walk: Walk, leaf: Node, temperature: float) -> Step:
    steps: tuple[Step, ...] = ()
    is_last = search.end_depth is not None and leaf.depth + 1 >= search.end_depth
    while not steps or (not is_last and search.option.wants_more(steps)):
        steps += walk.draw(leaf, 1, Until.END if is_last else Until.STEP, temperature, steps)[0]
    return search.option.joined(steps)


def _eta_score(search: EtaMcts, walk: Walk, node: Node) -> float:
    value, prm = walk.value(node), walk.tell(node, walk.prm)
    verdict = walk.verdict(node)
    orm = nan
    if node.is_(Flag.CLOSED):
        orm = walk.tell(node, walk.orm)
    elif search.rollouts and search.beta_orm:
        rolled = walk.draw(node, search.rollouts, Until.END, search.rollout_temperature, fast=True)
        told = [walk.tell(node, walk.orm, rollout) for rollout in rolled]
        orm = sum(told) / len(told)
    if node.is_(Flag.FINAL) and not isnan(orm):
        node.value = single(orm)
    score = 0.0
    for beta, term in (
        (search.beta_value, 2 * value - 1),
        (search.beta_prm, prm if search.blend == "sum" else prm - 0.5),
        (search.beta_orm, (orm if verdict is None else float(verdict)) - (0.0 if search.blend == "sum" else 0.5)),
    ):
        if beta and not isnan(term):
            score += beta * term
    return score


def _grow_beneath(search: Puct, walk: Walk, leaves: list[Node]) -> list[Node]:
    """Draw at each leaf; returns the nodes to be evaluated."""
    known = len(walk.nodes)
    fresh = [leaf for leaf in leaves if not leaf.draws]
    proposals = []
    for leaf in leaves:
        proposals.append(walk.draw(leaf, max(1, search.width - leaf.draws), Until.STEP, search.temperature))
    evaluated = list(fresh)
    for leaf, proposal in zip(leaves, proposals, strict=True):
        children = [walk.grow(leaf, continuation) for continuation in proposal]
        for child in dict.fromkeys(children):
            if child.ordinal >= known and (leaf not in fresh or child.is_(Flag.CLOSED)):
                evaluated.append(child)
    for leaf in leaves:
        walk.expand(leaf)
    return evaluated


def _step_beam(search: StepBeam, walk: Walk) -> bool:
    beam = [walk.nodes[0]]
    while beam:
        proposals = [walk.draw(node, search.width, Until.STEP, search.temperature) for node in beam]
        drawn = []
        for node, proposal in zip(beam, proposals, strict=True):
            drawn += [(walk.grow(node, continuation), node) for continuation in proposal]
        values = _assess(walk, [child for child, _ in drawn], [node for _, node in drawn])
        ahead: dict[Node, tuple[Step, ...]] = {child: () for child in values if not child.is_(Flag.CLOSED)}
        for _ in range(search.lookahead):
            paths = {n: (*ahead[n], *walk.draw(n, 1, Until.STEP, 0.0, ahead[n])[0]) for n in ahead}
            values |= {node: walk.value(node, path) for node, path in paths.items()}
            ahead = {node: path for node, path in paths.items() if path[-1].end is StepEnd.DELIMITER}
        ranked = sorted(values, key=lambda child: -2.0 if isnan(values[child]) else values[child], reverse=True)
        beam = [child for child in ranked[: search.beams] if not child.is_(Flag.CLOSED)]
    return True


def _tot_dfs(search: TreeOfThoughtsDfs, walk: Walk) -> bool:
    """The recursion that the stack stands for. Returns False where a solution passes the gate."""
    gate = math.inf if search.end_gate is None else search.end_gate

    def visit(node: Node) -> bool:
        proposal = walk.draw(node, search.width, Until.STEP, search.temperature)
        children = [walk.grow(node, continuation) for continuation in proposal]
        values = _assess(walk, children, [node] * len(children))
        if any(child.is_(Flag.FINAL) and value >= gate for child, value in values.items()):
            return False
        ranked = sorted((child for child in values if not child.is_(Flag.CLOSED)), key=lambda child: -values[child])
        return all(visit(child) for child in ranked[: search.kept] if values[child] >= search.prune_below)

    return visit(walk.nodes[0])


def best_final(nodes: list[Node]) -> int:
    finals = [node for node in nodes if node.is_(Flag.FINAL)]
    accepted = [node for node in finals if node.is_(Flag.ACCEPTED)]
    standing = [node for node in finals if not node.is_(Flag.REJECTED)]
    best = NO_NODE
    highest = -math.inf
    for node in accepted or standing or finals:
        value = -1.0 if isnan(node.value) else node.value
        if value > highest:
            best, highest = node.ordinal, value
    return best
