"""The result of a solver: `Uncertified`, then `Solution`; why it stopped, and the certificate that the user sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from math import isfinite, log10
from typing import NamedTuple

import numpy as np

from ladreg._arrays import Array

# Decimal digits that float64 holds.
DIGITS = 16.0


class Coefficients(NamedTuple):
    """The coefficients of a fit, of shape (n_features,), and its intercept."""

    coef: Array
    intercept: float


class Optimum(NamedTuple):
    """Coefficients and intercept, and a dual that proves them optimal."""

    coef: Array
    intercept: float
    dual: Array


class StopReason(Enum):
    """Why a solver stopped; the value is the sentence that the user reads."""

    TOLERANCE = "the solver met its own tolerance"
    EXACT = "the equations that determine the optimum were solved exactly"
    ITERATION_LIMIT = "the iteration limit was reached; raise max_iter or loosen tol"
    TIME_LIMIT = "the time limit was reached; raise time_limit in solver_options"
    STALLED = (
        "rounding errors prevent further progress; subtract their means from columns of X far from zero, and from y "
        "if it is, or loosen tol"
    )
    NOT_CANONICAL = (
        "the optimum is not unique, and rounding errors hide the canonical one: the coefficients are those of another; "
        "leave out columns of X that are nearly equal, and subtract their means from columns far from zero"
    )
    TOO_MANY_ROWS = "more rows are near the fit than may be kept in memory; allow more by .holding(rows) of the blocks"
    FAILURE = "the linear programming solver failed; centre and scale the columns of X or try other solver_options"
    GIVEN = "the coefficients were given"

    @property
    def good(self) -> bool:
        """Whether the solver stopped because it was done."""
        return self in _GOOD


_GOOD = (StopReason.TOLERANCE, StopReason.EXACT, StopReason.NOT_CANONICAL, StopReason.GIVEN)


@dataclass(frozen=True)
class Certificate:
    """Proof of optimality: the objective reached and a lower bound on the objective of any coefficients.

    Parameters
    ----------
    objective : float
        Objective at the coefficients, in the units of the estimator's documented formula.
    bound : float
        Lower bound on the objective of any coefficients, from a feasible dual vector.
    gap : float
        ``objective - bound``, computed as a sum of non-negative terms, which avoids cancellation.
    relative_gap : float
        `gap` divided by the objective, or by that of predicting 0 if the data are fitted exactly up to rounding.
    unique : bool
        True if the optimum is proved to be a single point. For a piecewise linear loss the proof needs a gap at the
        level of rounding, for the squared loss it does not.
    solver : str
        The solver that found the coefficients.
    stopped : str
        Why that solver stopped.
    """

    objective: float
    bound: float
    gap: float
    relative_gap: float
    unique: bool
    solver: str
    stopped: str

    @property
    def proved_digits(self) -> float:
        """Decimal digits of the objective that are proved, ``-log10(relative_gap)``: at least 0 and at most 16."""
        if not self.relative_gap < 1:
            return 0.0
        return min(-log10(self.relative_gap), DIGITS) if self.relative_gap > 0 else DIGITS

    def __str__(self) -> str:
        unique = "yes, proved" if self.unique else "no, or not proved"
        return (
            f"objective     {self.objective:.15g}\n"
            f"lower bound   {self.bound:.15g}\n"
            f"gap           {self.gap:.3g} ({self.relative_gap:.3g} relative)\n"
            f"unique        {unique}\n"
            f"solver        {self.solver}: {self.stopped}"
        )


@dataclass(frozen=True)
class Uncertified:
    """An engine's answer at unit scale, before it is certified; `unique` is None where that was not tested."""

    coef: Array
    intercept: float
    dual: Array
    n_iter: int
    stopped: StopReason
    solver: str
    stats: Mapping[str, float]
    unique: bool | None = None


@dataclass(frozen=True)
class Solution:
    """Coefficients with their proof. `dual` is feasible for the problem, whatever dual the solver passed in."""

    coef: Array
    intercept: float
    dual: Array
    objective: float
    gap: float
    relative_gap: float
    unique: bool
    n_iter: int
    stopped: StopReason
    solver: str
    stats: Mapping[str, float] = field(default_factory=dict)

    @property
    def coefficients(self) -> Coefficients:
        """Coefficients and intercept, to start another solver from."""
        return Coefficients(self.coef, self.intercept)

    def uncertified(self) -> Uncertified:
        """The answer without its proof, to be certified on another problem."""
        return Uncertified(
            self.coef, self.intercept, self.dual, self.n_iter, self.stopped, self.solver, self.stats, self.unique
        )

    @property
    def bound(self) -> float:
        """Lower bound of the objective over all coefficients; minus infinity where nothing is proved."""
        return self.objective - self.gap if isfinite(self.gap) else -np.inf

    @property
    def certificate(self) -> Certificate:
        """The part of the solution that proves it."""
        return Certificate(
            objective=self.objective,
            bound=self.bound,
            gap=self.gap,
            relative_gap=self.relative_gap,
            unique=self.unique,
            solver=self.solver,
            stopped=self.stopped.value,
        )
