"""The path of a lasso with few rows, from knot to knot (Osborne, Presnell and Turlach 2000,
doi 10.1093/imanum/20.3.389; Efron et al. 2004, doi 10.1214/009053604000000067).

Between the knots the solution is linear in the penalty. Only a few hundred features are watched at a time, those that
the slopes' change brings near to their strength; at every look at all features the others are found that should have
been watched, and the walk since the last look is repeated. What may have come and gone between two looks is left to
whoever proves the solutions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ladreg._design import DenseDesign
from ladreg._kernels import _homotopy
from ladreg._penalties import ElasticNet
from ladreg.solvers.centred import Centred

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# A knot costs as much as the square of the rows, and there are as many knots as rows and more; and looks at more
# numbers than these would keep Ctrl-C waiting.
LARGEST, _ENTRIES = 256, 1 << 25
# Features that are watched, and the part of alpha to which it falls between looks.
_WATCHED, _REACH = 300, 0.5
# So many knots and looks for each row.
_KNOTS = 20


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


def draft(columns: Centred, unit: ElasticNet, alphas: Array, max_knots: int) -> tuple[Index, Array, Index]:
    """Solve for the first of several penalties, as many as can be had.

    Parameters
    ----------
    columns
        The problem with the intercept eliminated.
    unit
        The penalty at alpha = 1.
    alphas
        Decreasing.
    max_knots
        Largest number of knots before each.

    Returns
    -------
    features : ndarray of shape (n_used,)
        Features in any of the solutions, ascending.
    coef : ndarray of shape (n_solved, n_used)
        Their coefficients, a row for each solution.
    n_knots : ndarray of shape (n_solved,)
        Knots that were passed before each, one at least.
    """
    design = columns.design
    room = min(design.n_samples, design.n_features)
    count, n_knots = np.zeros((2, alphas.size), dtype=np.intp)
    found, values = np.zeros((alphas.size, room), dtype=np.intp), np.zeros((alphas.size, room))
    root = np.sqrt(columns.weight)
    solved = _homotopy.homotopy(
        design.X,
        design.shift,
        design.scale,
        root,
        columns.y * root,
        unit.strength,
        unit.positive,
        alphas,
        min(room + _WATCHED, design.n_features),
        _REACH,
        _KNOTS * room,
        count,
        found,
        values,
        n_knots,
    )
    solved = int(np.argmax(np.append(n_knots[:solved] > max_knots, True)))
    used = np.arange(room) < count[:, None]
    row, entry = np.nonzero(used[:solved])
    features = np.flatnonzero(np.bincount(found[row, entry]))
    coef = np.zeros((solved, features.size))
    coef[row, np.searchsorted(features, found[row, entry])] = values[row, entry]
    return features, coef, n_knots[:solved]
