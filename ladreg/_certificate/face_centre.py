"""The centre of a polyhedron of optima: where residuals are nearest to the middle of their ranges.

The polyhedron is given by linear functions that keep their sign on it, ``side_i * (slack_i - move_i @ z) >= 0``:
residuals, which cost ``cost_i`` per unit, and coefficients, which cost nothing here. With ``mid_i`` and ``range_i`` the
middle and the length of the interval of values that ``move_i @ z`` takes on it, its centre is the minimiser over it of

    sum_i cost_i * (move_i @ z - mid_i)^2 / range_i.

Nothing in this sum depends on ``slack_i``, except through the polyhedron itself. Rows with parallel `move` share one
interval, so that they count as one *direction* with the sum of their costs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from ladreg._arrays import BLOCK, Array, Index
from ladreg._certificate.polyhedron import Polyhedron
from ladreg._kernels import _hash_groups
from ladreg._tolerances import AT_END, DIRECTION, SUMMED

# Unit vectors whose entries agree after rounding to multiples of 2^-40 are one direction.
_GRID = 2.0**-40
# Up to 1000 rows are sampled to find out whether there are parallel rows.
_SAMPLE = 1000
# Rows count as not parallel if more than 90 % of the sampled rows are distinct.
_DISTINCT = 0.9
# The bounding box of the 4096 constraints nearest to zero shows which others may bound the polyhedron.
_NEAREST = 4096


@dataclass(frozen=True)
class _Directions:
    """Unit vectors (rows of `vector`) with ``low <= vector @ z <= high`` and the sum of costs along each.

    Entries of a vector are rounded by up to `doubt`: those of a short row of `move` are rounding of long ones.
    """

    vector: Array
    low: Array
    high: Array
    cost: Array
    doubt: Array

    @classmethod
    def of(cls, move: Array, slack: Array, side: Array, cost: Array) -> _Directions:
        """Merges parallel rows, if a sample has any."""
        length = np.sqrt(np.einsum("ij,ij->i", move, move))
        # The sign of the first entry above 0.5 / sqrt(n_dimensions) turns a vector and its opposite into one.
        tall = np.abs(move) > (0.5 / np.sqrt(move.shape[1])) * length[:, None]
        first = move[np.arange(length.size), np.argmax(tall, axis=1)]
        del tall
        length = np.copysign(length, first, out=first)
        vector = move / length[:, None]
        limit, above = slack / length, side * length > 0
        np.abs(length, out=length)
        total, doubt = cost * length, np.maximum(DIRECTION, SUMMED * length.max(initial=0.0) / length)
        if np.unique(_keys(vector[:: 1 + length.size // _SAMPLE])).size > _DISTINCT * min(length.size, _SAMPLE):
            return cls(vector, np.where(above, -np.inf, limit), np.where(above, limit, np.inf), total, doubt)
        groups, chosen = np.empty((2, length.size), dtype=np.intp)
        count = _hash_groups.group(_keys(vector), groups, chosen)
        low, high = np.full(count, -np.inf), np.full(count, np.inf)
        np.minimum.at(high, groups[above], limit[above])
        np.maximum.at(low, groups[~above], limit[~above])
        total = np.asarray(np.bincount(groups, total, minlength=count), dtype=np.float64)
        return cls(vector[chosen[:count]], low, high, total, doubt[chosen[:count]])

    def nearest(self) -> _Directions:
        """The directions whose interval may bound the polyhedron: others hold in the whole box of the nearest ones."""
        if self.cost.size <= _NEAREST:
            return self
        room = np.minimum(self.high, -self.low)
        some = self._some(np.argpartition(room, _NEAREST)[:_NEAREST])
        box = some.polyhedron().box()
        if box is None:
            return self
        middle, half = box
        kept = []
        for begin in range(0, self.cost.size, BLOCK):
            part = slice(begin, begin + BLOCK)
            at, reach = self.vector[part] @ middle, np.abs(self.vector[part]) @ half
            kept.append(begin + np.flatnonzero((at + reach >= self.high[part]) | (at - reach <= self.low[part])))
        return self._some(np.concatenate(kept))

    def polyhedron(self) -> Polyhedron:
        """The points where all intervals hold."""
        return Polyhedron.of(self.vector, self.low, self.high)

    def _some(self, rows: Index) -> _Directions:
        return _Directions(self.vector[rows], self.low[rows], self.high[rows], self.cost[rows], self.doubt[rows])

    def at(self, rows: Index, vector: Array) -> _Directions:
        """Some directions in other coordinates, as unit vectors."""
        length = np.sqrt(np.einsum("ij,ij->i", vector, vector))
        low, high, cost = self.low[rows] / length, self.high[rows] / length, self.cost[rows] * length
        return _Directions(vector / length[:, None], low, high, cost, self.doubt[rows])


def _keys(vector: Array) -> Array:
    """A number for each row, the same for rows that agree on the grid."""
    random = np.random.default_rng(0)
    key = np.zeros(vector.shape[0])
    for column in vector.T:
        part = column / _GRID
        np.round(part, out=part)
        part *= random.standard_normal()
        key += part
    return key


def equations(move: Array, slack: Array, side: Array, cost: Array) -> tuple[Array, Array] | None:
    """`fit` and `goal` such that the points of the polyhedron with the least ``|fit @ z - goal|`` are its centre.

    Parameters
    ----------
    move
        Array of shape (n_constraints, n_dimensions), no row of which is zero.
    slack, side, cost
        Arrays of shape (n_constraints,): side is +1 or -1, cost >= 0.

    Returns
    -------
    fit, goal or None
        Arrays of shape (n_equations, n_dimensions) and (n_equations,), n_equations <= n_dimensions. Along directions
        that no equation determines, no residual with a cost moves. None if the polyhedron is empty.

    Notes
    -----
    1. Merge parallel rows; find a basis of their directions, in whose coordinates most vectors have few entries.
    2. Split the coordinates into blocks that no vector connects. The sum of costs is one sum per block.
    3. A block of one coordinate is an interval: take its middle. In others, find the range of each direction, and solve
       the least-squares problem.

    In one dimension every row is such a block, and nothing has to be merged.
    """
    if move.shape[1] == 1:
        return _one_interval(move[:, 0], slack, side, cost)
    directions = _Directions.of(move, slack, side, cost)
    if _is_one_block(directions):
        return _block(directions)
    spanning, vector = _coordinates(directions.vector, directions.doubt)
    label = _blocks(vector)
    block = label[_largest(vector)]
    middle, paid = _intervals(directions, vector, label, block)
    fit, goal, parts = [spanning[paid]], [middle[paid]], []
    for number in np.flatnonzero(np.bincount(label) > 1):
        chosen, own = np.flatnonzero(block == number), np.flatnonzero(label == number)
        parts.append((own, directions.at(chosen, vector[np.ix_(chosen, own)])))
    del directions, vector
    while parts:
        own, part = parts.pop()
        found = _block(part)
        if found is None:
            return None
        fit.append(found[0] @ spanning[own])
        goal.append(found[1])
    return np.vstack(fit), np.concatenate(goal)


def corners(move: Array, slack: Array, side: Array) -> Array | None:
    """The corners of the polyhedron, a row for each; None if it is not bounded, is empty, or has too many."""
    directions = _Directions.of(move, slack, side, np.ones(side.size))
    polyhedron = directions.nearest().polyhedron()
    vertex = polyhedron.vertex()
    return None if vertex is None else polyhedron.corners(vertex)


def _one_interval(move: Array, slack: Array, side: Array, cost: Array) -> tuple[Array, Array]:
    """`equations` in one dimension."""
    limit, above = slack / move, side * move > 0
    low, high = limit[~above].max(initial=-np.inf), limit[above].min(initial=np.inf)
    # An infinite end is an effect of rounding of the dual: the other end takes its place.
    low, high = high if np.isinf(low) else low, low if np.isinf(high) else high
    number = int(np.isfinite(low) and bool(np.any(cost > 0)))
    return np.ones((number, 1)), np.full(number, low / 2 + high / 2)


def _is_one_block(directions: _Directions) -> bool:
    """Whether a sample of many rows connects all coordinates: the other rows can only connect more of them."""
    n_rows, n_dimensions = directions.vector.shape
    if n_dimensions == 1 or n_rows < 4 * _SAMPLE:
        return False
    some = slice(None, None, n_rows // _SAMPLE)
    spanning, sample = _coordinates(directions.vector[some].copy(), directions.doubt[some])
    return spanning.shape[0] == n_dimensions and not _blocks(sample).any()


def _coordinates(vector: Array, doubt: Array) -> tuple[Array, Array]:
    """A basis chosen from the vectors, and all vectors in its coordinates; in place if they span the space."""
    spanning = vector[_basis(vector, doubt)]
    inverse = np.linalg.pinv(spanning)
    found = vector if inverse.shape[0] == inverse.shape[1] else np.empty((vector.shape[0], inverse.shape[1]))
    for begin in range(0, found.shape[0], BLOCK):
        part = vector[begin : begin + BLOCK] @ inverse
        part[np.abs(part) <= doubt[begin : begin + BLOCK, None]] = 0.0
        found[begin : begin + BLOCK] = part
    return spanning, found


def _blocks(vector: Array) -> Index:
    """The block number of each coordinate: two coordinates that are both nonzero in some vector share a block."""
    if vector.shape[1] == 1:
        return np.zeros(1, dtype=np.intp)
    together = csr_array((vector.shape[1], vector.shape[1]))
    for begin in range(0, vector.shape[0], BLOCK):
        pattern = csr_array(vector[begin : begin + BLOCK] != 0, dtype=np.float64)
        together = together + pattern.T @ pattern
    return np.asarray(connected_components(together, directed=False)[1], dtype=np.intp)


def _basis(vector: Array, doubt: Array) -> Index:
    """Linearly independent rows that span all others: each is the row farthest from the span of those before.

    Of two that are as far, it is the one with less doubt, which the distances of later rows inherit.

    If there are many rows, each block of rows is first reduced to such rows.
    """
    step = max(BLOCK, 2 * vector.shape[1])
    if vector.shape[0] > step:
        blocks = range(0, vector.shape[0], step)
        parts = [(begin, slice(begin, begin + step)) for begin in blocks]
        some = np.concatenate([begin + _basis(vector[part], doubt[part]) for begin, part in parts])
        return some[_basis(vector[some], doubt[some])]
    rest, chosen = vector.copy(), []
    for _ in range(vector.shape[1]):
        size = np.einsum("ij,ij->i", rest, rest)
        size[size <= doubt**2] = 0.0
        farthest = int(np.argmax(size / doubt))
        if size[farthest] == 0:
            break
        doubt = np.maximum(doubt, doubt[farthest])
        chosen.append(farthest)
        normal = rest[farthest] / np.sqrt(size[farthest])
        # Twice: the second time removes the rounding of the first.
        for _ in range(2):
            along = rest @ normal
            for column, part in zip(rest.T, normal, strict=True):
                column -= part * along
    return np.array(chosen, dtype=np.intp)


def _largest(vector: Array) -> Index:
    """The coordinate of each row's largest entry."""
    blocks = range(0, vector.shape[0], BLOCK)
    return np.concatenate([np.argmax(np.abs(vector[begin : begin + BLOCK]), axis=1) for begin in blocks])


def _intervals(directions: _Directions, vector: Array, label: Index, block: Index) -> tuple[Array, NDArray[np.bool_]]:
    """The middle of each coordinate that is a block of its own, and whether any direction along it has a cost.

    `label` is the block number of each coordinate, `block` that of each row.
    """
    only = np.empty_like(label)
    only[label] = np.arange(label.size)
    single = np.bincount(label)[label] == 1
    rows = np.flatnonzero(single[only[block]])
    coordinate = only[block[rows]]
    entry = vector[rows, coordinate]
    ends = np.stack([directions.low[rows], directions.high[rows]]) / entry
    low, high = np.full(single.size, -np.inf), np.full(single.size, np.inf)
    np.maximum.at(low, coordinate, ends.min(axis=0))
    np.minimum.at(high, coordinate, ends.max(axis=0))
    # An infinite end is an effect of rounding of the dual: the other end takes its place.
    low, high = np.where(np.isinf(low), high, low), np.where(np.isinf(high), low, high)
    paid = np.bincount(coordinate, directions.cost[rows], minlength=single.size) > 0
    paid &= np.isfinite(low)
    return np.where(paid, low, 0.0) / 2 + np.where(paid, high, 0.0) / 2, paid


def _block(directions: _Directions) -> tuple[Array, Array] | None:
    """The equations of a block of several coordinates."""
    polyhedron = directions.nearest().polyhedron()
    vertex = polyhedron.vertex()
    if vertex is None:
        return None
    polyhedron, vertex = polyhedron.without_far(vertex)
    low, high = polyhedron.ranges(directions.vector, vertex)
    used = np.isfinite(high) & np.isfinite(low) & (directions.cost > 0)
    low[~used] = high[~used] = 0.0
    # In place: tall tables have as many directions as rows.
    extent = np.subtract(high, low, out=high)
    low += extent / 2
    return _least_squares(directions.vector, directions.cost, used, low, extent)


def _least_squares(
    vector: Array, cost: Array, paid: NDArray[np.bool_], middle: Array, extent: Array
) -> tuple[Array, Array]:
    """Equations of the least ``sum(cost * (vector @ z - middle)^2 / extent)``, at most one per coordinate.

    Only directions that are `paid` count.
    """
    flat = paid & (extent <= AT_END * extent.max(initial=0.0))
    # Directions without extent are met exactly; the others are fitted in the null space of these.
    _, singular, right = np.linalg.svd(vector[flat])
    rank = int(np.sum(singular > AT_END * singular.max(initial=0.0)))
    fixed, free = right[:rank], right[rank:].T
    point = np.linalg.lstsq(vector[flat], middle[flat], rcond=AT_END)[0] if rank else np.zeros(vector.shape[1])
    root = np.zeros(extent.size)
    np.divide(cost, extent, out=root, where=paid & ~flat)
    np.sqrt(root, out=root)
    root /= root.max(initial=0.0) or 1.0
    n_free = free.shape[1]
    triangle = np.zeros((0, n_free + 1))
    for begin in range(0, root.size, BLOCK):
        part = slice(begin, begin + BLOCK)
        rows = np.column_stack([vector[part] @ free, middle[part] - vector[part] @ point]) * root[part, None]
        triangle = np.asarray(np.linalg.qr(np.vstack([triangle, rows]), mode="r"))
    fit = np.vstack([fixed, triangle[:n_free, :n_free] @ free.T])
    return fit, np.concatenate([fixed @ point, triangle[:n_free, n_free]])
