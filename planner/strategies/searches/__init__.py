"""Searches, one a file: each module's `STRATEGY` is found by itself."""
