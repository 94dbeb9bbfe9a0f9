"""A problem with its loss and its penalty, its solution, and the contracts of what solves it."""

from ladreg._problem.losses import Absolute, Combined, HalfSquared, Huber, Loss, Pinball, Squared
from ladreg._problem.penalties import HUGE, ElasticNet, absolute_terms
from ladreg._problem.problem import TOO_LARGE, Problem
from ladreg._problem.settings import Engine, Settings, Solver, number
from ladreg._problem.solution import DIGITS, Certificate, Coefficients, Optimum, Solution, StopReason, Uncertified

__all__ = [
    "DIGITS",
    "HUGE",
    "TOO_LARGE",
    "Absolute",
    "Certificate",
    "Coefficients",
    "Combined",
    "ElasticNet",
    "Engine",
    "HalfSquared",
    "Huber",
    "Loss",
    "Optimum",
    "Pinball",
    "Problem",
    "Settings",
    "Solution",
    "Solver",
    "Squared",
    "StopReason",
    "Uncertified",
    "absolute_terms",
    "number",
]
