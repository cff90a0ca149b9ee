"""A run of a sweep: `python -m regrow.swept COMMAND [key=value ...]`, as `regrow` is, but it ends with its sweep."""

from __future__ import annotations

import os
import signal
import sys
import threading

from regrow.cli import main


def _end_with_the_sweep() -> None:
    """Watch the pipe that the sweep holds: it closes however the sweep dies, and the folder would stay in use."""

    def watch() -> None:
        os.read(sys.stdin.fileno(), 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    _end_with_the_sweep()
    sys.exit(main())
