"""Covariances of quantiles of rows in blocks: fits of the neighbouring quantiles, and then one pass of sums."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._certificate import tied_rows
from ladreg._design import as_design
from ladreg._estimators import LastStep, PosedBlocks
from ladreg._from_blocks import Question, Request, Survey, Units, judged, solve_blocks, together
from ladreg._inference.bandwidth import bandwidth
from ladreg._inference.covariance import (
    NEIGHBOUR_TOL,
    Covariance,
    check_gap,
    joint,
    solved_bread,
    symmetric,
    warn_of_crossing,
)
from ladreg._inference.density import least_difference, robust_density
from ladreg._inference.fit import check_columns, check_free, check_optimal, column_names, warn_of_fit
from ladreg._inference.regressors import Regressors
from ladreg._problem import Absolute, Certificate, Coefficients, ElasticNet, Loss, Pinball, Settings, Solution
from ladreg._row_blocks import Place, Rows, Summary, merged, picked, stacked


@dataclass(frozen=True)
class Triangle:
    """R with ``R'R`` the products of the columns of some rows; the sum of two is that of all rows."""

    root: Array

    def __add__(self, other: Triangle) -> Triangle:
        return Triangle(np.asarray(np.linalg.qr(np.vstack([self.root, other.root]), mode="r")))


@dataclass(frozen=True)
class BlockInference:
    """What `infer` reports of rows in blocks.

    Attributes
    ----------
    points, quantiles, certificates
        Coefficients, the intercept first, quantile and proof of each fit.
    losses, constants
        The mean pinball loss of each fit, and that of the best constant.
    covariance, names, features
        The covariance, the names of the coefficients, and the numbers of the features among them.
    size, df
        Number of rows, and degrees of freedom.
    """

    points: list[Array]
    quantiles: list[float]
    certificates: list[Certificate]
    losses: list[float]
    constants: list[float]
    covariance: Covariance
    names: list[str]
    features: Index
    size: float
    df: float


@dataclass(frozen=True)
class _Asked:
    """What the pass of sums needs: fits, the differences of their neighbours, and how weights count."""

    features: Index | None
    shift: Array
    scale: Array
    fit_intercept: bool
    loss: list[Loss]
    points: list[Coefficients]
    # Coefficients of the quantile above less those of the one below, twice its bandwidth apart.
    changes: list[Coefficients]
    widths: list[float]
    least: list[float]
    per_weight: float
    is_frequency: bool

    def regressors(self, rows: Rows) -> Regressors:
        """The columns of rows at unit scale."""
        near = as_design(rows.X).rescaled(self.shift, self.scale)
        return Regressors(near, self.shift, self.scale, self.fit_intercept)

    def differences(self, X: Any) -> list[Array]:
        """Predictions of the quantile above less those of the one below, for each fit."""
        design = as_design(X)
        return [design.matvec(change.coef) + change.intercept for change in self.changes]


def infer_blocks(posed: PosedBlocks, method: str, weights: str, rule: str | float) -> BlockInference:
    """The covariance of fits to rows in blocks, by the method "robust" or "iid"; see `ladreg.infer`."""
    given, seen, problems = posed.given, posed.given.seen, posed.problems
    is_frequency, intercept = weights == "frequency", problems[0].fit_intercept
    size = seen.mass if is_frequency else float(seen.n_rows)
    quantiles = [0.5 if isinstance(one.loss, Absolute) else one.loss.interval()[1] for one in problems]
    widths = [bandwidth(rule, size, quantile) for quantile in quantiles]
    finite = np.isfinite(problems[0].penalty.strength)
    features = np.flatnonzero(finite)
    free, none = ElasticNet(np.where(finite, 0.0, np.inf)), ElasticNet(np.full(finite.size, np.inf))
    neighbours = [
        Question(Pinball(quantile + side), free, intercept)
        for quantile, h in zip(quantiles, widths, strict=True)
        for side in (-h, h)
    ]
    constants = [Question(Pinball(quantile), none, True) for quantile in quantiles]
    settings = Settings(tol=NEIGHBOUR_TOL)
    others = [solve_blocks(question, settings, seen, given.n_held) for question in [*neighbours, *constants]]
    K = len(problems)
    found = together(given.passes, [*posed.fits(), *others])
    best, near, constant = found[:K], found[K : 3 * K], found[3 * K :]
    check_gap("a neighbouring quantile", max(one.relative_gap for one in near), NEIGHBOUR_TOL)
    checks = [
        judged(Question.like(problem), seen, point, solution)
        for problem, point, solution in zip(problems, posed.points, best, strict=True)
    ]
    asked = _asked(seen, posed, features, near, widths, is_frequency)
    *solutions, sums = together(given.passes, [*checks, _once(asked)])
    names = column_names(LastStep.of(posed.model).names, finite.size)
    kept = (["intercept"] if intercept else []) + [names[j] for j in features]
    _check(posed, solutions, kept, names, sums)
    covariance = _covariance(asked, sums, method, np.array(quantiles), size, seen.n_rows)
    half = [0.5 if isinstance(one.loss, Absolute) else 1.0 for one in problems]
    return BlockInference(
        points=[np.append(one.intercept, one.coef) if intercept else one.coef for one in asked.points],
        quantiles=quantiles,
        certificates=[solution.certificate for solution in solutions],
        losses=[part * one.objective for part, one in zip(half, solutions, strict=True)],
        constants=[one.objective for one in constant],
        covariance=covariance,
        names=kept,
        features=features,
        size=size,
        df=size - len(kept),
    )


def _asked(
    seen: Survey, posed: PosedBlocks, features: Index, near: list[Solution], widths: list[float], is_frequency: bool
) -> _Asked:
    """The task of the pass of sums."""
    kept = None if features.size == seen.n_features else features
    intercept = posed.problems[0].fit_intercept
    units = Units.of(seen, kept, 0.0, 1.0, intercept)
    changes = [
        Coefficients((above.coef - below.coef)[features], above.intercept - below.intercept)
        for below, above in zip(near[::2], near[1::2], strict=True)
    ]
    asked = _Asked(
        features=kept,
        shift=units.shift,
        scale=units.scale,
        fit_intercept=intercept,
        loss=[problem.loss for problem in posed.problems],
        points=[Coefficients(point.coef[features], point.intercept) for point in posed.points],
        changes=changes,
        widths=widths,
        least=[],
        per_weight=1.0 if is_frequency else seen.n_rows / seen.mass,
        is_frequency=is_frequency,
    )
    some = _chosen(seen.sample, kept).X[: seen.n_random]
    asked.least.extend(least_difference(difference) for difference in asked.differences(some))
    return asked


def _chosen(rows: Rows, features: Index | None) -> Rows:
    return rows if features is None else rows._replace(X=rows.X[:, features])


def _once(asked: _Asked) -> Generator[Request, Summary, Any]:
    """One pass of sums."""
    return (yield "spread", _sums, (asked,))


def _sums(place: Place, rows: Rows, asked: _Asked) -> Summary:  # noqa: ARG001
    """What a covariance needs of a tile: roots of products, differences, crossings, and distinct rows on the fit."""
    if rows.weight is not None:
        rows = picked(rows, np.flatnonzero(rows.weight > 0))
    if rows.y.size == 0:
        return Summary()
    rows = _chosen(rows, asked.features)
    regressors, weight = asked.regressors(rows), np.full(rows.y.size, asked.per_weight)
    if rows.weight is not None:
        weight *= rows.weight
    root = Triangle(regressors.root(weight))
    is_plain = asked.is_frequency or bool(np.all(weight == 1))
    found = Summary(sums={"weight": root, "square": root if is_plain else Triangle(regressors.root(weight * weight))})
    for k, difference in enumerate(asked.differences(rows.X)):
        density = robust_density(difference, asked.widths[k], asked.least[k])
        found.sums |= {
            f"bread {k}": Triangle(regressors.root(weight * density)),
            f"crossed {k}": int(np.count_nonzero(density == 0)),
            f"difference {k}": float(weight @ difference),
        }
        problem = Question(asked.loss[k], ElasticNet(np.zeros(asked.scale.size)), asked.fit_intercept).of(rows)
        tied = merged(picked(rows, tied_rows(problem, *asked.points[k])))
        # One row more than there are coefficients is enough for a warning.
        found.rows[f"tied {k} distinct"] = [picked(tied, np.arange(min(tied.y.size, regressors.size + 1)))]
    return found


def _check(posed: PosedBlocks, solutions: list[Solution], kept: list[str], names: list[str], sums: Summary) -> None:
    """Raise a ValueError where there are no standard errors, and warn where their theory does not hold."""
    for problem, solution in zip(posed.problems, solutions, strict=True):
        check_free(problem, solution, names)
        check_optimal(posed.model, problem, solution)
    check_columns(posed.given.seen.n_rows, kept, sums.sums["weight"].root)
    for k, solution in enumerate(solutions):
        n_distinct = merged(stacked(sums.rows[f"tied {k} distinct"])).y.size
        warn_of_fit(solution.unique, n_distinct, len(kept))


def _covariance(
    asked: _Asked, sums: Summary, method: str, quantiles: NDArray[np.float64], size: float, n_rows: int
) -> Covariance:
    """The joint covariance by the sums of all rows."""
    breads, crossed = [], []
    for k, h in enumerate(asked.widths):
        crossed.append(sums.sums[f"crossed {k}"])
        if method == "robust":
            breads.append(solved_bread(sums.sums[f"bread {k}"].root, crossed[-1], n_rows))
            continue
        sparsity = sums.sums[f"difference {k}"] / size / (2 * h)
        density = 1.0 / sparsity if sparsity > 0 else 0.0
        breads.append(solved_bread(np.sqrt(density) * sums.sums["weight"].root, 0 if density else n_rows, n_rows))
    counts = np.array(crossed, dtype=np.intp)
    if method == "robust":
        warn_of_crossing(counts, n_rows)
    cov = joint(sums.sums["square"].root, breads, quantiles)
    transform = Regressors.transform(asked.shift, asked.scale, asked.fit_intercept)
    return Covariance(
        symmetric(transform, cov, len(breads)), np.array(asked.widths), counts if method == "robust" else None
    )
