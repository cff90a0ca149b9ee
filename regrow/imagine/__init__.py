"""Imagination: the policy makes new problems of those there are; filters keep what may be learned from."""
