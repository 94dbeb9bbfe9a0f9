"""Answers to one problem for many multiples of its penalty: their objectives and proofs, in matrix form.

The proofs are those of `prove_from_products`, computed in a few passes over an array for all answers whose duals need
nothing but shrinking.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._certificate.certificate import prove_from_products
from ladreg._certificate.dual_projection import Projection
from ladreg._design import hides_digits
from ladreg._kernels import _dual_norms
from ladreg._problem import ElasticNet, Problem, absolute_terms
from ladreg._tolerances import PROVED_GAP, ROUNDED

# Temporary arrays have at most 2^13 numbers (64 KB, several of which stay in the cache), or one answer: 100 answers of
# 1,000 rows take half the time of arrays of 1 MB.
_ENTRIES = 1 << 13
# `reaching` has room for 2^14 features in the first call of its kernel; a second call, if needed, has room for all.
_PLACES = 1 << 14


@dataclass(frozen=True)
class Answers:
    """Answers for multiples of a penalty, one per row.

    Attributes
    ----------
    alphas : ndarray of shape (n_answers,)
        The multiples.
    features : ndarray of shape (n_used,)
        The features that are different from zero in any answer.
    coef : ndarray of shape (n_answers, n_used)
        Their coefficients.
    intercept : ndarray of shape (n_answers,)
        Their intercepts.
    residual, dual : ndarray of shape (n_answers, n_samples)
        Residuals, and duals inside the loss's interval.
    slope : ndarray of shape (n_answers, n_features)
        Products of the duals with the columns of `Problem.at_origin`.
    total : ndarray of shape (n_answers,)
        Sums of the duals.
    """

    alphas: Array
    features: Index
    coef: Array
    intercept: Array
    residual: Array
    dual: Array
    slope: Array
    total: Array


@dataclass(frozen=True)
class Proofs:
    """The numbers of `Proof`, one entry per answer."""

    objective: Array
    gap: Array
    relative_gap: Array


def costs(unit: ElasticNet, alphas: Array, coef: Array, slope: Array) -> tuple[Array, Array]:
    """The values of multiples of a penalty without ridges, and the sums of their Fenchel-Young gaps, one per row.

    `unit` is the penalty of the features in the columns of `coef` and `slope`.
    """
    strength = alphas[:, None] * unit.strength
    return (strength * np.abs(coef)).sum(axis=1), absolute_terms(strength, coef, slope).sum(axis=1)


def largest_parts(strength: Array, positive: bool, slope: Array) -> tuple[Array, Index]:
    """The largest ratio (at least 0) of a slope to its strength in each row, and its feature; NaN counts as largest."""
    part, where = np.empty(slope.shape[0]), np.empty(slope.shape[0], dtype=np.intp)
    _dual_norms.largest_parts(slope, strength, positive, part, where)
    return part, where


def reaching(strength: Array, positive: bool, slope: Array, edge: Array) -> tuple[Index, Index]:
    """Rows and features, row by row, whose slopes are at least `edge` (one per row) times their strength."""
    counts, features = np.empty(edge.size, dtype=np.intp), np.empty(_PLACES, dtype=np.intp)
    total = _dual_norms.reaching(slope, strength, positive, edge, counts, features)
    if total > features.size:
        features = np.empty(total, dtype=np.intp)
        _dual_norms.reaching(slope, strength, positive, edge, counts, features)
    return np.repeat(np.arange(edge.size), counts), features[:total]


def proofs(problem: Problem, answers: Answers) -> Proofs:
    """The proofs of all answers; `problem` has the penalty at alpha = 1."""
    size = answers.alphas.size
    found = Proofs(np.zeros(size), np.zeros(size), np.zeros(size))
    together = np.zeros(size, dtype=bool)
    plain = problem.penalty.all_bound and not problem.penalty.limited
    if problem.n_features and plain and problem.facts.all_present:
        together = _together(problem, answers, found)
    for k in np.flatnonzero(~together):
        coef = np.zeros(problem.n_features)
        coef[answers.features] = answers.coef[k]
        products = np.append(answers.slope[k], answers.total[k])
        single = problem.with_penalty(problem.penalty.times(answers.alphas[k]))
        residual = problem.with_digits(coef, float(answers.intercept[k]), answers.residual[k], problem.design)
        proof = prove_from_products(single, coef, residual, answers.dual[k], products)
        found.objective[k], found.gap[k], found.relative_gap[k] = proof.objective, proof.gap, proof.relative_gap
    return found


@np.errstate(over="ignore", invalid="ignore")  # answers that overflow are proved one by one
def _together(problem: Problem, answers: Answers, found: Proofs) -> NDArray[np.bool_]:
    """Fill in the proofs that the matrix form covers, and return which answers these are.

    It does not cover answers with slopes that may be too large by their rounding alone, with a dual that is not
    orthogonal to the intercept's column or is beyond the loss's interval by more than rounding, with residuals whose
    rounding may change the objective, or with an objective that is near zero or not finite.
    """
    unit, alphas = problem.penalty, answers.alphas
    overrun, known = _looked_at(problem, answers)
    terms = np.abs(answers.coef) @ problem.design.reach()[answers.features]
    shrink = np.maximum(overrun, 1.0)
    found.objective[:], found.gap[:] = costs(
        unit.at(answers.features), alphas, answers.coef, answers.slope[:, answers.features] / shrink[:, None]
    )
    for part in _parts(answers, problem.n_samples):
        residual = answers.residual[part]
        known[part] &= np.logical_not(hides_digits(terms[part], np.abs(residual) @ problem.weight))
        ratio = answers.dual[part] / problem.weight
        ratio /= shrink[part, None]
        if problem.loss.has_bounded_slopes:
            inside = np.clip(ratio, *problem.loss.interval())
            ratio -= inside
            known[part] &= (np.abs(ratio, out=ratio) <= ROUNDED).all(axis=1)
            ratio = inside
        found.objective[part] += problem.loss.value(residual) @ problem.weight
        found.gap[part] += problem.loss.fenchel_young(residual, ratio) @ problem.weight
    found.relative_gap[:] = np.divide(found.gap, found.objective, out=np.zeros_like(shrink), where=found.gap > 0)
    ordinary = np.isfinite(found.objective) & (
        found.objective > problem.facts.least_ordinary(answers.coef, answers.features)
    )
    feasible = ~(answers.coef < 0).any(axis=1) if unit.positive else True
    return known & ordinary & feasible & np.isfinite(found.gap) & unit.are_normal(alphas)


def _looked_at(problem: Problem, answers: Answers) -> tuple[Array, NDArray[np.bool_]]:
    """The factor by which each answer's slopes exceed the dual set, and whether its dual needs only shrinking."""
    unit, reach, projection = problem.penalty, problem.at_origin.design.reach(), Projection(problem)
    overrun, worst = largest_parts(unit.strength, unit.positive, answers.slope)
    overrun /= answers.alphas
    rounding = np.empty(overrun.size)
    for part in _parts(answers, problem.n_samples):
        rounding[part] = ROUNDED * projection.sizes_of_sums(answers.dual[part])
    apart = np.abs(answers.slope[np.arange(worst.size), worst]) - answers.alphas * unit.strength[worst]
    # The rounding of a slope is at most that of a column with the largest value of its own column in every row.
    known = (overrun <= 1.0 + PROVED_GAP) | (apart > rounding * reach[worst])
    known &= (np.abs(answers.total) <= rounding) | (not problem.fit_intercept)
    return overrun, known


def _parts(answers: Answers, width: int) -> Iterator[slice]:
    """Slices of the answers, so that a temporary array of `width` numbers per answer has about `_ENTRIES` numbers."""
    size = max(1, _ENTRIES // width)
    for first in range(0, answers.alphas.size, size):
        yield slice(first, first + size)
