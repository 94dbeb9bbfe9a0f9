"""The question and the answer: a problem, its losses and penalties, and a solution of it."""

from ladreg._problem.losses import Absolute, Combined, HalfSquared, Huber, Loss, Pinball, Squared
from ladreg._problem.penalties import ElasticNet, absolute_terms
from ladreg._problem.problem import ROUNDINGS, TELLING, TOO_LARGE, Certificate, Problem, Proof, Solution, StopReason

__all__ = [
    "ROUNDINGS",
    "TELLING",
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
    "Proof",
    "Solution",
    "Squared",
    "StopReason",
    "absolute_terms",
]
