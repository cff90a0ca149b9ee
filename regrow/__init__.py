"""The self-training loop: search, verify, label, retrain, search again. `search` asks without any of the rest."""

from regrow.notebook import search

__all__ = ["search"]
