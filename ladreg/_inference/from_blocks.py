"""Covariances of quantiles of rows in blocks: neighbouring quantiles or scales of kernels, then one pass of sums."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array, Index
from ladreg._estimators import LastStep, PosedBlocks
from ladreg._from_blocks import Distance, Question, Request, Survey, Units, judged, selected, solve_blocks, together
from ladreg._inference.bandwidth import bandwidth
from ladreg._inference.block_sums import Asked, Density, chosen, group_sums, once
from ladreg._inference.covariance import (
    NEIGHBOUR_TOL,
    Covariance,
    check_gap,
    joint,
    of_groups,
    solved_bread,
    symmetric,
    warn_of_crossing,
)
from ladreg._inference.density import (
    equal_density,
    gaussian_scale,
    least_difference,
    normal_width,
    weighted_median,
    weighted_quantile,
)
from ladreg._inference.fit import check_columns, check_free, check_groups, check_optimal, column_names, warn_of_fit
from ladreg._inference.regressors import Regressors
from ladreg._problem import Absolute, Certificate, Coefficients, ElasticNet, Pinball, Settings, Solution
from ladreg._row_blocks import Place, Rows, Summary, merged, stacked


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
    size, df, n_groups
        Number of rows, degrees of freedom, and number of groups.
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
    n_groups: int | None


@dataclass(frozen=True)
class BlockMethod:
    """How `infer` is asked for a covariance: its parameters, with the column of the groups, if there are any."""

    method: str
    weights: str
    bandwidth: str | float
    kernel: str
    group: int | None


def column_number(column: str | int, n_features: int, names: list[str] | None) -> int:
    """The number of a column of X that groups are in, given its name or number; a ValueError where there is none."""
    if isinstance(column, str):
        if names is None or column not in names:
            raise ValueError(f"groups={column!r} is not a column of X.")
        return names.index(column)
    if not 0 <= column < n_features:
        raise ValueError(f"groups={column!r} is not a column of X, which has {n_features}.")
    return int(column)


def infer_blocks(posed: PosedBlocks, how: BlockMethod) -> BlockInference:
    """The covariance of fits to rows in blocks, by the method "robust", "kernel" or "iid"; see `ladreg.infer`."""
    given, seen, problems = posed.given, posed.given.seen, posed.problems
    is_frequency, intercept = how.weights == "frequency", problems[0].fit_intercept
    size = seen.mass if is_frequency else float(seen.n_rows)
    quantiles = [0.5 if isinstance(one.loss, Absolute) else one.loss.interval()[1] for one in problems]
    widths = [bandwidth(how.bandwidth, size, quantile) for quantile in quantiles]
    finite = np.isfinite(problems[0].penalty.strength)
    features, K = np.flatnonzero(finite), len(problems)
    none = ElasticNet(np.full(finite.size, np.inf))
    neighbours = [] if how.method == "kernel" else _neighbours(posed, quantiles, widths)
    questions = [*neighbours, *(Question(Pinball(quantile), none, True) for quantile in quantiles)]
    settings = Settings(tol=NEIGHBOUR_TOL)
    others = [solve_blocks(question, settings, seen, given.n_held) for question in questions]
    found = together(given.passes, [*posed.fits(), *others])
    best, near, constant = found[:K], found[K:-K], found[-K:]
    check_gap("a neighbouring quantile", max((one.relative_gap for one in near), default=0.0), NEIGHBOUR_TOL)
    checks: list[Any] = [
        judged(Question.like(problem), seen, point, solution)
        for problem, point, solution in zip(problems, posed.points, best, strict=True)
    ]
    asked = _asked(posed, features, how, quantiles)
    if how.method == "kernel":
        scales = [_scale(seen, asked, k, how.kernel, given.n_held) for k in range(K)]
        *solutions, scaled = _split(together(given.passes, [*checks, *scales]), K)
        asked.densities.extend(
            Density(h, kernel=how.kernel, scale=c * normal_width(quantile, h))
            for c, quantile, h in zip(scaled, quantiles, widths, strict=True)
        )
        sums = together(given.passes, [once(asked)])[0]
    else:
        asked.densities.extend(_densities(seen, features, near, widths))
        *solutions, sums = together(given.passes, [*checks, once(asked)])
    names = column_names(LastStep.of(posed.model).names, finite.size)
    kept = (["intercept"] if intercept else []) + [names[j] for j in features]
    _check(posed, solutions, kept, names, sums)
    n_groups = None if how.group is None else int(sums.sums["groups"].groups.size)
    if n_groups is not None:
        check_groups(n_groups)
    half = [0.5 if isinstance(one.loss, Absolute) else 1.0 for one in problems]
    return BlockInference(
        points=[np.append(one.intercept, one.coef) if intercept else one.coef for one in asked.points],
        quantiles=quantiles,
        certificates=[solution.certificate for solution in solutions],
        losses=[part * one.objective for part, one in zip(half, solutions, strict=True)],
        constants=[one.objective for one in constant],
        covariance=_covariance(asked, sums, how.method, size, seen.n_rows),
        names=kept,
        features=features,
        size=size,
        df=size - len(kept) if n_groups is None else float(n_groups - 1),
        n_groups=n_groups,
    )


def _split(found: list[Any], number: int) -> list[Any]:
    """The first results, and the list of the others."""
    return [*found[:number], found[number:]]


def _neighbours(posed: PosedBlocks, quantiles: list[float], widths: list[float]) -> list[Question]:
    """The quantiles a bandwidth below and above each, without penalty."""
    strength, intercept = posed.problems[0].penalty.strength, posed.problems[0].fit_intercept
    free = ElasticNet(np.where(np.isfinite(strength), 0.0, np.inf))
    return [
        Question(Pinball(quantile + side), free, intercept)
        for quantile, h in zip(quantiles, widths, strict=True)
        for side in (-h, h)
    ]


def _asked(posed: PosedBlocks, features: Index, how: BlockMethod, quantiles: list[float]) -> Asked:
    """The task of the pass of sums, whose densities follow."""
    seen = posed.given.seen
    kept = None if features.size == seen.n_features else features
    intercept = posed.problems[0].fit_intercept
    units = Units.of(seen, kept, 0.0, 1.0, intercept)
    return Asked(
        features=kept,
        shift=units.shift,
        scale=units.scale,
        fit_intercept=intercept,
        loss=[problem.loss for problem in posed.problems],
        quantiles=quantiles,
        points=[Coefficients(point.coef[features], point.intercept) for point in posed.points],
        densities=[],
        per_weight=1.0 if how.weights == "frequency" else seen.n_rows / seen.mass,
        is_frequency=how.weights == "frequency",
        group=how.group,
    )


def _densities(seen: Survey, features: Index, near: list[Solution], widths: list[float]) -> list[Density]:
    """The densities by neighbouring quantiles."""
    sample = chosen(seen.sample, None if features.size == seen.n_features else features).X[: seen.n_random]
    found = []
    for below, above, h in zip(near[::2], near[1::2], widths, strict=True):
        change = Coefficients((above.coef - below.coef)[features], above.intercept - below.intercept)
        density = Density(h, change)
        found.append(Density(h, change, least_difference(density.difference(sample))))
    return found


def _scale(seen: Survey, asked: Asked, k: int, kernel: str, n_held: int) -> Generator[Request, Summary, float]:
    """The scale of the residuals of a fit for a kernel, as `kernel_density` has it for all rows in memory."""
    full = np.zeros(seen.n_features)
    full[slice(None) if asked.features is None else asked.features] = asked.points[k].coef
    point = Coefficients(full, asked.points[k].intercept)
    if kernel == "uniform":
        half = 0.5 * seen.mass
        near = yield from selected(seen, Distance(point, is_size=False), half, half, n_held)
        middle = weighted_median(near.values, near.weight)
        near = yield from selected(seen, Distance(point, middle), half, half, n_held)
        return weighted_median(near.values, near.weight)
    total, ends = asked.per_weight * seen.mass, []
    for part in (0.25, 0.75):
        rank = np.floor(part * (total - 1))
        goals = rank / asked.per_weight, min(rank + 1, total) / asked.per_weight
        near = yield from selected(seen, Distance(point, is_size=False), *goals, n_held)
        ends.append(weighted_quantile(near.values, near.weight * asked.per_weight, part))
    about = Distance(point, ends[0], is_size=False)
    found = yield "spread", _squares, (about,)
    first, second = (asked.per_weight * float(found.sums[name]) for name in ("first", "second"))
    variance = (second - first * (first / total)) / (total - 1)
    return gaussian_scale(float(np.sqrt(max(variance, 0.0))), ends[1] - ends[0])


def _squares(place: Place, rows: Rows, measure: Distance) -> Summary:  # noqa: ARG001
    """Sums of weighted distances and their squares."""
    weight = np.ones(rows.y.size) if rows.weight is None else rows.weight
    value = np.where(weight > 0, measure.of(rows), 0.0)
    return Summary(sums={"first": float(weight @ value), "second": float((weight * value) @ value)})


def _check(posed: PosedBlocks, solutions: list[Solution], kept: list[str], names: list[str], sums: Summary) -> None:
    """Raise a ValueError where there are no standard errors, and warn where their theory does not hold."""
    for problem, solution in zip(posed.problems, solutions, strict=True):
        check_free(problem, solution, names)
        check_optimal(posed.model, problem, solution)
    check_columns(posed.given.seen.n_rows, kept, sums.sums["weight"].root)
    for k, solution in enumerate(solutions):
        n_distinct = merged(stacked(sums.rows[f"tied {k} distinct"])).y.size
        warn_of_fit(solution.unique, n_distinct, len(kept))


def _covariance(asked: Asked, sums: Summary, method: str, size: float, n_rows: int) -> Covariance:
    """The joint covariance by the sums of all rows."""
    breads, crossed, widths = [], [], [density.width for density in asked.densities]
    for k, h in enumerate(widths):
        crossed.append(sums.sums[f"crossed {k}"])
        if method != "iid":
            breads.append(solved_bread(sums.sums[f"bread {k}"].root, crossed[-1], n_rows))
            continue
        density = equal_density(sums.sums[f"difference {k}"] / size, h, asked.densities[k].least)
        breads.append(solved_bread(np.sqrt(density) * sums.sums["weight"].root, 0 if density else n_rows, n_rows))
    counts: NDArray[np.intp] = np.array(crossed, dtype=np.intp)
    if method == "robust":
        warn_of_crossing(counts, n_rows)
    if asked.group is None:
        cov = joint(sums.sums["square"].root, breads, np.array(asked.quantiles))
    else:
        cov = of_groups(group_sums(asked, sums), breads, size, len(breads[0]))
    transform = Regressors.transform(asked.shift, asked.scale, asked.fit_intercept)
    return Covariance(symmetric(transform, cov, len(breads)), np.array(widths), counts if method == "robust" else None)
