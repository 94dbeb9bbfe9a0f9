"""Question, answer and proof: `Problem`, `Solution` and the one function that certifies, `Problem.certify`.

Signs, written down once: a residual is ``y - prediction``; ``dual_i`` is the rate of change of the objective in
``y_i``, so that at an optimum ``dual_i = weight_i * loss'(residual_i)`` and ``X_j'dual`` is in the subdifferential of
the penalty at ``coef_j``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property

import numpy as np

from ladreg._arrays import BLOCK, Array
from ladreg._design import Design
from ladreg._face import is_unique
from ladreg._problem.facts import EXACT_FIT, Facts
from ladreg._problem.losses import Loss
from ladreg._problem.penalties import ElasticNet
from ladreg._projection import EXACT, Projection

# What the user reads where the objective is no number.
TOO_LARGE = (
    "the objective overflows float64 at these coefficients: X, y or alpha is too large. "
    "Scale y, or the columns of X, to ordinary sizes."
)

# Rounding of a residual, as a part of the sizes of its terms.
ROUNDINGS = 64 * float(np.finfo(float).eps)
# What a proof may lose to rounding of slopes before that is looked at.
TELLING = 1e-12
# A dual whose relative gap is smaller than this describes the optimal face.
_OPTIMAL = 1e-9


class StopReason(Enum):
    """Why a solver stopped; the value is the sentence that the user reads."""

    TOLERANCE = "the solver met its own tolerance"
    EXACT = "the equations that determine the optimum were solved exactly"
    ITERATION_LIMIT = "the iteration limit came first; raise max_iter or loosen tol"
    TIME_LIMIT = "the time limit came first; raise time_limit in solver_options"
    STALLED = (
        "rounding errors left nothing to gain; subtract their means from columns of X far from zero, or loosen tol"
    )
    FAILURE = "the linear programming solver failed; centre and scale the columns of X or try other solver_options"
    GIVEN = "the coefficients were given"

    @property
    def good(self) -> bool:
        """Whether the solver stopped because it was done."""
        return self in _GOOD


_GOOD = (StopReason.TOLERANCE, StopReason.EXACT, StopReason.GIVEN)


@dataclass(frozen=True)
class Certificate:
    """Proof of how good a fit is: the objective reached and a lower bound that no coefficients can beat.

    Parameters
    ----------
    objective : float
        Objective at the coefficients, in the units of the estimator's documented formula.
    bound : float
        Lower bound of the objective over all coefficients, from a feasible dual vector.
    gap : float
        ``objective - bound``, summed from its non-negative parts so that it does not cancel.
    relative_gap : float
        `gap` over the objective, or over that of predicting 0 where the data are fitted exactly up to rounding.
    unique : bool
        True where the optimum is proved to be a single point. A piecewise linear loss needs a gap at rounding level
        for that; the strongly convex squared loss does not.
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
class Solution:
    """What was answered. `dual` is feasible for the problem, whatever the solver handed in."""

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
    def bound(self) -> float:
        """Lower bound of the objective over all coefficients; minus infinity where nothing is proved."""
        return self.objective - self.gap if np.isfinite(self.gap) else -np.inf

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


@dataclass(frozen=True)
class Proof:
    """A feasible dual, its products with the columns of X, and the gap it proves.

    The dual was divided by `shrink` to become feasible.
    """

    objective: float
    gap: float
    relative_gap: float
    dual: Array
    slope: Array
    shrink: float


@dataclass(frozen=True)
class Problem:
    """Minimise ``sum_i weight_i * loss(y_i - x_i'coef - intercept) + penalty(coef)``.

    Attributes
    ----------
    design : Design
        X of shape (n_samples, n_features).
    y : ndarray of shape (n_samples,)
        Target.
    weight : ndarray of shape (n_samples,)
        Non-negative, with sum one.
    loss : Loss
        What a residual costs.
    penalty : ElasticNet
        What the coefficients cost; the intercept costs nothing.
    fit_intercept : bool
        Whether the intercept is free; otherwise it is zero.
    """

    design: Design
    y: Array
    weight: Array
    loss: Loss
    penalty: ElasticNet
    fit_intercept: bool

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return self.design.n_samples

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return self.design.n_features

    def under(self, penalty: ElasticNet) -> Problem:
        """The same problem with another penalty; what is found out about the data is shared."""
        other = replace(self, penalty=penalty)
        other.__dict__["facts"] = self.facts
        return other

    @cached_property
    def facts(self) -> Facts:
        """What the rows say whatever the penalty is."""
        return Facts(self.design, self.y, self.weight, self.loss)

    def residual(self, coef: Array, intercept: float) -> Array:
        """``y - X @ coef - intercept``."""
        return self.y - self.design.matvec(coef) - intercept

    def _is_feasible(self, coef: Array, intercept: float) -> bool:
        """Whether the penalty allows the coefficients, and the problem the intercept; an error if they are infinite."""
        if not (np.isfinite(intercept) and np.isfinite(coef).all()):
            raise OverflowError(TOO_LARGE)
        return (self.fit_intercept or intercept == 0) and self.penalty.forbidden(coef).size == 0

    def objective(self, coef: Array, intercept: float) -> float:
        """The function to be minimised, infinite where the coefficients are not feasible."""
        if not self._is_feasible(coef, intercept):
            return np.inf
        return self._value(self._present(self.residual(coef, intercept)), coef)

    def _present(self, residual: Array) -> Array:
        """The residual, zero in rows of weight zero: what stands there may be too large to square."""
        return residual if self.facts.all_present else np.where(self.weight > 0, residual, 0.0)

    def blocks(self) -> Iterator[tuple[slice, Array]]:
        """Blocks of rows, whose temporary arrays stay in the cache, and their weights."""
        for begin in range(0, self.n_samples, BLOCK):
            block = slice(begin, begin + BLOCK)
            yield block, np.ascontiguousarray(self.weight[block])

    def _value(self, residual: Array, coef: Array) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            value = sum(float(weight @ self.loss.value(residual[block])) for block, weight in self.blocks())
            value += self.penalty.value(coef)
        if not np.isfinite(value):
            raise OverflowError(TOO_LARGE)
        return value

    def null_intercept(self) -> float:
        """The best intercept where all coefficients are zero."""
        present = self.weight > 0
        return self.loss.location(self.y[present], self.weight[present]) if self.fit_intercept else 0.0

    def prove(self, coef: Array, intercept: float, dual: Array) -> Proof:
        """The best lower bound that can be made of `dual`, whatever it is; none where coefficients are infeasible.

        1. Project the free columns out of the dual, so that their product with it is zero.
        2. Shrink it into the dual set of loss and penalty.
        3. Sum the Fenchel-Young gaps of rows and features: all are >= 0, and their sum is objective - bound.
        """
        dual = self._clipped(dual)
        if not self._is_feasible(coef, intercept):
            return self._nothing_proved(dual)
        residual, products = self.facts.audit(coef, intercept, dual)
        return self.prove_by(coef, residual, dual, products)

    def _nothing_proved(self, dual: Array) -> Proof:
        """What is known of infeasible coefficients: an infinite objective, and a gap that is infinite too."""
        return Proof(np.inf, np.inf, np.inf, np.zeros_like(dual), np.zeros(self.n_features), 1.0)

    def prove_by(self, coef: Array, residual: Array, dual: Array, products: Array) -> Proof:
        """`prove` where the residual and the products ``X'dual`` and, last, the sum of the dual are known already.

        The dual must be inside the loss's interval. The intercept in the residual must be feasible.
        """
        if not self._is_feasible(coef, 0.0):
            return self._nothing_proved(dual)
        residual = self._present(residual)
        objective = self._value(residual, coef)
        if not np.isfinite(products).all():  # nothing is known of the dual, and zero proves something
            dual, products = np.zeros_like(dual), np.zeros_like(products)
        best: tuple[float, Array, Array, float] | None = None
        for candidate, product, beyond in Projection(self).near(dual, products):
            for slope, overrun, charge in self._readings(coef, residual, candidate, product, objective):
                shrink = max(beyond, overrun)
                inside = candidate if shrink == 1.0 else candidate / shrink
                slope = slope if shrink == 1.0 else slope / shrink
                gap = charge + self._gap(coef, residual, inside, slope)
                if best is None or gap < best[0]:
                    best = gap, inside, slope, shrink
        assert best is not None
        gap, inside, slope, shrink = best
        return Proof(objective, gap, self.relative(gap, objective, coef), inside, slope, shrink)

    def certify(
        self,
        coef: Array,
        intercept: float,
        dual: Array,
        *,
        n_iter: int,
        stopped: StopReason,
        solver: str,
        stats: Mapping[str, float] | None = None,
        unique: bool | None = None,
    ) -> Solution:
        """The solution with its proof; `dual` may be any vector of shape (n_samples,), good ones prove more.

        `unique` says whether the optimum was proved to be a single point, if that was tried already.
        """
        proof = self.prove(coef, intercept, dual)
        if unique is None or np.isinf(proof.gap):
            unique = self.is_unique(coef, intercept, proof)
        return Solution(
            coef=coef,
            intercept=float(intercept),
            dual=proof.dual,
            objective=proof.objective,
            gap=proof.gap,
            relative_gap=proof.relative_gap,
            unique=unique,
            n_iter=n_iter,
            stopped=stopped,
            solver=solver,
            stats=dict(stats or {}),
        )

    def is_unique(self, coef: Array, intercept: float, proof: Proof) -> bool:
        """Whether the optimum is proved to be a single point."""
        if np.isinf(proof.gap):
            return False
        optimal = proof.relative_gap <= _OPTIMAL
        if not self._bounded_by_gap:
            return is_unique(self, coef, intercept, proof.dual, proof.slope, None, optimal)
        # A bound of the columns' spread costs no pass, and proves as much where the gap is small.
        margin = self.margin(self.design.spread(self.fit_intercept), proof.gap)
        return is_unique(self, coef, intercept, proof.dual, proof.slope, margin, optimal)

    @property
    def _bounded_by_gap(self) -> bool:
        """Whether the gap bounds how far duals and residuals are from the optimal ones."""
        return self.loss.curvature > 0 and np.isfinite(self.loss.smoothness)

    def margin(self, spread: Array, gap: float) -> Array:
        """How far the optimal slopes may be from those of a dual with this gap; `spread` are columns' mean squares.

        The optimal dual lies in a ball around any other (Ndiaye et al. 2017, doi 10.5555/3122009.3242085).
        """
        with np.errstate(over="ignore"):  # an infinite margin settles nothing
            return np.asarray(np.sqrt(spread * (2 * gap * self.loss.smoothness)))

    def _gap(self, coef: Array, residual: Array, dual: Array, slope: Array) -> float:
        """The Fenchel-Young gaps of rows and features."""
        rows = sum(
            float(weight @ self.loss.fenchel_young(residual[block], self.ratio(dual[block], weight)))
            for block, weight in self.blocks()
        )
        # A free column's term is zero by projection; coef * rounding would be noise.
        features = self.penalty.fenchel_young(coef, slope)
        features[self.penalty.free_features] = 0.0
        return max(rows, 0.0) + float(features.sum())  # slopes at an end of the interval may be past it by rounding

    def _readings(
        self, coef: Array, residual: Array, dual: Array, slope: Array, objective: float
    ) -> Iterator[tuple[Array, float, float]]:
        """Slopes as they were computed, and as they would be without their rounding; how many times too large they are,
        and what they may cost the bound.

        The rounding of a slope may be more than its strength, where its column is constant and the slope zero, or
        where the penalty is next to none. It counts against all coefficients that would move a residual by the largest
        there is.
        """
        left = 0.0 if self.facts.weights_are_alike else self._left(coef, residual, dual, slope)
        overrun = self.penalty.overrun(slope)
        yield slope, overrun, left
        if overrun <= 1.0 + TELLING and not self.penalty.curved:
            return
        optimal = self.penalty.nearest_slope(coef, slope)
        apart = np.abs(slope - optimal)
        if overrun <= 1.0 + TELLING and self.penalty.bend(apart) <= TELLING * objective:
            return
        rounded = apart <= EXACT * self.design.magnitudes(np.abs(dual))
        charge = np.where(rounded, apart * self._widths(coef, residual)[: self.n_features], 0.0)
        slope = np.where(rounded, optimal, slope)
        yield slope, self.penalty.overrun(slope), left + float(charge.sum())

    def _left(self, coef: Array, residual: Array, dual: Array, slope: Array) -> float:
        """What free columns may cost the bound where their products with the dual are more than its own rounding.

        Beside heavy rows, whose duals are known to so many digits, those of light rows may have none.
        """
        products = np.append(slope, dual.sum())
        beyond = np.maximum(np.abs(products) - EXACT * Projection(self).sizes(dual), 0.0)
        beyond *= np.append(self.penalty.free(), self.fit_intercept)
        return float(beyond @ self._widths(coef, residual))

    def _widths(self, coef: Array, residual: Array) -> Array:
        """How large coefficients and, last, the intercept may be that move no residual by more than the largest."""
        distance = np.append(self.design.extent(self.fit_intercept)[1], 1.0)
        width = np.divide(float(np.abs(residual).max()), distance, out=np.zeros_like(distance), where=distance > 0)
        return width + np.append(np.abs(coef), 0.0)

    def relative(self, gap: float, objective: float, coef: Array) -> float:
        """The gap over the objective, or over that of predicting 0 where `objective` is that of an exact fit."""
        if gap <= 0:
            return 0.0
        if objective > self.facts.least_ordinary:
            return gap / objective
        y = self._present(np.abs(self.y))
        # Heavy rows that are fitted exactly may leave light ones an objective that is small, and not rounding.
        sizes = y + self._present(self.design.absolute_matvec(coef))
        exact = min(self._both_ways(EXACT_FIT * y), self._both_ways(ROUNDINGS * sizes))
        # Nor is there anything to gain that is less than the rounding of the residuals.
        if objective > exact and gap > self._both_ways(np.finfo(float).eps * sizes):
            return gap / objective
        with np.errstate(over="ignore"):  # infinitely many times the objective of zero is no gap at all
            scale = float(self.weight @ self.loss.value(self._present(self.y)))
        return gap / scale if scale > 0 else np.inf

    def _both_ways(self, sizes: Array) -> float:
        """What residuals of these sizes cost at most, whatever their signs."""
        with np.errstate(over="ignore"):
            return float(self.weight @ np.maximum(self.loss.value(sizes), self.loss.value(-sizes)))

    def _clipped(self, dual: Array) -> Array:
        """The dual brought into the loss's interval."""
        lower, upper = self.loss.interval()
        clipped = np.empty(self.n_samples)
        for block, weight in self.blocks():
            clipped[block] = weight * np.clip(self.ratio(dual[block], weight), lower, upper)
        return clipped

    def ratio(self, dual: Array, weight: Array) -> Array:
        """``dual / weight``, zero in rows of weight zero."""
        if self.facts.all_present:
            return dual / weight
        return np.divide(dual, weight, out=np.zeros_like(dual), where=weight > 0)
