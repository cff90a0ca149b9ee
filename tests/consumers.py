"""Programs that read our exports, as they are published: pinned, without what they need beside what is installed.

Each is installed once into a folder of its own in the user's cache (some seconds, some megabytes) and run in a process
of its own, so that it cannot disturb what is tested here.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from regrow import atomic

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "regrow" / "consumers"

PINS = {
    # The last TRL with a PRM trainer.
    "trl": ("trl==1.12.0",),
    "verl": ("verl==0.9.1",),
    "lm_eval": (
        "lm_eval==0.4.13",
        "pytablewriter==1.2.1",
        "DataProperty==1.1.1",
        "chardet==5.2.0",
        "mbstrdecoder==1.1.5",
        "pathvalidate==3.3.1",
        "tabledata==1.3.5",
        "tcolorpy==0.1.7",
        "typepy==2.0.0",
    ),
}


def installed(name: str) -> Path:
    """The folder with the consumer's packages."""
    folder = CACHE / PINS[name][0]
    if not folder.is_dir():
        CACHE.mkdir(parents=True, exist_ok=True)
        with atomic.directory(folder) as new:
            subprocess.run(
                [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", new, *PINS[name]],
                check=True,
                timeout=300,
            )
    return folder


def run(name: str, code: str, *arguments: object, cwd: Path) -> object:
    """Run `code` where the consumer is found before anything else. Returns what it prints last, as JSON."""
    environment = os.environ | {
        "PYTHONPATH": str(installed(name)),
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(cwd / "cache"),
        "TRL_EXPERIMENTAL_SILENCE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
