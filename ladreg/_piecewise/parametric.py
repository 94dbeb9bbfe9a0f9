"""The exact path of a piecewise linear loss with an L1 penalty: parametric linear programming.

The solution is piecewise constant in alpha, and the dual piecewise linear; each knot is one exchange of a basic row or
an active feature (Li and Zhu 2008, doi 10.1198/106186008X289155; Yao and Lee 2014, doi 10.1007/s11222-013-9399-x).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from ladreg._arrays import Array, Index, inverted
from ladreg._certificate import AT_END, Answers, canonical_optimum, certify, proofs
from ladreg._kernels import _parametric
from ladreg._presolve import Scaling, scaled
from ladreg._problem import Coefficients, Problem, Settings, Solution, Solver, StopReason

# Targets, weights and strengths are perturbed by 0.5 to 1 times 1e-9 of their unit: more than the rounding of
# residuals (about 1e-13 at unit scale), and less than what tells a vertex from another.
_PERTURBED = 1e-9
# A burst has at most 2e8 multiplications, about 0.1 s: only between bursts is Ctrl-C noticed.
_BURST = 2e8
# At most 256 exchanges per burst, after which the inverse is computed anew.
_MOST = 256
# Walk where a table has at most 3000 rows: knots grow in number with the rows, and each reads a column; one by one, on
# the rows near the fit, 100 alphas of 5000 x 20 take two thirds of the time.
_ROWS = 3000
# Or at most 10 rows per column: with many columns single problems are costly.
_ROWS_PER_COLUMN = 10
# Walk where a table has at most 2^23 entries, of which two dense copies are made.
_TABLE = 1 << 23
# Numbers in the coefficients and duals that are certified together, at most.
_ENTRIES = 1 << 21
# Accept a solution with a relative gap of at most 1e-12: a larger gap is more than rounding.
_PROVED = 1e-12
# The kernel's reasons to stop.
_ALL_SOLVED, _NO_ROOM, _BURST_OVER, _NO_PIVOT = range(4)
# The kernel's kinds of columns.
_PENALISED, _POSITIVE, _FREE, _HIDDEN = range(4)
_NAME = "parametric simplex"


@dataclass(frozen=True)
class Vertices:
    """Vertices of a path at unit scale, one per row: coefficients (the intercept last), duals, sizes of the basis.

    `exchanges` and `read` count the exchanges and the rows read for pricing since the vertex before.
    """

    alphas: Array
    coef: Array
    dual: Array
    size: Index
    exchanges: Index
    read: Index


class Walk:
    """A walk along the path of a problem, alpha falling from infinity.

    Parameters
    ----------
    problem
        A problem at unit scale, with a piecewise linear loss and without ridges; its penalty is that of alpha = 1.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        strength = problem.penalty.strength
        self.features = np.flatnonzero(np.isfinite(strength))
        self.rows = problem.design.rows(np.arange(problem.n_samples), self.features, problem.fit_intercept)
        self.columns = np.ascontiguousarray(self.rows.T)
        n_rows, n_columns = self.rows.shape
        border = np.zeros(int(problem.fit_intercept))
        rng = np.random.default_rng(0)
        self.y = _perturbed(problem.y, rng, np.ones(n_rows))
        self.weight = _perturbed(problem.weight, rng, problem.weight)
        strength = np.append(strength[self.features], border)
        self.strength = _perturbed(strength, rng, strength)
        self.kind = np.full(n_columns, _POSITIVE if problem.penalty.positive else _PENALISED, dtype=np.intp)
        if not problem.penalty.positive:
            self.kind[strength == 0] = _FREE
        self.kind[self.features.size :] = _FREE
        self.lower, self.upper = problem.loss.interval()
        room = min(n_rows, n_columns)
        self.basis, self.active = np.zeros(room, dtype=np.intp), np.zeros(room, dtype=np.intp)
        self.sign, self.inverse = np.ones(room), np.zeros((room, room))
        self.size, self.alpha, self.n_exchanges, self.rows_read = 0, np.inf, 0, 0
        self.side = self._begin()
        self.stuck = not self._fit_free_columns()

    def _begin(self) -> Array:
        """The vertex without features, and the side of each row."""
        y, weight = self.y[1], self.weight[1]
        if not self.problem.fit_intercept:
            return np.where(y > 0, 1.0, -1.0)
        order = np.argsort(y)
        below = np.cumsum(weight[order])
        row = order[np.searchsorted(below, below[-1] * self.upper / (self.upper - self.lower)).clip(0, y.size - 1)]
        self.basis[0], self.active[0], self.size = row, self.rows.shape[1] - 1, 1
        return np.sign(y - y[row])

    def _fit_free_columns(self) -> bool:
        """Go to the vertex of the features without penalty: the end of the path on which only they are penalised."""
        free = self.strength[0] == 0
        free[self.features.size :] = False
        if free.any():
            strength, kind = self.strength, self.kind
            self.strength = _perturbed(free.astype(np.float64), np.random.default_rng(1), free.astype(np.float64))
            self.kind = np.where(free & (kind == _FREE), _PENALISED, kind).astype(np.intp)
            self.kind[~free] = _HIDDEN
            self.kind[self.features.size :] = _FREE
            self._set_out()
            if sum(vertices.size.size for vertices in self.at(np.zeros(1))) == 0:
                return False
            self.strength, self.kind = strength, kind
        self._set_out()
        return True

    def _set_out(self) -> None:
        """Set alpha to a value above the first knot: the largest slope relative to its strength."""
        dual = self.weight[1] * np.where(self.side > 0, self.upper, self.lower)
        basis, active = self.basis[: self.size], self.active[: self.size]
        dual[basis] = 0.0
        dual[basis] = -(dual @ self.rows[:, active]) @ self._inverted()
        slope, strength = np.abs(dual @ self.rows), self.strength[1]
        used = (strength > 0) & (self.kind != _HIDDEN)
        self.alpha = 2.0 * float((slope[used] / strength[used]).max(initial=0.0)) + np.finfo(np.float64).tiny

    def _inverted(self) -> Array:
        """The inverse of the basis; zeros where it is singular."""
        matrix = self.rows[np.ix_(self.basis[: self.size], self.active[: self.size])]
        inverse = inverted(matrix) if self.size else matrix
        return np.zeros_like(matrix) if inverse is None else inverse

    def at(self, alphas: Array) -> Iterator[Vertices]:
        """The vertices at falling alphas, in groups; fewer than `alphas` if the walk gets stuck."""
        first, number = 0, max(1, _ENTRIES // sum(self.rows.shape))
        while first < alphas.size:
            group = self._walk(alphas[first : first + number], False)
            yield group
            first += group.size.size
            if self.stuck:
                return

    def knots(self, end: float) -> Iterator[Vertices]:
        """The vertices of all alphas down to `end`, in groups; each `alpha` is the lowest one of its vertex."""
        while not self.stuck:
            yield self._walk(np.array([end]), True)
            if self.done:
                return

    done = False

    def _walk(self, alphas: Array, knots: bool) -> Vertices:
        """Bursts of exchanges, until a group of answers is full or complete."""
        n_rows, n_columns = self.rows.shape
        number = max(2, _ENTRIES // (n_rows + n_columns)) if knots else alphas.size
        coef, dual = np.zeros((number, n_columns)), np.zeros((number, n_rows))
        size, exchanges, read = np.zeros((3, number), dtype=np.intp)
        at = np.zeros(number) if knots else alphas
        found, before = 0, (self.n_exchanges, self.rows_read)
        while True:
            inverse = self._inverted()
            self.inverse[: self.size, : self.size] = inverse
            cost = (self.size + 1) * (n_rows + n_columns + 4 * self.size)
            most = int(np.clip(_BURST / cost, 1, _MOST))
            part = slice(found, None)
            why, count, self.size, self.alpha, n_exchanges, n_read = _parametric.parametric(
                self.rows,
                self.columns,
                self.y,
                self.weight,
                self.strength,
                self.lower,
                self.upper,
                self.kind,
                self.size,
                self.basis,
                self.active,
                self.sign,
                self.inverse,
                self.side,
                self.alpha,
                alphas if knots else alphas[part],
                at[part] if knots else None,
                coef[part],
                dual[part],
                size[part],
                exchanges[part],
                read[part],
                most,
            )
            exchanges[found : found + count] += self.n_exchanges
            read[found : found + count] += self.rows_read
            found += count
            self.n_exchanges += n_exchanges
            self.rows_read += n_read
            self.done = why == _ALL_SOLVED
            self.stuck = why == _NO_PIVOT or not np.isfinite(self.alpha)
            if self.done or self.stuck or why == _NO_ROOM:
                break
        group = slice(0, found)
        return Vertices(
            at[group],
            coef[group],
            dual[group],
            size[group],
            np.diff(exchanges[group], prepend=before[0]),
            np.diff(read[group], prepend=before[1]),
        )


def _perturbed(values: Array, rng: np.random.Generator, unit: Array) -> Array:
    """The values, and a second row in which they are perturbed."""
    return np.stack([values, values + _PERTURBED * unit * rng.uniform(0.5, 1.0, values.size)])


def follows_knots(problem: Problem, alphas: Array) -> bool:
    """Whether multiples of a penalty are worth solving by a walk from knot to knot."""
    penalty, loss = problem.penalty, problem.loss
    n_rows, n_columns = problem.n_samples, problem.n_features + problem.fit_intercept
    return bool(
        loss.is_piecewise_linear
        and not penalty.curved
        and np.any(penalty.bounds & np.isfinite(penalty.strength))
        and alphas.size
        and alphas[0] > 0
        and n_rows <= max(_ROWS, _ROWS_PER_COLUMN * n_columns)
        and n_rows * n_columns <= _TABLE
    )


def solve_along_knots(
    problems: Iterable[Problem],
    values: Array,
    settings: Settings,
    *,
    solve: Solver,
) -> Iterator[Solution]:
    """Solve multiples of a penalty by walking from knot to knot.

    Parameters
    ----------
    problems
        Problems that share design, target and weights, whose penalties are multiples of each other.
    values
        The multiples, which do not rise.
    settings
        Passed to `solve`.
    solve
        The solver for a problem on its own.

    Notes
    -----
    1. The walk gives a vertex and its dual for each alpha.
    2. The certificate takes several alphas in two products with the data. A vertex whose basic duals and other slopes
       are strictly inside their intervals is the only optimum.
    3. Others go to the canonical optimum of the face that their dual describes.
    4. What is not proved to rounding is solved on its own.
    """
    given = iter(problems)
    first = next(given)
    unit = first.with_penalty(first.penalty)
    last: Coefficients | None = None
    found = _proved_vertices(unit, values / values[0])
    for problem in chain([first], given):
        solution = next(found, None)
        if solution is not None and not (solution.unique and solution.relative_gap <= _PROVED):
            solution = _canonical(problem, solution)
        if solution is None or not solution.relative_gap <= _PROVED:
            solution = solve(problem, settings, last)
        last = solution.coefficients
        yield solution


def _canonical(problem: Problem, solution: Solution) -> Solution:
    """Step 3: the canonical optimum of the face that a vertex's dual describes; the vertex where that fails."""
    twin, units = scaled(problem)
    dual = solution.dual if not units.rows.size else solution.dual[units.rows]
    found = canonical_optimum(twin, dual * (units.unit / units.factor))
    if found is None:
        return solution
    coef, intercept = units.to_original(*found[:2])
    return certify(
        problem,
        np.maximum(coef, 0.0) if problem.penalty.positive else coef,
        intercept if problem.fit_intercept else 0.0,
        units.dual_to_original(found[2], problem.n_samples),
        n_iter=solution.n_iter,
        stopped=StopReason.EXACT,
        solver=_NAME,
        stats=solution.stats,
    )


def _proved_vertices(unit: Problem, alphas: Array) -> Iterator[Solution]:
    """Steps 1 and 2, for multiples of the penalty of `unit` above zero."""
    twin, units = scaled(unit)
    walk = Walk(twin)
    if walk.stuck:
        return
    for group in walk.at(alphas[alphas > 0]):
        yield from _proved(unit, twin, units, walk, group)


def _proved(unit: Problem, twin: Problem, units: Scaling, walk: Walk, group: Vertices) -> Iterator[Solution]:
    lower, upper = twin.loss.interval()
    n_features = walk.features.size
    width = AT_END * (upper - lower)
    inside = (group.dual < (upper - width) * twin.weight) & (group.dual > (lower + width) * twin.weight)
    np.clip(group.dual, lower * twin.weight, upper * twin.weight, out=group.dual)
    dual = group.dual * (units.factor / units.unit)
    if units.rows.size:
        full = np.zeros((dual.shape[0], unit.n_samples))
        full[:, units.rows] = dual
        dual = full
    coef = np.zeros((group.alphas.size, unit.n_features))
    scale = units.column_scale[walk.features] * units.unit
    coef[:, walk.features] = group.coef[:, :n_features] * scale
    if unit.penalty.positive:
        np.maximum(coef, 0.0, out=coef)
    intercept = np.zeros(group.alphas.size)
    if unit.fit_intercept:
        intercept = group.coef[:, -1] * units.unit + units.y_shift - coef @ units.column_shift
    used = np.flatnonzero(coef.any(axis=0))
    residual = unit.y - unit.design.matvec_of(used, np.ascontiguousarray(coef[:, used].T)).T - intercept[:, None]
    slope = unit.design.rmatvec(np.asfortranarray(dual.T)).T
    given = Answers(group.alphas, used, coef[:, used], residual, dual, slope, dual.sum(axis=1))
    found = proofs(unit, given)
    size = unit.penalty.excess(slope) if unit.penalty.positive else np.abs(slope)
    excluded = np.isinf(unit.penalty.strength)
    active = size >= np.multiply.outer((1 - AT_END) * group.alphas, np.where(excluded, 0.0, unit.penalty.strength))
    n_active = np.count_nonzero(active & ~excluded, axis=1) + unit.fit_intercept
    unique = (inside.sum(axis=1) == group.size) & (n_active == group.size)
    for k in range(group.alphas.size):
        yield Solution(
            coef=coef[k],
            intercept=float(intercept[k]),
            dual=dual[k],
            objective=float(found.objective[k]),
            gap=float(found.gap[k]),
            relative_gap=float(found.relative_gap[k]),
            unique=bool(unique[k]),
            n_iter=max(int(group.exchanges[k]), 1),
            stopped=StopReason.EXACT,
            solver=_NAME,
            stats={"n_exchanges": int(group.exchanges[k]), "rows_read": int(group.read[k])},
        )
