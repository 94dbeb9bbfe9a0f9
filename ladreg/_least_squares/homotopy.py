"""The path of a lasso with few rows, from knot to knot (Osborne, Presnell and Turlach 2000,
doi 10.1093/imanum/20.3.389; Efron et al. 2004, doi 10.1214/009053604000000067).

Between the knots the solution is linear in the penalty. Only a few hundred features are watched at a time, those that
the slopes' change brings near to their strength; a gradient check of all features finds others that should have been
watched, and the path since the last check is repeated. Two checks also bound the slopes of all features between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._design import CONSTANT, DenseDesign
from ladreg._kernels import _homotopy
from ladreg._least_squares.centred import Centred
from ladreg._least_squares.path_point import numbered
from ladreg._least_squares.tuning import LeastSquaresTuning
from ladreg._problem import ElasticNet

# Largest number of entries of X: a gradient check of more would delay Ctrl-C.
_ENTRIES = 1 << 25
# Knots and gradient checks in a path, at most, as a multiple of min(n_samples, n_features).
_KNOTS = 20


def applies(columns: Centred, unit: ElasticNet, tuning: LeastSquaresTuning) -> bool:
    """Whether the path is piecewise linear, and X is dense, contiguous and small enough."""
    X = columns.design.X
    return (
        isinstance(columns.design, DenseDesign)
        and columns.design.n_samples <= tuning.homotopy_rows
        and X.size <= _ENTRIES
        and X.dtype == np.float64
        and X.itemsize in X.strides
        and not unit.curved
        and bool(unit.strength.min(initial=np.inf) > 0)
    )


@dataclass(frozen=True)
class DraftedPath:
    """Solutions for the first of several alphas.

    Attributes
    ----------
    features : ndarray of shape (n_used,)
        Features in any of the solutions, ascending.
    coef : ndarray of shape (n_solved, n_used)
        Their coefficients, one row per solution.
    n_knots : ndarray of shape (n_solved,)
        Knots between each solution and the one before; at least 1.
    uncertain : ndarray of shape (n_uncertain,)
        Features whose slope may exceed ``1 - tuning.clear`` of its strength for any of the alphas, ascending.
    """

    features: Index
    coef: Array
    n_knots: Index
    uncertain: Index


def draft(
    columns: Centred, unit: ElasticNet, slope: Array, alphas: Array, max_knots: int, tuning: LeastSquaresTuning
) -> DraftedPath:
    """Solve for the first of several alphas, as many as the limits on knots and the support allow.

    Parameters
    ----------
    columns
        The problem with the intercept eliminated.
    unit
        The penalty at alpha = 1.
    slope
        The gradient of minus the loss where all coefficients are zero.
    alphas
        Decreasing.
    max_knots
        Largest number of knots before each solution.
    tuning
        Speed numbers.
    """
    design = columns.design
    room = min(design.n_samples, design.n_features)
    count, n_knots = np.empty((2, alphas.size), dtype=np.intp)
    found, values = np.empty(alphas.size * room, dtype=np.intp), np.empty(alphas.size * room)
    root, uncertain = np.sqrt(columns.weight), np.zeros(design.n_features, dtype=bool)
    solved = _homotopy.homotopy(
        design.X,
        design.shift,
        design.scale,
        root,
        columns.y * root,
        slope,
        unit.strength,
        unit.positive,
        alphas,
        room,
        min(room + tuning.pool, design.n_features),
        tuning.reach,
        _KNOTS * room,
        min(max_knots, _KNOTS * room),
        count,
        found,
        values,
        n_knots,
        tuning.clear,
        CONSTANT,
        uncertain,
    )
    row = np.repeat(np.arange(solved), count[:solved])
    found, values = found[: row.size], values[: row.size]
    features, place = numbered(found)
    coef = np.zeros((solved, features.size))
    coef[row, place] = values
    return DraftedPath(features, coef, n_knots[:solved], np.flatnonzero(uncertain))
