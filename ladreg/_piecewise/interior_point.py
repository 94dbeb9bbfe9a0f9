"""Primal-dual interior point method on the bounded dual of a piecewise linear loss (Frisch-Newton).

Portnoy and Koenker (1997, doi 10.1214/ss/1030037960) with Mehrotra's corrector (1992, doi 10.1137/0802028):

    maximise y'd  subject to  A'd = goal,  lower <= d <= upper,

where the multipliers of the equations are the coefficients b. A smooth part ``b'Hb / 2`` of the primal makes the
equations ``A'd = goal + Hb``. Each iteration costs one weighted Gram matrix A'QA.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._kernels import _interior_point
from ladreg._piecewise.dual_program import DualProgram, InteriorPointResult, followed
from ladreg._tolerances import AT_END, HALF_DIGITS, INSIDE

# The infinite end of a half line is replaced by one at 1e25 times the distance of the start from the other end.
_FAR = 1e25


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
    y = followed(program.y, -program.origin)
    lower = followed(program.lower, -program.strength)
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
