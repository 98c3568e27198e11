"""The version of the schema."""

HEAD = "0004"
"""Newest migration in migrations/versions; a test holds it to the files."""
