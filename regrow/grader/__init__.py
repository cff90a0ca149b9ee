"""The grader of mathematical answers: extraction, normal form, exact comparison, and algebra in killable processes."""

from __future__ import annotations

from regrow.grader.answers import extractor
from regrow.grader.grader import Grader, shared_grader
from regrow.grader.normal import normal_form

__all__ = ["Grader", "extractor", "normal_form", "shared_grader"]
