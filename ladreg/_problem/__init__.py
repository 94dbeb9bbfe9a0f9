"""A problem with its loss and its penalty, and a solution of the problem."""

from ladreg._problem.facts import EXACT_FIT
from ladreg._problem.losses import Absolute, Combined, HalfSquared, Huber, Loss, Pinball, Squared
from ladreg._problem.penalties import ElasticNet, absolute_terms
from ladreg._problem.problem import ROUNDINGS, TOO_LARGE, Problem
from ladreg._problem.solution import Certificate, Solution, StopReason

__all__ = [
    "EXACT_FIT",
    "ROUNDINGS",
    "TOO_LARGE",
    "Absolute",
    "Certificate",
    "Combined",
    "ElasticNet",
    "HalfSquared",
    "Huber",
    "Loss",
    "Pinball",
    "Problem",
    "Solution",
    "Squared",
    "StopReason",
    "absolute_terms",
]
