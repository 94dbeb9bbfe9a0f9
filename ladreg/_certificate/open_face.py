"""A face of optima of which a problem has some rows: its corners, and its centre once all other rows are counted.

The rows that bound the face are among those of the problem, and so are its pinned ones. The others have their part in
the sum that the centre minimises (`face_centre`): their directions and costs, which are summed up by `Spread`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from ladreg._arrays import Array
from ladreg._certificate import face_centre
from ladreg._certificate.canonical import Pinned, Sided, coefficients_at, nearest_on_face
from ladreg._certificate.optimal_face import Face, optimal_face
from ladreg._problem import Coefficients, Problem
from ladreg._tolerances import AT_END, DIRECTION

# Faces of at most 8 dimensions: the corners of others are too many.
_MOST = 8


@dataclass(frozen=True)
class Spread:
    """The sum over rows of ``cost * (move @ z - middle)^2 / range``, as the triangle R of equations ``R @ (z, -1)``.

    The triangles of parts of the rows are merged by QR.
    """

    triangle: Array

    @classmethod
    def of(cls, move: Array, cost: Array, corners: Array) -> Self:
        """The sum for rows whose residuals change by `move` (n_rows, n_dimensions), at the cost `cost` per unit.

        Rows that do not move, up to AT_END of the corners' extent times the longest move, do not count.
        """
        values = move @ corners.T
        low, high = values.min(axis=1, initial=np.inf), values.max(axis=1, initial=-np.inf)
        extent = high - low
        reach = float(np.linalg.norm(corners.max(axis=0) - corners.min(axis=0)))
        length = np.sqrt(np.einsum("ij,ij->i", move, move))
        counts = (extent > AT_END * reach * length) & (length > DIRECTION) & (cost > 0)
        root = np.sqrt(cost[counts] / extent[counts])
        rows = np.column_stack([move[counts], low[counts] + extent[counts] / 2]) * root[:, None]
        return cls(np.asarray(np.linalg.qr(rows, mode="r")))

    def __add__(self, other: Spread) -> Spread:
        return Spread(np.asarray(np.linalg.qr(np.vstack([self.triangle, other.triangle]), mode="r")))


@dataclass(frozen=True)
class OpenFace:
    """The optima of a problem, where they are not one point.

    Attributes
    ----------
    point, basis
        An optimum, and the directions along which residuals may move, as columns; an intercept is last in both.
    corners
        The corners of the face along these directions, of shape (n_corners, n_dimensions).
    """

    problem: Problem
    face: Face
    pinned: Pinned
    sided: Sided
    point: Array
    basis: Array
    corners: Array
    directions: Array

    @classmethod
    def of(cls, problem: Problem, dual: Array) -> Self | None:
        """The face of an optimal dual; None if it is a point, is not bounded, or has too many corners.

        None as well if a decomposition failed.
        """
        try:
            return cls._of(problem, dual)
        except np.linalg.LinAlgError:
            return None

    @classmethod
    def _of(cls, problem: Problem, dual: Array) -> Self | None:
        products = np.append(problem.design.rmatvec(dual), dual.sum())
        face = optimal_face(problem, dual, products[: problem.n_features], at_end=AT_END, among=None)
        pinned = Pinned.dense(face)
        if not pinned.basis.shape[1]:
            return None
        sided = Sided.of(problem, face, pinned)
        moving = (sided.side != 0) & (sided.length > 0)
        if sided.contradicted() or not moving.any():
            return None
        # What moves no residual is left to the norm.
        _, singular, right = np.linalg.svd(sided.move[moving], full_matrices=False)
        directions = right[singular > DIRECTION * singular[0]].T
        if directions.shape[1] > _MOST:
            return None
        move, slack, side = sided.move[moving] @ directions, sided.slack[moving], sided.side[moving]
        corners = face_centre.corners(move, slack, side)
        if corners is None:
            return None
        basis = np.zeros((problem.n_features + 1, directions.shape[1]))
        basis[face.features] = (pinned.basis @ directions)[: face.features.size]
        if problem.fit_intercept:
            basis[-1] = pinned.basis[-1] @ directions
        point = np.append(*coefficients_at(problem, face, pinned.point))
        return cls(problem, face, pinned, sided, point, basis, corners, directions)

    def points(self) -> Array:
        """The corners as coefficients, an intercept last; a row for each."""
        return np.asarray(self.point + self.corners @ self.basis.T)

    def spread(self, n_rows: int) -> Spread:
        """The part of the first rows of the problem."""
        sided = self.sided
        move = sided.move[:n_rows] @ self.directions
        return Spread.of(move, np.where(sided.side[:n_rows] != 0, sided.cost[:n_rows], 0.0), self.corners)

    def centre(self, spread: Spread) -> Coefficients | None:
        """The canonical optimum, for the parts of all rows; None where rounding hides it."""
        n_dimensions = self.directions.shape[1]
        equations = spread.triangle / (np.abs(spread.triangle).max(initial=0.0) or 1.0)
        fit, goal = equations[:n_dimensions, :n_dimensions] @ self.directions.T, equations[:n_dimensions, n_dimensions]
        try:
            moved = nearest_on_face(self.problem, self.face, self.pinned, self.sided, fit, goal)
        except np.linalg.LinAlgError:
            return None
        if moved is None:
            return None
        return coefficients_at(self.problem, self.face, self.pinned.fitted(moved))
