"""Rows that are fitted exactly: a basis of them that determines the fit, and a dual of them that balances other rows.

Noise-free, integer and zero-inflated targets have any number of such rows. The size of linear systems is the number of
columns: a basis of the rows takes the place of all of them, and their dual is found by systems in the columns.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ladreg._arrays import Array, Index, null_space, pivoted_triangle
from ladreg._design import DenseDesign
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
# Numbers of the rows that are copied at once (256 kB, within a cache).
_PASS = 1 << 15
# Rows are left out where the others can give 8 times what is asked of them.
_ROOM = 8.0
# Stop after 2 successive full steps: the second removes rounding of the first.
_WHOLE = 2


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
    A = _Rows(problem, rows, features, border)
    whole = 0
    for _ in range(_STEPS):
        room = np.maximum(np.minimum(dual - lower, upper - dual), 0.0)
        change, product = _change(A, room * (room / (upper - lower)), left)
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


def balanced_by_few(
    problem: Problem, rows: Index, features: Index, border: bool, goal: Array, allowed: Array
) -> tuple[Index, Array] | None:
    """Rows, evenly spaced among the given ones, and a dual of theirs with the products `goal`; all rows if need be.

    `allowed` are the largest products of the rows with each column. The rows that are left out have a dual of zero.
    """
    asked = np.abs(goal) / np.where(allowed > 0, allowed, np.inf)
    part = _ROOM * float(asked.max(initial=0.0))
    while True:
        number = max(int(part * rows.size), _SOME * _SOME * goal.size)
        few = rows if 2 * number >= rows.size else rows[np.arange(number) * rows.size // number]
        found = balanced(problem, few, features, border, np.zeros(few.size), goal)
        if found is not None:
            return few, found
        if few.size == rows.size:
            return None
        part = 8 * number / rows.size


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
    return held + _change(_Rows(problem, rows, features, border), problem.weight[rows], goal)[0]


class _Rows:
    """Rows of a problem: their Gram matrix, and their products; a dense X is read in blocks."""

    def __init__(self, problem: Problem, rows: Index, features: Index, border: bool) -> None:
        self.problem, self.rows, self.features, self.border = problem, rows, features, border
        self.is_dense = isinstance(problem.design, DenseDesign)

    def _blocks(self) -> Iterator[tuple[slice, Array]]:
        step = max(1, _PASS // (self.features.size + 1))
        for begin in range(0, self.rows.size, step):
            block = slice(begin, begin + step)
            yield block, self.problem.design.rows(self.rows[block], self.features, self.border)

    def gram(self, elastic: Array) -> Array:
        """``A' diag(elastic) A``."""
        if not self.is_dense:
            weight = np.zeros(self.problem.n_samples)
            weight[self.rows] = elastic
            return self.problem.design.gram(weight, self.features, self.border)
        gram = np.zeros((self.features.size + self.border,) * 2)
        for block, values in self._blocks():
            values *= np.sqrt(elastic[block])[:, None]
            gram += values.T @ values
        return gram

    def change(self, elastic: Array, u: Array) -> tuple[Array, Array]:
        """``elastic * A u``, and its products with A."""
        design, n_features = self.problem.design, self.features.size
        if not self.is_dense:
            predicted = design.matvec_of(self.features, u[:n_features])[self.rows]
            change = elastic * (predicted + (u[-1] if self.border else 0.0))
            product = design.rmatvec_at(self.rows, change)[self.features]
            return change, np.append(product, change.sum()) if self.border else product
        change, product = np.empty(elastic.size), np.zeros(u.size)
        for block, values in self._blocks():
            change[block] = elastic[block] * (values @ u)
            product += values.T @ change[block]
        return change, product


def _change(A: _Rows, elastic: Array, goal: Array) -> tuple[Array, Array]:
    """The change ``elastic * A u`` of the rows' dual that comes nearest to the goal, and its products."""
    gram = A.gram(elastic)
    size = np.sqrt(gram.diagonal())
    size = np.where(size > 0, size, 1.0)
    u = np.linalg.pinv(gram / size / size[:, None], rcond=TIED_EIGENVALUE, hermitian=True) @ (goal / size) / size
    return A.change(elastic, u)
