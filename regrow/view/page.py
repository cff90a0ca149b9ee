"""The page: its data as JSON that cannot end its own element, and scripts that nothing may join.

Step texts are hostile. They go in as data only, the scripts put them on the page as text only, and the page's policy
runs no script but those whose digests it names, and loads nothing.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template

from regrow.report_plots import Figure
from regrow.view.tree_data import Data

SCRIPTS = ("d3.min.js", "tree.js", "look.js", "pane.js", "details.js", "changes.js", "page.js")
"""In the order in which they build on each other."""


def page(title: str, problems: Sequence[Data], figure: Figure | None = None) -> str:
    """The whole page.

    Args:
        problems: What `problem_data` gives; at least one.
        figure: Curves to show above the trees; brings plotly (5 MB) into the page.
    """
    scripts = [_asset(name) for name in SCRIPTS]
    if figure is not None:
        from plotly.offline import get_plotlyjs

        scripts += [get_plotlyjs(), _asset("curves.js")]
    return Template(_asset("page.html")).substitute(
        title=escape(title),
        policy=" ".join(f"'sha256-{b64encode(sha256(script.encode()).digest()).decode()}'" for script in scripts),
        style=_asset("page.css"),
        licence=escape(_asset("d3.LICENSE"), quote=False),
        data=embedded({"problems": list(problems), "figure": figure}),
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def embedded(value: object) -> str:
    """JSON for a script element of type application/json: `<` is escaped, so no text in it can end the element.

    All that is not ASCII is escaped, too: a text may have halves of characters, which no file can.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return files("regrow.view").joinpath("assets", name).read_text(encoding="utf-8")
