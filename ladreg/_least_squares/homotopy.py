"""The path of a lasso with few rows, from knot to knot (Osborne, Presnell and Turlach 2000,
doi 10.1093/imanum/20.3.389; Efron et al. 2004, doi 10.1214/009053604000000067).

Between the knots the solution is linear in the penalty. Only a few hundred features are watched at a time, those that
the slopes' change brings near to their strength; at every look at all features the others are found that should have
been watched, and the walk since the last look is repeated. Looks also tell who may have come and gone between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._design import DenseDesign
from ladreg._kernels import _homotopy
from ladreg._least_squares.centred import Centred
from ladreg._least_squares.path_point import numbered
from ladreg._problem import ElasticNet

# A knot costs as much as the square of the rows, and there are as many knots as rows and more; and looks at more
# numbers than these would keep Ctrl-C waiting.
LARGEST, _ENTRIES = 256, 1 << 25
# Features that are watched, and the part of alpha to which it falls between looks.
_WATCHED, _REACH = 300, 0.5
# So many knots and looks for each row.
_KNOTS = 20
# Who comes no nearer to its strength than this part of it is not in doubt.
CLEAR = 1e-2


def applies(columns: Centred, unit: ElasticNet) -> bool:
    """Whether the path is one of straight lines, and short enough columns are at hand."""
    X = columns.design.X
    return (
        isinstance(columns.design, DenseDesign)
        and columns.design.n_samples <= LARGEST
        and X.size <= _ENTRIES
        and X.dtype == np.float64
        and X.itemsize in X.strides
        and not unit.curved
        and bool(unit.strength.min(initial=np.inf) > 0)
    )


@dataclass(frozen=True)
class DraftedPath:
    """Solutions for the first of several penalties.

    Attributes
    ----------
    features : ndarray of shape (n_used,)
        Features in any of the solutions, ascending.
    coef : ndarray of shape (n_solved, n_used)
        Their coefficients, a row for each solution.
    n_knots : ndarray of shape (n_solved,)
        Knots that were passed before each, one at least.
    in_doubt : ndarray of shape (n_in_doubt,)
        Features whose slope may be within the part `CLEAR` of its strength for any of the penalties, ascending.
    """

    features: Index
    coef: Array
    n_knots: Index
    in_doubt: Index


def draft(columns: Centred, unit: ElasticNet, slope: Array, alphas: Array, max_knots: int) -> DraftedPath:
    """Solve for the first of several penalties, as many as can be had.

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
        Largest number of knots before each.
    """
    design = columns.design
    room = min(design.n_samples, design.n_features)
    count, n_knots = np.empty((2, alphas.size), dtype=np.intp)
    found, values = np.empty(alphas.size * room, dtype=np.intp), np.empty(alphas.size * room)
    root, in_doubt = np.sqrt(columns.weight), np.zeros(design.n_features, dtype=bool)
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
        min(room + _WATCHED, design.n_features),
        _REACH,
        _KNOTS * room,
        min(max_knots, _KNOTS * room),
        count,
        found,
        values,
        n_knots,
        CLEAR,
        in_doubt,
    )
    row = np.repeat(np.arange(solved), count[:solved])
    found, values = found[: row.size], values[: row.size]
    features, place = numbered(found)
    coef = np.zeros((solved, features.size))
    coef[row, place] = values
    return DraftedPath(features, coef, n_knots[:solved], np.flatnonzero(in_doubt))
