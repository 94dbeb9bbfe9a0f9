"""Other columns of the same span, where columns of X depend on each other, nearly.

A Gram matrix has the square of its columns' condition number: of columns that differ by 1e-6 of their length it knows
the difference to four digits, at 1e-8 not at all, and Newton's steps and interior point methods end far from the
optimum. What free columns have beside other columns may take their place: the optimum is the same, its coefficients
follow by a triangular matrix, and the Gram matrix of these columns is that of independent ones (Bjorck 1996, Numerical
Methods for Least Squares Problems, doi 10.1137/1.9781611971484, section 2.4).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg

from ladreg._arrays import Array, Index, constant, exact_dot, pivoted_triangle
from ladreg._design import DenseDesign, Design
from ladreg._problem import Coefficients, ElasticNet, Problem
from ladreg._tolerances import HALF_DIGITS, SOLVED

# Columns are replaced where one has at most 1e-3 of its length beside the others (squared: 64 * HALF_DIGITS).
_NEAR = 64.0
# Numbers in a block of rows that is decomposed or replaced at a time.
_BLOCK = 1 << 20
# Multiplications of the decomposition, at most; a table that is replaced has at most 2^27 numbers (1 GB).
_WORK, _ENTRIES = 1e12, 1 << 27
# A proof asks whether columns are independent in 40 rows for each, at least 1,000, and then in all rows. More than 500
# free columns, or 2^28 multiplications of free columns with each other (.1 s), are taken as they are.
_PER_COLUMN, _LEAST, _MOST_FREE, _MOST_WORK = 40, 1000, 500, float(1 << 28)
# The part of a column's length beside others that makes them independent there.
_NEAREST = float(np.sqrt(_NEAR * HALF_DIGITS))


@dataclass(frozen=True)
class OtherColumns:
    """The columns ``(x - centre) @ turn``.

    Attributes
    ----------
    centre : ndarray of shape (n_features,)
        Weighted means of the columns, zero without an intercept.
    turn : ndarray of shape (n_features, k)
        One column for each entry of `features`; the coefficients of penalised features stay as they are.
    features : ndarray of shape (k,)
        Which features there are columns for: all but free ones that depend on others up to rounding.
    are_independent : bool
        Whether the columns that are there, but for those that are constant, are independent. Of equal ones the other
        columns differ, by the rounding of what they have beside a free column that is nearly equal.
    """

    centre: Array
    turn: Array
    features: Index
    are_independent: bool

    @classmethod
    def of(cls, design: Design, weight: Array, penalty: ElasticNet, centred: bool) -> OtherColumns | None:
        """Columns of which the free ones are orthogonal; None where those that are there need no others.

        Notes
        -----
        1. A QR decomposition with column pivoting of the free columns finds an independent subset.
        2. The subset becomes orthonormal columns, and its part in each penalised column is subtracted from that.
        """
        free = penalty.free_features
        n_rows, n_columns = design.n_samples, design.n_features
        is_large = n_rows * n_columns > _ENTRIES or float(n_rows) * n_columns**2 > _WORK
        if free.size == 0 or is_large or n_rows <= free.size + centred:
            return None
        centre = design.means(weight) if centred else np.zeros(n_columns)
        if not np.isfinite(centre).all():
            return None
        triangle = _triangle(design, weight, centre)
        length = np.linalg.norm(triangle, axis=0)
        if not np.isfinite(length).all():
            return None
        constant = length <= SOLVED * np.abs(centre)
        length = np.where(constant, 1.0, length)
        triangle = np.where(constant, 0.0, triangle / length)
        # 1.
        upper, order = pivoted_triangle(triangle[:, free])
        chosen = free[order[: int(np.argmin(np.append(np.abs(np.diag(upper)) > SOLVED, False)))]]
        others = np.setdiff1d(np.arange(n_columns), free, assume_unique=True)
        # 2.
        features, rank = np.append(chosen, others), chosen.size
        upper = np.asarray(np.linalg.qr(triangle[:, features], mode="r"))
        beside = np.append(np.abs(np.diag(upper)[:rank]), np.linalg.norm(upper[rank:, rank:], axis=0))
        beside = beside[beside > SOLVED]
        if rank == 0 or beside.min(initial=1.0) ** 2 > _NEAR * HALF_DIGITS:
            return None
        right = np.hstack([np.eye(rank), -upper[:rank, rank:] * length[others]])
        turn = np.zeros((n_columns, features.size))
        turn[chosen] = scipy.linalg.solve_triangular(upper[:rank, :rank], right) / length[chosen, None]
        turn[others, np.arange(rank, features.size)] = 1.0
        left = np.abs(np.diag(pivoted_triangle(triangle[:, ~constant])[0]))
        are_independent = left.size == np.count_nonzero(~constant) and bool(left.min(initial=1.0) > SOLVED)
        return cls(centre, turn, features, are_independent)

    @property
    def is_complete(self) -> bool:
        """Whether there is a column for each feature."""
        return self.features.size == self.centre.size

    def table(self, rows: Array) -> Array:
        """Rows of these columns, for rows of the columns that are there."""
        return np.asarray((rows - self.centre) @ self.turn)

    def problem(self, problem: Problem) -> Problem:
        """The problem with these columns."""
        table = np.empty((problem.n_samples, self.features.size), order="F")
        for block, rows in _row_blocks(problem.design):
            table[block] = self.table(rows)
        return replace(problem, design=DenseDesign(table), penalty=problem.penalty.at(self.features))

    def accurate_problem(self, problem: Problem) -> Problem:
        """`problem` with the digits that are lost where the terms of a column cancel."""
        table, zero = np.empty((problem.n_samples, self.features.size), order="F"), np.zeros(problem.n_samples)
        for j, turn in enumerate(self.turn.T):
            column = problem.design.accurate_residual(turn, zero, -exact_dot(self.centre, turn))
            np.negative(column, out=table[:, j])
        return replace(problem, design=DenseDesign(table), penalty=problem.penalty.at(self.features))

    def coefficients(self, coef: Array, intercept: float) -> Coefficients:
        """Coefficients of the columns that are there, from those of these columns."""
        there = self.turn @ coef
        return Coefficients(there, intercept - float(self.centre @ there))


def for_proofs(problem: Problem) -> tuple[OtherColumns, Problem] | None:
    """Columns whose products with a dual bound the optimum, and the problem with them; None where those there do.

    Weak duality asks of a free column that its product with the dual is zero. Rounding leaves 1e-16 of the sizes of its
    terms, which costs as much times the optimum's coefficient: nothing where columns are independent, all of the
    bound where they differ by 1e-9 of their length and the optimum has coefficients of 1e9.
    """
    known, free = problem.facts.by_free_columns, problem.penalty.free_features
    key = free.tobytes(), problem.fit_intercept
    if key not in known:
        known[key] = None
        try:
            columns = _independent(problem, free)
        except np.linalg.LinAlgError:  # LAPACK gave up on a decomposition
            columns = None
        if columns is not None:
            there = columns.accurate_problem(problem)
            known[key] = columns, there
            rank = np.arange(there.penalty.free_features.size)
            there.facts.by_free_columns[rank.tobytes(), problem.fit_intercept] = None
    found = known[key]
    if found is None:
        return None
    columns, there = found
    return columns, there.with_penalty(problem.penalty.at(columns.features))


def _independent(problem: Problem, free: Index) -> OtherColumns | None:
    """Other columns where free ones depend on each other, nearly.

    None where weights differ widely: columns depend on each other in the heavy rows alone, and duals have their digits.
    """
    design, border, n_samples = problem.design, problem.fit_intercept, problem.n_samples
    if free.size < 2 - border or n_samples <= free.size + border or not problem.facts.weights_are_alike:
        return None
    if free.size > _MOST_FREE or float(n_samples) * free.size**2 > _MOST_WORK:
        return None
    key = "nearly dependent", free.tobytes(), border
    if not design.known(key, lambda: _are_nearly_dependent(design, free, border)):
        return None
    return OtherColumns.of(design, problem.weight, problem.penalty, border)


def _are_nearly_dependent(design: Design, free: Index, border: bool) -> bool:
    """Whether some column has between `SOLVED` and 1e-3 of its length beside the others.

    Columns that are independent in some rows are so in all. A Gram matrix tells columns that may depend on others; what
    they have beside these is computed from the rows, twice, for a Gram matrix has half of the digits.
    """
    step = max(design.n_samples // max(_PER_COLUMN * free.size, _LEAST), 1)
    if step > 1 and _gram(design.take(slice(None, None, step)), free, border).is_independent:
        return False
    found = _gram(design, free, border)
    if found.is_independent:
        return False
    chosen, others = found.chosen, np.setdiff1d(np.arange(free.size), found.chosen)
    coef = np.zeros((design.n_features, others.size))
    coef[free[others], np.arange(others.size)] = 1.0

    def left() -> Array:
        rest = design.matvec(coef)
        for _ in range(2 if border else 0):  # the second mean is the rounding of the first
            rest -= rest.mean(axis=0)
        return rest

    for _ in range(2):
        coef[free[chosen]] -= found.solved(design.rmatvec(left())[free[chosen]])
    rest = left()
    return bool(np.any(np.linalg.norm(rest, axis=0) > SOLVED * found.length[others]))


@dataclass(frozen=True)
class _Gram:
    """The products of columns, centred beside an intercept, and those columns that are independent of each other.

    Attributes
    ----------
    length : ndarray of shape (k,)
        The columns' lengths, not centred.
    chosen : ndarray of shape (rank,)
        Columns each of which has more than 1e-3 of its length beside those before it.
    factor : ndarray of shape (rank, rank)
        The Cholesky factor (upper) of their products.
    """

    length: Array
    chosen: Index
    factor: Array

    @property
    def is_independent(self) -> bool:
        """Whether all columns are chosen."""
        return self.chosen.size == self.length.size

    def solved(self, products: Array) -> Array:
        """The coefficients of the chosen columns for products with them."""
        return np.asarray(scipy.linalg.cho_solve((self.factor, False), products, check_finite=False))


def _gram(design: Design, free: Index, border: bool) -> _Gram:
    """The Gram matrix of free columns, decomposed with pivoting; no column is chosen where it is not finite."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        gram = design.gram(constant(1.0, design.n_samples), free, border)
        length = np.sqrt(gram.diagonal()[: free.size])
        if border:
            gram = gram[:-1, :-1] - np.outer(gram[-1, :-1], gram[-1, :-1] / gram[-1, -1])
        spread = np.sqrt(np.maximum(gram.diagonal(), 0.0))
        known = np.flatnonzero((spread > _NEAREST * length) & np.isfinite(length))
        size = spread[known]
        scaled = gram[known[:, None], known] / size / size[:, None]
    upper, order, rank, _ = scipy.linalg.lapack.dpstrf(scaled, tol=_NEAREST**2)
    chosen = order[:rank] - 1
    return _Gram(length, known[chosen], np.triu(upper[:rank, :rank]) * size[chosen])


def _triangle(design: Design, weight: Array, centre: Array) -> Array:
    """R of a QR decomposition of the weighted and centred columns."""
    upper, root = np.zeros((0, centre.size)), np.sqrt(weight)
    for block, rows in _row_blocks(design):
        part = (rows - centre) * root[block, None]
        upper = np.asarray(np.linalg.qr(np.vstack([upper, part]), mode="r"))
    return upper


def _row_blocks(design: Design) -> Iterator[tuple[slice, Array]]:
    """Blocks of rows as dense arrays."""
    n_rows = max(_BLOCK // design.n_features, 2 * design.n_features)
    for begin in range(0, design.n_samples, n_rows):
        block = slice(begin, min(begin + n_rows, design.n_samples))
        yield block, design.take(block).table()
