"""The bootstrap of quantiles: each replicate is refitted to the rows near the fit, and proved to be the optimum of all.

With V an estimate of the covariance and ``|x|_V = sqrt(x'Vx)``, a row is near if ``|residual| <= c |x|_V``. A replicate
minimises ``sum_near weight rho(residual - x'd) - g'd``, g the sum of ``weight psi x`` over all other rows. Where
``d'V^-1 d <= c^2`` at the minimum, ``|x'd| <= c |x|_V < |residual|`` for all other rows (Cauchy and Schwarz): none
changes its side, and d is the minimum of the whole objective. Whatever is not proved so is fitted to all rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.special import chdtri
from sklearn.utils.parallel import Parallel, delayed

from ladreg._arrays import BLOCK, Array, Index, power_of_two
from ladreg._design import as_design
from ladreg._inference.fit import Fit, Sample
from ladreg._piecewise import PiecewiseTuning, ProcessPoint, ReducedRows
from ladreg._problem import ElasticNet, Pinball, Problem, Settings
from ladreg._solvers import solve
from ladreg._tolerances import AT_END, VERTEX

# c is 1.25 times the radius that a normal variable with covariance V leaves once in 10,000 draws: a replicate that does
# costs a fit to all rows.
_MARGIN, _BEYOND = 1.25, 1e-4
# Numbers in the multipliers of a block of replicates (32 MB).
_BLOCK_NUMBERS = 1 << 22
# Rows, per root of the columns' number, that estimate the density of residuals: as for neighbouring quantiles.
_WINDOW = 160
_TOL = 1e-9


@dataclass(frozen=True)
class NearRows:
    """The rows near one fit, at unit scale, and what all others add to the gradient.

    Attributes
    ----------
    rows : ndarray of shape (n_near,)
        Their numbers.
    A, residual : ndarray of shape (n_near, p), (n_near,)
        Their regressors, and their residuals over `unit`.
    score : ndarray of shape (n_samples,)
        The weight times the derivative of the loss of all other rows, 0 for the near ones.
    inverse : ndarray of shape (p, p) or None
        L with ``|L d|^2 = d'V^-1 d`` for d in units of `unit`; None where all rows are near.
    radius : float
        c.
    unit : float
        A power of two.
    """

    rows: Index
    A: Array
    residual: Array
    score: Array
    inverse: Array | None
    radius: float
    unit: float

    @classmethod
    def of(cls, sample: Sample, fit: Fit, cov: Array | None) -> NearRows:
        """The rows near a fit; `cov` is V of the coefficients of `sample.regressors`, or None."""
        p, quantile = sample.regressors.size, fit.quantile
        radius = _MARGIN * float(np.sqrt(chdtri(p, _BEYOND)))
        root = None if cov is None else _cholesky(cov)
        near = np.ones(fit.residual.size, dtype=bool)
        if root is not None:
            near = np.abs(fit.residual) <= radius * _lengths(sample, root)
        rows = np.flatnonzero(near)
        unit = float(power_of_two(np.abs(fit.residual[rows]).max(initial=0.0))[()])
        score = sample.weight * np.where(fit.residual > 0, quantile, quantile - 1)
        score[rows] = 0.0
        inverse = None if root is None else np.asarray(np.linalg.inv(root) * unit, dtype=np.float64)
        return cls(rows, sample.regressors.rows(rows), fit.residual[rows] / unit, score, inverse, radius, unit)

    def refit(self, quantile: float, weight: Array, gradient: Array, unique: bool = True) -> Array | None:
        """The change of the coefficients in one replicate, in units of `unit`; None where it is not proved.

        `weight` are the replicate's weights of the near rows, `gradient` is g, and `unique` asks for the only optimum.
        """
        kept = np.flatnonzero(weight > 0)
        A, residual, weight = self.A[kept], self.residual[kept], weight[kept]
        p = A.shape[1]
        if kept.size <= p:
            return None
        problem = Problem(as_design(A), residual, weight, Pinball(quantile), ElasticNet(np.zeros(p)), False)
        above = residual > 0
        sides = A.T @ (weight * np.where(above, quantile, quantile - 1))
        place = ProcessPoint(np.zeros(p), residual, above, np.zeros(p))
        mass, window = (gradient + sides) / quantile, int(_WINDOW * np.sqrt(p))
        near = ReducedRows(
            problem, place, np.arange(kept.size), A, np.zeros(p), np.inf, mass, window, PiecewiseTuning()
        )
        near.refine()
        if not near.solve() or (unique and near.degenerate):
            return None
        return near.point if self._is_proved(near, A, residual, weight, quantile, gradient) else None

    def _is_proved(
        self, near: ReducedRows, A: Array, residual: Array, weight: Array, quantile: float, gradient: Array
    ) -> bool:
        """Whether a dual balances g with all near rows on their sides, and the point is within the radius."""
        if self.inverse is not None and float(np.linalg.norm(self.inverse @ near.point)) > self.radius:
            return False
        left = residual - A @ near.point
        dual = weight * np.where(near.above, quantile, quantile - 1)
        dual[near.basis] = near.inside
        sided = np.abs(left) > VERTEX
        sided[near.basis] = False
        if np.any((left > 0)[sided] != near.above[sided]):
            return False
        place = near.inside / weight[near.basis] + 1 - quantile
        if place.size < A.shape[1] or np.any((place < -AT_END) | (place > 1 + AT_END)):
            return False
        sizes = np.abs(gradient) + np.abs(A).T @ np.abs(dual)
        return bool(np.all(np.abs(gradient + A.T @ dual) <= AT_END * sizes))


def _cholesky(cov: Array) -> Array | None:
    try:
        return np.asarray(np.linalg.cholesky(cov))
    except np.linalg.LinAlgError:
        return None


def _lengths(sample: Sample, root: Array) -> Array:
    """``|x|_V`` of each row, for V = root root'."""
    lengths = np.empty(sample.weight.size)
    for begin in range(0, lengths.size, BLOCK):
        chosen = np.arange(begin, min(begin + BLOCK, lengths.size))
        lengths[chosen] = np.linalg.norm(sample.regressors.rows(chosen) @ root, axis=1)
    return lengths


def replicates(
    sample: Sample,
    fits: list[Fit],
    cov: Array | None,
    *,
    kind: str,
    number: int,
    seeds: np.random.SeedSequence,
    n_jobs: int | None,
    verbose: int,
) -> tuple[Array, int]:
    """Coefficients of the replicates, of shape (number, n_fits, p), and how many were fitted to all rows.

    Each replicate has a random stream of its own, so that results depend on neither `n_jobs` nor blocks.

    Parameters
    ----------
    sample, fits
        The rows, and one fit for each quantile.
    cov
        An estimate of the covariance of the coefficients of `sample.regressors`, fit after fit, or None.
    kind
        "pairs" or "exponential".
    number
        Number of replicates.
    seeds
        The parent of the streams.
    n_jobs
        Threads, as joblib counts them.
    verbose
        How much joblib tells about its progress.
    """
    p, n = sample.regressors.size, sample.weight.size
    parts = [None if cov is None else cov[k * p : (k + 1) * p, k * p : (k + 1) * p] for k in range(len(fits))]
    near = [NearRows.of(sample, fit, part) for fit, part in zip(fits, parts, strict=True)]
    streams = seeds.spawn(number)
    size = max(1, min(64, _BLOCK_NUMBERS // n))
    blocks = [streams[begin : begin + size] for begin in range(0, number, size)]
    one = partial(_block, sample, fits, near, kind)
    found = Parallel(n_jobs=n_jobs, verbose=verbose, prefer="threads")(delayed(one)(block) for block in blocks)
    return np.concatenate([part for part, _ in found]), sum(count for _, count in found)


def _block(
    sample: Sample, fits: list[Fit], near: list[NearRows], kind: str, streams: list[np.random.SeedSequence]
) -> tuple[Array, int]:
    """The replicates of a block, and how many were fitted to all rows."""
    p, n_whole = sample.regressors.size, 0
    multipliers = np.column_stack([_multipliers(sample, kind, np.random.default_rng(one)) for one in streams])
    found = np.empty((len(streams), len(fits), p))
    transform = sample.regressors.to_original()
    for k, (fit, rows) in enumerate(zip(fits, near, strict=True)):
        gradients = sample.regressors.products(rows.score[:, None] * multipliers)
        for r, gradient in enumerate(gradients.T):
            weight = sample.weight * multipliers[:, r]
            change = rows.refit(fit.quantile, weight[rows.rows], gradient)
            if change is None:
                found[r, k], n_whole = _whole(fit, weight), n_whole + 1
            else:
                found[r, k] = fit.point + rows.unit * (transform @ change)
    return found, n_whole


def _multipliers(sample: Sample, kind: str, rng: np.random.Generator) -> Array:
    """What each row's weight is multiplied by in one replicate."""
    if sample.groups is not None:
        G = sample.n_groups
        drawn = rng.exponential(size=G) if kind == "exponential" else np.bincount(rng.integers(0, G, G), minlength=G)
        return np.asarray(drawn[sample.groups], dtype=np.float64)
    if not sample.is_frequency:
        n = sample.weight.size
        drawn = rng.exponential(size=n) if kind == "exponential" else np.bincount(rng.integers(0, n, n), minlength=n)
        return np.asarray(drawn, dtype=np.float64)
    # A row that stands for w equal ones: the sum of w multipliers, over w.
    if kind == "exponential":
        return rng.gamma(sample.weight) / sample.weight
    return rng.multinomial(round(sample.size), sample.weight / sample.weight.sum()) / sample.weight


def _whole(fit: Fit, weight: Array) -> Array:
    """The weighted fit to all rows."""
    rows = np.flatnonzero(weight > 0)
    problem = replace(
        fit.problem,
        design=fit.problem.design.take(rows),
        y=fit.problem.y[rows],
        weight=weight[rows] / weight[rows].sum(),
        loss=Pinball(fit.quantile),
    )
    solution = solve(problem, Settings(tol=_TOL))
    return replace(fit, coef=solution.coef, intercept=solution.intercept).point
