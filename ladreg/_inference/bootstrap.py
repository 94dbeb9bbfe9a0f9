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
from numpy.typing import NDArray
from scipy.special import chdtri
from sklearn.utils.parallel import Parallel, delayed

from ladreg._arrays import BLOCK, Array, Index, unit_of
from ladreg._inference.fit import Fit, Sample
from ladreg._piecewise import Batch, PiecewiseTuning, Vertices, solve_vertices
from ladreg._problem import Pinball, Settings
from ladreg._solvers import solve
from ladreg._tolerances import AT_END, VERTEX

# c is 1.25 times the radius that a normal variable with covariance V leaves once in 10,000 draws: a replicate that does
# costs a fit to all rows.
_MARGIN, _BEYOND = 1.25, 1e-4
# Numbers in the scores of a block of replicates (8 MB).
_BLOCK_NUMBERS = 1 << 20
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
    factor : ndarray of shape (p, p) or None
        The lower triangular Cholesky factor of the weighted Gram matrix of the near rows; None where that is singular.
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
    factor: Array | None
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
        unit = unit_of(float(np.abs(fit.residual[rows]).max(initial=0.0)))
        score = sample.weight * np.where(fit.residual > 0, quantile, quantile - 1)
        score[rows] = 0.0
        inverse = None if root is None else np.asarray(np.linalg.inv(root) * unit, dtype=np.float64)
        A = np.ascontiguousarray(sample.regressors.rows(rows))
        factor = _cholesky(A.T @ (sample.weight[rows, None] * A))
        return cls(rows, A, fit.residual[rows] / unit, score, factor, inverse, radius, unit)

    def refit(self, quantile: float, weight: Array, gradient: Array, unique: bool = True) -> Array | None:
        """The change of the coefficients in one replicate, in units of `unit`; None where it is not proved.

        `weight` are the replicate's weights of the near rows, `gradient` is g, and `unique` asks for the only optimum.
        """
        changes, proved = self.refits(quantile, weight[None], gradient[None], unique)
        return changes[0] if proved[0] else None

    def refits(
        self, quantile: float, weight: Array, gradient: Array, unique: bool = True
    ) -> tuple[Array, NDArray[np.bool_]]:
        """`refit` of several replicates, one per row of `weight` and `gradient`, and whether each is proved."""
        number, n, p = weight.shape[0], self.rows.size, self.A.shape[1]
        if self.factor is None:
            return np.zeros((number, p)), np.zeros(number, dtype=bool)
        start, at = np.zeros(number, dtype=np.intp), n * np.arange(number)
        ends = np.full(number, quantile - 1), np.full(number, quantile)
        batch = Batch(
            self.A, self.residual, weight.ravel(), np.full(number, n), start, start, at, *ends, linear=gradient
        )
        found = solve_vertices(batch, PiecewiseTuning(), self.factor, np.zeros((number, p)))
        optimal = self._are_optimal(found, weight, quantile, gradient)
        if not unique:
            return found.point, optimal
        # The vertex is the only optimum where no basic dual is at an end.
        mass = weight[np.arange(number)[:, None], found.basis]
        proved = optimal & (np.minimum(*_room(found, mass, quantile)) > AT_END * mass).all(axis=1)
        ended = np.flatnonzero(optimal & ~proved)
        found.point[ended], proved[ended] = self._middles(found, ended, weight[ended], quantile)
        return found.point, proved

    def _are_near(self, point: Array) -> NDArray[np.bool_]:
        """Whether the points are within the radius."""
        if self.inverse is None:
            return np.ones(point.shape[0], dtype=bool)
        return np.asarray(np.linalg.norm(point @ self.inverse.T, axis=1) <= self.radius)

    @np.errstate(invalid="ignore", over="ignore", divide="ignore")
    def _middles(
        self, found: Vertices, chosen: Index, weight: Array, quantile: float
    ) -> tuple[Array, NDArray[np.bool_]]:
        """The canonical optimum where the dual of one basic row is at an end, and whether that is so.

        The optima are an edge then: the residual of this row may leave zero on the side of its dual, until that of
        another row is zero. The canonical optimum is the middle of the edge.
        """
        point, basis, place = found.point[chosen], found.basis[chosen], np.arange(chosen.size)
        mass = weight[place[:, None], basis]
        below, above = _room(found, mass, quantile, chosen)
        distance = np.minimum(below, above)
        row = distance.argmin(axis=1)
        is_edge = np.count_nonzero(distance <= AT_END * mass, axis=1) == 1
        is_edge &= (distance <= VERTEX * mass)[place, row] & (mass > 0)[place, row]
        change = np.zeros(basis.shape)
        change[place, row] = np.where(above < below, -1.0, 1.0)[place, row]
        try:
            direction = np.linalg.solve(self.A[basis], change[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:  # one of them is singular
            return point, np.zeros(chosen.size, dtype=bool)
        left, rate = self.residual - point @ self.A.T, direction @ self.A.T
        counts = weight > 0
        counts[place[:, None], basis] = False
        is_edge &= ~(counts & (np.abs(left) <= VERTEX)).any(axis=1)
        length = np.where(counts & (left * rate > 0), left / rate, np.inf).min(axis=1, initial=np.inf)
        is_edge &= np.isfinite(length) & self._are_near(point + length[:, None] * direction)
        return np.where(is_edge[:, None], point + 0.5 * length[:, None] * direction, point), is_edge

    @np.errstate(invalid="ignore", over="ignore")  # what is not finite is not proved
    def _are_optimal(self, found: Vertices, weight: Array, quantile: float, gradient: Array) -> NDArray[np.bool_]:
        """Whether duals balance g with all near rows on their sides, and the points are within the radius."""
        proved, place = found.found & self._are_near(found.point), np.arange(weight.shape[0])[:, None]
        dual = found.dual.reshape(weight.shape)
        left = self.residual - found.point @ self.A.T
        low, high = (quantile - 1) * weight, quantile * weight
        # A basic dual is in its interval.
        basic = place, found.basis
        proved &= (np.minimum(*_room(found, weight[basic], quantile)) > -AT_END * weight[basic]).all(axis=1)
        # Any other dual is at the end of its residual's side.
        sided = (dual == np.where(left > 0, high, low)) | (np.abs(left) <= VERTEX)
        sided[basic] = True
        proved &= sided.all(axis=1)
        sizes = np.abs(gradient) + np.abs(dual) @ np.abs(self.A)
        return proved & (np.abs(gradient + dual @ self.A) <= AT_END * sizes).all(axis=1)


def _room(found: Vertices, mass: Array, quantile: float, chosen: Index | None = None) -> tuple[Array, Array]:
    """How far the basic duals of the chosen replicates are from the lower and the upper end of their intervals.

    `mass` are the weights of the basic rows.
    """
    chosen = np.arange(found.basis.shape[0]) if chosen is None else chosen
    inside = found.dual[found.dual_at[chosen, None] + found.basis[chosen]]
    return inside - (quantile - 1) * mass, quantile * mass - inside


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
    size = max(1, min(64, _BLOCK_NUMBERS // (n * len(fits))))
    blocks = [streams[begin : begin + size] for begin in range(0, number, size)]
    one = partial(_block, sample, fits, near, kind)
    found = Parallel(n_jobs=n_jobs, verbose=verbose, prefer="threads")(delayed(one)(block) for block in blocks)
    return np.concatenate([part for part, _ in found]), sum(count for _, count in found)


def _block(
    sample: Sample, fits: list[Fit], near: list[NearRows], kind: str, streams: list[np.random.SeedSequence]
) -> tuple[Array, int]:
    """The replicates of a block, and how many were fitted to all rows."""
    p, n_whole = sample.regressors.size, 0
    scores = np.empty((len(fits), len(streams), sample.weight.size))
    weights = [np.empty((len(streams), rows.rows.size)) for rows in near]
    for r, stream in enumerate(streams):
        multipliers = _multipliers(sample, kind, np.random.default_rng(stream))
        for k, rows in enumerate(near):
            np.multiply(multipliers, rows.score, out=scores[k, r])
            np.multiply(multipliers[rows.rows], sample.weight[rows.rows], out=weights[k][r])
    found = np.empty((len(streams), len(fits), p))
    transform = sample.regressors.to_original()
    for k, (fit, rows) in enumerate(zip(fits, near, strict=True)):
        gradients = np.ascontiguousarray(sample.regressors.products(scores[k].T).T)
        changes, proved = rows.refits(fit.quantile, weights[k], gradients)
        found[:, k] = fit.point + rows.unit * (changes @ transform.T)
        for r in np.flatnonzero(~proved).tolist():
            multipliers = _multipliers(sample, kind, np.random.default_rng(streams[r]))
            found[r, k], n_whole = _whole(fit, sample.weight * multipliers), n_whole + 1
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
