"""The path of a lasso with few rows, from knot to knot (Osborne, Presnell and Turlach 2000,
doi 10.1093/imanum/20.3.389; Efron et al. 2004, doi 10.1214/009053604000000067).

Between the knots the solution is linear in the penalty. Only a few hundred features are watched at a time, those that
the slopes' change brings near to their strength; at every look at all features the others are found that should have
been watched, and the walk since the last look is repeated. What may have come and gone between two looks is told by
`in_doubt`, from the data.
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
# Who comes no nearer to its strength is not in doubt; that is looked into where looks are one in so many alphas.
CLEAR, _SPARE = 1e-2, 4


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


def in_doubt(columns: Centred, unit: ElasticNet, residual: Array, alphas: Array) -> Index | None:
    """The features whose slope may be within the part `CLEAR` of its strength for any of several penalties.

    All are looked at for some of the penalties. In between a residual is as far from the line between theirs as it is,
    and a slope at most as many lengths of its column from the line between its own, which is all that is to be known of
    those that are far from their strength.

    Parameters
    ----------
    columns, unit, alphas
        As for `draft`.
    residual
        Centred residuals, a row for each alpha.

    Returns
    -------
    ndarray of shape (n_in_doubt,), or None
        None where looks at all features for all penalties would cost as much.
    """
    part = np.floor(np.log(alphas[0] / alphas) / -np.log(_REACH))
    looks = np.append(np.flatnonzero(np.diff(part, prepend=-1.0)), alphas.size - 1)
    if _SPARE * looks.size > alphas.size or looks[-2] == looks[-1]:
        return None
    # 1. How far residuals are from the line between two looks.
    stretch = np.minimum(np.searchsorted(looks, np.arange(alphas.size), side="right") - 1, looks.size - 2)
    first, last = looks[stretch], looks[stretch + 1]
    width = alphas[first] - alphas[last]
    share = np.divide(alphas[first] - alphas, width, out=np.zeros(alphas.size), where=width > 0)[:, None]
    apart = residual - (residual[first] * (1.0 - share) + residual[last] * share)
    distance = np.sqrt(np.maximum.reduceat(apart**2 @ columns.weight, looks[:-1]))
    # 2. How far slopes are from their strength at both ends at least, and in lengths of their column.
    slope = columns.problem.design.rmatvec((columns.weight * residual[looks]).T).T
    left = np.multiply.outer((1.0 - CLEAR) * alphas[looks], unit.strength) - unit.excess(slope)
    clear = np.minimum(left[:-1], left[1:]) > np.multiply.outer(distance, np.sqrt(columns.curvature))
    return np.flatnonzero(~clear.all(axis=0))
