"""What vLLM's front end costs our process: measured with the real engine and a tiny model.

The engine's core, which computes, is a process of its own; what it says of every running sequence after every pass is
read in ours, beside the scheduler. That cost does not depend on the model.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from mcts.types import Problem, Propose, State, Ticket, Until
from policy import vllm_engine
from policy.base import PolicySize, create
from policy.prompts import PromptFormat
from policy.vllm_policy import VllmPolicy
from policy.vllm_settings import VllmSettings

WORDS = tuple(f"w{n}" for n in range(4_000))
"""So many that a random model hardly ever ends by itself."""
PROMPT, SHORT, LONG, SLOTS = 150, 20, 200, 256


def front_end_s(requests: int = 1_024) -> tuple[float, float]:
    """CPU seconds of this process for a request and for a token of its reply, submission and decoding included."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "policy"
        create(WORDS, PolicySize(hidden=32, layers=1, heads=1, intermediate=32, max_positions=512), path, seed=0)
        settings = VllmSettings(max_num_seqs=SLOTS, enforce_eager=True)
        policy = VllmPolicy(path, prompt=PromptFormat(), settings=settings)
        try:
            _run(policy, SLOTS, SHORT)
            (short_s, short), (long_s, long) = (_run(policy, requests, limit) for limit in (SHORT, LONG))
        finally:
            vllm_engine.end()
    token_s = (long_s - short_s) / (long - short)
    return (short_s - short * token_s) / requests, token_s


def _run(policy: VllmPolicy, requests: int, limit: int) -> tuple[float, int]:
    """CPU seconds and tokens of replies of `limit` tokens, `SLOTS` of them in flight."""
    before, tokens = time.process_time(), policy.tokens_generated
    asked = done = 0
    while done < requests:
        while asked < requests and asked - done < SLOTS:
            question = " ".join(WORDS[(7 * asked + i) % len(WORDS)] for i in range(PROMPT))
            request = Propose(State(Problem(str(asked), question)), 1, Until.END, 1.0, limit, seed=asked)
            policy.submit(Ticket(str(limit), asked), request)
            asked += 1
        done += len(policy.poll(1.0))
    return time.process_time() - before, policy.tokens_generated - tokens


if __name__ == "__main__":
    request_s, token_s = front_end_s()
    print(f"{1e6 * request_s:.0f} µs a request, {1e6 * token_s:.1f} µs a token")
