"""Texts of prompts: as tokens, as counts of characters, and as what is kept of them where they are not stored."""
