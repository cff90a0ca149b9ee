"""The door `regrow serve`: models are loaded once, a socket is opened, requests come in until a signal."""

from __future__ import annotations

import importlib.util
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from mcts.errors import InputError
from policy.checkpoint import load_config, load_tokenizer
from regrow.answering import models_of
from regrow.build import budget_of, check_choices, checker_of, fields_of, policy_of, prompt_of, scorer_of, task_of
from regrow.config import Config, settings_of
from regrow.progress import console
from regrow.searcher import Searcher
from regrow.serve.settings import ServeSettings
from regrow.tasks.task import Task

if TYPE_CHECKING:
    import uvicorn

    from regrow.serve.order import Prompts
    from regrow.serve.service import Service

PACKAGES = ("fastapi", "prometheus_client", "sse_starlette", "uvicorn")
BACKLOG = 2048
"""Connections that the kernel holds until they are taken."""

KEEP_ALIVE_S = 75
"""How long an idle connection stays open: longer than clients keep theirs, or they would ask into closed ones."""

GRACE_S = 5
"""How long requests under way may take after a signal."""


def serve(config: Config) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        InputError: A package, a model or the key is missing, or there is no such place to listen at.
    """
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise InputError(f"serve: {package} is not installed, expected `pip install 'regrow[serve]'`")
    settings = settings_of(ServeSettings, fields_of(config.serve), "serve")
    key = key_of(settings, os.environ)
    with _listening(settings) as listener:
        service = service_of(config, settings)
        host, port = listener.getsockname()[:2]
        place = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"
        console.print(f"serving {service.orders.catalogue.model} at {place}", soft_wrap=True)
        with service.searcher, suppress(KeyboardInterrupt):  # uvicorn raises the signal again when it is through
            web_server(service, key).run(sockets=[listener])


def web_server(service: Service, key: str | None = None) -> uvicorn.Server:
    """What speaks HTTP for a service; on a free port, unless it is given a socket."""
    import uvicorn

    from regrow.serve.app import create_app

    config = uvicorn.Config(
        create_app(service, key),
        port=0,
        log_level="warning",
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    return uvicorn.Server(config)


@contextmanager
def served(service: Service, key: str | None = None) -> Iterator[str]:
    """The URL of a service on a free port of the loopback, served by a thread; its searcher is closed at the end."""
    server = web_server(service, key)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        service.searcher.close()


def service_of(config: Config, settings: ServeSettings) -> Service:
    """The models, the strategies and the searcher that a configuration describes. Within `run_composed` only."""
    from regrow.serve.catalogue import catalogue_of, shared_panel
    from regrow.serve.order import Orders
    from regrow.serve.service import Service
    from regrow.serve.tolerant import tolerant_panel, tolerant_policy, tolerant_scorer

    task = task_of(config)
    check_choices(config)
    models = models_of(config, task)
    assert models.prm is not None
    catalogue = catalogue_of(config, task, settings.model or f"regrow-{config.task.name}")
    budget = budget_of(config.budget, "budget", stop_when_solved=True)
    orders = Orders(catalogue, prompts_of(config, task, models.policy, settings), settings, budget, config.seed)
    searcher = Searcher(
        tolerant_policy(policy_of(config, models.policy)),
        tolerant_scorer(scorer_of(config, models.prm)),
        panel=tolerant_panel(shared_panel(config, models, catalogue)),
        checker=checker_of(config, task),
        limits=config.scheduler,
    )
    return Service(orders, searcher, settings)


def prompts_of(config: Config, task: Task, policy: Path | None, settings: ServeSettings) -> Prompts:
    """How questions are read and put: an answer needs room behind its prompt.

    Args:
        policy: The directory of the policy, or of its tokenizer; None where a server has both.

    Raises:
        InputError: Nobody knows how long a prompt may be.
    """
    from regrow.serve.order import Prompts

    longest = settings.max_prompt_tokens
    if policy is None:
        if longest is None:
            raise InputError(
                f"policy={config.policy.engine}: its window is not known, expected policy.path or max_prompt_tokens"
            )
        return Prompts(task, prompt_of(config), None, longest)
    window = int(load_config(policy).max_position_embeddings) - 1
    return Prompts(task, prompt_of(config), load_tokenizer(policy), min(window, longest or window))


def key_of(settings: ServeSettings, environment: Mapping[str, str]) -> str | None:
    """The key that clients must send; None where there is none.

    Raises:
        InputError: The variable is not set, or others could come in without a key.
    """
    if settings.key_env is None:
        if not _is_loopback(settings.host):
            raise InputError(f"serve.host={settings.host}: is open to others, expected serve.key_env to name a key")
        return None
    if not (key := environment.get(settings.key_env)):
        raise InputError(f"serve.key_env={settings.key_env}: is not set, expected the key in it")
    return key


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _listening(settings: ServeSettings) -> socket.socket:
    """The socket. Raises `InputError` if it cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        where = f"serve.host={settings.host} serve.port={settings.port}"
        raise InputError(f"{where}: {error.strerror}, expected a free place to listen at") from error
