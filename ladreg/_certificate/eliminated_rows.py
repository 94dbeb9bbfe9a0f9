"""The equations of pinned rows in a table of groups: each group's column is eliminated by one of its rows.

With D columns no two of which share a row and S the others (`BlockPattern`), one pinned row of each group gives the
group's coefficient in terms of those of S. What is left of the group's other pinned rows, and pinned rows without a
group, are equations in S alone: a sparse matrix of few columns. A group without pinned rows leaves its coefficient
open. Where nothing else is open in the rows of such a group, the optima are a product of the group's interval and the
rest, and the centre of a product is the product of the centres: each term of its sum is a function of one factor.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from ladreg._arrays import (
    BLOCK,
    Array,
    Index,
    SquareSolver,
    least_squares,
    null_space_and_rounding,
    power_of_two,
    square_solver,
)
from ladreg._cached import cached_property
from ladreg._certificate.optimal_face import Face, edges, predictions, sides
from ladreg._problem import Problem
from ladreg._tolerances import AT_END

# The centre is found in up to 40 dimensions that do not fall apart into intervals: it takes the range of every residual
# over the face, which are two linear programs a row in as many dimensions.
_MOST_COUPLED = 40
# More than 160 open dimensions in S are taken to be too many without looking at what they move: few change no residual.
_MOST_NULL = 160


@dataclass(frozen=True)
class OpenFace:
    """What the pinned rows leave open: ``point + basis @ z``, under the signs of `rows`; other rows hold for all z."""

    point: Array
    basis: Array
    rows: Index


@dataclass(frozen=True)
class EliminatedRows:
    """The pinned rows of a face, eliminated by groups.

    Attributes
    ----------
    face
        The face; its columns are its features and the intercept.
    separate, others
        The face's columns in D and in S.
    own, value
        The group (number in `separate`) of each pinned row, -1 for none, and the row's value there.
    rest
        The pinned rows' values in S.
    pivot
        The pinned row that eliminates each group, -1 for none.
    left
        The other pinned rows.
    reduced
        Their equations in S.
    solver
        A solver of the equations if they are square and regular.
    """

    face: Face
    separate: Index
    others: Index
    own: Index
    value: Array
    rest: sp.csr_array
    pivot: Index
    left: Index
    reduced: sp.csr_array
    solver: SquareSolver | None

    @classmethod
    def of(cls, face: Face) -> EliminatedRows | None:
        """The elimination; None where the table has no groups, some coefficients are fixed by a square, or have
        limits.
        """
        problem = face.problem
        design, border = problem.design, problem.fit_intercept
        pattern = None if problem.loss.is_square else design.blocks(border)
        if pattern is None or face.rest is not None or not np.isnan(face.fixed).all():
            return None
        number = np.full(problem.n_features + border, -1)
        number[face.features] = np.arange(face.features.size)
        if border:
            number[-1] = face.features.size
        separate, others = number[pattern.separate], number[pattern.others]
        group, value, rest = design.block_rows(face.pinned, border)
        own = _groups(separate, group)
        rest = rest if (others >= 0).all() else sp.csr_array(rest[:, others >= 0])
        pivot = _largest(own, value, int(np.count_nonzero(separate >= 0)))
        is_left = np.ones(own.size, dtype=bool)
        is_left[pivot[pivot >= 0]] = False
        left = np.flatnonzero(is_left)
        grouped = np.flatnonzero(own[left] >= 0)
        first = pivot[own[left[grouped]]]
        ratio = value[left[grouped]] / value[first]
        multiples = sp.csr_array((ratio, (grouped, first)), shape=(left.size, own.size))
        reduced = _less_multiples(rest, left, multiples)
        square = reduced.shape[0] == reduced.shape[1]
        return cls(
            face,
            separate[separate >= 0],
            others[others >= 0],
            own,
            value,
            rest,
            pivot,
            left,
            reduced,
            square_solver(reduced.toarray()) if square else None,
        )

    @property
    def n_columns(self) -> int:
        """Number of the face's columns."""
        return int(self.separate.size + self.others.size)

    @property
    def open_groups(self) -> NDArray[np.bool_]:
        """Which groups have no pinned row."""
        return self.pivot < 0

    @cached_property
    def null_space(self) -> tuple[Array, Array]:
        """A basis of the directions in S that no pinned row forbids, and the rounding of each of its rows."""
        if self.solver is not None:
            return np.zeros((self.others.size, 0)), np.zeros(self.others.size)
        if not self._is_tall:
            return null_space_and_rounding(self.reduced.toarray())
        return null_space_and_rounding(self._triangle[0], scale_rows=False)

    @property
    def _is_tall(self) -> bool:
        """Whether the reduced equations are more than twice as many as their unknowns."""
        return self.reduced.shape[0] > 2 * self.others.size > 0

    @cached_property
    def _triangle(self) -> tuple[Array, Array]:
        return _triangle(self.reduced)

    def solution(self) -> Array:
        """A solution of the pinned rows' equations, coefficients of open groups zero."""
        problem, face = self.face.problem, self.face
        target = problem.y[face.pinned] - face.target
        point = np.zeros(self.n_columns)
        # Twice: the second solve removes the rounding of the first.
        for _ in range(2):
            point += self._solved(target - self.forward(point))
        return point

    def _least(self, goal: Array) -> Array:
        """The shortest least-squares solution of the reduced equations; seminormal equations where rows are many."""
        if not self._is_tall:
            return least_squares(self.reduced.toarray(), goal)
        triangle, weight = self._triangle
        return least_squares(triangle, least_squares(triangle.T, self.reduced.T @ (weight * goal)))

    def _least_transposed(self, goal: Array) -> Array:
        """The same for the transposed equations."""
        if not self._is_tall:
            return least_squares(self.reduced.toarray().T, goal)
        triangle, weight = self._triangle
        return np.asarray(weight * (self.reduced @ least_squares(triangle, least_squares(triangle.T, goal))))

    def forward(self, point: Array) -> Array:
        """The pinned rows' predictions."""
        product: Array = self.rest @ point[self.others]
        if self.separate.size:
            product += np.where(self.own >= 0, self.value * point[self.separate][self.own], 0.0)
        return product

    def backward(self, change: Array) -> Array:
        """The products of the face's columns with a vector, one entry per pinned row."""
        product = np.zeros(self.n_columns)
        inside = self.own >= 0
        weights = self.value[inside] * change[inside]
        product[self.separate] = np.bincount(self.own[inside], weights, minlength=self.separate.size)
        product[self.others] = self.rest.T @ change
        return product

    def _solved(self, target: Array) -> Array:
        closed = np.flatnonzero(self.pivot >= 0)
        first = self.pivot[closed]
        share = np.zeros(self.separate.size)
        share[closed] = target[first] / self.value[first]
        inside = self.own[self.left] >= 0
        goal = target[self.left].copy()
        goal[inside] -= self.value[self.left[inside]] * share[self.own[self.left[inside]]]
        point = np.zeros(self.n_columns)
        point[self.others] = self.solver.solve(goal) if self.solver is not None else self._least(goal)
        missed = target[first] - self.rest[first] @ point[self.others]
        point[self.separate[closed]] = missed / self.value[first]
        return point

    def balance(self, error: Array) -> Array:
        """A change of the pinned rows' dual whose products with the columns are `error`, open groups' excepted."""
        closed = np.flatnonzero(self.pivot >= 0)
        first = self.pivot[closed]
        own_error = error[self.separate]
        goal = error[self.others] - self.rest[first].T @ (own_error[closed] / self.value[first])
        change = np.zeros(self.own.size)
        change[self.left] = (
            self.solver.solve_transposed(goal) if self.solver is not None else self._least_transposed(goal)
        )
        inside = self.left[self.own[self.left] >= 0]
        used = np.bincount(self.own[inside], self.value[inside] * change[inside], minlength=self.separate.size)
        change[first] = (own_error - used)[closed] / self.value[first]
        return change

    def open_face(self, near: Array | None = None) -> OpenFace | None:
        """What is open, each group that nothing else moves at the middle of its interval.

        The point is `near` where the loss is curved, and so the residuals of `near` are those of every optimum; else
        the pinned rows give it. None if an interval is empty. If more than `_MOST_COUPLED` dimensions are left, the
        point of the pinned rows beside `near`, which must be inside the face up to rounding, and nothing is open; None
        without `near`.
        """
        problem, face, null = self.face.problem, self.face, self.null_space[0]
        point = self.solution() if near is None or problem.loss.is_piecewise_linear else near.copy()
        if null.shape[1] == 0 and not self.open_groups.any():
            return OpenFace(point, np.zeros((self.n_columns, 0)), np.zeros(0, dtype=np.intp))
        if null.shape[1] > _MOST_NULL and near is not None:
            return self._beside(near)
        group, value = problem.design.block_groups(np.arange(problem.n_samples), problem.fit_intercept)
        own = _groups(self._numbers(), group)
        del group
        basis = self._basis(null, own, value)
        moving = _moving(problem, face.features, basis)
        # Groups that move with the basis, or whose coefficient both moves and keeps its sign, are not on their own.
        coupled = np.zeros(self.separate.size, dtype=bool)
        coupled[own[moving & (own >= 0)]] = True
        lower, upper = self._limits()
        coupled |= (np.isfinite(lower) | np.isfinite(upper)) & basis[self.separate].any(axis=1)
        coupled &= self.open_groups
        if moving.any() and null.shape[1] + np.count_nonzero(coupled) > _MOST_COUPLED:
            return None if near is None else self._beside(near)
        alone = np.flatnonzero(self.open_groups & ~coupled)
        middle = self._middles(alone, point, own, value)
        if middle is None:
            return None
        point[self.separate[alone]] = middle
        units = np.zeros((self.n_columns, int(coupled.sum())))
        units[self.separate[coupled], np.arange(units.shape[1])] = 1.0
        rows = np.flatnonzero(moving | ((own >= 0) & np.append(coupled, False)[own]))
        return OpenFace(point, np.hstack([basis, units]), rows)

    def _beside(self, near: Array) -> OpenFace:
        point, face = near.copy(), self.face
        for _ in range(2):
            point += self._solved(face.problem.y[face.pinned] - face.target - self.forward(point))
        return OpenFace(point, np.zeros((point.size, 0)), np.zeros(0, dtype=np.intp))

    def _basis(self, null: Array, own: Index, value: Array) -> Array:
        """The directions of `null`, in which each group's coefficient keeps a row where it is: a pinned row, if any."""
        basis = np.zeros((self.n_columns, null.shape[1]))
        basis[self.others] = null
        if null.shape[1]:
            pinned = self.face.pinned
            first = np.where(
                self.open_groups, _largest(own, value, self.separate.size), np.append(pinned, -1)[self.pivot]
            )
            there = np.flatnonzero(first >= 0)
            rest = self.face.problem.design.block_rows(first[there], self.face.problem.fit_intercept)[2]
            moved = (rest[:, self._is_other()] @ null) / value[first[there]][:, None]
            basis[self.separate[there]] = -moved
        return basis

    def _middles(self, groups: Index, point: Array, own: Index, value: Array) -> Array | None:
        """The middle of the interval of coefficients of each of these groups; 0 where no row has a say."""
        problem, face = self.face.problem, self.face
        place = np.full(self.separate.size + 1, -1)
        place[groups] = np.arange(groups.size)
        rows = np.flatnonzero((place[own] >= 0) & (problem.weight > 0))
        side, number = sides(problem, face.dual, rows) * np.sign(value[rows]), place[own[rows]]
        bare = point.copy()
        bare[self.separate[groups]] = 0.0
        product = predictions(problem, rows, face.features, bare[:, None])[:, 0]
        end = (problem.y[rows] - product - edges(problem, face.dual)[rows]) / value[rows]
        low, high = np.full(groups.size, -np.inf), np.full(groups.size, np.inf)
        np.minimum.at(high, number[side > 0], end[side > 0])
        np.maximum.at(low, number[side < 0], end[side < 0])
        lower, upper = self._limits()
        low, high = np.maximum(low, lower[groups]), np.minimum(high, upper[groups])
        # An infinite end is an effect of rounding of the dual: the other end takes its place.
        low, high = np.where(np.isinf(low), high, low), np.where(np.isinf(high), low, high)
        has_rows = np.isfinite(low)
        low, high = np.where(has_rows, low, 0.0), np.where(has_rows, high, 0.0)
        if np.any(low - high > AT_END * (1.0 + np.abs(low) + np.abs(high))):
            return None
        return low / 2 + high / 2

    def _limits(self) -> tuple[Array, Array]:
        """The limits of each group's coefficient."""
        return self.face.lower[self.separate], self.face.upper[self.separate]

    def _numbers(self) -> Index:
        """The face's column, or -1, of each column of D."""
        return self._columns()[0]

    def _is_other(self) -> NDArray[np.bool_]:
        """Which columns of S are the face's."""
        return self._columns()[1] >= 0

    def _columns(self) -> tuple[Index, Index]:
        problem = self.face.problem
        pattern = problem.design.blocks(problem.fit_intercept)
        assert pattern is not None
        number = np.full(problem.n_features + problem.fit_intercept, -1)
        number[self.face.features] = np.arange(self.face.features.size)
        if problem.fit_intercept:
            number[-1] = self.face.features.size
        return number[pattern.separate], number[pattern.others]

    def is_blocked(self, tied: Index, at_lower: NDArray[np.bool_], at_upper: NDArray[np.bool_]) -> bool:
        """Whether every open group is held in both directions, by tied rows or by the limits of its coefficient."""
        problem, face = self.face.problem, self.face
        group, value, _ = problem.design.block_rows(tied, problem.fit_intercept)
        own = _groups(self._numbers(), group)
        side = sides(problem, face.dual, tied) * np.sign(value)
        up, down = at_upper[self.separate], at_lower[self.separate]
        up[own[(own >= 0) & (side > 0)]] = True
        down[own[(own >= 0) & (side < 0)]] = True
        return bool((up & down)[self.open_groups].all())

    def directions(self) -> tuple[Array, Array]:
        """A basis of all directions that no pinned row forbids, and the rounding of each of its rows."""
        null, lost = self.null_space
        closed = np.flatnonzero(self.pivot >= 0)
        first = self.pivot[closed]
        basis, rounding = np.zeros((self.n_columns, null.shape[1])), np.zeros(self.n_columns)
        basis[self.others], rounding[self.others] = null, lost
        basis[self.separate[closed]] = -(self.rest[first] @ null) / self.value[first][:, None]
        rounding[self.separate[closed]] = (abs(self.rest[first]) @ lost) / np.abs(self.value[first])
        units = np.zeros((self.n_columns, int(self.open_groups.sum())))
        units[self.separate[self.open_groups], np.arange(units.shape[1])] = 1.0
        return np.hstack([basis, units]), rounding


def _less_multiples(rest: sp.csr_array, left: Index, multiples: sp.csr_array) -> sp.csr_array:
    """``rest[left] - multiples @ rest``, a block of rows at a time: SciPy needs four times the memory of the result."""
    if left.size <= BLOCK:
        return sp.csr_array(rest[left] - multiples @ rest)
    blocks = (slice(first, first + BLOCK) for first in range(0, left.size, BLOCK))
    return sp.csr_array(sp.vstack([rest[left[block]] - multiples[block] @ rest for block in blocks]))


def _moving(problem: Problem, features: Index, basis: Array) -> NDArray[np.bool_]:
    """The rows whose prediction changes along some direction of the basis."""
    n_samples, n_directions = problem.n_samples, basis.shape[1]
    moving = np.zeros(n_samples, dtype=bool)
    # The predictions of a block are a quarter of a number for each row of the table, or those of `BLOCK` rows: shorter
    # blocks cost time, since each scales the basis.
    size = max(BLOCK, n_samples // (4 * max(n_directions, 1)))
    for first in range(0, n_samples if n_directions else 0, size):
        rows = np.arange(first, min(first + size, n_samples))
        moving[rows] = predictions(problem, rows, features, basis).any(axis=1)
    return moving


def _triangle(matrix: sp.csr_array) -> tuple[Array, Array]:
    """T and w with ``T'T = matrix' diag(w) matrix``: the triangle of a QR of the rows, each scaled to about one."""
    n_rows, n_columns = matrix.shape
    scale = 1.0 / power_of_two(abs(matrix).max(axis=1).toarray().ravel())
    scaled = sp.csr_array(matrix * scale[:, None])
    triangle, size = np.zeros((0, n_columns)), max(n_columns, BLOCK // max(n_columns, 1))
    for begin in range(0, n_rows, size):
        block = scaled[begin : begin + size].toarray()
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, block]), mode="r"))
    return triangle, scale**2


def _groups(columns: Index, group: Index) -> Index:
    """The number, among the columns that are not -1, of each row's column; -1 for rows whose column is -1 or none."""
    number = np.where(columns >= 0, np.cumsum(columns >= 0) - 1, -1)
    return np.append(number, -1)[group]


def _largest(own: Index, value: Array, n_groups: int) -> Index:
    """The row of each group with the largest absolute value, -1 where there is none."""
    found = np.full(n_groups, -1)
    order = np.argsort(np.abs(value), kind="stable")
    order = order[own[order] >= 0]
    found[own[order]] = order  # the last of several rows stays
    return found
