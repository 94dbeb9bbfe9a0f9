"""The optimum of a piecewise quadratic problem whose pieces are known: a linear system, solved to rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._certificate import Proof, canonical_optimum, is_unique, prove
from ladreg._design import BlockGram
from ladreg._piecewise import ties
from ladreg._problem import Coefficients, Optimum, Problem, StopReason
from ladreg._tolerances import FACE_GAP, LEAST_GAP, PROVED_GAP, SINGULAR, SOLVED, SUMMED, VERTEX

# Solve the system 3 times for the gradient that is left: each solve but the first removes rounding of the last.
_ROUNDS = 3
# Largest number of guesses at the pieces.
_GUESSES = 10


@dataclass(frozen=True)
class Pieces:
    """What determines an optimum.

    Attributes
    ----------
    hessian
        The Hessian of the loss on its pieces, of the columns that it is asked for; an intercept is the last column.
        Where it is by blocks, the rows that it is asked for, those on the kink, have `stiffness` added to their
        curvature.
    kinked
        Rows that stay on the kink: residual zero.
    active
        Columns that may differ from zero, an intercept among them.
    stiffness
        A curvature that is large beside that of any row.
    """

    hessian: Callable[[Index, Index], Array | BlockGram]
    kinked: Index
    active: Index
    stiffness: float = 0.0


@dataclass(frozen=True)
class PieceSolution:
    """Coefficients, intercept and dual, and what they prove."""

    coef: Array
    intercept: float
    dual: Array
    proof: Proof

    @classmethod
    def of(cls, problem: Problem, coef: Array, intercept: float, dual: Array) -> PieceSolution:
        """The answer with its proof."""
        return cls(coef, intercept, dual, prove(problem, coef, intercept, dual))

    def better(self, other: PieceSolution) -> PieceSolution:
        """The answer with the smaller gap."""
        return other if other.proof.gap < self.proof.gap else self


def settled(
    problem: Problem,
    pieces: Pieces,
    coef: Array,
    intercept: float,
    guesses: int = _GUESSES,
    held: Array | None = None,
) -> PieceSolution:
    """The optimum, from a point near it and a guess at its pieces; `guesses` is the largest number of guesses.

    Where kinked rows are linearly dependent, many duals solve the system: the first guess takes the dual nearest to
    `held`, or to zero.

    Notes
    -----
    1. Solve the system of the pieces.
    2. Correct the pieces: a kinked row whose dual is beyond its end leaves the kink, a row that changed sides joins it;
       a coefficient that changed its sign becomes zero, one whose slope is too large may leave zero. Solve again until
       the pieces stay the same.
    """
    best: PieceSolution | None = None
    sides = np.sign(problem.residual(coef, intercept))
    signs = np.sign(coef)
    for number in range(guesses):
        # 1.
        start = np.zeros(pieces.kinked.size) if held is None or number else held
        found, held = _solved(problem, pieces, coef, intercept, signs, start)
        answer = PieceSolution.of(problem, *found)
        # Of two proved answers the later one agrees with its pieces; more guesses follow until the pieces stay.
        proved = answer.proof.relative_gap <= LEAST_GAP
        best = answer if best is None or proved else best.better(answer)
        if not problem.loss.has_kink:
            break
        # 2.
        coef, intercept, dual = found
        lower, upper = problem.loss.kink()
        weight = problem.weight[pieces.kinked]
        stays = (held >= lower * weight) & (held <= upper * weight)
        sides[pieces.kinked[~stays]] = np.sign(held[~stays])
        crossed = sides * problem.residual(coef, intercept) < 0
        crossed[pieces.kinked] = False
        kinked = np.union1d(pieces.kinked[stays], np.flatnonzero(crossed))
        strength = problem.penalty.strength
        bound = (strength > 0) | problem.penalty.positive
        turned = bound & (signs * coef < 0)
        slope = problem.design.rmatvec(dual)
        enters = bound & (coef == 0) & (problem.penalty.excess(slope) > strength + VERTEX * problem.design.reach())
        zero = bound & ((coef == 0) | turned) & ~enters
        signs = np.where(enters, np.sign(slope), signs)
        coef = np.where(turned, 0.0, coef)
        columns = np.append(~zero, True) if problem.fit_intercept else ~zero
        after = replace(pieces, kinked=kinked, active=np.flatnonzero(columns))
        if np.array_equal(kinked, pieces.kinked) and np.array_equal(after.active, pieces.active):
            break
        pieces = after
    assert best is not None
    return best


def _solved(
    problem: Problem, pieces: Pieces, coef: Array, intercept: float, signs: Array, held: Array
) -> tuple[Optimum, Array]:
    """Step 1: the solution, and the kink's part of the kinked rows' dual, from the guess `held` at that part.

    With S the active columns and E the kinked rows, the change d of the coefficients and v of the kink's part solve

        [ H_SS   A_ES' ] [  d ]   [ gradient of minus the objective, in S ]
        [ A_ES     0   ] [ -v ] = [ residuals of E                        ]

    where the right-hand side is computed from the data, anew in every round. If E has more rows than S has columns, a
    basis of the rows takes the place of E, and the v of the basis is spread over E in the end. By blocks, the method of
    multipliers takes a step to the solution (`_stiff_system`).
    """
    active, kinked = pieces.active, pieces.kinked
    features = active[active < problem.n_features]
    border = active.size > features.size
    hessian = pieces.hessian(active, kinked)
    if isinstance(hessian, BlockGram):
        equations, solve = kinked, _stiff_system(problem, hessian, kinked, features, border, pieces.stiffness)
    else:
        equations = ties.basis(problem, kinked, features, border) if kinked.size > active.size else kinked
        solve = system(hessian, problem.design.rows(equations, features, border))
    given, moved = held, np.zeros(equations.size)
    sign = np.ones(features.size) if problem.penalty.positive else signs[features]
    goal = problem.penalty.strength[features] * sign
    trimmed = np.zeros(problem.n_features)
    trimmed[features] = coef[features]
    coef = trimmed
    for number in range(_ROUNDS + 1):
        residual = problem.residual(coef, intercept)
        slopes = problem.loss.derivative(residual)
        slopes[kinked] = problem.loss.curvature * residual[kinked]
        dual = problem.weight * slopes
        smooth = dual[kinked]
        if number == _ROUNDS:
            break
        dual[kinked] += given
        dual[equations] += moved
        gradient = problem.design.rmatvec_of(features, dual) - goal
        gradient = np.append(gradient, dual.sum()) if border else gradient
        step, change = solve(gradient, residual[equations])
        if not (np.isfinite(step).all() and np.isfinite(change).all()):
            break
        coef = coef.copy()
        coef[features] += step[: features.size]
        intercept += float(step[-1]) if border else 0.0
        moved = moved + change
    held = ties.spread(problem, kinked, features, border, given, equations, moved)
    # A penalised coefficient that is zero in exact arithmetic comes out as rounding.
    small = np.abs(coef) <= SUMMED * np.abs(coef).max(initial=1.0)
    coef = np.where(small & ((problem.penalty.strength > 0) | problem.penalty.positive), 0.0, coef)
    if problem.penalty.positive:
        coef = np.maximum(coef, 0.0)
    lower, upper = problem.loss.kink()
    within = problem.weight[kinked]
    dual[kinked] = smooth + np.clip(held, lower * within, upper * within)
    return Optimum(coef, intercept, dual), held


_System = Callable[[Array, Array], tuple[Array, Array]]


def _stiff_system(
    problem: Problem, hessian: BlockGram, kinked: Index, features: Index, border: bool, stiffness: float
) -> _System:
    """A step to the solution by the method of multipliers (Hestenes 1969, doi 10.1007/BF00927673).

    With K the stiffness, ``(H + K A'A) d = gradient + K A' residual`` and ``v = K (residual - A d)``: no row is
    eliminated, dependent ones do no harm, and the matrix is by blocks where H is.
    """
    solve_blocks = hessian.pseudo_solver()

    def solve(gradient: Array, residual: Array) -> tuple[Array, Array]:
        pushed = stiffness * residual
        pull = problem.design.rmatvec_at(kinked, pushed)[features]
        step = solve_blocks(gradient + (np.append(pull, pushed.sum()) if border else pull))
        moved = problem.design.matvec_of(features, step[: features.size])[kinked]
        return step, pushed - stiffness * (moved + step[-1] if border else moved)

    return solve


def system(hessian: Array, rows: Array) -> _System:
    """The solution of the system, a function of both parts of its right-hand side."""
    size, n_rows = hessian.shape[0], rows.shape[0]
    # Scale columns to size one and the curvature to size one, however small the curved part of the loss is.
    unit = np.sqrt(np.maximum(np.diag(hessian), 0.0))
    large = float(unit.max(initial=0.0)) or 1.0
    unit = np.maximum(unit / large, np.abs(rows).max(axis=0, initial=0.0))
    unit = np.where(unit > 0, unit, 1.0)
    stiff = large * large
    matrix = np.zeros((size + n_rows,) * 2)
    matrix[:size, :size] = hessian / stiff / unit / unit[:, None]
    matrix[:size, size:] = (rows / unit).T
    matrix[size:, :size] = rows / unit
    inverse = None
    if matrix.size:
        try:
            inverse = np.linalg.inv(matrix)
        except np.linalg.LinAlgError:
            inverse = None
        if inverse is not None and not np.abs(inverse).sum(axis=1).max() < 1 / SINGULAR:
            inverse = None
        if inverse is None:
            try:
                inverse = np.linalg.pinv(matrix, rcond=SINGULAR, hermitian=True)
            except np.linalg.LinAlgError:
                inverse = None

    def solve(gradient: Array, residual: Array) -> tuple[Array, Array]:
        if inverse is None:
            return np.zeros(size), np.zeros(n_rows)
        found = inverse @ np.concatenate([gradient / unit / stiff, residual])
        return found[:size] / unit, -found[size:] * stiff

    return solve


def canonical(
    problem: Problem, answer: PieceSolution, stopped: StopReason = StopReason.EXACT
) -> tuple[PieceSolution, bool, StopReason]:
    """The answer, or the canonical optimum where the answer is not proved unique; whether it is unique; why it stopped.

    `stopped` is the reason of the answer: it stays unless several optima were found, and not the canonical one.
    """
    unique = is_unique(problem, answer.coef, answer.intercept, answer.proof)
    if unique or answer.proof.relative_gap > FACE_GAP:
        return answer, unique, stopped
    other = answer, False, StopReason.NOT_CANONICAL if stopped.good else stopped
    found = canonical_optimum(problem, answer.proof.dual, near=Coefficients(answer.coef, answer.intercept))
    if found is None:
        return other
    exact = PieceSolution.of(problem, *found)
    # Where the data are fitted exactly, the gap is the loss of residuals that are rounding.
    rounding = float(problem.weight @ problem.loss.value(SOLVED * (1.0 + np.abs(problem.y))))
    allowed = answer.proof.gap + PROVED_GAP * answer.proof.objective + rounding
    return (exact, False, stopped) if exact.proof.gap <= allowed else other
