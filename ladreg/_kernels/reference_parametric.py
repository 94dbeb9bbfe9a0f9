"""The parametric simplex method in plain NumPy: the specification of `parametric.h`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

PENALISED, POSITIVE, FREE, HIDDEN = range(4)
ALL_SOLVED, NO_ROOM, BURST_OVER, NO_PIVOT = range(4)


@dataclass
class _Vertex:
    """A vertex of the problem with these targets, weights, strengths and centres."""

    rows: Array
    y: Array
    weight: Array
    strength: Array
    centre: Array
    widening: float
    ends: tuple[float, float]
    basis: list[int]
    active: list[int]
    sign: list[float]
    side: Array

    def coef(self) -> Array:
        """Coefficients of all columns."""
        coef = np.zeros(self.rows.shape[1])
        coef[self.active] = np.linalg.solve(self._matrix(), self.y[self.basis])
        return coef

    def dual(self, alpha: float) -> Array:
        """The dual of all rows."""
        return self.shifted_dual(alpha) + self._shift(alpha) * self.weight

    def shifted_dual(self, alpha: float) -> Array:
        """The dual less alpha times the weights along quantiles: its products with columns are slopes from centres."""
        dual = self.weight * (np.where(self.side > 0, self.ends[1], self.ends[0]) - self._shift(alpha))
        dual[self.basis] = 0.0
        slope = (self.width(alpha) * self.signs())[self.active] - dual @ self.rows[:, self.active]
        dual[self.basis] = np.linalg.solve(self._matrix().T, slope)
        return dual

    def _shift(self, alpha: float) -> float:
        return (1.0 - self.widening) * alpha

    def rate(self) -> Array:
        """How fast the basic duals fall with alpha."""
        change = self.centre + self.widening * self.strength * self.signs()
        return np.asarray(np.linalg.solve(self._matrix().T, change[self.active]))

    def width(self, alpha: float) -> Array:
        """How far slopes may be from alpha times their centre."""
        return self.strength * (alpha if self.widening else 1.0)

    def signs(self) -> Array:
        """Signs of the coefficients of active columns, zero for others."""
        signs = np.zeros(self.rows.shape[1])
        signs[self.active] = self.sign
        return signs

    def edge(self, target: Array) -> Array:
        """Coefficients whose predictions in the basic rows are `target`."""
        return np.asarray(np.linalg.solve(self._matrix(), target))

    def _matrix(self) -> Array:
        return self.rows[np.ix_(self.basis, self.active)]


def parametric(
    rows: Array,
    columns: Array,  # noqa: ARG001 - the same table
    y: Array,
    weight: Array,
    strength: Array,
    centre: Array,
    widening: bool,
    lower: float,
    upper: float,
    kind: Index,
    size: int,
    basis: Index,
    active: Index,
    sign: Array,
    inverse: Array,
    side: Array,
    alpha: float,
    alphas: Array,
    knots: Array | None,
    by_long_steps: bool,
    followed: int,  # noqa: ARG001 - all rows are
    coef: Array,
    dual: Array,
    sizes: Index,
    exchanges: Index,
    read: Index,
    most: int,
) -> tuple[int, int, int, float, int, int]:
    """Follow the vertex as alpha falls; systems are solved anew at each knot."""
    state = basis[:size].tolist(), active[:size].tolist(), sign[:size].tolist(), side
    given, near = (
        _Vertex(rows, y[k], weight[k], strength[k], centre[k], float(widening), (lower, upper), *state) for k in (0, 1)
    )
    count = n_exchanges = n_read = 0
    why = BURST_OVER

    def answer(at: float) -> None:
        nonlocal count
        coef[count], dual[count], sizes[count] = given.coef(), given.shifted_dual(at), len(near.basis)
        exchanges[count], read[count] = n_exchanges, n_read
        count += 1

    while by_long_steps:
        alpha = float(alphas[count])
        leaves, enters, direction, beyond = _farthest_outside(near, kind, alpha)
        n_read += len(near.basis) if len(near.basis) < rows.shape[1] else 0
        if leaves < 0 and enters < 0:
            answer(alpha)
            if count == alphas.size:
                why = ALL_SOLVED
                break
        elif n_exchanges == most:
            break
        else:
            n_turned = _long_step(near, kind, alpha, leaves, enters, direction, beyond)
            if n_turned < 0:
                why = NO_PIVOT
                break
            n_read += n_turned
            n_exchanges += 1
    for _ in range(0 if by_long_steps else most):
        leaves, enters, direction, fall = _next_event(near, kind, alpha)
        n_read += len(near.basis)
        if knots is None:
            while count < alphas.size and alphas[count] >= alpha - fall:
                answer(alphas[count])
            if count == alphas.size:
                why = ALL_SOLVED
                break
        elif count == knots.size:
            why = NO_ROOM
            break
        elif alpha - fall <= alphas[0]:
            knots[count] = alphas[0]
            answer(alphas[0])
            why = ALL_SOLVED
            break
        elif fall > 0:
            knots[count] = _exact_alpha(given, leaves, enters, direction)
            answer(knots[count])
        alpha -= fall
        if not _exchange(near, kind, leaves, enters, direction):
            why = NO_PIVOT
            break
        n_exchanges += 1
    size = len(near.basis)
    basis[:size], active[:size], sign[:size] = near.basis, near.active, near.sign
    if size:
        inverse[:size, :size] = np.linalg.inv(rows[np.ix_(near.basis, near.active)])
    return why, count, size, alpha, n_exchanges, n_read


def _next_event(v: _Vertex, kind: Index, alpha: float) -> tuple[int, int, float, float]:
    """Which basic row leaves (or -1) or column enters (or -1), the sign, and by how much alpha falls before it."""
    rate, dual = v.rate(), v.dual(alpha)
    fall, slope, width = rate @ v.rows[v.basis] - v.centre, dual @ v.rows - alpha * v.centre, v.width(alpha)
    events = []
    for k, i in enumerate(v.basis):
        if abs(rate[k]) > 1e-12 * np.abs(rate).max():
            end = v.weight[i] * v.ends[0 if rate[k] > 0 else 1]
            events.append((max((dual[i] - end) / rate[k], 0.0), k, -1, -np.sign(rate[k])))
    for j in range(v.rows.shape[1]):
        if j in v.active or kind[j] == HIDDEN:
            continue
        for direction in (1.0, -1.0) if kind[j] != POSITIVE else (1.0,):
            narrows = v.widening * v.strength[j]
            closing = narrows - direction * fall[j]
            if closing > 1e-12 * (narrows + abs(fall[j]) + abs(v.centre[j])):
                events.append((max((width[j] - direction * slope[j]) / closing, 0.0), -1, j, direction))
    when, leaves, enters, direction = min(events, default=(np.inf, -1, -1, 0.0))
    return leaves, enters, float(direction), float(when)


def _exact_alpha(v: _Vertex, leaves: int, enters: int, direction: float) -> float:
    """The alpha of an event: basic duals and slopes are linear in alpha."""
    dual, rate = v.dual(0.0), v.rate()
    if leaves >= 0:
        i = v.basis[leaves]
        return float((v.weight[i] * v.ends[1 if direction > 0 else 0] - dual[i]) / rate[leaves])
    column = v.rows[:, enters]
    narrows = direction * v.widening * v.strength[enters]
    reached = column @ dual - direction * v.width(0.0)[enters]
    return float(reached / (narrows + v.centre[enters] - column[v.basis] @ rate))


def _exchange(v: _Vertex, kind: Index, leaves: int, enters: int, direction: float) -> bool:
    """Move along the edge to the next vertex; whether there is one."""
    ends = _crossings(v, kind, leaves, enters, direction)
    if not ends:
        return _hide(kind, enters)
    _, met, zero, _ = min(ends)
    _take_vertex(v, leaves, enters, direction, met, zero)
    return True


def _hide(kind: Index, enters: int) -> bool:
    """Hide a free column that depends on the active ones."""
    if enters < 0 or kind[enters] != FREE:
        return False
    kind[enters] = HIDDEN
    return True


def _crossings(
    v: _Vertex, kind: Index, leaves: int, enters: int, direction: float
) -> list[tuple[float, int, int, float]]:
    """Step lengths along the edge, the row or the place of the coefficient that is zero there, and its rate."""
    target = -direction * (np.eye(len(v.basis))[leaves] if leaves >= 0 else v.rows[v.basis, enters])
    step, coef = v.edge(target), v.coef()
    change = np.zeros_like(coef)
    change[v.active] = step
    if enters >= 0:
        change[enters] = direction
    move, residual = v.rows @ change, v.y - v.rows @ coef
    move[v.basis] = 0.0
    largest = max(np.abs(move).max(), 1e-300)
    ends = [
        (max(v.side[i] * residual[i], 0.0) / (v.side[i] * move[i]), i, -1, abs(move[i]))
        for i in np.flatnonzero(v.side * move > 1e-9 * largest).tolist()
    ]
    largest = max(largest, np.abs(step).max(initial=0.0))
    ends += [
        (max(v.sign[place] * coef[j], 0.0) / (-v.sign[place] * step[place]), -1, place, abs(step[place]))
        for place, j in enumerate(v.active)
        if kind[j] != FREE and -v.sign[place] * step[place] > 1e-9 * largest
    ]
    return ends


def _take_vertex(v: _Vertex, leaves: int, enters: int, direction: float, met: int, zero: int) -> None:
    """The exchange at the end of an edge."""
    if leaves >= 0:
        v.side[v.basis[leaves]] = direction
    if met >= 0:
        v.side[met] = 0.0
    _replace(v.basis, leaves, met)
    gone = zero if zero >= 0 else -1
    if enters >= 0 and gone < 0:
        v.sign.append(direction)
    elif enters >= 0:
        v.sign[gone] = direction
    elif gone >= 0:
        v.sign[gone] = v.sign[-1]
        v.sign.pop()
    _replace(v.active, gone, enters)


def _farthest_outside(v: _Vertex, kind: Index, alpha: float) -> tuple[int, int, float, float]:
    """The basic row (or -1) or column (or -1) on whose edge the objective falls fastest, the sign, and how fast."""
    dual, lengths = v.dual(alpha), np.linalg.norm(v.edge(np.eye(len(v.basis))), axis=0)
    slope, least = dual @ v.rows - alpha * v.centre, 1e-15 * np.abs(dual[v.basis]).max(initial=0.0)
    events = [(0.0, -1, -1, 0.0, 0.0)]
    for k, i in enumerate(v.basis):
        above, below = dual[i] - v.weight[i] * v.ends[1], v.weight[i] * v.ends[0] - dual[i]
        beyond = max(above, below)
        if beyond > 1e-11 * v.weight[i] * (v.ends[1] - v.ends[0]) and beyond > least:
            events.append((beyond / lengths[k], k, -1, 1.0 if above > below else -1.0, beyond))
    for j in range(v.rows.shape[1]):
        bound = v.width(alpha)[j]
        beyond = (slope[j] if kind[j] == POSITIVE else abs(slope[j])) - bound
        if j not in v.active and kind[j] != HIDDEN and beyond > max(1e-11 * bound, 1e-15):
            length = np.hypot(1.0, np.linalg.norm(v.edge(v.rows[v.basis, j])))
            events.append((beyond / length, -1, j, 1.0 if slope[j] > 0 else -1.0, beyond))
    _, leaves, enters, direction, beyond = max(events)
    return leaves, enters, direction, float(beyond)


def _long_step(v: _Vertex, kind: Index, alpha: float, leaves: int, enters: int, direction: float, beyond: float) -> int:
    """Move along the edge while the objective falls; how many rows' duals changed, or -1 where it has no end."""
    slope, passed = -beyond, []
    for _, met, zero, rate in sorted(_crossings(v, kind, leaves, enters, direction)):
        if met >= 0:
            slope += rate * v.weight[met] * (v.ends[1] - v.ends[0])
        else:
            j = v.active[zero]
            slope += np.inf if kind[j] == POSITIVE else 2 * v.width(alpha)[j] * rate
        if slope >= 0:
            break
        passed.append((met, zero))
    else:
        return 0 if _hide(kind, enters) else -1
    for row, place in passed:
        if row >= 0:
            v.side[row] *= -1.0
        else:
            v.sign[place] *= -1.0
    _take_vertex(v, leaves, enters, direction, met, zero)
    return sum(row >= 0 for row, _ in passed) + (leaves >= 0) + (met >= 0)


def _replace(members: list[int], gone: int, new: int) -> None:
    """Put `new` in the place of the member at `gone`; -1 for none. The last one fills a gap."""
    if gone >= 0 and new >= 0:
        members[gone] = new
    elif gone >= 0:
        members[gone] = members[-1]
        members.pop()
    elif new >= 0:
        members.append(new)
