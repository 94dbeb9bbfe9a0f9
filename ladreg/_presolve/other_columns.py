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

from ladreg._arrays import Array, Index, exact_dot, pivoted_triangle
from ladreg._certificate import canonical_optimum
from ladreg._design import DenseDesign, Design
from ladreg._presolve.scaling import certified, scaled, with_stall
from ladreg._problem import (
    Coefficients,
    ElasticNet,
    Problem,
    Settings,
    Solution,
    Solver,
    Uncertified,
)
from ladreg._tolerances import HALF_DIGITS, ROUNDING_GAP, SOLVED

# Columns are replaced where one has at most 1e-3 of its length beside the others (squared: 64 * HALF_DIGITS).
_NEAR = 64.0
# Numbers in a block of rows that is decomposed or replaced at a time.
_BLOCK = 1 << 20
# Multiplications of the decomposition, at most; a table that is replaced has at most 2^27 numbers (1 GB).
_WORK, _ENTRIES = 1e12, 1 << 27


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
        """Columns of which the free ones are orthogonal; None where those that are there need no others."""
        try:
            return cls._decomposed(design, weight, penalty, centred)
        except np.linalg.LinAlgError:  # LAPACK gave up on a decomposition
            return None

    @classmethod
    def _decomposed(cls, design: Design, weight: Array, penalty: ElasticNet, centred: bool) -> OtherColumns | None:
        """`of`, where LAPACK does not give up.

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

    def coefficients(self, coef: Array, intercept: float) -> Coefficients:
        """Coefficients of the columns that are there, from those of these columns."""
        there = self.turn @ coef
        return Coefficients(there, exact_dot(-self.centre, there, intercept))


def solve_by_other_columns(problem: Problem, settings: Settings, found: Solution, *, solve: Solver) -> Solution:
    """The better of a solution and the one by other columns, where too little of it is proved.

    Parameters
    ----------
    problem
        Any problem.
    settings
        Nothing is done where the relative gap is at most `tol`.
    found
        The solution by the columns that are there.
    solve
        Solves the problem with other columns.
    """
    if found.relative_gap <= max(settings.tol, ROUNDING_GAP) or problem.penalty.all_bound:
        return found
    with np.errstate(over="ignore", invalid="ignore"):  # NaN fails the proof
        twin, units = scaled(problem)
        columns = OtherColumns.of(twin.design, twin.weight, twin.penalty, twin.fit_intercept)
        if columns is None:
            return found
        there = _there(twin, columns, solve(columns.problem(twin), settings))
        other = certified(problem, twin, units, there, columns_replaced=columns.features.size)
        other = with_stall(problem, other, settings.tol)
    return other if _miss(problem, other) < _miss(problem, found) else found


def _miss(problem: Problem, solution: Solution) -> float:
    """The gap, and what the rounding of predictions in float64 changes in the objective.

    Coefficients that only the last digits of X ask for cost more by that rounding than they gain.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        residual = problem.y - (problem.design.matvec(solution.coef) + solution.intercept)
        loss = problem.facts.total(problem.loss, problem.present(residual))
        return solution.gap + abs(loss + problem.penalty.cost(solution.coef) - solution.objective)


def _there(twin: Problem, columns: OtherColumns, found: Solution) -> Uncertified:
    """The solution for the columns that are there: the canonical one, if others are as good.

    Whether it is unique, these are asked: what other columns show may be their rounding (see `are_independent`).
    """
    coef, intercept = columns.coefficients(found.coef, found.intercept)
    answer = replace(found.uncertified(), coef=coef, intercept=intercept, unique=None)
    if found.unique and columns.is_complete:
        return answer
    optimum = canonical_optimum(twin, found.dual, near=Coefficients(coef, intercept))
    return answer if optimum is None else replace(answer, **optimum._asdict())


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
