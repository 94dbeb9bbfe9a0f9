"""The interior point method's linear algebra for nearly square tables: the dual in a basis of the left null space.

With ``A'N = 0`` and N orthonormal, of shape (n, m), every dual is ``d = N v``. Tables with few more rows than columns
leave few numbers v, and each iteration factors an m x m matrix in place of one of all columns. The primal is held as
predictions, from which one triangular solve makes coefficients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import scipy.linalg
from scipy.sparse.linalg import LinearOperator

from ladreg._arrays import Array, Index, cholesky_solver
from ladreg._design import SparseDesign
from ladreg._piecewise import interior_point
from ladreg._piecewise.bounded_dual import BoundedDual
from ladreg._piecewise.dual_program import (
    DualProgram,
    InteriorPointResult,
    clear_vertex,
    weighted_gram,
)
from ladreg._problem import Problem
from ladreg._tolerances import CONDITION, PINNED, SUMMED

# The null space pays for at most 0.8 as many dimensions as columns: QR, basis and 15 iterations then take fewer
# multiplications than 15 weighted Gram matrices of the columns and their factors.
_NARROW = 0.8
# A sparse table of up to 2^24 entries (128 MB) is copied to a dense one.
_ENTRIES = 1 << 24


def is_narrow(problem: Problem) -> bool:
    """Whether no coefficient is penalised and the left null space of the columns may have few dimensions."""
    penalty = problem.penalty
    if not problem.loss.is_piecewise_linear or penalty.strength.any() or penalty.positive:
        return False
    return _has_many_columns(problem) and not _is_large_and_sparse(problem)


def is_bulky(problem: Problem) -> bool:
    """Whether a sparse table of nearly as many columns as rows, or more, is too large for dense matrices.

    Tables whose normal matrices are sparse are not.
    """
    if not (_has_many_columns(problem) and _is_large_and_sparse(problem)):
        return False
    return problem.design.blocks(problem.fit_intercept) is None


def _has_many_columns(problem: Problem) -> bool:
    n_columns = problem.n_features + problem.fit_intercept
    return problem.n_samples - n_columns <= _NARROW * n_columns


def _is_large_and_sparse(problem: Problem) -> bool:
    n_columns = problem.n_features + problem.fit_intercept
    return isinstance(problem.design, SparseDesign) and problem.n_samples * n_columns > _ENTRIES


@dataclass(frozen=True)
class Orthogonal:
    """``A[:, order] / length[order] = Q R``, Q by the Householder reflections of LAPACK's geqrf.

    Attributes
    ----------
    factor, tau
        R above the reflections, and their factors.
    order, length
        The order of the columns, and the length of each.
    rank
        Number of independent columns: the first ones of `order`.
    """

    factor: Array
    tau: Array
    order: Index
    length: Array
    rank: int

    @classmethod
    def of(cls, A: Array) -> Orthogonal:
        """The decomposition, with column pivoting where columns are dependent."""
        found = cls.of_regular(A)
        if found is not None:
            return found
        length = np.linalg.norm(A, axis=0)
        length[length == 0] = 1.0
        (factor, tau), triangle, order = scipy.linalg.qr(A / length, mode="raw", pivoting=True, check_finite=False)
        diagonal = np.abs(triangle.diagonal())
        rank = int(np.count_nonzero(diagonal > PINNED * diagonal.max(initial=0.0)))
        return cls(factor, tau, order.astype(np.intp), length, rank)

    @classmethod
    def of_regular(cls, A: Array) -> Orthogonal | None:
        """The decomposition of independent columns; None of dependent ones."""
        n_rows, n_columns = A.shape
        length = np.linalg.norm(A, axis=0)
        if n_rows < n_columns or not (np.all(length > 0) and np.isfinite(length.sum())):
            return None
        (factor, tau), triangle = scipy.linalg.qr(A / length, mode="raw", check_finite=False)
        square = triangle[:n_columns]
        # dtrcon would do, which SciPy 1.13 does not have: a triangle is its own LU decomposition.
        condition = scipy.linalg.lapack.dgecon(square, np.abs(square).sum(axis=0).max(initial=0.0))[0]
        regular = condition > 1 / CONDITION
        return cls(factor, tau, np.arange(n_columns), length, n_columns) if regular else None

    def _times(self, matrix: Array, transposed: bool) -> Array:
        """``Q @ matrix`` or ``Q' @ matrix``."""
        multiply = scipy.linalg.lapack.dormqr
        letter, n_kept = "T" if transposed else "N", self.tau.size
        work = int(multiply("L", letter, self.factor[:, :n_kept], self.tau, matrix, -1)[1][0])
        return np.asarray(multiply("L", letter, self.factor[:, :n_kept], self.tau, matrix, work)[0])

    def null_space(self) -> Array:
        """An orthonormal basis of the vectors orthogonal to all columns, of shape (n_rows, n_rows - rank)."""
        n_rows = self.factor.shape[0]
        last = np.zeros((n_rows, n_rows - self.rank), order="F")
        last[np.arange(self.rank, n_rows), np.arange(n_rows - self.rank)] = 1.0
        return np.ascontiguousarray(self._times(last, transposed=False))

    def coefficients(self, predictions: Array) -> Array:
        """The least-squares coefficients of `predictions`; zero for dependent columns."""
        inside = self._times(predictions[:, None], transposed=True)[: self.rank, 0]
        chosen, triangle = self.order[: self.rank], self.factor[: self.rank, : self.rank]
        found = np.zeros(self.order.size)
        found[chosen] = scipy.linalg.solve_triangular(triangle, inside, check_finite=False) / self.length[chosen]
        return found

    def combination(self, products: Array) -> Array:
        """The shortest vector whose products with the columns, all independent, are given."""
        inside = np.zeros((self.factor.shape[0], 1))
        triangle, goal = self.factor[: self.rank, : self.rank], (products / self.length)[self.order]
        inside[: self.rank, 0] = scipy.linalg.solve_triangular(triangle, goal, trans="T", check_finite=False)
        return self._times(inside, transposed=False)[:, 0]


def solve(program: BoundedDual, tol: float, max_iter: int, stats: dict[str, float]) -> InteriorPointResult | None:
    """The optimum of a program of all rows (`is_narrow`); None where it broke down or the null space is not narrow.

    The number of dimensions of the null space becomes ``stats["n_null"]``.
    """
    try:
        return _solved(program, tol, max_iter, stats)
    except np.linalg.LinAlgError:  # LAPACK gave up on a decomposition
        return None


def _solved(program: BoundedDual, tol: float, max_iter: int, stats: dict[str, float]) -> InteriorPointResult | None:
    """`solve`, without the handling of errors."""
    assert not isinstance(program.A, LinearOperator)  # which stands for the rows of groups alone
    orthogonal = Orthogonal.of(program.A if isinstance(program.A, np.ndarray) else program.A.toarray())
    if program.y.size - orthogonal.rank > _NARROW * orthogonal.rank:
        return None
    narrow = NullSpaceDual(orthogonal, program)
    stats["n_null"] = narrow.basis.shape[1]
    missed = np.abs(program.y @ narrow.basis).max(initial=0.0)
    if missed <= SUMMED * np.linalg.norm(program.y):
        nothing = np.zeros(program.y.size)
        coef = orthogonal.coefficients(program.y)
        return InteriorPointResult(coef, nothing, nothing, np.ones(program.y.size), 0.0, 1)
    found = interior_point.solve(narrow, np.zeros(program.y.size), tol=tol, max_iter=max_iter)
    return None if found is None else replace(found, coef=orthogonal.coefficients(found.coef))


class NullSpaceDual(DualProgram):
    """A program without penalised coefficients whose dual is ``basis @ v``; its point are the predictions of all rows.

    Attributes
    ----------
    orthogonal, basis
        The decomposition of the columns, and the basis of their left null space.
    """

    def __init__(self, orthogonal: Orthogonal, program: BoundedDual) -> None:
        self.orthogonal, self.basis = orthogonal, orthogonal.null_space()
        self.y, self.lower, self.upper, self.tuning = program.y, program.lower, program.upper, program.tuning
        none = np.zeros(0)
        self.goal = self.origin = self.strength = none
        self.penalised = np.zeros(0, dtype=np.intp)

    @property
    def n_basic(self) -> int:
        """Number of basic rows of a vertex: the rank."""
        return self.orthogonal.rank

    def forward(self, point: Array) -> Array:
        """The point, in a new array."""
        return point.copy()

    def backward(self, dual: Array) -> Array:
        """The dual."""
        return dual

    def factor(self, q: Array) -> Callable[[Array], Array] | None:
        """The map from g to the predictions ``(g - N v) / q`` orthogonal to N, Q the diagonal of `q`."""
        inverse = 1.0 / q
        solve = cholesky_solver(weighted_gram(self.basis, inverse))
        if solve is None:
            return None
        return lambda right: (right - self.basis @ solve((right * inverse) @ self.basis)) * inverse

    def short(self, dual: Array, point: Array) -> Array:  # noqa: ARG002 no part of the program is smooth
        """The part of the dual, with a minus sign, that is not orthogonal to the columns."""
        return self.basis @ (dual @ self.basis) - dual

    def curved(self, point: Array) -> float:  # noqa: ARG002
        """No part of the program is smooth."""
        return 0.0

    def vertex(self, basic: Index, gap: float, n_iter: int) -> InteriorPointResult | None:
        """The vertex of the basic rows, if strict complementarity proves that it is the only optimum."""
        others = np.setdiff1d(np.arange(self.y.size), basic, assume_unique=True)
        try:
            inverse = np.linalg.inv(self.basis[others])
        except np.linalg.LinAlgError:
            return None
        residual, dual = np.zeros(self.y.size), np.zeros(self.y.size)
        for _ in range(2):
            residual[others] += inverse.T @ ((self.y - residual) @ self.basis)
        dual[others] = np.where(residual[others] > 0, self.upper[others], self.lower[others])
        v = np.zeros(others.size)
        for _ in range(2):
            v += inverse @ (dual[others] - self.basis[others] @ v)
        dual[basic] = self.basis[basic] @ v
        if not clear_vertex(self, residual, dual, basic):
            return None
        rank = np.full(self.y.size, -1.0)
        rank[basic] = 1.0
        return InteriorPointResult(self.y - residual, dual, dual, rank, gap, max(n_iter, 1))
