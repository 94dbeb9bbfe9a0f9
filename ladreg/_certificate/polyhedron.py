"""A polyhedron in few dimensions: its vertices, its bounding box, and the ranges of linear functions over it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ladreg._arrays import BLOCK, Array, Index, nonnegative_least_squares
from ladreg._tolerances import AT_END, DIRECTION, VERTEX

# Visit at most 2000 vertices per dimension; after that each linear function keeps its value at the vertex it is at.
_VISITS = 2000
# Up to 64 vertices are enumerated; ranges over a polyhedron with more vertices are found by the simplex method.
_CORNERS = 64


@dataclass(frozen=True)
class Polyhedron:
    """``normal @ z <= bound``, normals of length one. `relaxed` bounds lead to a vertex, `bound` gives its values."""

    normal: Array
    bound: Array
    relaxed: Array

    @classmethod
    def of(cls, vector: Array, low: Array, high: Array) -> Polyhedron:
        """The points z with ``low <= vector @ z <= high``, where the rows of `vector` have length one."""
        below, above = np.isfinite(low), np.isfinite(high)
        normal = np.vstack([vector[above], -vector[below]])
        bound = np.concatenate([high[above], -low[below]])
        room = VERTEX * (1.0 + np.abs(bound)) * np.random.default_rng(0).uniform(1.0, 2.0, bound.size)
        return cls(normal, bound, bound + room)

    def vertex(self) -> Index | None:
        """n_dimensions constraints that meet in a vertex; None if there is no vertex."""
        point = self._point()
        basis: list[int] = []
        n_dimensions = self.normal.shape[1]
        while point is not None and len(basis) < n_dimensions:
            edges = np.linalg.qr(self.normal[basis].T, mode="complete")[0] if basis else np.eye(n_dimensions)
            next_one, step, edge = -1, 0.0, edges[:, -1]
            for edge in (edges[:, -1], -edges[:, -1]):
                next_one, step = self._met(point, edge, basis)
                if next_one >= 0:
                    break
            if next_one < 0:
                return None
            point = point + step * edge
            basis.append(next_one)
        return None if point is None else np.array(basis, dtype=np.intp)

    def _point(self) -> Array | None:
        """The point nearest to zero, by Lawson and Hanson's LDP -> NNLS; None if the constraints contradict.

        Constraints that hold at zero do not count in the scale `reach`, however far away they are.
        """
        n_dimensions = self.normal.shape[1]
        reach = -self.relaxed.min(initial=0.0)
        if reach <= 0:
            return np.zeros(n_dimensions)
        equations = np.vstack([-self.normal.T, -self.relaxed / reach])
        found = nonnegative_least_squares(equations, np.append(np.zeros(n_dimensions), 1.0))
        if found is None:
            return None
        multiplier, distance = found
        remainder = equations @ multiplier
        remainder[-1] -= 1.0
        if distance <= AT_END or remainder[-1] >= 0:
            return None
        return np.asarray(-remainder[:-1] / remainder[-1] * reach)

    def box(self) -> tuple[Array, Array] | None:
        """Middle and half lengths of the polyhedron's bounding box; None if the polyhedron is empty or unbounded."""
        vertex = self.vertex()
        return None if vertex is None else self._box(vertex)

    def _box(self, vertex: Index) -> tuple[Array, Array] | None:
        axes = np.eye(vertex.size)
        ends = self.support(np.vstack([axes, -axes]), vertex)
        if not np.isfinite(ends).all():
            return None
        high, low = ends[: vertex.size], -ends[vertex.size :]
        return low / 2 + high / 2, (high - low) / 2 + VERTEX

    def without_far(self, vertex: Index) -> tuple[Polyhedron, Index]:
        """The same polyhedron without constraints that hold in its whole bounding box, and the renumbered vertex.

        The box of p dimensions takes 2p searches whose steps cost p^3 each. What it saves are at most m p in each step
        of 2m searches: with m constraints, no more than it costs up to ``m^2 = p^3``.
        """
        box = self._box(vertex) if self.bound.size**2 > vertex.size**3 else None
        if box is None:
            return self, vertex
        most = self.normal @ box[0] + np.abs(self.normal) @ box[1]
        near = most >= self.bound
        near[vertex] = True
        number = np.cumsum(near) - 1
        return Polyhedron(self.normal[near], self.bound[near], self.relaxed[near]), number[vertex]

    def _met(self, point: Array, edge: Array, basis: list[int] | Index) -> tuple[int, float]:
        """The first constraint that is met along an edge, -1 for none, and how far away it is."""
        rate = self.normal @ edge
        rate[basis] = 0.0
        ahead = np.flatnonzero(rate > DIRECTION * np.abs(rate).max(initial=0.0))
        if ahead.size == 0:
            return -1, 0.0
        steps = np.maximum(self.relaxed[ahead] - self.normal[ahead] @ point, 0.0) / rate[ahead]
        nearest = int(np.argmin(steps))
        return int(ahead[nearest]), float(steps[nearest])

    def ranges(self, vector: Array, vertex: Index) -> tuple[Array, Array]:
        """The least and the largest value of ``vector @ z`` for each row of `vector`, in blocks of rows."""
        low, high = np.empty((2, vector.shape[0]))
        corners = self.corners(vertex)
        for begin in range(0, vector.shape[0], 8 * BLOCK):
            block = slice(begin, begin + 8 * BLOCK)
            if corners is None:
                ends = self.support(np.vstack([vector[block], -vector[block]]), vertex)
                high[block], low[block] = ends[: ends.size // 2], -ends[ends.size // 2 :]
            else:
                values = corners @ vector[block].T
                values.max(axis=0, out=high[block])
                values.min(axis=0, out=low[block])
        return low, high

    def corners(self, vertex: Index) -> Array | None:
        """All vertices, one per row; None if there are more than `_CORNERS`, or if an edge is unbounded."""
        found: dict[tuple[int, ...], Array] = {}
        waiting = [tuple(np.sort(vertex).tolist())]
        while waiting:
            key = waiting.pop()
            if key in found:
                continue
            if len(found) == _CORNERS:
                return None
            basis = np.array(key)
            inverse = np.linalg.inv(self.normal[basis])
            found[key] = inverse @ self.bound[basis]
            point = inverse @ self.relaxed[basis]
            for leaving in range(basis.size):
                entering, _ = self._met(point, -inverse[:, leaving], basis)
                if entering < 0:
                    return None
                waiting.append(tuple(sorted([*np.delete(basis, leaving).tolist(), entering])))
        return np.array(list(found.values()))

    def support(self, aims: Array, vertex: Index) -> Array:
        """The largest value of ``aim @ z`` for each of several vectors, by the simplex method.

        All searches start at one vertex, and searches that leave a vertex along the same edge move together. A search
        that comes to a vertex again, by rounding, would go round without end: its value is that of this vertex.
        """
        value = np.full(aims.shape[0], np.inf)
        left: dict[tuple[int, ...], Index] = {}  # the searches that have left each vertex
        waiting = {tuple(np.sort(vertex).tolist()): np.arange(aims.shape[0])}
        visits = 0
        while waiting:
            key = next(iter(waiting))
            basis, here = np.array(key), waiting.pop(key)
            inverse = np.linalg.inv(self.normal[basis])
            multiplier = aims[here] @ inverse
            worst = np.argmin(multiplier, axis=1)
            visits += 1
            arrived = multiplier[np.arange(here.size), worst] >= -DIRECTION
            arrived |= visits > _VISITS * basis.size
            if key in left:
                arrived |= np.isin(here, left[key])
            value[here[arrived]] = multiplier[arrived] @ self.bound[basis]
            left[key] = np.append(left[key], here) if key in left else here
            point = inverse @ self.relaxed[basis]
            for leaving in np.unique(worst[~arrived]):
                entering, _ = self._met(point, -inverse[:, leaving], basis)
                if entering < 0:
                    continue  # unbounded along this edge: the value stays infinite
                along = here[~arrived & (worst == leaving)]
                other = tuple(sorted([*np.delete(basis, leaving).tolist(), entering]))
                waiting[other] = np.append(waiting[other], along) if other in waiting else along
        return value
