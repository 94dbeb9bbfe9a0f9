"""Alphas to choose from, the paths along them, and the choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ladreg._arrays import Array
from ladreg._estimators import CertifiedRegressor, check_count, check_real
from ladreg._paths import Path, Ranges, grid, solve_path
from ladreg._problem import Coefficients, Problem, Settings, Solver
from ladreg._solvers import largest_alpha
from ladreg._tolerances import ROUNDING_GAP
from ladreg._warn import warn_user

# More than 100 000 alphas are rejected as a mistake.
_MOST = 100_000


def check_number_of_alphas(values: Any) -> None:
    """Raise a ValueError if there are no alphas, or more than `_MOST`."""
    if np.ndim(values) == 0:
        check_count("alphas", values)
    number = int(values) if np.ndim(values) == 0 else len(values)
    if not 1 <= number <= _MOST:
        raise ValueError(f"alphas must be between 1 and {_MOST}, got {number} of them: each is a separate fit.")


def checked_alphas(values: Any) -> None:
    """Raise a ValueError unless `values` is a number of alphas, or alphas >= 0."""
    check_number_of_alphas(values)
    numbers = np.asarray(values)
    if numbers.ndim == 1 and numbers.dtype.kind in "iuf" and np.all((numbers >= 0) & np.isfinite(numbers)):
        return
    for k, alpha in enumerate(numbers.tolist() if numbers.ndim > 0 else ()):
        check_real(f"alphas[{k}]", alpha, low=0.0)


def check_single(name: str, value: Any) -> None:
    """Raise a ValueError if `value` is a list: its members have losses of their own, which are not comparable."""
    if np.ndim(value) > 0:
        raise ValueError(f"{name} must be one number here, got {value!r}: fit one model for each.")


def alpha_grid(
    problems: Sequence[Problem], alphas: Any, eps: float, largest_of: Callable[[Problem], float] = largest_alpha
) -> Array:
    """The given alphas, decreasing, or a grid of `alphas` numbers from the largest useful one to `eps` times it.

    Of several problems, those of several targets, the largest that is useful for one of them counts. `largest_of` finds
    it for a problem, where that is not the problem of all rows.
    """
    if np.ndim(alphas) > 0:
        return np.sort(np.asarray(alphas, dtype=np.float64))[::-1].copy()
    if any(one.penalty.curved and not np.any(one.penalty.strength > 0) for one in problems):
        raise ValueError(
            "with l1_ratio=0 there is no largest alpha at which a grid could start: pass alphas as a list."
        )
    return grid(problems, eps, int(alphas), largest_of)


@dataclass(frozen=True)
class Candidate:
    """A plain estimator, the problem it poses at alpha = 1, and the alphas to choose from.

    With `alphas="knots"` there is one alpha for each of the `ranges` in which no fit changes.
    """

    model: CertifiedRegressor
    problem: Problem
    alphas: Array
    ranges: Ranges | None = None

    def path(self, settings: Settings) -> Path:
        """The solutions for all alphas."""
        return solve_path(self.problem, self.alphas, settings) if self.ranges is None else self.ranges.solutions()

    def with_ranges(self, ranges: Ranges) -> Candidate:
        """The same with the alphas of these ranges."""
        return replace(self, alphas=ranges.alphas, ranges=ranges)

    def with_alphas(self, alphas: Array) -> Candidate:
        """The same with other alphas."""
        return replace(self, alphas=alphas)

    def with_path(self, path: Path) -> Candidate:
        """The same with the alphas of a path that has ended early, or the ranges between its knots."""
        return replace(self, alphas=path.alphas) if self.ranges is None else self.with_ranges(Ranges.between(path))


@dataclass(frozen=True)
class Choice:
    """The candidates, the indices of the best and of its alpha, its path, and the solver of the last fit.

    `final` are the coefficients after the refit to the selected features, where that is known.
    """

    candidates: list[Candidate]
    candidate: int
    alpha: int
    path: Path
    solver: Solver
    final: Coefficients | None = None


def check_not_empty(path: Path, most: int | None) -> None:
    """Raise a ValueError if a path has ended before its first solution, by a limit of features."""
    if path.alphas.size == 0:
        raise ValueError(
            f"max_features must be larger, got {most}: the fit at the largest alpha has more non-zero coefficients, "
            "for example unpenalised ones. Raise max_features, start with a larger alpha, or penalise more features."
        )


def together(rows: list[list[Path]], *, knots: bool) -> list[list[Path]]:
    """The paths of several targets, by target and candidate, those of a candidate ended where the first of them ends.

    Paths with a solution for each range between `knots` end at one alpha, others after one number of alphas.
    """
    columns = []
    for paths in zip(*rows, strict=True):
        if knots:
            end = max(float(path.alphas[-1]) for path in paths)
            columns.append([path.down_to(end) for path in paths])
        else:
            number = min(path.alphas.size for path in paths)
            columns.append([path.first(number) for path in paths])
    return [list(row) for row in zip(*columns, strict=True)]


def warn_of(path: Path, tol: float, parameter: str = "alpha") -> None:
    """Warn if the solver stopped before some gap met `tol`."""
    bad = path.relative_gap > max(tol, ROUNDING_GAP)
    bad &= np.array([not reason.good for reason in path.stopped])
    if not bad.any():
        return
    worst = int(np.argmax(np.where(bad, path.relative_gap, 0.0)))
    reason = path.stopped[worst].value
    warn_user(
        f"{int(bad.sum())} of {bad.size} fits along the path did not reach tol={tol:g}; the worst, at "
        f"{parameter}={path.alphas[worst]:.4g}, is proved to be within {path.relative_gap[worst]:.3g} of the optimum "
        f"(relative). {reason[0].upper()}{reason[1:]}, or raise eps.",
        ConvergenceWarning,
    )
