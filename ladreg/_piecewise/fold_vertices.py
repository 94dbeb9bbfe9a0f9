"""The solutions of a cross-validation's folds along a path, from those of all rows.

A fold leaves out few rows, so that its solution at each alpha is near that of all rows: most residuals keep their sign.
The other rows form a small program for each fold, next to its optimum (as in Portnoy and Koenker 1997, doi
10.1214/ss/1030037960, where a sample tells the signs). What each fold adds up over the rows with a known sign changes
from alpha to alpha by the rows that change sides, so that X is read once for all folds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index, inverted
from ladreg._kernels import _line_search, _simplex
from ladreg._piecewise.solution_process import is_followed
from ladreg._piecewise.tuning import PiecewiseTuning
from ladreg._piecewise.warm_simplex import newton
from ladreg._presolve import scaled
from ladreg._problem import Coefficients, ElasticNet, Problem, Settings
from ladreg._tolerances import AT_END, EPS, VERTEX

# Numbers in the residuals that are computed together (8 MB), and in the rows that are copied together (1 MB).
_ENTRIES, _COPIED = 1 << 20, 1 << 17
# Numbers in the weights of the rows in each fold, at most (128 MB).
_WEIGHTS = 1 << 24
# A fold is near all rows if it leaves out at most 40 % of their weight.
_LEFT_OUT = 0.4
# Sums are made anew, a few rows at a time, where more than an eighth of the rows changed sides: these are copied.
_TURNED = 1 / 8
# A radius that was too small becomes at most four times as large: a vertex of too few rows may be anywhere.
_WIDER = 4.0
# Lengths are exact to more than 1 %: matrices with a condition number above 1e10 are refused.
_LENGTH = 1.01


@dataclass(frozen=True)
class FoldSolutions:
    """The solutions of some folds at some alphas, where they are `proved` to be the only optima.

    Attributes
    ----------
    coef : ndarray of shape (n_folds, n_alphas, n_features)
        Coefficients.
    intercept, proved : ndarray of shape (n_folds, n_alphas)
        Intercepts, and whether the solution is proved.
    rows_read : int
        How many rows were read one by one; all rows are read once more for each alpha, by products of matrices.
    """

    coef: Array
    intercept: Array
    proved: NDArray[np.bool_]
    rows_read: int

    @classmethod
    def none(cls, n_folds: int, n_alphas: int, n_features: int) -> FoldSolutions:
        """Nothing is proved."""
        shape = n_folds, n_alphas, n_features
        return cls(np.zeros(shape), np.zeros(shape[:2]), np.zeros(shape[:2], dtype=bool), 0)


def shares_rows(problem: Problem, n_folds: int, settings: Settings) -> bool:
    """Whether the folds of a problem are worth solving from the solutions of all rows."""
    return (n_folds + 1) * problem.n_samples <= _WEIGHTS and is_followed(
        scaled(problem)[0], settings.tuned(PiecewiseTuning)
    )


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite is not proved
def solve_folds(
    problem: Problem, alphas: Array, coef: Array, intercept: Array, folds: Sequence[Index], settings: Settings
) -> FoldSolutions:
    """Solve each fold at each alpha, from the solutions of all rows.

    Parameters
    ----------
    problem
        All rows, with the penalty at alpha = 1.
    alphas
        Decreasing.
    coef, intercept
        The solutions of all rows, of shape (n_features, n_alphas) and (n_alphas,). They are places to start from.
    folds
        The training rows of each fold; a row may be there several times.
    settings
        How many rows are tried.

    Notes
    -----
    1. Residuals of all rows at the solution b for all rows. Rows that changed sides since the alpha before change the
       sum of ``weight * x`` over the rows below the fit, one sum for each fold.
    2. A fold's solution is predicted as far from b as it was at the alpha before, and a Newton step from there. Rows
       that may change sides on the way are near: with the length ``|x|_S``, where ``x'd <= |x|_S |d|`` for the norm
       ``|d|^2 = d'S d`` and ``S = X'WX``, a row is far if its residual exceeds ``|x|_S`` times a radius.
    3. The near rows nearest to the prediction are solved with all other rows held on their side, all folds in one call.
    4. A vertex is the only optimum if its basic duals are strictly inside their intervals, no near row is on another
       side than it was held on, and its distance from b is within the radius, so that no far row is either.
    """
    near, counts = _near(problem, folds)
    solutions = FoldSolutions.none(len(folds), alphas.size, problem.n_features)
    if not near:
        return solutions
    shared = _Folds(problem, counts, settings.tuned(PiecewiseTuning))
    solutions.coef[near], solutions.intercept[near], solutions.proved[near] = shared.solved(alphas, coef, intercept)
    return replace(solutions, rows_read=shared.rows_read)


@np.errstate(over="ignore", invalid="ignore", divide="ignore")  # what is not finite is not proved
def follow_folds(
    problem: Problem,
    alphas: Array,
    folds: Sequence[Index],
    settings: Settings,
    first: Coefficients,
) -> tuple[FoldSolutions, FoldSolutions]:
    """`solve_folds` together with the solutions of all rows, which are one more fold.

    A Newton step of all rows from their last solution predicts the next one, and residuals are those at the prediction,
    so that X is read once for each alpha.

    Parameters
    ----------
    problem, alphas, folds, settings
        As for `solve_folds`.
    first
        The solution of all rows at the first alpha.

    Returns
    -------
    tuple of FoldSolutions
        The solutions of the folds, and those of all rows, up to the alpha before the first one at which those of all
        rows are not proved.
    """
    near, counts = _near(problem, folds)
    every = np.ones(problem.n_samples, dtype=np.uint8)
    shared = _Folds(problem, [*counts, every], settings.tuned(PiecewiseTuning))
    coef, intercept, proved = shared.followed(alphas if near else alphas[:0], first)
    solutions = FoldSolutions.none(len(folds), proved.shape[1], problem.n_features)
    solutions.coef[near], solutions.intercept[near], solutions.proved[near] = coef[:-1], intercept[:-1], proved[:-1]
    whole = FoldSolutions(coef[-1:], intercept[-1:], proved[-1:], 0)
    return replace(solutions, rows_read=shared.rows_read), whole


def _near(problem: Problem, folds: Sequence[Index]) -> tuple[list[int], list[NDArray[np.unsignedinteger]]]:
    """The folds that are near all rows, and how often each row is in them."""
    counts = [_counts(rows, problem.n_samples) for rows in folds]
    least = (1 - _LEFT_OUT) * float(problem.weight.sum())
    near = [k for k, count in enumerate(counts) if float(problem.weight @ (count > 0)) >= least]
    return near, [counts[k] for k in near]


def _counts(rows: Index, n_samples: int) -> NDArray[np.unsignedinteger]:
    """How often each row is there, in a byte each where that is enough."""
    found = np.bincount(rows, minlength=n_samples)
    return found.astype(np.min_scalar_type(int(found.max(initial=0))))


class _Folds:
    """What all alphas share, and what is known at the last one."""

    def __init__(
        self, problem: Problem, counts: Sequence[NDArray[np.unsignedinteger]], tuning: PiecewiseTuning
    ) -> None:
        twin, self.units = scaled(problem)
        self.problem, self.twin, self.tuning = problem, twin, tuning
        self.lower, self.upper = twin.loss.interval()
        n, self.q = twin.n_samples, twin.n_features + twin.fit_intercept
        self.weight = np.empty((n, len(counts)))
        for fold, count in enumerate(counts):
            held = count if self.units.rows.size == 0 else count[self.units.rows]
            np.multiply(held, twin.weight, out=self.weight[:, fold])
        self.weight /= self.weight.sum(axis=0)
        self.mass = self._sums(np.ones(n, dtype=bool))
        self.above, self.below, self.rows_read = np.zeros(n, dtype=bool), self.mass, 0
        self.near, self.turned = np.empty((2, n), dtype=np.intp)
        self.radius, self.length = 0.0, np.zeros(0)
        # Where residuals were computed last for `followed`, and the Hessian there.
        self.reference, self.hessian = np.zeros(self.q), np.zeros((self.q, self.q))
        self.offset = np.zeros((len(counts), self.q))
        self.root: Array | None = None
        if is_followed(twin, tuning):
            self._measure()

    def _measure(self) -> None:
        """``|x|_S`` of each row, and the Cholesky factor of S, if that is regular: without it nothing is solved."""
        S = np.zeros((self.q, self.q))
        for part, A in self._parts():
            S += (A * self.twin.weight[part, None]).T @ A
        try:
            root = np.asarray(np.linalg.cholesky(S), dtype=np.float64)
        except np.linalg.LinAlgError:
            return
        inverse = inverted(root)
        if inverse is None:
            return
        self.root = root
        square = [np.einsum("ij,ij->i", Z, Z) for Z in (A @ inverse.T for _, A in self._parts())]
        self.length = _LENGTH * np.sqrt(np.concatenate(square))

    def _parts(self) -> Iterator[tuple[slice, Array]]:
        """All rows, a few at a time, with their places."""
        n = self.twin.n_samples
        for begin, end in pairwise([*range(0, n, max(_COPIED // self.q, 1)), n]):
            yield slice(begin, end), self.twin.design.rows(np.arange(begin, end), border=self.twin.fit_intercept)

    def _sums(self, rows: NDArray[np.bool_]) -> Array:
        """The sum of ``weight * x`` over some rows, for each fold."""
        sums = np.zeros((self.weight.shape[1], self.q))
        for part, A in self._parts():
            sums += (self.weight[part] * rows[part, None]).T @ A
        return sums

    def solved(self, alphas: Array, coef: Array, intercept: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Coefficients, intercepts, and whether they are proved, up to an alpha where too many are not."""
        points, strength = self._points(coef, intercept), self._strength()
        found = np.zeros((self.weight.shape[1], alphas.size, self.q))
        proved, failures = np.zeros(found.shape[:2], dtype=bool), 0
        width = max(_ENTRIES // self.twin.n_samples, 1)
        for k in range(alphas.size if self.root is not None else 0):
            if k % width == 0:
                residuals = self._residuals(points[k : k + width])
            found[:, k], proved[:, k] = self._at(points[k], alphas[k] * strength, residuals[k % width], first=k == 0)
            failures = 0 if proved[:, k].any() else failures + 1
            if failures > self.tuning.patience:
                break
        return self._in_units(found, proved)

    def followed(self, alphas: Array, first: Coefficients) -> tuple[Array, Array, NDArray[np.bool_]]:
        """`solved` where the last fold is all rows, from its own solutions, which are proved after the first one."""
        strength, found = self._strength(), np.zeros((self.weight.shape[1], alphas.size, self.q))
        proved, k = np.zeros(found.shape[:2], dtype=bool), 0
        last = self._points(first.coef[:, None], np.array([first.intercept]))[0]
        while k < alphas.size and self.root is not None:
            now = alphas[k] * strength
            if k == 0:
                self.reference = last
                found[:, k], proved[:, k] = self._at(last, now, self._residual(last), first=True)
                found[-1, k] = last
            else:
                found[:, k], proved[:, k] = self._near_prediction(self._predicted(last, now), now)
                if not proved[-1, k]:
                    break
            # Folds are predicted from the solution of all rows, and not from where that was predicted.
            last = found[-1, k]
            self.offset -= last - self.reference
            k += 1
        return self._in_units(found[:, :k], proved[:, :k])

    def _near_prediction(self, point: Array, strength: Array) -> tuple[Array, NDArray[np.bool_]]:
        """`_at` from a prediction, and again from where all rows come to, until everything is proved."""
        predicted = point
        for left in reversed(range(1 + self.tuning.tries)):
            self.reference, before = point, self.offset
            found, proved = self._at(point, strength, self._residual(point), tries=1 if left else 0)
            if proved.all() or not left:
                break
            if float(self._distance(found[-1:] - point)[0]) <= self.radius:
                point, self.offset = found[-1].copy(), found - found[-1]
            else:  # the vertex of the wrong rows
                point, self.offset = self._predicted(point, strength), before
        if proved.any():
            self.radius = 1.4 * float(self._distance(found[proved] - predicted).max())
        return found, proved

    def _predicted(self, last: Array, strength: Array) -> Array:
        """A Newton step of all rows from their last solution, with the Hessian at the point of the last residuals."""
        descent = self.upper * self.mass[-1] - (self.upper - self.lower) * self.below[-1]
        descent -= self.hessian @ (last - self.reference)
        return last + newton(self.hessian, -descent, last, ElasticNet(strength, positive=False))

    def _strength(self) -> Array:
        """The strength of the penalty at alpha = 1 and at unit scale, zero for the intercept."""
        penalty = self.problem.penalty.rescaled(self.units.column_scale * self.units.unit, self.units.factor)
        strength = np.zeros(self.q)
        strength[: penalty.strength.size] = penalty.strength
        return strength

    def _points(self, coef: Array, intercept: Array) -> Array:
        """Solutions of all rows at unit scale, in rows."""
        parts = [self.units.to_scaled(coef[:, k], float(intercept[k])) for k in range(intercept.size)]
        table = np.array([np.append(part.coef, part.intercept) for part in parts]).reshape(len(parts), -1)
        return np.ascontiguousarray(table[:, : self.q])

    def _residual(self, point: Array) -> Array:
        p = self.twin.n_features
        residual = self.twin.design.matvec(point[:p])
        np.subtract(self.twin.y, residual, out=residual)
        residual -= point[p:].sum()
        return residual

    def _residuals(self, points: Array) -> Array:
        p = self.twin.n_features
        residuals = np.ascontiguousarray(self.twin.design.matvec(np.ascontiguousarray(points[:, :p].T)).T)
        np.subtract(self.twin.y, residuals, out=residuals)
        if self.twin.fit_intercept:
            residuals -= points[:, -1:]
        return residuals

    def _in_units(self, found: Array, proved: NDArray[np.bool_]) -> tuple[Array, Array, NDArray[np.bool_]]:
        p, units = self.twin.n_features, self.units
        coef, intercept = found[:, :, :p] * (units.column_scale * units.unit), np.zeros(proved.shape)
        if self.twin.fit_intercept:
            intercept = found[:, :, -1] * units.unit + units.y_shift - coef @ units.column_shift
        return coef, intercept, proved & np.isfinite(coef).all(axis=2) & np.isfinite(intercept)

    def _at(
        self, point: Array, strength: Array, residual: Array, *, first: bool = False, tries: int = 0
    ) -> tuple[Array, NDArray[np.bool_]]:
        """The solutions at one alpha, and whether they are proved; `tries` radii are tried, the usual number if 0."""
        # 1.
        if first:
            self.radius = self._radius_of(residual, self.tuning.window_per_column * self.q)
        n_near, n_turned = self._sides(residual)
        turned = self.turned[:n_turned]
        self.above[turned] ^= True
        if first or n_turned > _TURNED * residual.size:
            self.below = self._sums(~self.above)
        else:
            change = np.where(self.above[turned], -1.0, 1.0)
            self.below = self.below + (self.weight[turned] * change[:, None]).T @ self._rows(turned)
        # 2.
        for _ in range(tries or self.tuning.tries):
            found = point + self.offset
            proved, distance = self._near_vertices(self.near[:n_near], point, strength, residual, found)
            proved &= distance <= self.radius
            farthest = float(distance.max())
            if proved.all() or not farthest > self.radius or n_near > self.twin.n_samples // 2:
                break
            self.radius *= min(1.5 * farthest / max(self.radius, VERTEX), _WIDER)
            n_near, _ = self._sides(residual)
        if proved.any():
            self.radius = 1.4 * float(distance[proved].max())
        self.offset = np.where(np.isfinite(distance)[:, None], found - point, 0.0)
        return found, proved

    def _rows(self, rows: Index) -> Array:
        self.rows_read += rows.size
        return self.twin.design.rows(rows, border=self.twin.fit_intercept)

    def _radius_of(self, residual: Array, number: int) -> float:
        """The radius within which `number` rows are near, or half of them."""
        number = min(number, residual.size // 2)
        return float(np.partition(np.abs(residual) / self.length, number)[number])

    def _sides(self, residual: Array) -> tuple[int, int]:
        """List near rows, `fold_rows` per column at least, and rows that have changed sides; their numbers."""
        given = self.above, self.near, self.turned
        n_near, n_turned = _line_search.sides(residual, self.length, self.radius, *given)
        least = min(self.tuning.fold_rows * self.q, residual.size // 2)
        if n_near < least:
            self.radius = self._radius_of(residual, least)
            n_near, _ = _line_search.sides(residual, self.length, self.radius, *given)
        return n_near, n_turned

    def _near_vertices(
        self, near: Index, point: Array, strength: Array, residual: Array, found: Array
    ) -> tuple[NDArray[np.bool_], Array]:
        """Steps 3 and 4 from the rows of `found`, which are updated; what is proved, and distances from b.

        The Hessian is that of all rows, from the density of residuals at zero.
        """
        span, tuning = self.upper - self.lower, self.tuning
        A, exchanges = self._rows(near), np.empty(found.shape[0], dtype=np.intp)
        step = max(near.size // (tuning.window_per_column * self.q), 1)
        some, part = near[::step], A[::step]
        density = self.twin.weight[some] * (span * step / (2 * max(self.radius, VERTEX))) / self.length[some]
        self.hessian = (part * density[:, None]).T @ part
        _simplex.near_vertices(
            A,
            self.twin.y[near],
            residual[near],
            self.weight[near],
            point,
            strength,
            self.hessian,
            self.upper * self.mass - span * self.below,
            self.lower,
            self.upper,
            found,
            exchanges,
            tuning.fold_rows * self.q,
            min(tuning.descent_steps, 1),
            max(tuning.fold_rows // 2, 1),
            tuning.exchanges * (self.q + 1),
            AT_END,
            VERTEX,
            # A dual is what balances sums of as many terms as rows, whose weights have the sum one.
            EPS * self.twin.n_samples * span,
        )
        return exchanges >= 0, self._distance(found - point)

    def _distance(self, steps: Array) -> Array:
        """``|d|`` of each fold's step."""
        assert self.root is not None
        return np.asarray(np.linalg.norm(steps @ self.root, axis=1))
