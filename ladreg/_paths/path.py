"""Sequences of problems that differ in the strength of their penalty, each started from the last solution; certified.

For the squared loss the sequence is solved as a whole (`solve_lasso_path`) and certified in few passes over the data;
for other losses one problem follows the other. Points that the certificate does not confirm are solved on their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array
from ladreg._certificate import Answers, proofs
from ladreg._least_squares import Centred, PathPoint, gathered, solve_lasso_path, works_in_gram
from ladreg._presolve import Moved, Scaling, as_proved, moved_to_origin, scaled
from ladreg._problem import Coefficients, Problem, Settings, Solution, Solver, StopReason
from ladreg._solvers import largest_alpha, solve, solve_alphas
from ladreg._tolerances import PROVED_GAP, ROUNDING_GAP, SUMMED

# Numbers in the residuals and slopes that are certified together, at most.
_ENTRIES = 1 << 22
# Numbers in the residuals of held-out rows that are computed together (2 MB): they stay in the cache.
_CACHED = 1 << 18
# A fit that misses its tolerance is far from proved above a relative gap of 1e-6: where the loss is curved, predictions
# are off by the square root of that times the typical residual.
_FAR = 1e-6


class Miss(NamedTuple):
    """A fit that is not proved: its relative gap, and why its solver stopped."""

    relative_gap: float
    stopped: StopReason


def far_from_proved(problem: Problem, fits: Iterable[tuple[float, float, StopReason]]) -> list[Miss]:
    """The fits, each a gap, a relative gap and a reason, whose solver did not stop well far from the optimum.

    A gap that is rounding beside the loss at rest, as where alpha is tiny and rows are fitted exactly, is not far.
    """
    bad = [one for one in fits if not (one[2].good or one[1] <= _FAR)]
    if not bad:
        return []
    at_rest = float(problem.weight @ problem.loss.value(problem.null_residual()))
    return [Miss(relative, stopped) for gap, relative, stopped in bad if not gap <= PROVED_GAP * at_rest]


@dataclass(frozen=True)
class Path:
    """The solution for each alpha: one column of `coef`, one entry of every other array.

    Attributes
    ----------
    alphas : ndarray of shape (n_alphas,)
        Decreasing.
    coef : ndarray of shape (n_features, n_alphas)
        Coefficients.
    intercept, objective, gap, relative_gap : ndarray of shape (n_alphas,)
        The rest of the solutions.
    n_iter : ndarray of shape (n_alphas,)
        Iterations.
    unique : ndarray of shape (n_alphas,)
        Whether each optimum was proved to be a single point.
    stopped : list of StopReason
        Why the solver stopped.
    stats : dict
        Counted work of a lasso path by working sets, as in `solve_lasso_path`.
    ends : ndarray of shape (n_alphas,) or None
        Where each solution is that of a whole range of alphas, the lower end of the range.
    kept : dict of int to Solution
        The solution with its dual for the alpha that `keep` of `solve_path` names, where alphas were solved together.
    """

    alphas: Array
    coef: Array
    intercept: Array
    objective: Array
    gap: Array
    relative_gap: Array
    n_iter: NDArray[np.intp]
    unique: NDArray[np.bool_]
    stopped: list[StopReason]
    stats: dict[str, int] = field(default_factory=dict)
    ends: Array | None = None
    kept: dict[int, Solution] = field(default_factory=dict)

    @classmethod
    def empty(cls, problem: Problem, alphas: Array) -> Path:
        """A path to be filled in."""
        size = alphas.size
        return cls(
            alphas=alphas,
            coef=np.zeros((problem.n_features, size), order="F"),
            intercept=np.zeros(size),
            objective=np.zeros(size),
            gap=np.zeros(size),
            relative_gap=np.zeros(size),
            n_iter=np.ones(size, dtype=np.intp),
            unique=np.zeros(size, dtype=bool),
            stopped=[StopReason.TOLERANCE] * size,
        )

    def first(self, number: int) -> Path:
        """The solutions for the first `number` alphas; the path itself if these are all."""
        if number == self.alphas.size:
            return self
        return replace(
            self,
            alphas=self.alphas[:number],
            coef=self.coef[:, :number],
            intercept=self.intercept[:number],
            objective=self.objective[:number],
            gap=self.gap[:number],
            relative_gap=self.relative_gap[:number],
            n_iter=self.n_iter[:number],
            unique=self.unique[:number],
            stopped=self.stopped[:number],
            ends=None if self.ends is None else self.ends[:number],
        )

    def down_to(self, end: float) -> Path:
        """The solutions for alphas from `end` on, where each alpha is the lower end of its solution's range."""
        found = self.first(min(int(np.count_nonzero(self.alphas > end)) + 1, self.alphas.size))
        return replace(found, alphas=np.maximum(found.alphas, end))

    def within(self, most: int | None) -> Path:
        """The solutions before the first one with more than `most` coefficients that are not zero."""
        if most is None:
            return self
        many = np.count_nonzero(self.coef, axis=0) > most
        return self.first(int(np.argmax(many)) if many.any() else many.size)

    def is_over(self, number: int, most: int | None) -> bool:
        """Whether one of the first `number` solutions has more than `most` coefficients that are not zero."""
        return most is not None and bool(np.any(np.count_nonzero(self.coef[:, :number], axis=0) > most))

    def misses(self, problem: Problem) -> list[Miss]:
        """The solutions that are far from proved."""
        return far_from_proved(problem, zip(self.gap.tolist(), self.relative_gap.tolist(), self.stopped, strict=True))

    def at(self, k: int) -> Coefficients:
        """The solution for one alpha."""
        return Coefficients(self.coef[:, k], float(self.intercept[k]))

    def fill(self, part: slice, other: Path) -> None:
        """Fill in the solutions of another path for some of the alphas."""
        self.coef[:, part], self.intercept[part] = other.coef, other.intercept
        self.objective[part], self.gap[part], self.relative_gap[part] = other.objective, other.gap, other.relative_gap
        self.n_iter[part], self.unique[part], self.stopped[part] = other.n_iter, other.unique, other.stopped

    def put(self, k: int, solution: Solution) -> None:
        """Fill in the solution for one alpha."""
        self.coef[:, k], self.intercept[k] = solution.coef, solution.intercept
        self.objective[k], self.gap[k] = solution.objective, solution.gap
        self.relative_gap[k], self.n_iter[k] = solution.relative_gap, solution.n_iter
        self.unique[k], self.stopped[k] = solution.unique, solution.stopped


Done = Callable[[Path, int], None]


def grid(
    problems: Sequence[Problem], eps: float, number: int, largest_of: Callable[[Problem], float] = largest_alpha
) -> Array:
    """`number` alphas from the largest useful one of some problem to `eps` times it, equally spaced in logarithms."""
    largest = max(largest_of(problem) for problem in problems)
    if largest <= 0:
        # Any alpha will do: scikit-learn's value, or 1 for losses whose linear program must tell alpha from zero.
        return np.full(number, 1.0 if problems[0].loss.has_kink else np.finfo(np.float64).resolution)
    return np.sort(np.geomspace(largest, largest * eps, number))[::-1].copy()


def solve_path(
    problem: Problem,
    alphas: Array,
    settings: Settings,
    most: int | None = None,
    done: Done | None = None,
    keep: int | None = None,
) -> Path:
    """Solve a problem for each alpha, a multiple of its penalty.

    Parameters
    ----------
    problem
        With the penalty at alpha = 1.
    alphas
        Decreasing and >= 0.
    settings
        For each alpha; for the squared loss `tol` is relative to each objective. Alphas are solved together unless
        `solver` asks for another than "auto".
    most
        The path ends before the first solution with more coefficients that are not zero.
    done
        Called with the path and the index of each of its solutions, once that one is proved.
    keep
        The index of the alpha whose solution, with its dual, is to be in `Path.kept`; not for the squared loss.
    """
    done = done or (lambda _path, _k: None)
    if problem.loss.is_square and (works_in_gram(problem, settings) or not problem.penalty.limited):
        return _solve_squares(problem, alphas, settings, most, done).within(most)
    return _solve_each(problem, alphas, settings, most, done, keep).within(most)


def _solve_each(
    problem: Problem, alphas: Array, settings: Settings, most: int | None, done: Done, keep: int | None
) -> Path:
    """One alpha after the other, to the first solution that `most` forbids."""
    path, square = Path.empty(problem, alphas), problem.loss.is_square
    together = None if square or settings.solver != "auto" else iter(solve_alphas(problem, alphas, settings))
    rounding = SUMMED * float(problem.weight @ problem.null_residual() ** 2) if square else 0.0
    for k in range(alphas.size):
        if together is None:
            _alone(problem, path, k, settings)
            goal = max(max(settings.tol, ROUNDING_GAP) * float(path.objective[k]), rounding)
            if square and path.stopped[k].good and not path.gap[k] <= goal:
                path.stopped[k] = StopReason.STALLED
        else:
            solution = as_proved(next(together), settings.tol)
            path.put(k, solution)
            if k == keep:
                path.kept[k] = solution
        done(path, k)
        if most is not None and np.count_nonzero(path.coef[:, k]) > most:
            break
    return path


def _solve_squares(problem: Problem, alphas: Array, settings: Settings, most: int | None, done: Done) -> Path:
    """The path of the squared loss, groups of alphas certified together, to a group that `most` forbids."""
    path = Path.empty(problem, alphas)
    tol, moved = max(settings.tol, ROUNDING_GAP), moved_to_origin(problem)
    if moved is not None:
        problem, done = moved.problem, _restoring(moved, done)
    twin, units = scaled(problem)
    points = solve_lasso_path(twin, alphas[alphas > 0], settings, stats=path.stats)
    width = max(1, _ENTRIES // (problem.n_samples + problem.n_features))
    with np.errstate(over="ignore"):  # an objective that overflows is an error where it is proved
        size = float(problem.weight @ (problem.y - problem.null_intercept()) ** 2)
    first = 0
    for group in batched(points, width, most):
        last = first + len(group)
        window = slice(first, last)
        _certify(problem, path, window, units, group)
        goal = np.maximum(tol * path.objective[window], SUMMED * size)
        good = np.array([point.stopped.good for point in group])
        for k in np.flatnonzero(~(good & (path.gap[window] <= goal))).tolist():
            # Relative to the lower bound of the optimum: the objective of a point far off is too large.
            bound = max(float(path.objective[first + k] - path.gap[first + k]), 0.0)
            share = max(tol * bound / size, SUMMED) if size > 0 else settings.tol
            at = first + k
            _alone(problem, path, at, replace(settings, tol=share), path.at(at))
        for k in range(first, last):
            done(path, k)
        first = last
        if path.is_over(last, most):
            return path
    for k in range(first, alphas.size):  # alpha = 0
        start = path.at(k - 1) if k > 0 else None
        _alone(problem, path, k, settings, start if start is None or moved is None else moved.start(start))
        done(path, k)
    return path


def _restoring(moved: Moved, done: Done) -> Done:
    """`done`, called once an intercept is that of the original; the square of its rounding is part of the gap."""

    def restored(path: Path, k: int) -> None:
        path.intercept[k], rounded = moved.intercept(path.coef[:, k], float(path.intercept[k]))
        cost = rounded**2 / 2
        path.objective[k] += cost
        path.gap[k] += cost
        path.relative_gap[k] += cost / path.objective[k] if cost > 0 else 0.0
        done(path, k)

    return restored


def drafted_path(
    problem: Problem,
    alphas: Array,
    columns: Centred,
    units: Scaling,
    settings: Settings,
    *,
    solve: Solver,
    most: int | None = None,
) -> Path:
    """A path of a squared loss without certificates: gaps are not computed. `columns` and `units` belong to its twin.

    `solve` solves the points at which the path did not stop well; the path ends as `solve_path` says of `most`.
    """
    path = Path.empty(problem, alphas)
    for values in (path.objective, path.gap, path.relative_gap):
        values[:] = np.nan
    penalised = alphas[alphas > 0]
    points = solve_lasso_path(columns.problem, penalised, settings, columns=columns)
    for k, point in enumerate(points):
        if not point.stopped.good:
            _alone(problem, path, k, settings, solve=solve)
        else:
            coef = np.zeros(problem.n_features)
            coef[point.features] = point.coef
            intercept = columns.intercept(coef) if problem.fit_intercept else 0.0
            coef, path.intercept[k] = units.to_original(coef, intercept)
            path.coef[:, k] = problem.penalty.within(coef) if problem.penalty.limited else coef
            path.n_iter[k], path.unique[k] = point.n_iter, bool(point.unique)
        if most is not None and np.count_nonzero(path.coef[:, k]) > most:
            return path.first(k)
    for k in range(penalised.size, alphas.size):  # alpha = 0
        _alone(problem, path, k, settings, solve=solve)
    return path.within(most)


def _alone(
    problem: Problem,
    path: Path,
    k: int,
    settings: Settings,
    start: Coefficients | None = None,
    solve: Solver = solve,
) -> None:
    """One alpha as a problem of its own, from `start` or the solution before it."""
    if start is None and k > 0:
        start = path.at(k - 1)
    single = problem.with_penalty(problem.penalty.times(path.alphas[k]))
    solution = solve(single, settings, start)
    path.put(k, solution if problem.loss.is_square else as_proved(solution, settings.tol))


def _certify(problem: Problem, path: Path, window: slice, units: Scaling, points: Sequence[PathPoint]) -> None:
    """Fill in the points of a squared loss, their units undone, proved on `problem` in two products with the data."""
    used, coefs = gathered(points)
    coefs *= units.column_scale[used, None] * units.unit
    residual = np.empty((len(points), problem.n_samples))
    np.subtract(problem.y, problem.design.matvec_of(used, coefs).T, out=residual)
    # The best intercepts, so that the duals need no correction for them; the second pass removes rounding of the first.
    for _ in range(2 if problem.fit_intercept else 0):
        rest = residual @ problem.weight
        residual -= rest[:, None]
        path.intercept[window] += rest
    dual = residual * problem.weight
    slope = problem.at_origin.design.rmatvec(dual.T).T
    intercept, total = path.intercept[window], dual.sum(axis=1)
    found = proofs(problem, Answers(path.alphas[window], used, coefs.T, intercept, residual, dual, slope, total))
    path.coef[used, window] = coefs
    if problem.penalty.limited:
        path.coef[:, window] = problem.penalty.within(path.coef[:, window].T).T
    path.objective[window], path.gap[window], path.relative_gap[window] = found.objective, found.gap, found.relative_gap
    path.n_iter[window] = [point.n_iter for point in points]
    path.unique[window] = [bool(point.unique) for point in points]
    path.stopped[window] = [point.stopped for point in points]


def losses_of(problem: Problem, coef: Array, intercept: Array) -> Array:
    """Weighted sums of losses, without penalty, of several fits, the columns of `coef` with their intercepts."""
    losses = np.empty(intercept.size)
    width = max(1, _CACHED // max(problem.n_samples, 1))
    for first in range(0, intercept.size, width):
        window = slice(first, first + width)
        residual = problem.y - problem.design.matvec(coef[:, window]).T - intercept[window, None]
        losses[window] = problem.loss.value(residual) @ problem.weight
    return losses


def batched(points: Iterable[PathPoint], size: int, most: int | None = None) -> Iterator[list[PathPoint]]:
    """Groups of `size` points; shorter are the last, and those that end with a point of more than `most` features."""
    group: list[PathPoint] = []
    for point in points:
        group.append(point)
        if len(group) == size or (most is not None and np.count_nonzero(point.coef) > most):
            yield group
            group = []
    if group:
        yield group
