"""A page in headless Chromium, where both the browser and Playwright are installed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}


def path_of_browser() -> str:
    """Where the browser is; the test is skipped, with what to install, where there is none."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(BROWSERS)} is on the path (apt-get install chromium)")
    return found


@contextmanager
def browser() -> Iterator[Any]:
    """A browser that opens pages as `opened` wants it."""
    path = path_of_browser()
    driver = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install -e '.[dev]'")
    with driver.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path)
        yield started
        started.close()


@contextmanager
def opened(started: Any, file: Path, **settings: Any) -> Iterator[Any]:
    """The page `file`; that it threw or complained of nothing, and asked for nothing outside, is held at the end."""
    context = started.new_context(**settings)
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(f"threw {error}"))
    page.on("console", lambda said: complaints.append(f"{said.type}: {said.text}"))
    page.on("dialog", lambda dialog: complaints.append(f"dialog {dialog.message}"))
    page.on("request", lambda asked: asked.url == file.as_uri() or complaints.append(f"asked for {asked.url}"))
    page.goto(file.as_uri())
    yield page
    context.close()
    assert complaints == []
