"""Proofs over a problem: `prove` bounds the optimum from below, `certify` makes a solution of any coefficients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ladreg._arrays import Array
from ladreg._certificate.dual_projection import EXACT, Projection
from ladreg._certificate.optimal_face import is_single_point
from ladreg._problem import EXACT_FIT, ROUNDINGS, Problem, Solution, StopReason

# A proof loses nothing worth a second look where rounding of its slopes costs less than this part of the objective.
TELLING = 1e-12
# A dual with a smaller relative gap than this describes the optimal face.
_OPTIMAL = 1e-9


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


def prove(problem: Problem, coef: Array, intercept: float, dual: Array) -> Proof:
    """The best lower bound that can be made of `dual`, whatever it is; none where coefficients are infeasible.

    1. Project the free columns out of the dual, so that their product with it is zero.
    2. Shrink it into the dual set of loss and penalty.
    3. Sum the Fenchel-Young gaps of rows and features: all are >= 0, and their sum is objective - bound.
    """
    dual = problem.within_interval(dual)
    if not problem.is_feasible(coef, intercept):
        return _nothing_proved(problem, dual)
    residual, products = problem.facts.audit(coef, intercept, dual)
    return prove_from_products(problem, coef, residual, dual, products)


def _nothing_proved(problem: Problem, dual: Array) -> Proof:
    """What is known of infeasible coefficients: an infinite objective, and a gap that is infinite too."""
    return Proof(np.inf, np.inf, np.inf, np.zeros_like(dual), np.zeros(problem.n_features), 1.0)


def prove_from_products(problem: Problem, coef: Array, residual: Array, dual: Array, products: Array) -> Proof:
    """`prove` where the residual and the products ``X'dual`` and, last, the sum of the dual are known already.

    The dual must be inside the loss's interval. The intercept in the residual must be feasible.
    """
    if not problem.is_feasible(coef, 0.0):
        return _nothing_proved(problem, dual)
    residual = problem.present(residual)
    objective = problem.value(residual, coef)
    if not np.isfinite(products).all():  # nothing is known of the dual, and zero proves something
        dual, products = np.zeros_like(dual), np.zeros_like(products)
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
    gap, inside, slope, shrink = best
    return Proof(objective, gap, relative_gap(problem, gap, objective, coef), inside, slope, shrink)


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
    """The solution with its proof; `dual` may be any vector of shape (n_samples,), good ones prove more.

    `unique` says whether the optimum was proved to be a single point, if that was tried already.
    """
    proof = prove(problem, coef, intercept, dual)
    if unique is None or np.isinf(proof.gap):
        unique = is_unique(problem, coef, intercept, proof)
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


def is_unique(problem: Problem, coef: Array, intercept: float, proof: Proof) -> bool:
    """Whether the optimum is proved to be a single point."""
    if np.isinf(proof.gap):
        return False
    optimal = proof.relative_gap <= _OPTIMAL
    if not _bounded_by_gap(problem):
        return is_single_point(problem, coef, intercept, proof.dual, proof.slope, None, optimal)
    # A bound of the columns' spread costs no pass, and proves as much where the gap is small.
    margin = slope_margin(problem, problem.design.spread(problem.fit_intercept), proof.gap)
    return is_single_point(problem, coef, intercept, proof.dual, proof.slope, margin, optimal)


def _bounded_by_gap(problem: Problem) -> bool:
    """Whether the gap bounds how far duals and residuals are from the optimal ones."""
    return problem.loss.curvature > 0 and np.isfinite(problem.loss.smoothness)


def slope_margin(problem: Problem, spread: Array, gap: float) -> Array:
    """How far the optimal slopes may be from those of a dual with this gap; `spread` are columns' mean squares.

    The optimal dual lies in a ball around any other (Ndiaye et al. 2017, doi 10.5555/3122009.3242085).
    """
    with np.errstate(over="ignore"):  # an infinite margin settles nothing
        return np.asarray(np.sqrt(spread * (2 * gap * problem.loss.smoothness)))


def _gap(problem: Problem, coef: Array, residual: Array, dual: Array, slope: Array) -> float:
    """The Fenchel-Young gaps of rows and features."""
    rows = sum(
        float(weight @ problem.loss.fenchel_young(residual[block], problem.ratio(dual[block], weight)))
        for block, weight in problem.blocks()
    )
    # A free column's term is zero by projection; coef * rounding would be noise.
    features = problem.penalty.fenchel_young(coef, slope)
    features[problem.penalty.free_features] = 0.0
    return max(rows, 0.0) + float(features.sum())  # slopes at an end of the interval may be past it by rounding


def _readings(
    problem: Problem, coef: Array, residual: Array, dual: Array, slope: Array, objective: float
) -> Iterator[tuple[Array, float, float]]:
    """Slopes as they were computed, and as they would be without their rounding; how many times too large they are,
    and what they may cost the bound.

    The rounding of a slope may be more than its strength, where its column is constant and the slope zero, or
    where the penalty is next to none. It counts against all coefficients that would move a residual by the largest
    there is.
    """
    left = 0.0 if problem.facts.weights_are_alike else _left(problem, coef, residual, dual, slope)
    overrun = problem.penalty.overrun(slope)
    yield slope, overrun, left
    if overrun <= 1.0 + TELLING and not problem.penalty.curved:
        return
    optimal = problem.penalty.nearest_slope(coef, slope)
    apart = np.abs(slope - optimal)
    if overrun <= 1.0 + TELLING and problem.penalty.bend(apart) <= TELLING * objective:
        return
    rounded = apart <= EXACT * problem.design.magnitudes(np.abs(dual))
    charge = np.where(rounded, apart * _widths(problem, coef, residual)[: problem.n_features], 0.0)
    slope = np.where(rounded, optimal, slope)
    yield slope, problem.penalty.overrun(slope), left + float(charge.sum())


def _left(problem: Problem, coef: Array, residual: Array, dual: Array, slope: Array) -> float:
    """What free columns may cost the bound where their products with the dual are more than its own rounding.

    Beside heavy rows, whose duals are known to so many digits, those of light rows may have none.
    """
    products = np.append(slope, dual.sum())
    beyond = np.maximum(np.abs(products) - EXACT * Projection(problem).sizes(dual), 0.0)
    beyond *= np.append(problem.penalty.free(), problem.fit_intercept)
    return float(beyond @ _widths(problem, coef, residual))


def _widths(problem: Problem, coef: Array, residual: Array) -> Array:
    """How large coefficients and, last, the intercept may be that move no residual by more than the largest."""
    distance = np.append(problem.design.extent(problem.fit_intercept)[1], 1.0)
    width = np.divide(float(np.abs(residual).max()), distance, out=np.zeros_like(distance), where=distance > 0)
    return width + np.append(np.abs(coef), 0.0)


def relative_gap(problem: Problem, gap: float, objective: float, coef: Array) -> float:
    """The gap over the objective, or over that of predicting 0 where `objective` is that of an exact fit."""
    if gap <= 0:
        return 0.0
    if objective > problem.facts.least_ordinary:
        return gap / objective
    y = problem.present(np.abs(problem.y))
    # Heavy rows that are fitted exactly may leave light ones an objective that is small, and not rounding.
    sizes = y + problem.present(problem.design.absolute_matvec(coef))
    exact = min(_both_ways(problem, EXACT_FIT * y), _both_ways(problem, ROUNDINGS * sizes))
    # Nor is there anything to gain that is less than the rounding of the residuals.
    if objective > exact and gap > _both_ways(problem, np.finfo(float).eps * sizes):
        return gap / objective
    with np.errstate(over="ignore"):  # infinitely many times the objective of zero is no gap at all
        scale = float(problem.weight @ problem.loss.value(problem.present(problem.y)))
    return gap / scale if scale > 0 else np.inf


def _both_ways(problem: Problem, sizes: Array) -> float:
    """What residuals of these sizes cost at most, whatever their signs."""
    with np.errstate(over="ignore"):
        return float(problem.weight @ np.maximum(problem.loss.value(sizes), problem.loss.value(-sizes)))
