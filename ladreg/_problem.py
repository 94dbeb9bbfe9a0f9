"""Question, answer and proof: `Problem`, `Solution` and the one function that certifies, `Problem.certify`.

Signs, written down once: a residual is ``y - prediction``; ``dual_i`` is the rate of change of the objective in
``y_i``, so that at an optimum ``dual_i = weight_i * loss'(residual_i)`` and ``X_j'dual`` is in the subdifferential of
the penalty at ``coef_j``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from ladreg._design import Design
from ladreg._face import is_unique
from ladreg._losses import Loss
from ladreg._penalties import L1

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Free columns count as orthogonal to a dual when their product is below this part of the sum of its terms' sizes.
_ORTHOGONAL = 1e-12
# Below this part nothing is left to correct.
_EXACT = float(np.finfo(float).eps)
# A relative change of y of this size is rounding: a smaller objective says that the data are fitted exactly.
_EXACT_FIT = 1e-12
# A dual whose relative gap is smaller than this describes the optimal face.
_OPTIMAL = 1e-9
# Free columns with more entries than this are projected out by their Gram matrix instead of a dense QR.
_QR_ENTRIES = 1 << 21


class StopReason(Enum):
    """Why a solver stopped; the value is the sentence that the user reads."""

    TOLERANCE = "the solver met its own tolerance"
    EXACT = "the equations that determine the optimum were solved exactly"
    ITERATION_LIMIT = "the iteration limit came first; raise max_iter or loosen tol"
    TIME_LIMIT = "the time limit came first; raise time_limit in solver_options"
    STALLED = "rounding errors left nothing to gain; scale the columns of X or loosen tol"
    FAILURE = "the linear programming solver failed; scale the columns of X or try other solver_options"
    GIVEN = "the coefficients were given"

    @property
    def good(self) -> bool:
        """Whether the solver stopped because it was done."""
        return self in (StopReason.TOLERANCE, StopReason.EXACT, StopReason.GIVEN)


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
        """Lower bound of the objective over all coefficients."""
        return self.objective - self.gap

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
    """A feasible dual, its products with the columns of X, and the gap it proves."""

    objective: float
    gap: float
    relative_gap: float
    dual: Array
    slope: Array


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
    penalty : L1
        What the coefficients cost; the intercept costs nothing.
    fit_intercept : bool
        Whether the intercept is free; otherwise it is zero.
    """

    design: Design
    y: Array
    weight: Array
    loss: Loss
    penalty: L1
    fit_intercept: bool

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return self.design.n_samples

    @property
    def n_features(self) -> int:
        """Number of columns of X."""
        return self.design.n_features

    def residual(self, coef: Array, intercept: float) -> Array:
        """``y - X @ coef - intercept``."""
        return self.y - self.design.matvec(coef) - intercept

    def objective(self, coef: Array, intercept: float) -> float:
        """The function to be minimised."""
        return self._value(self._present_residual(coef, intercept), coef)

    def _present_residual(self, coef: Array, intercept: float) -> Array:
        """The residual, zero in rows of weight zero: what stands there may be too large to square."""
        return np.where(self.weight > 0, self.residual(coef, intercept), 0.0)

    def _value(self, residual: Array, coef: Array) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            value = float(self.weight @ self.loss.value(residual)) + self.penalty.value(coef)
        if not np.isfinite(value):
            raise OverflowError(
                "the objective overflows float64 at these coefficients: X, y or alpha is too large. "
                "Scale y, or the columns of X, to ordinary sizes."
            )
        return value

    def null_intercept(self) -> float:
        """The best intercept where all coefficients are zero."""
        present = self.weight > 0
        return self.loss.location(self.y[present], self.weight[present]) if self.fit_intercept else 0.0

    def largest_alpha(self, strength: Array) -> float:
        """The smallest multiple of `strength` as a penalty for which all coefficients are zero.

        Exact for a differentiable loss; for a piecewise linear one a multiple that is large enough.
        """
        residual = self.y - self.null_intercept()
        slope = self.design.rmatvec(self.weight * self.loss.derivative(residual))
        penalised = strength > 0
        return float(np.max(self.penalty.excess(slope)[penalised] / strength[penalised], initial=0.0))

    def prove(self, coef: Array, intercept: float, dual: Array) -> Proof:
        """The best lower bound that can be made of `dual`, whatever it is.

        1. Project the free columns out of the dual, so that their product with it is zero.
        2. Shrink it into the dual set of loss and penalty.
        3. Sum the Fenchel-Young gaps of rows and features: all are >= 0, and their sum is objective - bound.
        """
        residual = self._present_residual(coef, intercept)
        objective = self._value(residual, coef)
        best = None
        for candidate in self._projections(dual):
            feasible, slope = self._shrunk(candidate)
            ratio = np.divide(feasible, self.weight, out=np.zeros_like(feasible), where=self.weight > 0)
            row_terms = self.weight * self.loss.fenchel_young(residual, ratio)
            # A free column's term is zero by step 1; coef * rounding would be noise.
            penalty_terms = np.where(self.penalty.free(), 0.0, self.penalty.fenchel_young(coef, slope))
            gap = float(row_terms.sum() + penalty_terms.sum())
            if best is None or gap < best.gap:
                best = Proof(objective, gap, self._relative(gap, objective), feasible, slope)
        assert best is not None
        return best

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
    ) -> Solution:
        """The solution with its proof; `dual` may be any vector of shape (n_samples,), good ones prove more."""
        proof = self.prove(coef, intercept, dual)
        margin: float | Array = 0.0
        if self.loss.curvature > 0:
            # The optimal dual lies in a ball (Ndiaye et al. 2017, doi 10.5555/3122009.3242085): what the gap still
            # allows to be active counts as active.
            spread = self.design.curvatures(self.weight, self._center())
            margin = np.sqrt(spread * 2 * proof.gap / self.loss.curvature)
        optimal = proof.relative_gap <= _OPTIMAL
        unique = is_unique(self, coef, intercept, proof.dual, proof.slope, margin, optimal)
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

    def _center(self) -> Array:
        return self.design.means(self.weight) if self.fit_intercept else np.zeros(self.n_features)

    def _relative(self, gap: float, objective: float) -> float:
        if gap <= 0:
            return 0.0
        y = np.where(self.weight > 0, self.y, 0.0)
        rounding = float(self.weight @ self.loss.value(_EXACT_FIT * y))
        if objective > rounding:
            return gap / objective
        scale = float(self.weight @ self.loss.value(y))
        return gap / scale if scale > 0 else np.inf

    def _projections(self, dual: Array) -> Iterator[Array]:
        """Duals near `dual` that are orthogonal to the free columns, the best first.

        Rows strictly inside their interval can take up a correction and stay there; failing that, every row does in
        proportion to its weight; failing that, zero remains.
        """
        lower, upper = self.loss.interval()
        present = self.weight > 0
        low, high = (np.where(present, end * np.where(present, self.weight, 1.0), 0.0) for end in (lower, upper))
        dual = np.clip(np.where(present, dual, 0.0), low, high)
        room = np.minimum(dual - low, high - dual)
        room = np.where(np.isfinite(room), room, self.weight)
        slack = 1.0 + 1e-13
        for elastic in (room, self.weight):
            candidate = self._project(dual, elastic)
            if candidate is not None:
                yield candidate
                if np.all((low * slack <= candidate) & (candidate <= high * slack)):
                    return
        yield np.zeros_like(dual)

    def _project(self, dual: Array, elastic: Array) -> Array | None:
        """``dual - elastic * Z u`` with ``Z'dual = 0``, or None where `elastic` leaves no such correction.

        With `positive`, an unpenalised feature asks for ``X_j'dual <= 0`` only: it joins Z when it violates that.
        """
        free = self.penalty.free()
        one_sided = (self.penalty.strength == 0) & ~free
        for _ in range(1 + int(one_sided.sum())):
            candidate = self._orthogonal(dual, elastic, np.flatnonzero(free))
            if candidate is None or not one_sided.any():
                return candidate
            excess = self.design.rmatvec(candidate)
            size = self.design.magnitudes(np.abs(candidate) + self.weight * np.abs(candidate).sum())
            violated = one_sided & ~free & (excess > _ORTHOGONAL * size)
            if not violated.any():
                return candidate
            free = free | violated
        return None

    def _orthogonal(self, dual: Array, elastic: Array, free: Index) -> Array | None:
        # Every row counts with at least its weight: where the dual should be zero it is rounding, and so is its size.
        floor = np.abs(dual) + self.weight * np.abs(dual).sum()
        size = self._free_products(floor, free, absolute=True)
        correct = None
        # Twice: one projection leaves an error of order eps * cond(Z), the second removes it.
        for _ in range(2):
            error = self._free_products(dual, free)
            if np.all(np.abs(error) <= _EXACT * size):
                return dual
            correct = correct or self._corrector(elastic, free)
            dual = dual - correct(error)
        error = self._free_products(dual, free)
        return dual if np.all(np.abs(error) <= _ORTHOGONAL * size) else None

    def _corrector(self, elastic: Array, free: Index) -> Callable[[Array], Array]:
        """The map from ``Z'dual`` to ``elastic * Z u`` with the same product with Z: ``u = (Z'EZ)^+ Z'dual``."""
        if free.size == 0:
            share = elastic / (elastic.sum() or 1.0)
            return lambda error: share * error[0]
        rows = np.flatnonzero(elastic > 0)
        if rows.size * (free.size + 1) > _QR_ENTRIES:
            return self._gram_corrector(elastic, free)
        Z = self.design.rows(rows, free)
        Z = np.hstack([Z, np.ones((rows.size, int(self.fit_intercept)))]) * np.sqrt(elastic[rows])[:, None]
        size = np.linalg.norm(Z, axis=0)
        size[size == 0] = 1.0
        q, r, order = scipy.linalg.qr(Z / size, mode="economic", pivoting=True)
        diagonal = np.abs(np.diag(r))
        rank = int(np.sum(diagonal > 1e-13 * diagonal.max(initial=0.0)))

        def correct(error: Array) -> Array:
            solved = scipy.linalg.solve_triangular(r[:rank, :rank], (error / size)[order][:rank], trans="T")
            correction = np.zeros_like(elastic)
            correction[rows] = np.sqrt(elastic[rows]) * (q[:, :rank] @ solved)
            return correction

        return correct

    def _gram_corrector(self, elastic: Array, free: Index) -> Callable[[Array], Array]:
        """`_corrector` without a dense copy of Z; less exact, so that its caller's repetition matters."""
        gram = self.design.gram(elastic, free, border=self.fit_intercept)
        size = np.sqrt(np.diag(gram))
        size[size == 0] = 1.0
        inverse = np.linalg.pinv(gram / np.outer(size, size), rcond=1e-13, hermitian=True)

        def correct(error: Array) -> Array:
            u = inverse @ (error / size) / size
            coef = np.zeros(self.n_features)
            coef[free] = u[: free.size]
            return elastic * (self.design.matvec(coef) + (u[-1] if self.fit_intercept else 0.0))

        return correct

    def _free_products(self, dual: Array, free: Index, absolute: bool = False) -> Array:
        """Z'dual for the free columns Z: unpenalised features and the intercept."""
        if free.size == 0:
            product = np.zeros(0)
        elif absolute:
            product = self.design.magnitudes(dual)[free]
        else:
            product = self.design.rmatvec(dual)[free]
        return np.append(product, dual.sum()) if self.fit_intercept else product

    def _shrunk(self, dual: Array) -> tuple[Array, Array]:
        """The largest multiple s * dual, s in [0, 1], that loss and penalty admit, and its slopes."""
        lower, upper = self.loss.interval()
        slope = self.design.rmatvec(dual)
        shrink = 1.0
        if np.isfinite(upper):
            with np.errstate(divide="ignore", invalid="ignore"):
                excess = np.maximum(dual / (upper * self.weight), dual / (lower * self.weight))
            shrink = max(shrink, float(np.max(excess[self.weight > 0], initial=0.0)))
        strength = self.penalty.strength
        used = self.penalty.excess(slope)
        penalised = ~self.penalty.free() & (strength > 0)
        shrink = max(shrink, float(np.max(used[penalised] / strength[penalised], initial=0.0)))
        return dual / shrink, slope / shrink
