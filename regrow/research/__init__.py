"""Offline re-search: stored trees under other settings, budgets and scorers, without a policy (`door.py`)."""
