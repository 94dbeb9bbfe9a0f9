"""Primal-dual interior point method on the bounded dual of a piecewise linear loss (Frisch-Newton).

Portnoy and Koenker (1997, doi 10.1214/ss/1030037960) with Mehrotra's corrector (1992, doi 10.1137/0802028):

    maximise y'd  subject to  A'd = goal,  lower <= d <= upper,

where the multipliers of the equations are the coefficients b. A smooth part ``b'Hb / 2`` of the primal makes the
equations ``A'd = goal + Hb``. Each iteration costs one weighted Gram matrix A'QA.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator

from ladreg._arrays import Array, Index, cholesky_solver, difference, square_solver
from ladreg._design import BlockGram
from ladreg._kernels import _interior_point, _rows
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._tolerances import AT_END, HALF_DIGITS, INSIDE

# Copy at least 2048 rows at a time, and at least as many as columns, for a weighted Gram matrix: larger copies cost
# memory, smaller ones sums of Gram matrices.
_BLOCK = 2048
# The infinite end of a half line is replaced by one at 1e25 times the distance of the start from the other end.
_FAR = 1e25


# A matrix, or its products alone where a program has a Gram matrix by blocks.
Rows = Array | sp.csr_array | LinearOperator


def weighted_gram(A: Array | sp.csr_array, weight: Array) -> Array:
    """``A.T @ diag(weight) @ A`` as a dense matrix, for weights >= 0."""
    gram = np.zeros((A.shape[1], A.shape[1]))
    if isinstance(A, np.ndarray):
        root, step = np.sqrt(weight)[:, None], max(A.shape[1], _BLOCK)
        for begin in range(0, A.shape[0], step):
            scaled = A[begin : begin + step] * root[begin : begin + step]
            gram += scaled.T @ scaled
        return gram
    _rows.sparse_gram(A.data, A.indices, A.indptr, weight, gram)
    return gram


def transposed_product(A: Rows, dual: Array) -> Array:
    """``A.T @ dual``; the transpose that SciPy makes of an operator would copy `dual`."""
    return np.asarray(A.rmatvec(dual) if isinstance(A, LinearOperator) else A.T @ dual)


_DEFAULT = PiecewiseTuning()


class DualProgram(ABC):
    """What the method asks of a program: its data, and its linear algebra at a *point*, which stands for coefficients.

    Attributes
    ----------
    y, lower, upper
        Target and bounds of each row's dual, of shape (m,).
    goal
        What A'd must equal.
    penalised, strength, origin
        Columns whose coefficient is penalised, how strongly, and the values that their coefficients are measured from:
        the pseudo-row's residual is ``-origin - coef``.
    ceiling
        Where no coefficient may be negative, a typical size of the penalised features' slopes at zero; None otherwise.
    tuning
        How the program is solved.
    """

    y: Array
    lower: Array
    upper: Array
    goal: Array
    penalised: Index
    strength: Array
    origin: Array
    ceiling: Array | None = None
    tuning: PiecewiseTuning = _DEFAULT

    @property
    @abstractmethod
    def n_basic(self) -> int:
        """Number of basic rows of a vertex."""

    @property
    def is_curved(self) -> bool:
        """Whether there is a smooth part."""
        return False

    @property
    def width(self) -> Array:
        """The length of each interval, pseudo-rows last; a typical length for half lines."""
        pseudo = 2 * self.strength if self.ceiling is None else self.strength + self.ceiling
        return _followed(difference(self.upper, self.lower), pseudo)

    @abstractmethod
    def forward(self, point: Array) -> Array:
        """The predictions of all rows at a point, pseudo-rows last, as a new array."""

    @abstractmethod
    def backward(self, dual: Array) -> Array:
        """The right-hand side that `factor` takes for a vector of one number a row, pseudo-rows included."""

    @abstractmethod
    def factor(self, q: Array) -> Callable[[Array], Array] | None:
        """The map from ``backward(q * push) - short`` to the step of the point; None where the matrix is singular.

        It must not refer to the array `q`, which is overwritten.

        The step's predictions ``moved`` are those for which ``q * (push - moved)`` makes up for `short`.
        """

    @abstractmethod
    def short(self, dual: Array, point: Array) -> Array:
        """The residual of the equations, ``goal + Hb - A'd``."""

    def asked(self, point: Array) -> float:  # noqa: ARG002 - for programs that know
        """``goal'b`` of the coefficients that a point stands for; NaN where that is not known."""
        return np.nan

    @abstractmethod
    def curved(self, point: Array) -> float:
        """``b'Hb``."""

    @abstractmethod
    def vertex(self, basic: Index, gap: float, n_iter: int) -> InteriorPointResult | None:
        """The vertex of the basic rows, if strict complementarity proves that it is the only optimum."""


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
    tuning: PiecewiseTuning = _DEFAULT

    @property
    def is_curved(self) -> bool:
        """Whether there is a smooth part."""
        return self.hessian is not None or self.stiffness is not None

    @property
    def n_basic(self) -> int:
        """Number of basic rows of a vertex: as many as columns."""
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


@dataclass(frozen=True)
class InteriorPointResult:
    """Coefficients, the rows' dual, and how it went.

    Attributes
    ----------
    coef
        The multipliers of the equations.
    dual
        The dual with every row that is not basic put at its end.
    inside
        The dual of the last iterate, before any row is put at its end.
    rank
        How clearly each row is basic: a row above 0 counts as basic. Pseudo-rows, basic where the coefficient is zero,
        come last.
    """

    coef: Array
    dual: Array
    inside: Array
    rank: Array
    relative_gap: float
    n_iter: int


@dataclass(frozen=True)
class Unbounded:
    """Coefficients along which the loss of the rows falls for ever: no dual is feasible (Farkas' lemma)."""

    direction: Array


def solve(
    program: DualProgram, coef: Array, *, tol: float, max_iter: int = 50, vertex: bool = True
) -> InteriorPointResult | None:
    """`solve_or_fall`, with None where no dual is feasible as well."""
    found = solve_or_fall(program, coef, tol=tol, max_iter=max_iter, vertex=vertex)
    return None if isinstance(found, Unbounded) else found


def solve_or_fall(
    program: DualProgram, coef: Array, *, tol: float, max_iter: int = 50, vertex: bool = True
) -> InteriorPointResult | Unbounded | None:
    """Solve the program from `coef`; None where it broke down.

    Notes
    -----
    1. Start in the middle of the box, with complementary slacks from the residuals at `coef`.
    2. Predictor: the Newton step to complementarity zero. Corrector: the same factor, centred by how far the predictor
       got, with Mehrotra's second-order term.
    3. With `vertex`, guess the basic rows once they begin to stand out, and stop if they prove to be the only optimum.
    4. Stop at a relative complementarity of `tol` with the equations satisfied, or with the last usable iterate where
       rounding stops the progress before. Iterates that do not satisfy the equations may prove that no dual
       does.
    """
    # The iterates of a program without a feasible dual go to infinity: overflow is expected there.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return _iterate(program, coef, tol, max_iter, vertex)


def _iterate(
    program: DualProgram, coef: Array, tol: float, max_iter: int, vertex: bool
) -> InteriorPointResult | Unbounded | None:
    # Vectors of one number a row decide how much memory a fit takes: beside y, bounds and the last usable iterate
    # there are at most eight at a time. A name is deleted where its vector is not needed until it is made again.
    y = _followed(program.y, -program.origin)
    lower = _followed(program.lower, -program.strength)
    width = program.width
    scale = float(np.abs(program.goal).max(initial=0.0)) + float(width.sum())
    # 1. a and s are the dual's distances from its bounds, under and over their multipliers: at the optimum the residual
    # is over - under, and a * under = s * over = 0.
    residual = y - program.forward(coef)
    floor = 0.1 * max(float(np.mean(np.abs(residual))), HALF_DIGITS)
    a, s = 0.5 * width, 0.5 * width
    state = a, s, np.maximum(-residual, 0.0), np.maximum(residual, 0.0)
    for multiplier in state[2:]:
        multiplier += floor
    if program.ceiling is not None:
        # A half line is an interval with its other end far away.
        half = slice(program.y.size, None)
        s[half] *= _FAR
        state[3][half] = floor / _FAR
    complementarity = float(a @ state[2] + s @ state[3])
    tuning, space = program.tuning, np.empty(y.size)
    basic = np.zeros(0, dtype=np.intp)
    best: _Iterate | None = None
    # Unmet equations of a flat program show that no dual is feasible; those of a curved program are rounding.
    met = INSIDE if program.is_curved else AT_END
    for iteration in range(max_iter):
        short = program.short(np.add(lower, a, out=space), coef)
        gap = complementarity / (float(width @ np.abs(residual)) + program.curved(coef) + 1e-300)
        # 4.
        if gap <= max(HALF_DIGITS, tol) and np.abs(short).max(initial=0.0) <= met * scale:
            best = None
            best = _Iterate.of(program, coef, *state, gap, iteration, space)
            if gap <= tol:
                break
        elif _falls(program, coef, residual - y, lower, width):
            return Unbounded(coef)
        # 2.
        _interior_point.weigh(*state, space)
        # 3.
        if vertex and gap <= tuning.guess and not program.is_curved and program.ceiling is None:
            basic, before = _clearest(space, program.n_basic), basic
            if program.n_basic <= tuning.inverse_columns or np.array_equal(basic, before):
                exact = program.vertex(basic, gap, iteration) if basic.size else None
                if exact is not None:
                    return exact
        factor = program.factor(space) if np.isfinite(gap) else None
        if factor is None:
            break
        np.multiply(space, residual, out=space)
        da = program.forward(factor(program.backward(space) - short))
        after = max(_interior_point.predict(*state, residual, tuning.step, da), 0.0)
        center = (after / complementarity) ** 3 * complementarity / (2 * y.size)
        for attempt in (1, 2):
            _interior_point.correct(*state, residual, da, center, space)
            step = factor(program.backward(space) - short)
            moved = program.forward(step)
            primal, dual = _interior_point.direct(*state, residual, center, tuning.step, moved, da, space)
            if attempt == 2 or not program.is_curved or min(primal, dual) >= tuning.short_step:
                break
            # Drop the second-order term and centre more: with it, the iterates may cycle.
            da[:] = 0.0
            center = max(center, tuning.centred * complementarity / (2 * y.size))
        if program.is_curved:  # H couples the dual with the coefficients: one length for both
            primal = dual = min(primal, dual)
        complementarity = _interior_point.step(*state, moved, da, space, primal, dual)
        del moved, da
        coef = coef + dual * step
        np.subtract(y, program.forward(coef), out=residual)
        if not max(primal, dual) >= 1e-8:  # true for NaN, too
            break
    return None if best is None else best.result(program)


def _falls(program: DualProgram, coef: Array, change: Array, lower: Array, width: Array) -> bool:
    """Whether the loss falls for ever along `coef`, where `change` are the residuals' changes, pseudo-rows last."""
    if program.is_curved or program.ceiling is not None:
        return False
    rows, goal = float(lower @ change + width @ np.maximum(change, 0.0)), program.asked(coef)
    return goal < 0 and rows + goal < -AT_END * (abs(rows) + abs(goal))


def _clearest(q: Array, count: int) -> Index:
    """The `count` rows with the largest `q`, in ascending order; none where there are fewer rows or `count` is zero."""
    if not 0 < count <= q.size:
        return np.zeros(0, dtype=np.intp)
    return np.sort(np.argpartition(q, q.size - count)[q.size - count :])


def clear_vertex(program: DualProgram, residual: Array, dual: Array, basic: Index) -> bool:
    """Whether basic duals are inside their intervals and other residuals differ from zero, both by `AT_END`."""
    lower = _followed(program.lower, -program.strength)
    place = (dual[basic] - lower[basic]) / program.width[basic]
    off = np.abs(residual)
    off[basic] = np.inf
    largest = max(float(np.abs(program.y).max()), float(np.abs(program.origin).max(initial=0.0)))
    return bool(place.min() > AT_END and place.max() < 1 - AT_END and off.min() > AT_END * largest)


def _followed(rows: Array, pseudo: Array) -> Array:
    """One number a row, followed by those of the pseudo-rows; `rows` itself where there are none."""
    return np.concatenate([rows, pseudo]) if pseudo.size else rows


@dataclass(frozen=True)
class _Iterate:
    """What an iterate says of each row, in little memory.

    The larger member of each complementary pair decides if a row is basic (`rank` above zero) or at an end of its
    interval: `end` is 1 for the upper, -1 for the lower, and 0 for a row that is basic.
    """

    coef: Array
    inside: Array
    end: NDArray[np.int8]
    rank: NDArray[np.float32]
    relative_gap: float
    n_iter: int

    @classmethod
    def of(
        cls,
        program: DualProgram,
        coef: Array,
        a: Array,
        s: Array,
        under: Array,
        over: Array,
        relative_gap: float,
        n_iter: int,
        space: Array,
    ) -> _Iterate:
        """Read the state of the method; `space` is overwritten."""
        n_rows = program.y.size
        width = program.width
        if not width.min() >= 1e-300:
            width = np.maximum(width, 1e-300)
        # Where every row is fitted, residuals are rounding and do not give their typical size.
        spread = max(
            float(np.mean(over[:n_rows]) + np.mean(under[:n_rows])), 1e-3 * float(np.mean(np.abs(program.y))), 1e-300
        )
        above = _logarithm_of_ratio(s, over, width, spread, space)
        end = np.where(above[:n_rows] < 0, np.int8(1), np.int8(0))
        rank = above.astype(np.float32)
        below = _logarithm_of_ratio(a, under, width, spread, space)
        end[(end == 0) & (below[:n_rows] < 0)] = -1
        np.minimum(rank, below, out=rank, casting="same_kind")
        return cls(coef, program.lower + a[:n_rows], end, rank, relative_gap, n_iter)

    def result(self, program: DualProgram) -> InteriorPointResult:
        """The result if this is the last usable iterate."""
        dual = np.where(self.end > 0, program.upper, np.where(self.end < 0, program.lower, self.inside))
        return InteriorPointResult(
            self.coef, dual, self.inside, self.rank.astype(np.float64), self.relative_gap, max(self.n_iter, 1)
        )


def _logarithm_of_ratio(distance: Array, multiplier: Array, width: Array, spread: float, ratio: Array) -> Array:
    """``log((distance / width) / (multiplier / spread))``, written to `ratio`."""
    np.divide(distance, width, out=ratio)
    ratio *= spread
    ratio /= multiplier
    return np.log(ratio, out=ratio)
