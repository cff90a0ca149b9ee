"""vLLM's asynchronous engine: its core in a process of its own, its event loop on a thread of ours."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from types import ModuleType
from typing import Any
from uuid import uuid4

from mcts.errors import InputError, first_line
from policy.devices import visible
from policy.loop import LoopThread
from policy.vllm_settings import VllmSettings

POLICY, PRM = "policy", "prm"
GENERATE, POOLING = "generate", "pooling"

_ENVIRONMENT = {"VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "CRITICAL", "VLLM_WORKER_MULTIPROC_METHOD": "spawn"}


class VllmEngine:
    """A running engine for one checkpoint. To be closed after use: its process goes with it.

    Attributes:
        prompt_tokens: Of all prompts continued so far.
        cached_tokens: Those of them that the prefix cache held.

    Args:
        path: A Hugging Face directory.
        settings: Sizes.
        dtype: Of the weights, as vLLM names it.
        role: Whose engine this is, `policy` or `prm`, as messages name it.
        runner: `generate`, or `pooling` for what a head reads at every token.
        lora_rank: Of the adapters that requests may name; 0 for none.

    Raises:
        InputError: vLLM is not installed, or cannot serve the checkpoint.
    """

    def __init__(
        self,
        path: Path,
        settings: VllmSettings,
        dtype: str,
        *,
        role: str = POLICY,
        runner: Any = GENERATE,
        lora_rank: int = 0,
    ) -> None:
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        os.environ["VLLM_CPU_KVCACHE_SPACE"] = str(settings.cpu_kv_gib)
        try:
            from vllm import AsyncEngineArgs
            from vllm.config import PoolerConfig
            from vllm.platforms import current_platform
            from vllm.v1.engine.async_llm import AsyncLLM
        except ImportError as error:
            raise InputError(f"{role}=vllm: {error}, expected vLLM (pip install 'regrow[vllm]')") from error
        arguments = AsyncEngineArgs(
            model=str(path),
            runner=runner,
            # Every token's, whatever a model's default: the reader knows which it wants.
            pooler_config=PoolerConfig(tok_pooling_type="ALL") if runner == POOLING else None,
            skip_tokenizer_init=True,
            dtype=dtype,
            max_num_seqs=settings.max_num_seqs,
            gpu_memory_utilization=settings.gpu_memory_utilization,
            enforce_eager=settings.enforce_eager,
            enable_lora=lora_rank > 0,
            max_lora_rank=_whole_rank(lora_rank),
            enable_prefix_caching=True,
            logprobs_mode="raw_logprobs",
            trust_remote_code=False,
            disable_log_stats=True,
            # Without a GPU, vLLM 0.32 dies where a prompt with a seed is cut in two: its generators cannot step back.
            enable_chunked_prefill=False if current_platform.is_cpu() else None,
        )

        async def start() -> Any:
            return AsyncLLM.from_engine_args(arguments)

        self.prompt_tokens = self.cached_tokens = 0
        self._loop = LoopThread("vllm")
        try:
            devices = visible(settings.device_numbers, f"{role}.vllm.devices")
            with devices, _unnamed_main(), _own_port(), _guarded() as self._guard:
                self._engine = self._loop.soon(start()).result()
        except (ValueError, RuntimeError, OSError) as error:
            self._loop.close()
            raise InputError(f"{role} {path}: vLLM does not start ({first_line(error)})") from error

    def soon(self, work: Coroutine[Any, Any, Any]) -> Future[Any]:
        """Run `work` on the engine's loop."""
        return self._loop.soon(work)

    async def generate(self, prompt: list[int], sampling: Any, request_id: str, adapter: Any = None) -> Any:
        """The finished output of a request. To be awaited on the engine's loop.

        Args:
            adapter: A `LoRARequest`; prefixes are cached for each by itself.
        """
        stream = self._engine.generate(
            {"prompt_token_ids": prompt}, sampling, request_id=request_id, lora_request=adapter
        )
        output = [output async for output in stream][-1]
        self.prompt_tokens += len(prompt)
        self.cached_tokens += output.num_cached_tokens or 0
        return output

    async def encode(self, prompt: list[int], pooling: Any, request_id: str) -> Any:
        """The finished output of a pooling request. To be awaited on the engine's loop."""
        stream = self._engine.encode({"prompt_token_ids": prompt}, pooling, request_id=request_id)
        return [output async for output in stream][-1]

    def close(self) -> None:
        """Stop the engine and its process."""
        self._engine.shutdown()
        self._loop.cancel()
        del self._engine
        self._loop.close()
        self._guard.communicate()


def _whole_rank(rank: int) -> Any:
    """The next rank that vLLM has kernels for."""
    return next(whole for whole in (16, 32, 64, 128, 256, 320, 512) if whole >= rank)


@contextmanager
def _own_port() -> Iterator[None]:
    """Have an engine's processes meet at a port that no other engine looks at.

    vLLM asks the system for a free port and takes it seconds later: of two engines that start at once, one may wait for
    the other's processes for ever. Below the ports that systems give out, a place by chance is as good as one's own.
    """
    if "VLLM_PORT" in os.environ:
        yield
        return
    os.environ["VLLM_PORT"] = str(SystemRandom().randrange(*_PORTS))
    try:
        yield
    finally:
        del os.environ["VLLM_PORT"]


@contextmanager
def _unnamed_main() -> Iterator[None]:
    """Let spawned processes begin with vLLM alone.

    They would run our main module first, which then needs a guard, and vLLM 0.32 fails where that brings numba along.
    """
    ours = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = ours


_PORTS = (20_000, 32_000)
_MARK = "REGROW_ENGINE"
_GUARD = """
import select, sys
import psutil
known = set()
def look():
    for process in psutil.process_iter():
        try:
            if process.environ().get(sys.argv[1]) == sys.argv[2]:
                known.add(process)
        except (psutil.Error, OSError):
            pass
while not select.select([sys.stdin], [], [], 0.1)[0]:
    look()
if sys.stdin.readline():
    sys.stdin.read()
look()
for process in list(known):
    try:
        known.update(process.children(recursive=True))
    except psutil.Error:
        pass
for process in known:
    try:
        process.kill()
    except psutil.Error:
        pass
"""


@contextmanager
def _guarded() -> Iterator[subprocess.Popen[bytes]]:
    """A process that ends those of an engine when ours is gone: the pipe to it closes, however we died.

    They would wait for us for ever. What is started inside carries a mark in its environment, by which it is known from
    its first moment on; later vLLM writes a title over it.
    """
    mark = uuid4().hex
    guard = subprocess.Popen(
        [sys.executable, "-c", _GUARD, _MARK, mark],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.environ[_MARK] = mark
    assert guard.stdin is not None
    try:
        yield guard
        guard.stdin.write(b"started\n")
        guard.stdin.flush()
    except BaseException:
        guard.communicate()
        raise
    finally:
        del os.environ[_MARK]


_running: dict[tuple[str, str, str, VllmSettings], VllmEngine] = {}


def engine_of(
    path: Path,
    digest: str,
    settings: VllmSettings,
    dtype: str,
    *,
    role: str = POLICY,
    runner: str = GENERATE,
    lora_rank: int = 0,
) -> VllmEngine:
    """The engine for these weights. One runs for each role: other weights end it, and its cached prefixes with it.

    Adapters of the same base share one. Weights are not changed in place: without a GPU, vLLM 0.32 keeps packed copies
    of the old ones and mixes both.

    Args:
        digest: Of the checkpoint's files, so that other weights at the same place are others.
    """
    key = (role, str(path), f"{digest}/{lora_rank}", settings)
    if key not in _running:
        end(role)
        _running[key] = VllmEngine(path, settings, dtype, role=role, runner=runner, lora_rank=lora_rank)
    return _running[key]


@atexit.register
def end(role: str | None = None) -> None:
    """End the running engine of a role, or all of them."""
    for key in [key for key in _running if role in (None, key[0])]:
        _running.pop(key).close()
