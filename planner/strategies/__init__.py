"""Strategies: one file a search, generators that ask and are answered, without any I/O of their own."""
