"""Proofs over a problem: `prove` bounds the optimum from below, `certify` makes a solution of any coefficients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ladreg._arrays import Array
from ladreg._certificate.dual_projection import Projection
from ladreg._certificate.independent_columns import IndependentColumns, independent_columns
from ladreg._certificate.uniqueness import is_single_point
from ladreg._kernels import _line_search
from ladreg._problem import Problem, Solution, StopReason
from ladreg._tolerances import EXACT_FIT, FACE_GAP, HIDDEN, LEAST_GAP, PROVED_GAP, ROUNDED, SUMMED


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

    def solution(
        self,
        coef: Array,
        intercept: float,
        *,
        unique: bool,
        n_iter: int,
        stopped: StopReason,
        solver: str,
        stats: Mapping[str, float] | None = None,
    ) -> Solution:
        """The solution that this proof is about."""
        return Solution(
            coef=coef,
            intercept=float(intercept),
            dual=self.dual,
            objective=self.objective,
            gap=self.gap,
            relative_gap=self.relative_gap,
            unique=unique,
            n_iter=n_iter,
            stopped=stopped,
            solver=solver,
            stats=dict(stats or {}),
        )


def prove(problem: Problem, coef: Array, intercept: float, dual: Array | None) -> Proof:
    """The best lower bound that can be made of any vector `dual`; no bound if the coefficients are infeasible.

    A dual of None is that of the residual, for the squared loss: X is read once for both.

    1. Project the free columns out of the dual, so that their product with it is zero.
    2. Shrink it into the dual set of loss and penalty.
    3. Sum the Fenchel-Young gaps of rows and features: all are >= 0, and their sum is objective - bound.

    The bound is that of the problem with far columns moved to the origin (`Problem.at_origin`), which has the same
    optimum: coefficients may be as large as the rounding of products with the dual is small.
    """
    if not problem.is_feasible(coef, intercept):
        return _nothing_proved(problem)
    near, y, level = problem.near_origin(coef, intercept)
    if dual is None:
        residual, dual, products = near.design.gradient(coef, y, level, near.weight)
    else:
        dual = problem.within_interval(dual)
        residual, products = near.audit(coef, y, level, dual)
    accurate = problem.with_digits(coef, intercept, residual)
    proof = _proved(problem, coef, accurate, dual, products)
    if accurate is residual or problem.loss.has_kink:
        return proof
    dual = problem.weight * problem.loss.derivative(problem.present(accurate))
    other = _proved(problem, coef, accurate, dual, np.append(near.design.rmatvec(dual), dual.sum()))
    return other if other.gap < proof.gap else proof


def _nothing_proved(problem: Problem) -> Proof:
    """The proof of infeasible coefficients: the objective and the gap are infinite."""
    return Proof(np.inf, np.inf, np.inf, np.zeros(problem.n_samples), np.zeros(problem.n_features), 1.0)


def prove_from_products(problem: Problem, coef: Array, residual: Array, dual: Array, products: Array) -> Proof:
    """`prove` for a known residual and known `products`: those of `Problem.audit`.

    The dual must be inside the loss's interval. The intercept in the residual must be feasible.
    """
    if not problem.is_feasible(coef, 0.0):
        return _nothing_proved(problem)
    return _proved(problem, coef, residual, dual, products)


def _proved(problem: Problem, coef: Array, residual: Array, dual: Array, products: Array) -> Proof:
    """`prove_from_products` of feasible coefficients.

    A bound under a smaller penalty is a bound. A limit has no multiplier where the coefficient is off it, but allows
    every slope, at the price of the excess over the strength times the distance of the limit; a ridge allows it at the
    price of its square over the ridge. Where this leaves a gap, the problem without them is tried, whose slopes are
    shrunk instead.
    """
    given, problem = problem, problem.at_origin
    columns = independent_columns(problem)
    if columns is not None:
        return _proved_in(columns, given, coef, residual, dual)
    at_ends = _proved_at_ends(problem, coef, residual, dual, products)
    if at_ends is not None:
        return at_ends
    residual = problem.present(residual)
    objective = problem.value(residual, coef)
    if not np.isfinite(products).all():  # this dual proves nothing, but the zero dual proves a bound
        dual, products = np.zeros_like(dual), np.zeros_like(products)
    best = _least_gap(problem, coef, residual, dual, products, objective)
    for penalty, less in () if problem.penalty.is_plain else problem.penalty.relaxed(coef):
        if best[0] > LEAST_GAP * objective and best[0] > less:
            other = _proved(given.with_penalty(penalty), coef, residual, dual, products)
            if other.gap + less < best[0]:
                best = other.gap + less, other.dual, other.slope, other.shrink
    gap, inside, slope, shrink = best
    return Proof(objective, gap, relative_gap(given, gap, objective, coef), inside, slope, shrink)


def _proved_in(columns: IndependentColumns, problem: Problem, coef: Array, residual: Array, dual: Array) -> Proof:
    """`_proved` by independent columns of the same span, with the slopes of the columns that are there."""
    there = columns.problem
    products = np.append(there.design.rmatvec(dual), dual.sum())
    proof = _proved(there, columns.coefficients(coef), residual, dual, products)
    slope = problem.at_origin.design.rmatvec(proof.dual)
    return replace(proof, slope=slope, relative_gap=relative_gap(problem, proof.gap, proof.objective, coef))


def _least_gap(
    problem: Problem, coef: Array, residual: Array, dual: Array, products: Array, objective: float
) -> tuple[float, Array, Array, float]:
    """The smallest gap that a dual proves, the feasible dual that proves it, its slopes, and what it was divided by.

    Each feasible dual near `dual` is tried, with each reading of its slopes.
    """
    best: tuple[float, Array, Array, float] | None = None
    for candidate, product, beyond in Projection(problem).near(dual, products):
        for slope, overrun, charge in _readings(problem, coef, residual, candidate, product, objective):
            shrink = max(beyond, overrun)
            inside = candidate if shrink == 1.0 else candidate / shrink
            slope = slope if shrink == 1.0 else slope / shrink
            gap = charge + _gap(problem, coef, residual, inside, slope)
            if best is None or gap < best[0]:
                best = gap, inside, slope, shrink
    assert best is not None
    return best


def certify(
    problem: Problem,
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
    """The solution with its proof; `dual` may be any vector of shape (n_samples,); a better dual proves more.

    `unique` says whether the optimum was proved to be a single point, if that was tried already. A gap that does not
    show the optimal face asks again.
    """
    proof = prove(problem, coef, intercept, dual)
    if unique is None or (unique and not proof.relative_gap <= FACE_GAP):
        unique = is_unique(problem, coef, intercept, proof)
    return proof.solution(coef, intercept, unique=unique, n_iter=n_iter, stopped=stopped, solver=solver, stats=stats)


def _proved_at_ends(problem: Problem, coef: Array, residual: Array, dual: Array, products: Array) -> Proof | None:
    """`prove_from_products` where the loss is piecewise linear and the dual needs no correction; None where it does.

    A row whose dual is at the end of its interval on the residual's side has no gap, and its loss is their product.
    Where the dual is divided by `shrink`, the gap is that part of the loss.
    """
    penalty, facts, p = problem.penalty, problem.facts, problem.n_features
    if not (problem.loss.is_piecewise_linear and facts.all_present and facts.weights_are_alike):
        return None
    if not penalty.is_plain or penalty.positive:
        return None
    shrink = penalty.overrun(products[:p])
    if not (shrink <= 1.0 + PROVED_GAP and Projection(problem).is_balanced(dual, products)):
        return None
    (lower, upper), loss = problem.loss.interval(), 0.0
    residual, dual = np.ascontiguousarray(residual), np.ascontiguousarray(dual)
    listed, found = np.empty(residual.size, dtype=np.intp), 0
    for block, weight in problem.facts.blocks:
        count, part = _line_search.off_ends(
            residual[block], dual[block], weight, lower, upper, listed[found:][: weight.size]
        )
        listed[found : found + count] += block.start
        found, loss = found + count, loss + part
    rows = listed[:found]
    some, weight = residual[rows], problem.weight[rows]
    at_ends = loss - float((weight * np.where(some > 0, upper, lower)) @ some)
    gap = problem.row_gap(some, dual[rows] / shrink, weight)
    objective = loss + penalty.cost(coef)
    if not facts.least_ordinary(coef) < objective < np.inf:
        return None
    slope = products[:p] / shrink
    gap += (1.0 - 1.0 / shrink) * at_ends + _feature_gap(problem, coef, slope)
    return Proof(objective, gap, gap / objective, dual if shrink == 1.0 else dual / shrink, slope, shrink)


def is_unique(problem: Problem, coef: Array, intercept: float, proof: Proof) -> bool:
    """Whether the optimum is proved to be a single point."""
    if np.isinf(proof.gap):
        return False
    optimal = proof.relative_gap <= FACE_GAP
    if not _bounded_by_gap(problem):
        return is_single_point(problem, coef, intercept, proof.dual, proof.slope, None, optimal)
    # A bound of the columns' spread costs no pass over X, and proves as much if the gap is small.
    margin = slope_margin(problem, problem.design.spread(problem.fit_intercept), proof.gap)
    return is_single_point(problem, coef, intercept, proof.dual, proof.slope, margin, optimal)


def _bounded_by_gap(problem: Problem) -> bool:
    """Whether the gap bounds how far duals and residuals are from the optimal ones."""
    return problem.loss.is_square


def slope_margin(problem: Problem, spread: Array, gap: float) -> Array:
    """How far the optimal slopes may be from the slopes of a dual with gap `gap`; `spread` are columns' mean squares.

    The optimal dual lies in a ball around any other (Ndiaye et al. 2017, doi 10.5555/3122009.3242085).
    """
    with np.errstate(over="ignore"):  # an infinite margin settles nothing
        return np.asarray(np.sqrt(spread * (2 * gap * problem.loss.smoothness)))


def _gap(problem: Problem, coef: Array, residual: Array, dual: Array, slope: Array) -> float:
    """The Fenchel-Young gaps of rows and features."""
    rows = sum(problem.row_gap(residual[block], dual[block], weight) for block, weight in problem.facts.blocks)
    return rows + _feature_gap(problem, coef, slope)


def _feature_gap(problem: Problem, coef: Array, slope: Array) -> float:
    """The Fenchel-Young gaps of features. That of a free one is zero by projection; coef * rounding would be noise."""
    free = problem.penalty.free_features
    if free.size == coef.size:
        return 0.0
    features = problem.penalty.fenchel_young(coef, slope)
    if free.size:
        features[free] = 0.0
    return float(features.sum())


def _readings(
    problem: Problem, coef: Array, residual: Array, dual: Array, slope: Array, objective: float
) -> Iterator[tuple[Array, float, float]]:
    """The slopes as computed, then the slopes without their rounding, each with the factor by which they exceed the
    dual set and the charge that is added to the gap.

    The rounding of a slope may exceed its strength, if the column is constant and the slope zero, or if the strength
    is tiny. A slope whose rounding is removed is charged the rounding times the coefficient's entry in `_widths`.
    """
    left = _left(problem, coef, residual, dual, slope) + _at_far_limits(problem, coef, dual, slope, objective)
    overrun = problem.penalty.overrun(slope)
    yield slope, overrun, left
    if overrun <= 1.0 + PROVED_GAP and not (problem.penalty.curved or problem.penalty.limited):
        return
    optimal = problem.penalty.nearest_slope(coef, slope)
    apart = np.abs(slope - optimal)
    is_near = overrun <= 1.0 + PROVED_GAP and problem.penalty.bend(apart) <= PROVED_GAP * objective
    if is_near and not problem.penalty.limited:
        return
    rounded = apart <= ROUNDED * problem.design.magnitudes(np.abs(dual))
    charge = np.where(rounded, apart * _widths(problem, coef, residual)[: problem.n_features], 0.0)
    slope = np.where(rounded, optimal, slope)
    yield slope, problem.penalty.overrun(slope), left + float(charge.sum())


def _left(problem: Problem, coef: Array, residual: Array, dual: Array, slope: Array) -> float:
    """What free columns may cost the bound: their products with the dual, as far as above rounding, times `_widths`.

    Columns of one-sided features count where their product has the sign that the dual set does not allow. A projection
    leaves such products where weights differ widely (the rounding of heavy rows' duals may be larger than the duals of
    light rows), and where columns nearly depend on each other.
    """
    projection, products = Projection(problem), np.append(slope, dual.sum())
    if not problem.penalty.one_sided.any() and projection.is_balanced(dual, products):
        return 0.0
    beyond = projection.beyond_rounding(dual, products)
    return float(beyond @ _widths(problem, coef, residual)) if beyond.any() else 0.0


def _at_far_limits(problem: Problem, coef: Array, dual: Array, slope: Array, objective: float) -> float:
    """What the rounding of slopes may cost where limits are far from the coefficients; 0 where it is in no digit.

    A slope that is above its strength by rounding alone costs that rounding times the distance of the limit.
    """
    penalty = problem.penalty
    if not penalty.limited:
        return 0.0
    rounding = ROUNDED * Projection(problem).sizes(dual)[:-1]
    cost = np.zeros(coef.size)
    for side, limit in ((1.0, penalty.upper), (-1.0, penalty.lower)):
        beyond = side * slope - penalty.strength
        distance = np.where(np.isfinite(limit) & (penalty.ridge == 0), side * (limit - coef), 0.0)
        cost += (np.maximum(beyond + rounding, 0.0) - np.maximum(beyond, 0.0)) * distance
    total = float(cost.sum())
    return total if total > HIDDEN * objective else 0.0


def _widths(problem: Problem, coef: Array, residual: Array) -> Array:
    """``|coef|`` plus the change of each coefficient (last: intercept) that moves a typical row by max |residual|."""
    distance = np.append(problem.design.extent(problem.fit_intercept)[1], 1.0)
    width = np.divide(float(np.abs(residual).max()), distance, out=np.zeros_like(distance), where=distance > 0)
    return width + np.append(np.abs(coef), 0.0)


def relative_gap(problem: Problem, gap: float, objective: float, coef: Array) -> float:
    """`gap` over `objective`, or over the objective of predicting 0 if `objective` is that of an exact fit.

    With limits, the predictions of coefficients at rest take the place of 0.
    """
    if gap <= 0:
        return 0.0
    if objective > problem.facts.least_ordinary(coef):
        return gap / objective
    y = problem.present(np.abs(problem.at_rest()))
    # If heavy rows are fitted exactly, the objective of light rows may be small without being rounding.
    sizes = y + problem.present(problem.design.absolute_matvec(coef))
    exact = min(_both_ways(problem, EXACT_FIT * y), _both_ways(problem, SUMMED * sizes))
    # A gap below the rounding of the residuals is divided by the objective of predicting 0 as well.
    if objective > exact and gap > _both_ways(problem, np.finfo(float).eps * sizes):
        return gap / objective
    with np.errstate(over="ignore"):  # an infinite scale makes the relative gap 0
        scale = float(problem.weight @ problem.loss.value(problem.present(problem.at_rest())))
    return gap / scale if scale > 0 else np.inf


def _both_ways(problem: Problem, sizes: Array) -> float:
    """The largest objective (without penalty) of residuals of these sizes, whatever their signs."""
    with np.errstate(over="ignore"):
        return float(problem.weight @ np.maximum(problem.loss.value(sizes), problem.loss.value(-sizes)))
