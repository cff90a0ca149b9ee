"""Traces as data of other programs: a format is a function from a verified tree to rows (`formats.py` has them all)."""
