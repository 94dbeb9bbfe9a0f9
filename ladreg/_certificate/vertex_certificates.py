"""Proofs of the optimal vertices of many small problems, in a few passes over all their rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, power_of_two
from ladreg._design import hides_digits
from ladreg._problem import Loss
from ladreg._tolerances import EXACT_FIT, FACE_GAP, INSIDE, ORTHOGONAL, ROUNDED

# Columns whose basis has a condition number below 1e6 are independent: what rounding leaves of their products with the
# dual (1e-16 of their terms) costs 1e-10 at most.
_INDEPENDENT = 1e6


@dataclass(frozen=True)
class VertexRows:
    """The rows of several problems without a penalty, one problem after the other.

    Attributes
    ----------
    X : ndarray of shape (total, q)
        Their columns, that of the intercept among them.
    y, weight : ndarray of shape (total,)
        Their targets and weights.
    starts, count : ndarray of shape (n_problems,)
        The first row of each problem, and how many it has, at least one.
    """

    X: Array
    y: Array
    weight: Array
    starts: Index
    count: Index


@dataclass(frozen=True)
class VertexProofs:
    """The numbers of `Proof`, one entry per problem, and whether its optimum is a single point.

    The gap is infinite where nothing is proved.
    """

    objective: Array
    gap: Array
    relative_gap: Array
    unique: NDArray[np.bool_]


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite is not proved
def prove_vertices(loss: Loss, rows: VertexRows, point: Array, dual: Array, basis: Index) -> VertexProofs:
    """Prove coefficients by duals that balance all columns up to rounding; others prove nothing here.

    Parameters
    ----------
    loss
        A piecewise linear loss.
    rows
        The problems.
    point : ndarray of shape (n_problems, q)
        Coefficients, in the order of the columns.
    dual : ndarray of shape (total,)
        The dual of each row.
    basis : ndarray of shape (n_problems, q)
        The rows that determine the coefficients, counted from the first of all.
    """
    lower, upper = loss.interval()
    low, high = rows.weight * lower, rows.weight * upper
    dual = np.clip(dual, low, high)
    residual = rows.y - np.einsum("ij,ij->i", rows.X, np.repeat(point, rows.count, axis=0))

    def sums(values: Array) -> Array:
        return np.asarray(np.add.reduceat(values, rows.starts, axis=0))

    terms = rows.X * dual[:, None]
    products, sizes = np.abs(sums(terms)), sums(np.abs(terms))
    size = np.abs(rows.X)
    ratio = np.divide(dual, rows.weight, out=np.zeros_like(dual), where=rows.weight > 0)
    ratio = np.where(dual == high, upper, np.where(dual == low, lower, np.clip(ratio, lower, upper)))
    objective = sums(rows.weight * loss.value(residual))
    gap = sums(rows.weight * loss.fenchel_young(residual, ratio))
    # What a column keeps of the dual beyond rounding costs up to its coefficient's width: that of a prediction as large
    # as the largest residual, and the coefficient itself.
    distance = sums(size) / rows.count[:, None]
    width = np.maximum.reduceat(np.abs(residual), rows.starts)[:, None] / distance + np.abs(point)
    beyond = products - ROUNDED * sizes
    gap += np.where(beyond > 0, beyond * width, 0.0).sum(axis=1)
    largest = np.maximum.reduceat(np.abs(rows.y), rows.starts)
    ordinary = objective > loss.value(EXACT_FIT * largest) + loss.value(-EXACT_FIT * largest)
    largest = np.maximum.reduceat(size, rows.starts)
    is_shown = np.logical_not(hides_digits((largest * np.abs(point)).sum(axis=1), sums(rows.weight * np.abs(residual))))
    known = ordinary & is_shown & np.isfinite(gap) & (products <= ORTHOGONAL * sizes).all(axis=1)
    known[known] = _conditions(rows.X[basis[known]]) < _INDEPENDENT
    relative = np.where(known, gap / objective, np.inf)
    inside = np.minimum(dual[basis] - low[basis], high[basis] - dual[basis]) > INSIDE * (high - low)[basis]
    # Rows whose dual is inside its interval are fitted by every optimum.
    unique = (relative <= FACE_GAP) & inside.all(axis=1)
    return VertexProofs(objective, np.where(known, gap, np.inf), relative, unique)


def _conditions(matrices: Array) -> Array:
    """Condition numbers of matrices, rows and columns brought to size one; infinite for all where one is singular."""
    scaled = matrices / power_of_two(np.abs(matrices).max(axis=2))[:, :, None]
    scaled = scaled / power_of_two(np.abs(scaled).max(axis=1))[:, None, :]
    try:
        inverse = np.linalg.inv(scaled)
    except np.linalg.LinAlgError:  # one of them is singular
        return np.full(matrices.shape[0], np.inf)
    return np.asarray(np.abs(scaled).sum(axis=2).max(axis=1) * np.abs(inverse).sum(axis=2).max(axis=1))
