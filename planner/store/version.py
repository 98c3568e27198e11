"""The version of the schema."""

HEAD = "0002"
"""Newest migration in migrations/versions; a test holds it to the files."""
