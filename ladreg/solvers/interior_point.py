"""Primal-dual interior point method on the bounded dual of a piecewise linear loss (Frisch-Newton).

Portnoy and Koenker (1997, doi 10.1214/ss/1030037960) with Mehrotra's corrector (1992, doi 10.1137/0802028):

    maximise y'd  subject to  A'd = goal,  lower <= d <= upper,

where the multipliers of the equations are the coefficients. Each iteration costs one weighted Gram matrix A'QA.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Matrices up to this size are inverted.
_SMALL = 400
# How near to the boundary a step may go.
_STEP = 0.99995


def weighted_gram(A: Array | sp.csr_array, weight: Array) -> Array:
    """``A.T @ diag(weight) @ A`` as a dense matrix, for weights >= 0."""
    if isinstance(A, np.ndarray):
        scaled = A * np.sqrt(weight)[:, None]
        return scaled.T @ scaled
    return np.asarray((A.T @ (A * weight[:, None])).toarray())


@dataclass(frozen=True)
class BoundedDual:
    """The linear program, and one bounded pseudo-row e_j for each penalised coefficient.

    Attributes
    ----------
    A
        Rows, dense or sparse, of shape (m, q).
    y, lower, upper
        Target and bounds of each row's dual, of shape (m,).
    goal
        What A'd must equal, of shape (q,).
    penalised, strength, origin
        Columns whose coefficient is penalised, how strongly, and the values that their coefficients are measured from:
        the pseudo-row's residual is ``-origin - coef``.
    """

    A: Array | sp.csr_array
    y: Array
    lower: Array
    upper: Array
    goal: Array
    penalised: Index
    strength: Array
    origin: Array

    def forward(self, coef: Array) -> Array:
        """A @ coef, pseudo-rows last."""
        return np.concatenate([self.A @ coef, coef[self.penalised]])

    def backward(self, dual: Array) -> Array:
        """A.T @ dual, pseudo-rows included."""
        n_rows = self.y.size
        product = np.asarray(self.A.T @ dual[:n_rows])
        product[self.penalised] += dual[n_rows:]
        return product

    def gram(self, q: Array) -> Array:
        """A.T @ diag(q) @ A: the penalty is a diagonal."""
        n_rows = self.y.size
        gram = weighted_gram(self.A, q[:n_rows])
        gram[self.penalised, self.penalised] += q[n_rows:]
        return gram


@dataclass(frozen=True)
class Point:
    """Coefficients, the rows' dual with every row that is not basic put at its end, and how it went."""

    coef: Array
    dual: Array
    relative_gap: float
    n_iter: int


def solve(program: BoundedDual, coef: Array, *, tol: float = 1e-9, max_iter: int = 50) -> Point | None:
    """Solve the program from `coef`; None where it broke down, as it does when no dual is feasible.

    Notes
    -----
    1. Start in the middle of the box, with complementary slacks from the residuals at `coef`.
    2. Predictor: the Newton step to complementarity zero. Corrector: the same factor, centred by how far the predictor
       got, with Mehrotra's second-order term.
    3. Stop at a relative complementarity of `tol` with the equations satisfied.
    """
    # A program without a feasible dual sends the iterates to infinity; that is an answer, not an accident.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return _iterate(program, coef, tol, max_iter)


def _iterate(program: BoundedDual, coef: Array, tol: float, max_iter: int) -> Point | None:
    y = np.concatenate([program.y, -program.origin])
    lower = np.concatenate([program.lower, -program.strength])
    upper = np.concatenate([program.upper, program.strength])
    width = upper - lower
    # 1.
    residual = y - program.forward(coef)
    spread = max(float(np.mean(np.abs(residual))), 1e-8)
    floor = 0.1 * spread
    over, under = np.maximum(residual, 0.0) + floor, np.maximum(-residual, 0.0) + floor
    share = np.full(y.size, 0.5)
    a, s = share * width, (1 - share) * width
    scale = float(np.abs(program.goal).max(initial=0.0)) + float(width.sum())
    for iteration in range(max_iter):
        short = program.goal - program.backward(lower + a)
        off = residual - over + under
        complementarity = float(a @ under + s @ over)
        size = float(np.abs(width @ np.abs(residual))) + 1e-300
        if complementarity <= tol * size and np.abs(short).max(initial=0.0) <= 1e-9 * scale:
            return _finished(program, coef, a, s, over, under, complementarity / size, iteration)
        if not np.isfinite(complementarity):
            return None
        # 2.
        q = 1.0 / (under / a + over / s)
        factor = _factor(program.gram(q))
        if factor is None:
            return None
        step = _direction(program, factor, q, short, off, a, s, over, under, -a * under, -s * over)
        reach = _lengths(a, s, over, under, *step)
        d_coef, d_a, d_over, d_under = step
        after = (a + reach[0] * d_a) @ (under + reach[1] * d_under)
        after += (s - reach[0] * d_a) @ (over + reach[1] * d_over)
        sigma = (max(float(after), 0.0) / complementarity) ** 3
        center = sigma * complementarity / (2 * a.size)
        step = _direction(
            program,
            factor,
            q,
            short,
            off,
            a,
            s,
            over,
            under,
            center - a * under - d_a * d_under,
            center - s * over + d_a * d_over,
        )
        primal, dual = _lengths(a, s, over, under, *step)
        d_coef, d_a, d_over, d_under = step
        a, s = a + primal * d_a, s - primal * d_a
        coef = coef + dual * d_coef
        over, under = over + dual * d_over, under + dual * d_under
        residual = y - program.forward(coef)
        if not max(primal, dual) >= 1e-8:  # nor is NaN
            return None
    return None


def _factor(gram: Array) -> Callable[[Array], Array] | None:
    """Inverse of the matrix, by Cholesky; a column that is all but dependent gets a tiny ridge.

    A small matrix stays with NumPy: SciPy brings a second BLAS with threads of its own, and the two were measured to
    slow each other down tenfold there. A large one is worth a triangular solve.
    """
    size = np.sqrt(np.diag(gram))
    if not np.all(np.isfinite(size)):
        return None
    size = np.where(size > 0, size, 1.0)
    gram = gram / np.outer(size, size)
    for ridge in (1e-15, 1e-12, 1e-9):
        try:
            lower = np.linalg.cholesky(gram + ridge * np.eye(size.size))
        except np.linalg.LinAlgError:
            continue
        if size.size > _SMALL:
            return lambda right: scipy.linalg.cho_solve((lower, True), right / size, check_finite=False) / size
        inverse = np.linalg.inv(lower) / size
        return lambda right: inverse.T @ (inverse @ right)
    return None


def _direction(
    program: BoundedDual,
    factor: Callable[[Array], Array],
    q: Array,
    short: Array,
    off: Array,
    a: Array,
    s: Array,
    over: Array,
    under: Array,
    to_under: Array,
    to_over: Array,
) -> tuple[Array, Array, Array, Array]:
    """The Newton step for given complementarity targets: changes of coef, a, over and under."""
    push = off + to_under / a - to_over / s
    d_coef = factor(program.backward(q * push) - short)
    d_a = q * (push - program.forward(d_coef))
    d_under = (to_under - under * d_a) / a
    d_over = (to_over + over * d_a) / s
    return d_coef, d_a, d_over, d_under


def _lengths(
    a: Array, s: Array, over: Array, under: Array, d_coef: Array, d_a: Array, d_over: Array, d_under: Array
) -> tuple[float, float]:
    """How far the dual (a, s) and the primal (over, under) may go along a step."""
    del d_coef
    primal = min(1.0, _STEP / max(float(np.max(-d_a / a)), float(np.max(d_a / s)), _STEP))
    dual = min(1.0, _STEP / max(float(np.max(-d_over / over)), float(np.max(-d_under / under)), _STEP))
    return primal, dual


def _finished(
    program: BoundedDual,
    coef: Array,
    a: Array,
    s: Array,
    over: Array,
    under: Array,
    relative_gap: float,
    n_iter: int,
) -> Point:
    """Step 3: of each complementary pair the larger member decides whether a row is basic or at an end."""
    n_rows = program.y.size
    width = np.maximum(program.upper - program.lower, 1e-300)
    spread = max(float(np.mean(over + under)), 1e-300)
    dual = np.where(s[:n_rows] / width < over[:n_rows] / spread, program.upper, program.lower + a[:n_rows])
    dual = np.where(a[:n_rows] / width < under[:n_rows] / spread, program.lower, dual)
    return Point(coef, dual, relative_gap, max(n_iter, 1))
