"""Probe, then plan: what a session learns from logged pools, and how it decides what to draw next."""
