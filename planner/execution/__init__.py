"""Carries strategies out: endpoints, verifiers, the meter that keeps the budget, and the driver."""
