"""The exact path of a piecewise linear loss with an L1 penalty: parametric linear programming.

The solution is piecewise constant in alpha, and the dual piecewise linear; each knot is one exchange of a basic row or
an active feature (Li and Zhu 2008, doi 10.1198/106186008X289155; Yao and Lee 2014, doi 10.1007/s11222-013-9399-x).
Where there are many more rows than columns, many knots lie between two alphas that are asked for: long steps (Barrodale
and Roberts 1973, doi 10.1137/0710069) go from one to the other with fewer exchanges.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ladreg._arrays import Array, Index, inverted
from ladreg._kernels import _parametric
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._problem import Problem
from ladreg._tolerances import MISSED, PERTURBATION, SOLVED, SUMMED

# A burst has at most 1e9 multiplications, about 0.1 s: only between bursts is Ctrl-C noticed.
_BURST = 1e9
# At most 256 exchanges per burst, after which the inverse is computed anew.
_MOST = 256
# Give up an alpha after 20 exchanges per row and column: the steps go round in a circle of roundings.
_NO_END = 20
# Numbers in the coefficients and duals that are handed out together, at most.
_ENTRIES = 1 << 21
# A burst watches the active columns, and 200 more plus one per active column: those with the largest slopes.
_WATCHED = 200
# It watches all columns where these are at most 1.5 times as many: a copy of the table would save little.
_NEARLY_ALL = 1.5
# The kernel's reasons to stop.
_ALL_SOLVED, _NO_ROOM, _BURST_OVER, _NO_PIVOT = range(4)
# The kernel's kinds of columns.
_PENALISED, _POSITIVE, _FREE, _HIDDEN = range(4)


@dataclass(frozen=True)
class Vertices:
    """Vertices of a path at unit scale, one per row: coefficients (the intercept last), duals, sizes of the basis.

    `exchanges` and `read` count exchanges and rows read for pricing: at each vertex, those since the walk began.
    """

    alphas: Array
    coef: Array
    dual: Array
    size: Index
    exchanges: Index
    read: Index

    @classmethod
    def room(cls, alphas: Array, n_rows: int, n_columns: int) -> Vertices:
        """Arrays to be filled in."""
        number = alphas.size
        counts = (np.zeros(number, dtype=np.intp) for _ in range(3))
        return cls(alphas, np.zeros((number, n_columns)), np.zeros((number, n_rows)), *counts)

    def part(self, part: slice) -> Vertices:
        """Some of the vertices; the arrays are shared."""
        return Vertices(*(values[part] for values in vars(self).values()))


@dataclass(frozen=True)
class _Place:
    """Where a walk is: basic rows, active columns with the signs of their coefficients, sides of rows, and alpha."""

    basis: Index
    active: Index
    sign: Array
    side: Array
    alpha: float

    def moved_to(self, alpha: float) -> _Place:
        """The same vertex at another alpha."""
        return _Place(self.basis, self.active, self.sign, self.side, alpha)


class Walk:
    """A walk along the path of a problem, alpha falling from infinity; then along quantiles, if told to `turn`.

    Parameters
    ----------
    problem
        A problem at unit scale, with a piecewise linear loss and without ridges; its penalty is that of alpha = 1.
    tuning
        From how many rows per column on alphas are reached by long steps.
    seed
        Of the perturbation: a walk that gets stuck at a vertex may pass it with another one.

    Attributes
    ----------
    features : ndarray
        The features that are not excluded: the columns of the vertices, before the intercept.
    is_stuck : bool
        Whether no pivot was found, or the basis is singular to rounding: there are no more vertices.
    """

    def __init__(self, problem: Problem, tuning: PiecewiseTuning, seed: int = 0) -> None:
        strength = problem.penalty.strength
        self.features = np.flatnonzero(np.isfinite(strength))
        table = problem.design.rows(np.arange(problem.n_samples), self.features, problem.fit_intercept)
        self.rows = np.ascontiguousarray(table)
        self.columns = np.ascontiguousarray(table.T)
        n_rows, n_columns = self.rows.shape
        rng = np.random.default_rng(seed)
        self.y = _perturbed(problem.y, rng, np.ones(n_rows))
        self.weight = _perturbed(problem.weight, rng, problem.weight)
        self.centre, self.widening = np.zeros((2, n_columns)), True
        strength = np.append(strength[self.features], np.zeros(int(problem.fit_intercept)))
        self.strength = _perturbed(strength, rng, strength)
        self.positive = problem.penalty.positive
        self.kind = np.full(n_columns, _POSITIVE if self.positive else _PENALISED, dtype=np.intp)
        if not self.positive:
            self.kind[strength == 0] = _FREE
        self.kind[self.features.size :] = _FREE
        self.lower, self.upper = problem.loss.interval()
        self.n_exchanges = self.rows_read = 0
        self._long_steps_pay, self._by_long_steps = n_rows >= tuning.long_step_rows * n_columns, False
        self._near = self._least_near = tuning.near_rows * n_columns
        self.is_done, self.is_stuck, self.least_watched = False, False, _WATCHED
        self.place = self._begin(problem.fit_intercept)
        self._fit_free_columns()

    def _begin(self, fit_intercept: bool) -> _Place:
        """The vertex without features."""
        y, weight = self.y[1], self.weight[1]
        none = np.zeros(0, dtype=np.intp)
        if not fit_intercept:
            return _Place(none, none, np.zeros(0), np.where(y > 0, 1.0, -1.0), np.inf)
        order = np.argsort(y)
        below = np.cumsum(weight[order])
        place = np.searchsorted(below, below[-1] * self.upper / (self.upper - self.lower))
        row = order[min(int(place), y.size - 1)]
        return _Place(np.array([row]), np.array([self.features.size]), np.ones(1), np.sign(y - y[row]), np.inf)

    def _fit_free_columns(self) -> None:
        """Go to the vertex of the features without penalty: the end of the path on which only they are penalised."""
        free = self.strength[0] == 0
        free[self.features.size :] = False
        if free.any():
            strength, kind = self.strength, self.kind
            ones = free.astype(np.float64)
            self.strength = _perturbed(ones, np.random.default_rng(1), ones)
            self.kind = np.where(free, np.where(kind == _FREE, _PENALISED, kind), _HIDDEN)
            self.kind[self.features.size :] = _FREE
            self.least_watched = free.size  # at alpha = 0 a slope that was missed cannot be told from others
            self._set_out()
            # Below SUMMED of the first alpha slopes are rounding: a column that depends on active ones would enter.
            for _ in self.at(np.array([SUMMED * self.place.alpha])):
                pass
            self.strength, self.kind, self.least_watched = strength, kind, _WATCHED
        self._set_out()

    def _set_out(self) -> None:
        """Set alpha to twice the largest slope relative to its strength, which is above the first knot."""
        inverse = self._inverse()
        if inverse is None:
            return
        slope, strength = np.abs(self._dual(self.place.moved_to(0.0), inverse) @ self.rows), self.strength[1]
        used = (strength > 0) & (self.kind != _HIDDEN)
        largest = float((slope[used] / strength[used]).max(initial=0.0))
        self.place = self.place.moved_to(2.0 * largest + np.finfo(np.float64).tiny)

    def _inverse(self) -> Array | None:
        """The inverse of the basis; None where it is singular to rounding."""
        matrix = self.rows[np.ix_(self.place.basis, self.place.active)]
        inverse = inverted(matrix) if matrix.size else matrix
        self.is_stuck |= inverse is None
        return inverse

    def _dual(self, place: _Place, inverse: Array) -> Array:
        """The dual of the perturbed problem, as the kernel hands it out."""
        shift = 0.0 if self.widening else place.alpha
        dual = self.weight[1] * (np.where(place.side > 0, self.upper, self.lower) - shift)
        dual[place.basis] = 0.0
        target = self._width(np.array(place.alpha)) * self._signs(place)
        dual[place.basis] = (target[place.active] - self.columns[place.active] @ dual) @ inverse
        return dual

    def _width(self, alphas: Array) -> Array:
        """How far slopes may be from alpha times their centre, the columns in the last dimension."""
        return np.multiply.outer(alphas if self.widening else np.ones_like(alphas), self.strength[1])

    def _signs(self, place: _Place) -> Array:
        """Signs of the coefficients of active columns, zero for others."""
        signs = np.zeros(self.rows.shape[1])
        signs[place.active] = place.sign
        return signs

    def turn(self, alpha: float, quantile: float) -> None:
        """Hold the penalty at `alpha`, which has been reached, and let the quantile rise: alpha is now 1 - quantile.

        1 - quantile is added to the slopes of the loss, which are then 0 and 1 for all quantiles. The duals of vertices
        are those of the loss all the same. Free columns that are not active depend on those that are.
        """
        idle = self.kind == _FREE
        idle[self.place.active] = False
        self.kind[idle] = _HIDDEN
        self.strength = alpha * self.strength
        self.centre, self.widening = self.weight @ self.rows, False
        self.lower, self.upper = 0.0, 1.0
        self.place = self.place.moved_to(1.0 - quantile)

    def at(self, alphas: Array) -> Iterator[Vertices]:
        """The vertices at falling alphas, in groups; fewer than `alphas` if the walk gets stuck.

        They are reached from knot to knot, or by long steps from one alpha to the next, past the knots between them.
        """
        first, number = 0, max(1, _ENTRIES // sum(self.rows.shape))
        self._by_long_steps = self._long_steps_pay and bool(alphas[-1] > 0)
        while first < alphas.size and not self.is_stuck:
            group = self._walk(alphas[first : first + number], False)
            yield group
            first += group.alphas.size

    def knots(self, end: float) -> Iterator[Vertices]:
        """The vertices of all alphas down to `end`, in groups; each alpha is the lowest one of its vertex."""
        self.is_done = self._by_long_steps = False
        while not (self.is_stuck or self.is_done):
            yield self._walk(np.array([end]), True)

    def _walk(self, alphas: Array, all_knots: bool) -> Vertices:
        """Bursts of exchanges, until a group of answers is complete."""
        n_rows, n_columns = self.rows.shape
        number = max(2, _ENTRIES // (n_rows + n_columns)) if all_knots else alphas.size
        found = Vertices.room(np.zeros(number) if all_knots else alphas, n_rows, n_columns)
        count, last = 0, self.n_exchanges
        while not self.is_stuck:
            why, more = self._burst(alphas if all_knots else alphas[count:], found.part(slice(count, None)), all_knots)
            count += more
            last = self.n_exchanges if more else last
            self.is_stuck |= self._by_long_steps and self.n_exchanges - last > _NO_END * (n_rows + n_columns)
            self.is_done = why == _ALL_SOLVED
            if self.is_done or why == _NO_ROOM:
                break
        found = found.part(slice(0, count))
        self._remove_rounding(found.coef)
        return found

    def _remove_rounding(self, coefs: Array) -> None:
        """Set to zero the features' coefficients that are rounding of zero, at vertices with more rows than columns."""
        small = SOLVED * np.abs(coefs).max(axis=1, initial=1.0)
        features = coefs[:, : self.features.size]
        features[np.abs(features) <= small[:, None]] = 0.0

    def _burst(self, alphas: Array, found: Vertices, all_knots: bool) -> tuple[int, int]:
        """Some exchanges; why they ended, and the number of vertices found.

        1. Watch the columns whose slopes are largest.
        2. Exchanges among these.
        3. Go back where the slope of another column became too large, and watch it as well.
        """
        inverse = self._inverse()
        if inverse is None:
            return _NO_PIVOT, 0
        # 1.
        start, n_columns = self.place, self.rows.shape[1]
        watched = self._watched(self._parts(self._dual(start, inverse)[None], np.array([start.alpha]))[0])
        while True:
            # 2.
            why, count, after = self._exchanged(alphas, found, all_knots, watched, inverse)
            # 3.
            if watched.size == n_columns or why == _NO_PIVOT:
                break
            duals, at = found.dual[:count], found.alphas[:count]
            if not self._by_long_steps:  # else the vertex is that of an answer, or not yet optimal
                duals, at = np.vstack([duals, self._dual(self.place, after)]), np.append(at, self.place.alpha)
            parts = self._parts(duals, at).max(axis=0, initial=0.0)
            parts[watched] = 0.0
            missed = np.flatnonzero(parts > 1.0 + MISSED)
            if missed.size == 0:
                break
            watched = np.union1d(watched, missed)
            self.place = start
        if self._by_long_steps:  # rows that are not followed may keep steps from an end
            self._near = max(self._near // 2, self._least_near) if count else min(2 * self._near, start.side.size)
        self.is_stuck = why == _NO_PIVOT
        return why, count

    def _parts(self, duals: Array, alphas: Array) -> Array:
        """The slopes of all columns as parts of their width; zero for free and hidden."""
        slope = duals @ self.rows
        slope = np.maximum(slope, 0.0) if self.positive else np.abs(slope)
        limit = np.where(self.kind == _HIDDEN, 0.0, self._width(alphas))
        return np.divide(slope, limit, out=np.zeros_like(slope), where=limit > 0)

    def _watched(self, parts: Array) -> Index:
        """The columns to watch: active and free ones, and those with the largest parts; none that is hidden."""
        number = 2 * self.place.basis.size + self.least_watched
        eligible = np.flatnonzero(self.kind != _HIDDEN)
        if eligible.size <= _NEARLY_ALL * number:
            return eligible
        parts[self.strength[0] == 0] = np.inf
        parts[self.place.active] = np.inf
        parts = parts[eligible]
        number = max(number, int(np.count_nonzero(np.isinf(parts))))
        return eligible[np.sort(np.argpartition(-parts, number - 1)[:number])] if number < eligible.size else eligible

    def _exchanged(
        self, alphas: Array, found: Vertices, all_knots: bool, watched: Index, inverse: Array
    ) -> tuple[int, int, Array]:
        """Exchanges among the watched columns: why they ended, the number of vertices, and the inverse there."""
        place, size, n_rows = self.place, self.place.basis.size, self.rows.shape[0]
        everything = watched.size == self.rows.shape[1]
        rows, columns = (
            (self.rows, self.columns) if everything else (np.take(self.rows, watched, axis=1), self.columns[watched])
        )
        room = min(rows.shape)
        basis, active = np.zeros((2, room), dtype=np.intp)
        basis[:size], active[:size] = place.basis, np.searchsorted(watched, place.active)
        sign, side, work = np.ones(room), place.side.copy(), np.zeros((room, room))
        sign[:size], work[:size, :size] = place.sign, inverse
        kind = self.kind[watched]
        coef = found.coef if everything else np.zeros((found.alphas.size, watched.size))
        cost = (size + 1) * (n_rows + watched.size + 4 * size)
        why, count, size, alpha, n_exchanges, n_read = _parametric.parametric(
            rows,
            columns,
            self.y,
            self.weight,
            np.ascontiguousarray(self.strength[:, watched]),
            np.ascontiguousarray(self.centre[:, watched]),
            self.widening,
            self.lower,
            self.upper,
            kind,
            size,
            basis,
            active,
            sign,
            work,
            side,
            place.alpha,
            alphas,
            found.alphas if all_knots else None,
            self._by_long_steps,
            self._near,
            coef,
            found.dual,
            found.size,
            found.exchanges,
            found.read,
            int(np.clip(_BURST / cost, 1, _MOST)),
        )
        if not everything:
            found.coef[:count] = 0.0
            found.coef[:count, watched] = coef[:count]
        self.kind[watched] = kind
        found.exchanges[:count] += self.n_exchanges
        found.read[:count] += self.rows_read
        self.n_exchanges += n_exchanges
        self.rows_read += n_read
        self.place = _Place(basis[:size], watched[active[:size]], sign[:size], side, alpha)
        return why, count, work[:size, :size]


def _perturbed(values: Array, rng: np.random.Generator, unit: Array) -> Array:
    """The values, and a second row in which they are perturbed."""
    return np.stack([values, values + PERTURBATION * unit * rng.uniform(0.5, 1.0, values.size)])
