"""Answers to one problem for many multiples of its penalty: what they cost and what proves them, in matrix form.

`prove_from_products` says what is to be proved of each; here it is a few passes over an array for all of them together,
where nothing is to be done to their duals but shrinking.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._certificate.certificate import TELLING, prove_from_products
from ladreg._certificate.dual_projection import EXACT, Projection
from ladreg._kernels import _dual_norms
from ladreg._problem import ElasticNet, Problem, absolute_terms

# Numbers in temporary arrays, and slopes for which there is room at first.
_ENTRIES, _PLACES = 1 << 17, 1 << 14


@dataclass(frozen=True)
class Answers:
    """Answers for multiples of a penalty, a row each.

    Attributes
    ----------
    alphas : ndarray of shape (n_answers,)
        The multiples.
    features : ndarray of shape (n_used,)
        The features that are different from zero in any answer.
    coef : ndarray of shape (n_answers, n_used)
        Their coefficients.
    residual, dual : ndarray of shape (n_answers, n_samples)
        Residuals, and duals inside the loss's interval.
    slope : ndarray of shape (n_answers, n_features)
        Products of the duals with the columns of X.
    total : ndarray of shape (n_answers,)
        Sums of the duals.
    """

    alphas: Array
    features: Index
    coef: Array
    residual: Array
    dual: Array
    slope: Array
    total: Array


@dataclass(frozen=True)
class Proofs:
    """The numbers of `Proof`, an entry for each answer."""

    objective: Array
    gap: Array
    relative_gap: Array


def costs(unit: ElasticNet, alphas: Array, coef: Array, slope: Array) -> tuple[Array, Array]:
    """What multiples of a penalty without ridges cost, and the sums of their Fenchel-Young gaps, a row for each.

    `unit` is the penalty of the features in the columns of `coef` and `slope`.
    """
    strength = alphas[:, None] * unit.strength
    return (strength * np.abs(coef)).sum(axis=1), absolute_terms(strength, coef, slope).sum(axis=1)


def largest_parts(strength: Array, positive: bool, slope: Array) -> tuple[Array, Index]:
    """The largest part of its strength, above zero, that a slope of each row takes, and which does; NaN is largest."""
    part, where = np.empty(slope.shape[0]), np.empty(slope.shape[0], dtype=np.intp)
    _dual_norms.largest_parts(slope, strength, positive, part, where)
    return part, where


def reaching(strength: Array, positive: bool, slope: Array, edge: Array) -> tuple[Index, Index]:
    """Where slopes take the part `edge` of their strength, which differs by rows: rows and features, row by row."""
    counts, features = np.empty(edge.size, dtype=np.intp), np.empty(_PLACES, dtype=np.intp)
    total = _dual_norms.reaching(slope, strength, positive, edge, counts, features)
    if total > features.size:
        features = np.empty(total, dtype=np.intp)
        _dual_norms.reaching(slope, strength, positive, edge, counts, features)
    return np.repeat(np.arange(edge.size), counts), features[:total]


def proofs(problem: Problem, answers: Answers) -> Proofs:
    """Each answer proved, for a loss whose slopes have no bounds; the penalty of `problem` is that of alpha = 1."""
    size = answers.alphas.size
    found = Proofs(np.zeros(size), np.zeros(size), np.zeros(size))
    together = np.zeros(size, dtype=bool)
    if problem.n_features and problem.penalty.all_bound and problem.facts.all_present:
        together = _together(problem, answers, found)
    for k in np.flatnonzero(~together):
        coef = np.zeros(problem.n_features)
        coef[answers.features] = answers.coef[k]
        products = np.append(answers.slope[k], answers.total[k])
        single = problem.with_penalty(problem.penalty.times(answers.alphas[k]))
        proof = prove_from_products(single, coef, answers.residual[k], answers.dual[k], products)
        found.objective[k], found.gap[k], found.relative_gap[k] = proof.objective, proof.gap, proof.relative_gap
    return found


@np.errstate(over="ignore", invalid="ignore")  # what is no number is left to the proof of a single answer
def _together(problem: Problem, answers: Answers, found: Proofs) -> NDArray[np.bool_]:
    """Fill in what can be proved in matrix form, and say which answers these are.

    Of the others something has to be looked at: slopes that may be too large by their rounding alone, a dual that is
    not orthogonal to the intercept's column, an objective that is next to zero or no number.
    """
    unit, alphas = problem.penalty, answers.alphas
    overrun, known = _looked_at(problem, answers)
    shrink = np.maximum(overrun, 1.0)
    found.objective[:], found.gap[:] = costs(
        unit.at(answers.features), alphas, answers.coef, answers.slope[:, answers.features] / shrink[:, None]
    )
    for part in _parts(answers, problem.n_samples):
        residual = answers.residual[part]
        ratio = answers.dual[part] / problem.weight / shrink[part, None]
        found.objective[part] += problem.loss.value(residual) @ problem.weight
        found.gap[part] += problem.loss.fenchel_young(residual, ratio) @ problem.weight
    found.relative_gap[:] = np.divide(found.gap, found.objective, out=np.zeros_like(shrink), where=found.gap > 0)
    ordinary = np.isfinite(found.objective) & (found.objective > problem.facts.least_ordinary)
    feasible = ~(answers.coef < 0).any(axis=1) if unit.positive else True
    return known & ordinary & feasible & np.isfinite(found.gap) & unit.are_normal(alphas)


def _looked_at(problem: Problem, answers: Answers) -> tuple[Array, NDArray[np.bool_]]:
    """How many times too large the slopes of each answer are, and whether its dual needs nothing but shrinking."""
    unit, reach, projection = problem.penalty, problem.design.reach(), Projection(problem)
    overrun, worst = largest_parts(unit.strength, unit.positive, answers.slope)
    overrun /= answers.alphas
    rounding = np.empty(overrun.size)
    for part in _parts(answers, problem.n_samples):
        rounding[part] = EXACT * projection.sizes_of_sums(answers.dual[part])
    apart = np.abs(answers.slope[np.arange(worst.size), worst]) - answers.alphas * unit.strength[worst]
    # No slope has more rounding than that of the largest value of its column, in every row, would have.
    known = (overrun <= 1.0 + TELLING) | (apart > rounding * reach[worst])
    known &= (np.abs(answers.total) <= rounding) | (not problem.fit_intercept)
    return overrun, known


def _parts(answers: Answers, width: int) -> Iterator[slice]:
    """Some of the answers after the other, so that a temporary array of `width` numbers for each is a small one."""
    size = max(1, _ENTRIES // width)
    for first in range(0, answers.alphas.size, size):
        yield slice(first, first + size)
