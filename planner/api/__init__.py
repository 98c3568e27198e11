"""`Planner`: the whole house behind one door, for the command line, a service and for Python."""

from planner.api.planner import Planner

__all__ = ["Planner"]
