"""Does every input that cannot be used get one clear line? A thousand of them, each broken in its own way.

    PYTHONPATH=.:tests python benchmarks/bad_inputs.py [--seed 0] [--only KIND/...] [--most 1000] [--timeout 10]

Configurations, problem files, trace stores, model folders, recorded solutions, files of judged steps, bodies of HTTP
requests, and what models say (`tests/bad_input.py` and the `tests/bad_*.py` beside it). Clear is: exit code 2 and one
line that names the key, file or field and says what was expected (HTTP: a status of 4xx and such a line); no
traceback, at most ten seconds, nothing written outside the run directory. Prints those that were not, then one JSON
line; exit code 1 where there were any.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bad_input import TIMEOUT_S, corpus, faults

from regrow.provenance import commit


def main() -> int:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="those whose names begin so")
    parser.add_argument("--most", type=int, default=None)
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, help="seconds; more on a busy machine")
    args = parser.parse_args()
    tried, clear = Counter[str](), Counter[str]()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as root:
        chosen = [one for one in corpus(args.seed) if one.name.startswith(args.only)][: args.most]
        for one, fault in faults(chosen, Path(root), args.timeout):
            kind = one.name.partition("/")[0]
            tried[kind] += 1
            clear[kind] += not fault
            if fault:
                print(f"{one.name}\n    {fault[:600]}", flush=True)
    seconds = round(time.monotonic() - begun, 1)
    told = {"inputs": tried.total(), "clear": clear.total(), "kinds": tried, "seconds": seconds, "commit": commit()}
    print(json.dumps(told))
    return int(clear.total() < tried.total())


if __name__ == "__main__":
    sys.exit(main())
