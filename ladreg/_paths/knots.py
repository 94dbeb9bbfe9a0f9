"""Paths of piecewise linear losses for every alpha at once: the ranges of alpha between their knots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._paths.path import Path
from ladreg._piecewise import is_worth_copying
from ladreg._presolve import as_proved
from ladreg._problem import Problem, Settings, Solution
from ladreg._solvers import largest_alpha, solve_knots, solve_quantile_knots
from ladreg._tolerances import SAME_KNOT

# Coefficients of a path have at most 2^27 numbers, 1 GiB; so has each of the two dense copies of X that a walk makes.
_NUMBERS = 1 << 27
# Dense copies of a sparse X have at most 2^24 numbers (128 MB), or few for each value that it stores.
_SPARSE = 1 << 24


@dataclass(frozen=True)
class Ranges:
    """Ranges of alpha in which neither a path nor any of several others has a knot.

    Attributes
    ----------
    path : Path
        All solutions of the path, as `path_of_knots` gives them.
    ends : ndarray of shape (n_ranges,)
        The lower ends of the ranges, decreasing. The first range has no upper end; each of the others begins where the
        one before ends.
    alphas : ndarray of shape (n_ranges,)
        An alpha in each: the geometric mean of its ends, and twice its lower end for the first.
    """

    path: Path
    ends: Array
    alphas: Array

    @classmethod
    def between(cls, path: Path, others: Sequence[Array] = ()) -> Ranges:
        """The ranges between the knots of a path and those of others; knots that differ by rounding are one."""
        ends = np.unique(np.concatenate([path.alphas, *others]))
        ends = ends[np.append(True, ends[1:] > ends[:-1] * (1.0 + SAME_KNOT))][::-1].copy()
        _check_size(path.coef.shape[0], ends.size)
        root = np.sqrt(ends)
        return cls(path, ends, np.append(2.0 * ends[0], root[:-1] * root[1:]))

    @classmethod
    def common(cls, paths: Sequence[Path], others: Sequence[Array] = ()) -> list[Ranges]:
        """For each of several paths its ranges, which are those between the knots of all of them and of others."""
        knots = [path.alphas for path in paths] if len(paths) > 1 else []
        return [cls.between(path, [*knots, *others]) for path in paths]

    def of(self, knots: Array) -> Index:
        """For each range the place of the solution of one of the paths, whose knots are given."""
        return np.searchsorted(-knots, -self.alphas)

    def solutions(self) -> Path:
        """The solution of the path for each range."""
        place, found = self.of(self.path.alphas), self.path
        return Path(
            alphas=self.alphas,
            coef=found.coef[:, place],
            intercept=found.intercept[place],
            objective=found.objective[place],
            gap=found.gap[place],
            relative_gap=found.relative_gap[place],
            n_iter=found.n_iter[place],
            unique=found.unique[place],
            stopped=[found.stopped[k] for k in place.tolist()],
            ends=self.ends,
        )


def _check_size(n_features: int, number: int) -> None:
    """Raise a ValueError if the coefficients of `number` solutions would not fit in memory."""
    if n_features * number > _NUMBERS:
        raise ValueError(
            f"the path has {number} or more ranges between knots, and their coefficients are more than {_NUMBERS} "
            "numbers (1 GiB): raise eps, or pass a number of alphas."
        )


def _check_table(problem: Problem) -> None:
    """Raise a ValueError where dense copies of X would not fit in memory, or the penalty has other kinks than zero."""
    if not problem.penalty.is_plain:
        raise ValueError(
            "knots are available only for a pure L1 penalty, with bounds of zero and infinity: for other bounds, or "
            "with an L2 term in the penalty, pass a number of alphas, or a list of quantiles."
        )
    n_features = int(np.count_nonzero(np.isfinite(problem.penalty.strength)))
    if problem.n_samples * n_features > _NUMBERS:
        raise ValueError(
            f"knots need two dense copies of X, and {problem.n_samples} rows by {n_features} columns are more than "
            f"{_NUMBERS} entries (1 GiB) each: pass a number of alphas, or a list of quantiles."
        )
    if not is_worth_copying(problem.design, _SPARSE):
        raise ValueError(
            f"knots need two dense copies of X, which would be far larger than a sparse X of {problem.n_samples} "
            f"rows by {n_features} columns with {problem.design.n_stored} stored values: pass a number of alphas, or "
            "a list of quantiles."
        )


def last_alpha(problems: Sequence[Problem], eps: float) -> float:
    """Where paths between knots end: `eps` times the largest useful alpha of some problem; 1 where there is none.

    A table that is too large for these paths is a ValueError.
    """
    for problem in problems:
        _check_table(problem)
    return eps * max(largest_alpha(problem) for problem in problems) or 1.0


def path_of_knots(problem: Problem, end: float, settings: Settings, most: int | None = None) -> Path:
    """All solutions of a path with a piecewise linear loss, down to the alpha `end`.

    Each alpha is the lowest one of its solution's range; each gap is proved for the whole range. The path ends before
    the first solution with more than `most` coefficients that are not zero.
    """
    return _gathered(problem, solve_knots(problem, end, settings), settings, most)


def path_of_quantiles(problem: Problem, high: float, settings: Settings) -> Path:
    """All solutions from the quantile of the problem's loss up to `high`; the path's alphas are quantiles, and rise.

    Each quantile is the highest one of its solution's range; each gap is proved for the whole range.
    """
    _check_table(problem)
    path = _gathered(problem, solve_quantile_knots(problem, high, settings), settings)
    path.alphas[-1] = high
    return path


def _gathered(
    problem: Problem, knots: Iterator[tuple[float, Solution]], settings: Settings, most: int | None = None
) -> Path:
    """The solutions of all ranges between knots, each proved in the middle of its range."""
    ends, solutions = [], []
    for end, solution in knots:
        if most is not None and np.count_nonzero(solution.coef) > most:
            break
        ends.append(end)
        solutions.append(replace(solution, dual=solution.dual[:0]))
        _check_size(problem.n_features, len(ends))
    path = Path.empty(problem, np.array(ends))
    for k, solution in enumerate(solutions):
        path.put(k, as_proved(solution, settings.tol))
    path.gap[:] *= 2.0  # a gap that is linear over the range is at least half its largest in the middle
    path.relative_gap[:] *= 2.0
    return path
