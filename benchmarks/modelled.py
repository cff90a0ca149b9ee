"""Engines that are modelled, on a clock that is simulated: the real scheduler drives them as it drives real ones.

Time passes in two ways: to the next event of an engine where the scheduler waits, and by the CPU seconds that it took
itself, which are measured. Engines go on meanwhile, as those in processes of their own do. What the models of engines
cost here is not counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from simulated import Clock, Decoder, Reader
from speeds import Speed

from mcts.seeds import seed_of
from mcts.types import Continuation, Proposal, Propose, Score, Step, StepEnd, Ticket, Until, Values

WORDS = 152_000
BLOCK = 16
"""Tokens that a prefix cache holds together: half of one is read anew."""
VARIETY = 1_024
LETTERS = 4
"""Of a token's text."""


class World:
    """Texts of given lengths: what a policy says is a hash of the request's seed.

    Args:
        prompt: Tokens of a prompt.
        step: Mean tokens of a step; half of the steps have between .6 and 1.6 times as many.
        steps: Mean steps of a solution.
    """

    def __init__(self, prompt: int, step: int, steps: int) -> None:
        self.prompt = prompt
        self._steps = steps
        rng = Random(0)
        lengths = [max(2, round(step * rng.lognormvariate(-0.25, 0.7))) for _ in range(VARIETY)]
        self._said = {end: [_step(rng, n, end) for n in lengths] for end in (StepEnd.DELIMITER, StepEnd.FINAL)}

    def __call__(self, request: Propose) -> Proposal:
        """The continuations that a request draws."""
        return tuple(self._continuation(request, sample) for sample in range(request.width))

    def _continuation(self, request: Propose, sample: int) -> Continuation:
        rng = Random(seed_of(request.seed, sample))
        steps: list[Step] = []
        while not steps or (request.until is Until.END and steps[-1].end is StepEnd.DELIMITER):
            depth = len(request.state.steps) + len(steps)
            is_last = depth >= 2 and rng.random() < 1 / max(1, self._steps - 2)
            steps.append(self._said[StepEnd.FINAL if is_last else StepEnd.DELIMITER][rng.randrange(VARIETY)])
        return tuple(steps)


def _step(rng: Random, tokens: int, end: StepEnd) -> Step:
    ids = tuple(rng.randrange(WORDS) for _ in range(tokens))
    text = "".join(rng.choices("abcdefghij klmnop", k=LETTERS * tokens))
    return Step(text, ids, tuple(-rng.random() for _ in ids), end)


class ModelledPolicy:
    """Implements `mcts.ports.Policy`: engines of one speed; a request goes to the one with the least to do.

    Args:
        slots: Sequences that an engine runs at once.
        front_end: CPU seconds that vLLM's front end takes in our process for a request and for a token, as measured.
    """

    fingerprint = "modelled"

    def __init__(
        self,
        clock: Clock,
        world: World,
        speed: Speed,
        engines: int,
        *,
        slots: int,
        front_end: Sequence[float] = (0.0, 0.0),
    ) -> None:
        self._clock, self._world = clock, world
        self._request_s, self._token_s = front_end
        self._engines = [Decoder(speed, slots, self._one_finished) for _ in range(engines)]
        clock.machines += self._engines
        clock.doors.append(self)
        self._asked: list[tuple[Ticket, Propose]] = []
        self._replies: dict[Ticket, Proposal] = {}
        self._open: dict[Ticket, int] = {}
        self._done: list[tuple[Ticket, Proposal]] = []
        self.tokens_generated = 0

    def submit(self, ticket: Ticket, request: Propose) -> None:
        """Queue a request."""
        self._asked.append((ticket, request))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Proposal]]:
        """Take what is finished; with patience, at the time when something is."""
        if timeout_s and not self._done:
            self._clock.wait()
        done, self._done = self._done, []
        tokens = sum(_tokens(line) for _, reply in done for line in reply)
        self.tokens_generated += tokens
        self._clock.owe(len(done) * self._request_s + tokens * self._token_s)
        return done

    def take_in(self) -> None:
        """Hand what was asked to the engines."""
        asked, self._asked = self._asked, []
        for ticket, request in asked:
            engine = min(self._engines, key=lambda one: one.load)
            reply = self._replies[ticket] = self._world(request)
            self._open[ticket] = len(reply)
            context = self._world.prompt + _tokens(request.state.steps)
            unread = BLOCK // 2 if request.state.steps or request.drawn else self._world.prompt
            for line in reply:
                engine.add(self._clock.now_s, ticket, _tokens(line), context, unread)
                unread = 0

    def _one_finished(self, ticket: Ticket) -> None:
        self._open[ticket] -= 1
        if not self._open[ticket]:
            del self._open[ticket]
            self._done.append((ticket, self._replies.pop(ticket)))


class ModelledScorer:
    """Implements `mcts.ports.StepScorer`; values are hashes of steps."""

    fingerprint = "modelled"

    def __init__(self, clock: Clock, world: World, speed: Speed, engines: int) -> None:
        self._clock, self._world = clock, world
        self._engines = [Reader(speed, self._one_finished) for _ in range(engines)]
        clock.machines += self._engines
        clock.doors.append(self)
        self._asked: list[tuple[Ticket, Score]] = []
        self._replies: dict[Ticket, Values] = {}
        self._done: list[tuple[Ticket, Values]] = []
        self.tokens_read = 0

    def submit(self, ticket: Ticket, request: Score) -> None:
        """Queue a request."""
        self._asked.append((ticket, request))

    def poll(self, timeout_s: float) -> list[tuple[Ticket, Values]]:
        """Take what is finished, as the policy does."""
        if timeout_s and not self._done:
            self._clock.wait()
        done, self._done = self._done, []
        return done

    def take_in(self) -> None:
        """Hand what was asked to the engines."""
        asked, self._asked = self._asked, []
        for ticket, request in asked:
            steps = request.state.steps
            self._replies[ticket] = (0.5, *(step.token_ids[0] / WORDS for step in steps))
            tokens = self._world.prompt + _tokens(steps)
            self.tokens_read += tokens
            min(self._engines, key=lambda one: one.load).add(self._clock.now_s, ticket, tokens)

    def _one_finished(self, ticket: Ticket) -> None:
        self._done.append((ticket, self._replies.pop(ticket)))


def _tokens(steps: Sequence[Step]) -> int:
    return sum(len(step.token_ids) for step in steps)
