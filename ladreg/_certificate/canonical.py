"""From an optimal dual to the exact, canonical optimum.

LAD optima are often not unique: an even number of rows, integer targets, more columns than rows. The canonical one is
defined without regard to row order, repeats or threads: *among all optimal coefficients those whose residuals are
nearest to the middle of their ranges, and among these the smallest in Euclidean norm* (the intercept not counted).
`face_centre` defines how near residuals are to the middle of their ranges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, least_squares, nonnegative_least_squares, null_space, square_solver
from ladreg._certificate import face_centre
from ladreg._certificate.eliminated_rows import EliminatedRows
from ladreg._certificate.optimal_face import Face, edges, optimal_face, predictions, sides
from ladreg._problem import Coefficients, Optimum, Problem
from ladreg._tolerances import AT_END, DIRECTION, HALF_DIGITS, PINNED, SOLVED, VERTEX

# Add at most the 200 most violated constraints per round.
_CUTS = 200
# Weight of the squared norm beside the squared distance from the centre, in the search for active constraints only.
_RIDGE = 1e-9


def canonical_optimum(
    problem: Problem,
    dual: Array,
    at_end: float = AT_END,
    products: Array | None = None,
    among: Index | None = None,
    near: Coefficients | None = None,
) -> Optimum | None:
    """The canonical optimum of a problem at unit scale.

    Parameters
    ----------
    problem
        A problem whose columns and target are of ordinary size (see `scaling`).
    dual
        A feasible and optimal dual of it, of shape (n_samples,).
    at_end
        A dual within this fraction of its interval's length from an end counts as at that end.
    products
        ``X'dual`` followed by the sum of the dual, if known; otherwise they cost a pass over X.
    among
        Rows whose dual may be inside its interval, in ascending order, if known; the duals of all other
        rows are exactly at an end.
    near
        An optimum up to rounding, with residuals on their sides. In tables of groups it stands for the centre of a face
        of too many dimensions (see `eliminated_rows`).

    Returns
    -------
    Optimum or None
        None if the face of the dual is empty (the dual was not optimal), or if a decomposition failed or overflowed.

    Notes
    -----
    1. Complementary slackness with `dual` gives the optimal face: pinned rows, one-sided rows and features.
    2. Solve the pinned rows. If they determine the coefficients, this is the exact vertex.
    3. Otherwise go to the centre of what is left of the face, a polyhedron in few dimensions.
    4. Correct the dual in the pinned rows, so that it is orthogonal to the active columns up to rounding.
    """
    if products is None:
        products = np.append(problem.design.rmatvec(dual), dual.sum())
    face = optimal_face(problem, dual, products[: problem.n_features], at_end=at_end, among=among)
    try:
        found = _on_face(problem, face, products, among, near)
    except np.linalg.LinAlgError:  # LAPACK gave up on a decomposition
        return None
    return found if found is not None and np.isfinite([*found.coef, found.intercept]).all() else None


def _on_face(
    problem: Problem, face: Face, products: Array, among: Index | None, near: Coefficients | None
) -> Optimum | None:
    """Steps 2 to 4 of `canonical_optimum`."""
    pinned = Pinned.of(face, near)
    if pinned is None:
        return None
    point = pinned.point
    if pinned.basis.shape[1]:
        moved = _centre_of(problem, face, pinned)
        if moved is None:
            return None
        point = pinned.fitted(moved)
    coef, intercept = coefficients_at(problem, face, point)
    return Optimum(coef, intercept, _corrected(face, coef, products, pinned, among))


def coefficients_at(problem: Problem, face: Face, point: Array) -> Coefficients:
    """The coefficients of all features, and the intercept, at a point of a face.

    A coefficient that is zero, or at a limit, in exact arithmetic comes out as rounding of that, perhaps beyond it.
    That of a column of zeros is the shortest.
    """
    values = point[: face.features.size] + face.origin
    small = SOLVED * np.abs(point).max(initial=1.0)
    values = np.where(values <= face.lower + small, face.lower, values)
    values = np.where(values >= face.upper - small, face.upper, values)
    values = np.where(problem.design.reach()[face.features] > 0, values, np.clip(0.0, face.lower, face.upper))
    coef = np.zeros(problem.n_features) if face.rest is None else face.rest.copy()
    coef[face.features] = values
    return Coefficients(coef, float(point[-1]) if problem.fit_intercept else 0.0)


@dataclass(frozen=True)
class Pinned:
    """The equations of the pinned rows in the active columns: one solution, and a basis of what they leave open.

    `rows` are the rows that may move along the basis, `balance` is the change of the pinned rows' dual that changes
    its products with the columns by a given error, and `products` are these products for a given change. `fitted`
    makes a point that is far along the basis solve the equations again, which the basis does but for rounding.
    """

    point: Array
    basis: Array
    rows: Index | slice
    balance: Callable[[Array], Array]
    products: Callable[[Array], Array]
    fitted: Callable[[Array], Array] = np.asarray

    @classmethod
    def of(cls, face: Face, near: Coefficients | None) -> Pinned | None:
        """The equations of a face; None if it is empty, or has too many dimensions for its centre."""
        eliminated = EliminatedRows.of(face)
        if eliminated is None:
            return cls.dense(face)
        columns = np.append(near.coef[face.features], near.intercept) if near is not None else None
        if columns is not None and not face.problem.fit_intercept:
            columns = columns[:-1]
        left = eliminated.open_face(columns)
        if left is None:
            return None
        return cls(left.point, left.basis, left.rows, eliminated.balance, eliminated.backward)

    @classmethod
    def dense(cls, face: Face) -> Pinned:
        """The equations of a face, its rows as a dense matrix."""
        # If every row is pinned, only the signs of coefficients constrain z.
        rows = slice(None) if face.pinned.size < face.problem.n_samples else slice(0)
        matrix, target = face.equations()
        n_rows, n_columns = matrix.shape
        solver = square_solver(matrix) if n_rows == n_columns else None
        if solver is not None:
            point = solver.solve(target)
            point = point + solver.solve(target - matrix @ point)
            return cls(point, np.zeros((n_columns, 0)), rows, solver.solve_transposed, partial(np.matmul, matrix.T))
        point = np.zeros(n_columns)
        if matrix.size:
            for _ in range(2):
                point += least_squares(matrix, target - matrix @ point)
        shortest, fitted = partial(least_squares, matrix.T), partial(_fitted, matrix, target)
        return cls(point, null_space(matrix), rows, shortest, partial(np.matmul, matrix.T), fitted)


def _fitted(matrix: Array, target: Array, point: Array) -> Array:
    """The solution of equations next to a point, where that misses them by more than rounding."""
    left = target - matrix @ point
    if np.abs(left).max(initial=0.0) <= SOLVED:
        return point
    return point + least_squares(matrix, left)


def _centre_of(problem: Problem, face: Face, pinned: Pinned) -> Array | None:
    """The centre (`face_centre`), then the smallest norm, of ``point + basis @ z`` under the one-sided constraints.

    A pinned row's residual is fixed, so that only the sided rows count.
    """
    sided = Sided.of(problem, face, pinned)
    # 1. Directions that change no residual are left to the norm: they drop out by the singular values of `fit`.
    if sided.contradicted():
        return None
    centre = sided.centre()
    if centre is None:
        return None
    return nearest_on_face(problem, face, pinned, sided, *centre)


def nearest_on_face(
    problem: Problem, face: Face, pinned: Pinned, sided: Sided, fit: Array, goal: Array
) -> Array | None:
    """Steps 2 and 3 of `_centre_of`: the point of a face with the least ``|fit @ z - goal|``, then the least norm."""
    n_features = face.features.size
    # 2. The norm counts coefficients in the user's units: coef * column scale.
    measure = np.zeros(pinned.point.size)
    measure[:n_features] = problem.design.scale[face.features]
    measure /= measure.max(initial=0.0) or 1.0
    origin = pinned.point
    if face.rest is not None:  # lengths are those of coefficients, not of their distances from `rest`
        pinned = replace(pinned, point=origin.copy())
        pinned.point[:n_features] += face.origin
    z = _lexicographic(fit, goal, pinned, measure, np.zeros((0, fit.shape[1])), np.zeros(0))
    chosen = sided.broken(z)
    if chosen.size == 0:
        return origin + pinned.basis @ z
    # 3. Few constraints are active; they are found by adding the most violated ones until none is violated.
    while True:
        G, h = sided.constraints(chosen)
        # Repeats of a row on opposite sides leave a face without interior, which rounding would make empty: relax h.
        found = _active_constraints(fit, goal, pinned, measure, G, h - VERTEX * (1.0 + np.abs(h)))
        if found is None:
            return None
        near, active = found
        more = np.union1d(chosen, sided.broken(near))
        if more.size == chosen.size:
            break
        chosen = more
    z = _lexicographic(fit, goal, pinned, measure, G[active], h[active])
    if sided.broken(z).size:
        tight = G @ near - h <= VERTEX * (1.0 + np.abs(h))  # back by what the constraints were relaxed
        near = near + _solutions(G[tight], (h - G @ near)[tight], 1.0)[0]
        z = near if sided.worst(z) > sided.worst(near) else z
    return origin + pinned.basis @ z


@dataclass(frozen=True)
class Sided:
    """The sign constraints on the face: ``side * (slack - move @ z) >= 0`` along the basis of the pinned rows.

    Constraints on the residuals of all rows (of no rows if all are pinned; side 0 for a pinned row) come first, then
    the lower and the upper limits of coefficients. `length` is the length of each row of `move`; `cost` is the
    objective per unit of a residual, and 0 for coefficients.
    """

    slack: Array
    move: Array
    side: Array
    length: Array
    cost: Array

    @classmethod
    def of(cls, problem: Problem, face: Face, pinned: Pinned) -> Sided:
        directions, rows = np.column_stack([pinned.point, pinned.basis]), pinned.rows
        product = predictions(problem, rows, face.features, directions)
        edge = edges(problem, face.dual)[rows]
        row_side = sides(problem, face.dual, slice(None))
        row_side[face.pinned] = 0.0
        row_side[problem.weight == 0] = 0.0
        slacks, moves, signs = [face.y[rows] - product[:, 0] - edge], [product[:, 1:]], [row_side[rows]]
        for ends, sign in ((face.lower, 1.0), (face.upper, -1.0)):
            held = np.flatnonzero(np.isfinite(ends))
            slacks.append(pinned.point[held] - (ends - face.origin)[held])
            moves.append(-pinned.basis[held])
            signs.append(np.full(held.size, sign))
        slack, move, side = np.concatenate(slacks), np.vstack(moves), np.concatenate(signs)
        length = np.sqrt(np.einsum("ij,ij->i", move, move))
        # Rows of `move` of at most 1e-12 times the longest one are rounding of zero; at unit scale, so are all of at
        # most 1e-13, where no direction moves a residual.
        fixed = length <= max(VERTEX * length[side != 0].max(initial=0.0), SOLVED)
        length[fixed], move[fixed] = 0.0, 0.0
        cost = np.zeros(side.size)
        if problem.loss.has_bounded_slopes:
            lower, upper = problem.loss.interval()
            cost[: product.shape[0]] = problem.weight[rows] * np.where(row_side[rows] > 0, upper, -lower)
        return cls(slack, move, side, length, cost)

    def centre(self) -> tuple[Array, Array] | None:
        """Equations of the centre: no equation if no residual with a cost moves; None if the face is empty."""
        n_dimensions = self.move.shape[1]
        moving = (self.side != 0) & (self.length > 0)
        if not np.any(self.cost[moving] > 0):
            return np.zeros((0, n_dimensions)), np.zeros(0)
        if not moving.all():
            return face_centre.equations(self.move[moving], self.slack[moving], self.side[moving], self.cost[moving])
        return face_centre.equations(self.move, self.slack, self.side, self.cost)

    def contradicted(self) -> bool:
        """Whether a constraint that does not depend on z is violated."""
        fixed = self.length == 0
        return bool(np.any(self.side[fixed] * self.slack[fixed] < -1e-7))

    def excess(self, z: Array) -> Array:
        """The violation of each constraint, not divided by `length`; negative if the constraint holds."""
        excess = self.move @ z
        excess -= self.slack
        excess *= self.side
        return excess

    def worst(self, z: Array) -> float:
        """The largest violation divided by `length`; 0 if no constraint is violated."""
        return float(np.max(self.excess(z)[self.length > 0] / self.length[self.length > 0], initial=0.0))

    def broken(self, z: Array) -> Index:
        """The violated constraints: at most `_CUTS`, those with the largest violation divided by `length`."""
        excess = self.excess(z)
        found = np.flatnonzero((excess > PINNED * self.length) & (self.length > 0))
        far = excess[found] / self.length[found]
        return found[np.argpartition(-far, _CUTS)[:_CUTS]] if found.size > _CUTS else found

    def constraints(self, chosen: Index) -> tuple[Array, Array]:
        """The chosen constraints as ``G z >= h`` with rows of length one."""
        scale = self.side[chosen] / self.length[chosen]
        return -scale[:, None] * self.move[chosen], -scale * self.slack[chosen]


def _lexicographic(fit: Array, goal: Array, pinned: Pinned, measure: Array, A: Array, b: Array) -> Array:
    """Minimiser of |goal - fit z|, then the norm of the coefficients, subject to ``A z = b``."""
    z, free = _solutions(A, b, 1.0)
    t, neutral = _solutions(fit @ free, goal - fit @ z, float(np.linalg.norm(fit)))
    z, neutral = z + free @ t, free @ neutral
    if neutral.shape[1]:
        neutral = neutral @ _apart(pinned.basis @ neutral, measure)
        shape = pinned.basis @ neutral
        shape[np.abs(shape) <= DIRECTION * np.abs(shape).max(axis=0)] = 0.0
        shape *= measure[:, None]
        at = measure * (pinned.point + pinned.basis @ z)
        length = np.linalg.norm(shape, axis=0)
        length[length == 0] = 1.0
        z = z - neutral @ (np.linalg.lstsq(shape / length, at, rcond=None)[0] / length)
    return z


def _apart(directions: Array, measure: Array) -> Array:
    """A rotation of directions after which few move coefficients of a large measure: their rounding would drown others.

    Each coefficient in turn, from the largest measure, has a part along one more direction at most.
    """
    n_columns = directions.shape[1]
    rest, rotation, first = directions.copy(), np.eye(n_columns), 0
    if measure.max(initial=0.0) <= measure[measure > 0].min(initial=np.inf) / HALF_DIGITS:
        return rotation
    for row in np.argsort(-measure, kind="stable").tolist():
        part = rest[row, first:]
        length = float(np.linalg.norm(part))
        if first == n_columns or measure[row] == 0:
            break
        if length <= DIRECTION:
            continue
        # Householder's reflection takes this part to the first of the directions that are left.
        normal = part.copy()
        normal[0] += np.copysign(length, part[0])
        normal /= np.linalg.norm(normal)
        for matrix in (rest, rotation):
            matrix[:, first:] -= 2.0 * np.outer(matrix[:, first:] @ normal, normal)
        first += 1
    return rotation


def _solutions(matrix: Array, target: Array, size: float) -> tuple[Array, Array]:
    """A least-squares solution and a basis of the null space; singular values up to ``DIRECTION * size`` count as zero.

    They are compared with `size`, not with the largest singular value: once the constraints leave no direction free,
    all singular values are rounding.
    """
    n_rows, n_columns = matrix.shape
    if 0 in matrix.shape:
        return np.zeros(n_columns), np.eye(n_columns)
    if n_rows > n_columns:
        q, r = np.linalg.qr(matrix)
        matrix, target = np.asarray(r, dtype=np.float64), q.T @ target
    left, singular, right = np.linalg.svd(matrix)
    rank = int(np.sum(singular > DIRECTION * size))
    return right[:rank].T @ (left[:, :rank].T @ target / singular[:rank]), right[rank:].T


def _active_constraints(
    fit: Array, goal: Array, pinned: Pinned, measure: Array, G: Array, h: Array
) -> tuple[Array, NDArray[np.bool_]] | None:
    """The minimum under ``G z >= h``, and the constraints active there, by Lawson and Hanson's LSI -> LDP -> NNLS.

    The norm has a tiny weight (`_RIDGE`) beside the distance from the centre: this makes the problem strictly convex
    and decides among equal fits.
    """
    # 1. min |u| for u = R (z - center) with R'R the Hessian: least distance programming.
    size = np.linalg.norm(fit, axis=0).max(initial=0.0) or 1.0
    norm = np.sqrt(_RIDGE) * size * np.maximum(measure, 1e-4)
    # The norm counts only in the null space of `fit`: some equations of `fit` may be smaller than the norm.
    fitted, neutral = _solutions(fit, goal, float(np.linalg.norm(fit)))
    stacked = np.vstack([fit, norm[:, None] * (pinned.basis @ (neutral @ neutral.T))])
    target = np.concatenate([goal, -norm * (pinned.point + pinned.basis @ fitted)])
    q, r = np.linalg.qr(stacked)
    center = np.linalg.solve(r, q.T @ target)
    rows = np.linalg.solve(r.T, G.T).T
    bounds = h - G @ center
    length = np.linalg.norm(rows, axis=1)
    length[length == 0] = 1.0
    rows, bounds = rows / length[:, None], bounds / length
    reach = bounds.max(initial=0.0)
    if reach <= 0:
        return center, np.zeros(h.size, dtype=bool)
    # 2. The dual of that is a non-negative least-squares problem; positive multipliers mark the active constraints.
    equations = np.vstack([rows.T, bounds / reach])
    found = nonnegative_least_squares(equations, np.append(np.zeros(rows.shape[1]), 1.0))
    if found is None:
        return None
    multiplier, distance = found
    remainder = equations @ multiplier
    remainder[-1] -= 1.0
    if distance <= 1e-9 or remainder[-1] >= 0:  # the constraints contradict each other: the face is empty
        return None
    u = -remainder[:-1] / remainder[-1] * reach
    return center + np.linalg.solve(r, u), multiplier > VERTEX * multiplier.max(initial=0.0)


def _corrected(face: Face, coef: Array, products: Array, pinned: Pinned, among: Index | None) -> Array:
    """The dual, changed in the pinned rows so that its slope is exact for every feature with a nonzero coefficient."""
    problem, dual = face.problem, face.dual
    if 0 in (face.pinned.size, pinned.point.size) or not problem.loss.is_piecewise_linear or problem.penalty.curved:
        return dual  # the residuals or the coefficients determine the dual
    # Duals of sided rows are moved exactly to their ends, which changes the products.
    among = np.arange(dual.size) if among is None else among
    others = np.ones(among.size, dtype=bool)
    others[np.searchsorted(among, face.pinned)] = False
    rows = among[others]
    lower, upper = problem.loss.interval()
    ends = problem.weight[rows] * np.where(sides(problem, dual, rows) > 0, upper, lower)
    moving = ends != dual[rows]
    rows, ends = rows[moving], ends[moving]
    shift = ends - dual[rows]
    clean = dual.copy()
    clean[rows] = ends
    slope = (products[:-1] + problem.design.rmatvec_at(rows, shift))[face.features]
    total = float(products[-1] + shift.sum())
    strength = problem.penalty.strength[face.features]
    held = problem.penalty.at_kink(coef)[face.features]
    # Twice: the second solve removes the rounding of the first.
    for _ in range(2):
        goal = np.where(held, slope, strength * np.sign(coef[face.features]))
        error = np.append(goal - slope, -total) if problem.fit_intercept else goal - slope
        change = pinned.balance(error)
        clean[face.pinned] += change
        moved = pinned.products(change)
        slope, total = slope + moved[: slope.size], total + float(change.sum())
    return clean
