"""Compute-optimal strategy planner for language models."""
