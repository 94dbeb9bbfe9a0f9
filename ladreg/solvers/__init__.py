"""Solvers: functions from a Problem to a certified Solution, one algorithm a file."""
