"""Rows that are fitted exactly: a basis of them that determines the fit, and a dual of them that balances other rows.

Noise-free, integer and zero-inflated targets have any number of such rows. The size of linear systems is the number of
columns: a basis of the rows takes the place of all of them, and their dual is found by systems in the columns.
"""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array, Index, null_space, pivoted_triangle
from ladreg._problem import Problem
from ladreg._tolerances import INSIDE, PINNED, TIED_EIGENVALUE

# Rows per block that are compared with the basis.
_BLOCK = 4096
# Rows per column whose rank is computed at once.
_SOME = 4
# Largest number of steps towards a dual inside its intervals.
_STEPS = 30
# A step that would leave the intervals goes 0.9 of the way to the first end.
_SHORT = 0.9
# Give up at a step below 0.1 of the change; where a dual exists, the steps of the tests are at least 0.35.
_LEAST = 0.1
# Stop after 3 successive full steps: each but the first removes rounding of the last.
_WHOLE = 3


def basis(problem: Problem, rows: Index, features: Index, border: bool) -> Index:
    """A largest set of the rows, in ascending order, that are independent in the chosen features.

    With `border` the intercept is one more column.
    """
    found = np.zeros(0, dtype=np.intp)
    size = problem.design.reach()[features]
    size = np.append(size, 1.0) if border else size
    size = np.where(size > 0, size, 1.0)
    some = _SOME * size.size
    for begin in range(0, rows.size, _BLOCK):
        block = rows[begin : begin + _BLOCK]
        while block.size:
            block, rest = np.concatenate([found, block[:some]]), block[some:]
            matrix = problem.design.rows(block, features, border) / size
            r, order = pivoted_triangle(matrix.T)
            diagonal = np.abs(np.diag(r))
            rank = int(np.count_nonzero(diagonal > PINNED * diagonal.max(initial=0.0)))
            found = block[order[:rank]]
            if rank == size.size:
                return np.sort(found)
            # Rows that others span are left out by a product: a QR with pivoting costs far more.
            null = null_space(matrix[order[:rank]])
            outside = np.abs(problem.design.rows(rest, features, border) / size @ null) > PINNED
            block = rest[outside.any(axis=1)]
    return np.sort(found)


def balanced(problem: Problem, rows: Index, features: Index, border: bool, held: Array, goal: Array) -> Array | None:
    """A dual of the rows, inside the intervals of their kinks, whose products with the columns are those of `held` plus
    `goal`; None where none was found.

    Parameters
    ----------
    problem
        Its loss has a kink.
    rows, features, border
        As in `basis`.
    held
        A dual of the rows, inside their intervals, near which the answer is sought.
    goal
        One number for each chosen feature and, last, for the intercept.

    Notes
    -----
    Each step solves for a change ``D A u``, with D the squared distance of each row from the nearer end of its
    interval, and goes as far as the ends allow (affine scaling: Dikin 1967).
    """
    lower, upper = (end * problem.weight[rows] for end in problem.loss.kink())
    dual, left = held, goal
    whole = 0
    for _ in range(_STEPS):
        room = np.maximum(np.minimum(dual - lower, upper - dual), 0.0)
        elastic = np.zeros(problem.n_samples)
        elastic[rows] = room * (room / (upper - lower))
        change, product = _change(problem, rows, features, border, elastic, left)
        ends = np.where(change > 0, upper, lower) - dual
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = float(np.min(np.where(change != 0, ends / change, np.inf), initial=np.inf))
        length = 1.0 if reach >= 1.0 else _SHORT * reach
        if not length >= _LEAST:
            return None
        dual = dual + length * change
        left = left - length * product
        whole = whole + 1 if length == 1.0 else 0
        if whole == _WHOLE:
            room = np.minimum(dual - lower, upper - dual)
            return dual if np.all(room > INSIDE * (upper - lower)) else None
    return None


def spread(
    problem: Problem, rows: Index, features: Index, border: bool, held: Array, basis: Index, change: Array
) -> Array:
    """The dual `held` of the rows with a change of those in `basis` spread over all of them.

    The result leaves the intervals only where no dual inside them was found with the same products with the columns.
    """
    if basis.size == rows.size:
        return held + change
    goal = problem.design.rows(basis, features, border).T @ change
    found = balanced(problem, rows, features, border, held, goal)
    if found is not None:
        return found
    elastic = np.zeros(problem.n_samples)
    elastic[rows] = problem.weight[rows]
    return held + _change(problem, rows, features, border, elastic, goal)[0]


def _change(
    problem: Problem, rows: Index, features: Index, border: bool, elastic: Array, goal: Array
) -> tuple[Array, Array]:
    """The change ``elastic * A u`` of the rows' dual that comes nearest to the goal, and its products."""
    gram = problem.design.gram(elastic, features, border)
    size = np.sqrt(gram.diagonal())
    size = np.where(size > 0, size, 1.0)
    u = np.linalg.pinv(gram / size / size[:, None], rcond=TIED_EIGENVALUE, hermitian=True) @ (goal / size) / size
    predicted = problem.design.matvec_of(features, u[: features.size])[rows]
    change = elastic[rows] * (predicted + (u[-1] if border else 0.0))
    product = problem.design.rmatvec_at(rows, change)[features]
    return change, np.append(product, change.sum()) if border else product
