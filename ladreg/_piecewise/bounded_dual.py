"""The bounded dual of rows and a penalty, by its columns, by its rows, or in blocks of columns that share no row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import LinearOperator

from ladreg._arrays import Array, Index, cholesky_solver, square_solver
from ladreg._design import BlockGram
from ladreg._piecewise.dual_program import (
    DEFAULT,
    DualProgram,
    InteriorPointResult,
    Rows,
    clear_vertex,
    transposed_product,
    weighted_gram,
)
from ladreg._piecewise.tuning import PiecewiseTuning


@dataclass(frozen=True)
class BoundedDual(DualProgram):
    """The program in its columns, and one bounded pseudo-row e_j for each penalised coefficient.

    Attributes
    ----------
    A
        Rows, dense, sparse or by their products, of shape (m, q).
    hessian
        H, None for zero.
    stiffness
        Where the program has all rows of the problem, H as a weight per row: ``A' diag(stiffness) A``. None for zero.
    gram
        ``A' diag(weight) A`` in blocks, as a function of the weights, where A has many columns that share no row.
    """

    A: Rows
    y: Array
    lower: Array
    upper: Array
    goal: Array
    penalised: Index
    strength: Array
    origin: Array
    ceiling: Array | None = None
    hessian: Array | None = None
    stiffness: Array | None = None
    gram: Callable[[Array], BlockGram] | None = None
    tuning: PiecewiseTuning = DEFAULT

    @property
    def is_curved(self) -> bool:
        """Whether there is a smooth part."""
        return self.hessian is not None or self.stiffness is not None

    @property
    def n_basic(self) -> int:
        """Number of basic rows of a vertex: the number of columns."""
        return self.A.shape[1]

    def forward(self, coef: Array) -> Array:
        """A @ coef, pseudo-rows last."""
        product: Array = self.A @ coef
        return np.concatenate([product, coef[self.penalised]]) if self.penalised.size else product

    def backward(self, dual: Array) -> Array:
        """A.T @ dual, pseudo-rows included."""
        n_rows = self.y.size
        product = transposed_product(self.A, dual[:n_rows])
        if self.penalised.size:
            product[self.penalised] += dual[n_rows:]
        return product

    def rows(self, index: Index) -> Array:
        """The chosen rows, dense; none of them a pseudo-row."""
        assert not isinstance(self.A, LinearOperator)
        picked = self.A[index]
        return picked if isinstance(picked, np.ndarray) else np.asarray(picked.toarray())

    def factor(self, q: Array) -> Callable[[Array], Array] | None:
        """The function that solves with ``A'QA + H`` and the pseudo-rows' diagonal, Q the diagonal of `q`.

        None where the matrix is singular.
        """
        n_rows, (size, n_columns) = self.y.size, self.A.shape
        rows = q[:n_rows] if self.stiffness is None else q[:n_rows] + self.stiffness
        if self.gram is not None:
            return self.gram(rows).plus(self.penalised, q[n_rows:]).solver()
        wide = size < self.tuning.wide * n_columns and n_columns - self.penalised.size < 0.5 * size
        if wide and isinstance(self.A, np.ndarray) and self.hessian is None:
            found = self._factor_by_rows(self.A, rows.copy(), q[n_rows:])
            if found is not None:
                return found
        assert not isinstance(self.A, LinearOperator)  # which has `gram`
        gram = weighted_gram(self.A, rows)
        if self.penalised.size:
            gram[self.penalised, self.penalised] += q[n_rows:]
        return cholesky_solver(gram if self.hessian is None else gram + self.hessian)

    def _factor_by_rows(self, A: Array, rows: Array, diagonal: Array) -> Callable[[Array], Array] | None:
        """Solve with A'RA + D through a matrix of the rows and one of the columns S where A'RA far exceeds D.

        With N the other columns, z = R A x and K = R^-1 + A_N D_N^-1 A_N' the equations are ``K z = A_S x_S + A_N
        D_N^-1 right_N`` and ``D x + A'z = right``. (Eliminating S as well would cancel digits next to a vertex.)
        """
        full = np.zeros(A.shape[1])
        full[self.penalised] = diagonal
        here = full < self.tuning.outweighed * (rows @ (A * A))
        few, many = A[:, here], A[:, ~here]
        scaled = many / full[~here]
        inner = scaled @ many.T
        inner.ravel()[:: rows.size + 1] += 1.0 / rows
        solve_rows = cholesky_solver(inner)
        if solve_rows is None:
            return None
        spread = solve_rows(few)
        solve_few = cholesky_solver(few.T @ spread + np.diag(full[here]))
        if solve_few is None:
            return None

        def once(right: Array) -> Array:
            given = scaled @ right[~here]
            found = np.empty(right.size)
            found[here] = solve_few(right[here] - spread.T @ given)
            z = solve_rows(few @ found[here] + given)
            found[~here] = (right[~here] - many.T @ z) / full[~here]
            return found

        def solve(right: Array) -> Array:
            found = once(right)
            return found + once(right - full * found - A.T @ (rows * (A @ found)))

        return solve

    def short(self, dual: Array, coef: Array) -> Array:
        """The residual of the equations, ``goal + Hb - A'd``."""
        goal = self.goal if self.hessian is None else self.goal + self.hessian @ coef
        if self.stiffness is not None:
            goal = goal + transposed_product(self.A, self.stiffness * (self.A @ coef))
        return goal - self.backward(dual)

    def asked(self, point: Array) -> float:
        """``goal'b``."""
        return float(self.goal @ point)

    def curved(self, coef: Array) -> float:
        """``b'Hb``."""
        if self.stiffness is not None:
            return float(self.stiffness @ (self.A @ coef) ** 2)
        return 0.0 if self.hessian is None else float(coef @ self.hessian @ coef)

    def vertex(self, basic: Index, gap: float, n_iter: int) -> InteriorPointResult | None:
        """The vertex of the basic rows, if strict complementarity proves that it is the only optimum.

        None for a program in blocks: there the pinned rows are solved at the end, and follow the blocks.
        """
        if self.gram is not None:
            return None
        n_rows = self.y.size
        y = np.concatenate([self.y, -self.origin])
        lower, width = np.concatenate([self.lower, -self.strength]), self.width
        # Basic pseudo-rows fix their coefficients at zero; the other basic rows determine the other coefficients.
        rows, pinned = basic[basic < n_rows], self.penalised[basic[basic >= n_rows] - n_rows]
        others = np.setdiff1d(np.arange(self.goal.size), pinned, assume_unique=True)
        matrix = self.rows(rows)
        inner = matrix[:, others]
        solver = square_solver(inner)
        if solver is None:
            return None
        coef = np.zeros(self.goal.size)
        coef[pinned] = y[basic[basic >= n_rows]]
        for _ in range(2):
            coef[others] += solver.solve(y[rows] - matrix @ coef)
        residual = y - self.forward(coef)
        dual = np.where(residual > 0, lower + width, lower)
        dual[basic] = 0.0
        left = self.goal - self.backward(dual)
        inside = np.zeros(basic.size)
        for _ in range(2):
            inside[: rows.size] += solver.solve_transposed(left[others] - inner.T @ inside[: rows.size])
        inside[rows.size :] = (left - matrix.T @ inside[: rows.size])[pinned]
        dual[basic] = inside
        if not clear_vertex(self, residual, dual, basic):
            return None
        rank = np.full(y.size, -1.0)
        rank[basic] = 1.0
        return InteriorPointResult(coef, dual[:n_rows], dual[:n_rows], rank, gap, max(n_iter, 1))
