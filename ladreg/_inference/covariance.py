"""Covariances of coefficients: a density for each row, and the sandwich that is made of it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ladreg._arrays import BLOCK, Array, Index
from ladreg._inference.bandwidth import bandwidth
from ladreg._inference.density import equal_density, kernel_density, least_difference, robust_density
from ladreg._inference.fit import Fit, Sample
from ladreg._inference.regressors import inverted, spread
from ladreg._problem import Coefficients, Pinball, Settings
from ladreg._solvers import solve_quantiles
from ladreg._tolerances import SUMMED
from ladreg._warn import warn_user

# Relative gap asked of the fits of neighbouring quantiles.
NEIGHBOUR_TOL = 1e-9
# Warn where the neighbouring quantiles of more than 5 % of the rows cross.
_MANY_CROSSED = 0.05


class Inverted(NamedTuple):
    """Tests, and the intervals of what they do not reject, where no standard errors are behind them.

    Parameters
    ----------
    statistic, pvalues : ndarray of shape (p,) or (n_quantiles, p)
        Of each coefficient being zero.
    intervals : ndarray of shape (p, 2) or (n_quantiles, p, 2)
        Lower and upper ends, which may be infinite.
    """

    statistic: Array
    pvalues: Array
    intervals: Array


@dataclass(frozen=True)
class Covariance:
    """The covariance of all coefficients, fit after fit, and what is known of how it was estimated."""

    cov: Array | None
    bandwidth: Array | None = None
    n_crossed: Index | None = None
    replicates: Array | None = None
    n_whole: int | None = None
    inverted: Inverted | None = None


class Breads(NamedTuple):
    """C with ``C C'`` the inverse of ``H = sum_i weight_i density_i x_i x_i'`` for each fit, and what H is made of."""

    breads: list[Array]
    bandwidth: Array | None
    n_crossed: Index | None


def quantile_covariance(
    sample: Sample, fits: list[Fit], method: str, rule: str | float, kernel: str, lags: int | None
) -> Covariance:
    """The covariance of one quantile, or the joint one of several; see `ladreg.infer` for the formulas.

    Parameters
    ----------
    sample
        The rows.
    fits
        One fit for each quantile.
    method
        "robust", "kernel" or "iid".
    rule
        The bandwidth, or the rule for it.
    kernel
        The kernel of the method "kernel".
    lags
        How many rows apart scores may depend on each other; None if none do.
    """
    cov, widths, crossed = _sandwich(sample, fits, method, rule, kernel, lags)
    return Covariance(to_original(sample, cov, len(fits)), widths, crossed)


def draft_covariance(sample: Sample, fits: list[Fit]) -> Array | None:
    """The covariance by a kernel of the coefficients of `sample.regressors`; None where it has no density."""
    try:
        return _sandwich(sample, fits, "kernel", "hall_sheather", "gaussian")[0]
    except ValueError:
        return None


def _sandwich(
    sample: Sample, fits: list[Fit], method: str, rule: str | float, kernel: str, lags: int | None = None
) -> tuple[Array, Array | None, Index | None]:
    """The covariance of the coefficients of `sample.regressors`, the bandwidths, and the crossings of each fit."""
    breads, widths, crossed = breads_of(sample, fits, method, rule, kernel)
    quantiles = np.array([fit.quantile for fit in fits])
    if sample.groups is not None:
        cov = clustered(sample, fits, breads)
    elif lags is not None:
        cov = serial(sample, fits, breads, lags)
    else:
        cov = joint(sample.square_root, breads, quantiles)
    return cov, widths, crossed


def joint(root: Array, breads: list[Array], quantiles: Array) -> Array:
    """``(min(s, t) - s t) H_s^-1 R'R H_t^-1`` for all quantiles s and t."""
    parts = np.hstack([spread(root, bread) for bread in breads])
    factors = np.minimum.outer(quantiles, quantiles) - np.outer(quantiles, quantiles)
    return np.asarray(np.kron(factors, np.ones(root.shape)) * (parts.T @ parts))


def breads_of(sample: Sample, fits: list[Fit], method: str, rule: str | float, kernel: str) -> Breads:
    """C of each fit with the densities of a method."""
    widths = np.array([bandwidth(rule, sample.size, fit.quantile) for fit in fits])
    densities = _densities(sample, fits, widths, method, kernel)
    breads = [_bread(sample, density) for density in densities]
    crossed = None
    if method == "robust":
        crossed = np.array([np.count_nonzero(density == 0) for density in densities], dtype=np.intp)
        warn_of_crossing(crossed, sample.weight.size)
    return Breads(breads, widths, crossed)


def equal_breads(sample: Sample, fits: list[Fit]) -> Breads:
    """C of each fit with a density of 1 in all rows."""
    return Breads([_bread(sample, np.ones_like(sample.weight))] * len(fits), None, None)


def _densities(sample: Sample, fits: list[Fit], widths: Array, method: str, kernel: str) -> list[Array]:
    """The density of the errors in each row, for each fit."""
    if method == "kernel":
        return [
            kernel_density(fit.residual, sample.weight, fit.quantile, h, kernel)
            for fit, h in zip(fits, widths.tolist(), strict=True)
        ]
    densities = []
    for difference, h in zip(differences(fits, widths), widths.tolist(), strict=True):
        if method == "robust":
            densities.append(robust_density(difference, h, least_difference(difference)))
            continue
        # The sparsity at the mean of the regressors (Bassett and Koenker 1982).
        mean = float(sample.weight @ difference) / sample.size
        densities.append(np.full(difference.size, equal_density(mean, h, least_difference(difference))))
    return densities


def differences(fits: list[Fit], widths: Array) -> list[Array]:
    """For each fit, predictions of the quantile a bandwidth above less those of the quantile a bandwidth below."""
    # The residuals of one fit as targets change no difference, and are near zero.
    problem = replace(fits[0].problem, y=fits[0].residual)
    problems = [
        replace(problem, loss=Pinball(quantile))
        for fit, h in zip(fits, widths.tolist(), strict=True)
        for quantile in (fit.quantile - h, fit.quantile + h)
    ]
    first = min(fits, key=lambda fit: fit.quantile)
    start = Coefficients(first.coef - fits[0].coef, first.intercept - fits[0].intercept)
    solutions = solve_quantiles(problems, Settings(tol=NEIGHBOUR_TOL), (first.quantile, start))
    check_gap("a neighbouring quantile", max(solution.relative_gap for solution in solutions), NEIGHBOUR_TOL)
    found, design = [], problem.design
    for below, above in zip(solutions[::2], solutions[1::2], strict=True):
        difference = design.matvec(above.coef - below.coef) + (above.intercept - below.intercept)
        # The two may be one fit but for rounding.
        size = design.reach() @ np.abs(above.coef) + abs(above.intercept)
        found.append(np.where(np.abs(difference) <= SUMMED * size, 0.0, difference))
    return found


def check_gap(what: str, gap: float, tol: float) -> None:
    """Warn of a fit that is not proved as well as asked."""
    if gap > tol:
        warnings.warn(
            f"{what} was not fitted to {tol:g}: its objective is proved to be within {gap:.3g} (relative) of the "
            "optimum.",
            ConvergenceWarning,
            stacklevel=2,
        )


def _bread(sample: Sample, density: Array) -> Array:
    """C with ``C C'`` the inverse of ``H = sum_i weight_i density_i x_i x_i'``."""
    return solved_bread(
        sample.regressors.root(sample.weight * density), int(np.count_nonzero(density == 0)), density.size
    )


def solved_bread(root: Array, n_without: int, n: int) -> Array:
    """The inverse of R; a ValueError where it is singular, since `n_without` of n rows have no density."""
    bread = inverted(root)
    if bread is None:
        raise ValueError(
            f"the estimated density of the errors is 0 in {n_without} of {n} rows, and the other rows do not "
            'determine the coefficients. Use method="bootstrap", which needs no density.'
        )
    return bread


def warn_of_crossing(crossed: Index, n: int) -> None:
    if crossed.max() > _MANY_CROSSED * n:
        warn_user(
            f"the quantiles on both sides of the fit cross in {crossed.max()} of {n} rows, whose density is set to "
            '0. Use a larger bandwidth, method="kernel" or method="bootstrap" to avoid this.',
            UserWarning,
        )


def clustered(sample: Sample, fits: list[Fit], breads: list[Array]) -> Array:
    """``G/(G-1) (N-1)/(N-p) H_s^-1 sum_g s_g(s) s_g(t)' H_t^-1`` with the scores' sums s_g over groups."""
    assert sample.groups is not None
    G, N, p = sample.n_groups, sample.size, sample.regressors.size
    sums = [sample.regressors.sums(sample.weight * fit.score, sample.groups, G) for fit in fits]
    return of_groups(sums, breads, N, p)


def of_groups(sums: list[Array], breads: list[Array], N: float, p: int) -> Array:
    """`clustered`, for the sums of the scores of each fit, one row a group."""
    G = len(sums[0])
    parts = np.hstack([spread(one, bread) for one, bread in zip(sums, breads, strict=True)])
    return np.asarray(G / (G - 1) * (N - 1) / (N - p) * parts.T @ parts)


def serial(sample: Sample, fits: list[Fit], breads: list[Array], lags: int) -> Array:
    """``N/(N-p) H_s^-1 [sum_j k_j sum_i g_i(s) g_(i-j)(t)'] H_t^-1`` with the scores g of rows in the order of time.

    The sum is over j from -lags to lags, with ``k_j = 1 - |j| / (lags + 1)`` (Newey and West 1987), for which no
    eigenvalue is negative.
    """
    n, N, p = sample.weight.size, sample.size, sample.regressors.size
    total = np.zeros((len(fits) * p, len(fits) * p))
    for begin in range(0, n, BLOCK):
        chosen = np.arange(max(0, begin - lags), min(begin + BLOCK, n))
        rows, before = sample.regressors.rows(chosen), begin - int(chosen[0])
        scores = [rows * (sample.weight * fit.score)[chosen, None] for fit in fits]
        part = np.hstack([spread(score, bread) for score, bread in zip(scores, breads, strict=True)])
        for j in range(min(lags, n - 1) + 1):
            first = max(before, j)
            product = (1 - j / (lags + 1)) * (part[first:].T @ part[first - j : len(part) - j])
            total += product + product.T if j else product
    return N / (N - p) * total


def to_original(sample: Sample, cov: Array, n_fits: int) -> Array:
    """A covariance of the coefficients of the columns as they came."""
    return symmetric(sample.regressors.to_original(), cov, n_fits)


def symmetric(transform: Array, cov: Array, n_fits: int) -> Array:
    """The covariance of each fit's coefficients times T'."""
    all_fits = np.kron(np.eye(n_fits), transform)
    found = all_fits @ cov @ all_fits.T
    return np.asarray(found / 2 + found.T / 2)  # without the rounding that would make it asymmetric
