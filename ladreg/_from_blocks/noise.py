"""The slopes that noise gives to the columns of rows in blocks: what the pivotal choice of alpha needs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ladreg._arrays import Array
from ladreg._from_blocks.side_by_side import Request
from ladreg._from_blocks.survey import Survey, Units
from ladreg._row_blocks import Place, Rows, Summary

# Draws of slopes: their quantile of 0.9 has a standard error of half a percent.
_DRAWS = 1 << 14


@dataclass(frozen=True)
class Noise:
    """The slopes of random duals, for columns of deviation one.

    Attributes
    ----------
    scale
        The deviation of each column, about its mean if `centred`; its size where it is constant.
    varies
        Whether each column has more than one value.
    products
        ``sum_i w_i^2 z_i z_i'`` for the standardised columns z of all rows but those that are far out.
    far
        ``w_i z_i`` of the rows that are far out.
    n_equal
        ``1 / sum_i w_i^2``: the number of equal weights with the same variance.
    """

    scale: Array
    varies: NDArray[np.bool_]
    products: Array
    far: Array
    n_equal: float

    def draws(self, quantiles: list[float]) -> list[Array]:
        """Slopes of duals ``(tau - 1{u <= tau}) / sqrt(tau (1 - tau))``, (n_features, 16384) per quantile.

        The sum over most rows is normal, with their covariance; rows that are far out are drawn as they are.
        """
        random = np.random.default_rng(0)
        taus = np.array(quantiles)
        values, vectors = np.linalg.eigh(self.products)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        spread = np.sqrt(taus * (1 - taus))
        cov = (np.minimum.outer(taus, taus) - np.outer(taus, taus)) / np.outer(spread, spread)
        axes = np.linalg.cholesky(cov + 1e-12 * np.eye(taus.size))
        normal = random.standard_normal((taus.size, values.size, _DRAWS))
        slopes = [root @ np.tensordot(row, normal, 1) for row in axes]
        step = max((1 << 22) // _DRAWS, 1)
        for a in range(0, len(self.far), step):
            part = self.far[a : a + step]
            uniform = random.random((len(part), _DRAWS))
            for tau, deviation, slope in zip(taus.tolist(), spread.tolist(), slopes, strict=True):
                slope += part.T @ ((tau - (uniform <= tau)) / deviation)
        return slopes


def noise(seen: Survey, centred: bool) -> Generator[Request, Summary, Noise]:
    """What one pass says of the slopes of noise; without `centred` columns are not shifted."""
    units = Units.of(seen, None, 0.0, 1.0, centred)
    found = yield "noise", _noise, (units,)
    sums, p = found.sums, seen.n_features
    mean = sums["mean"] if centred else np.zeros(p)
    square = np.maximum(sums["square"] - mean**2, 0.0)
    varies = (seen.low < seen.high if centred else np.maximum(-seen.low, seen.high) > 0) & (square > 0)
    deviation = np.where(varies, np.sqrt(square), 1.0)
    rows = _far_rows(seen)
    weight = units.weight(rows)
    table = units.design(rows).rows(np.arange(rows.y.size)) - mean
    far = weight[:, None] * table / deviation
    gram, border = sums["gram"][:p, :p], sums["gram"][-1]
    products = gram - np.outer(border[:p], mean) - np.outer(mean, border[:p]) + border[-1] * np.outer(mean, mean)
    products = products / deviation / deviation[:, None] - far.T @ far
    size = np.where(seen.size > 0, seen.size, 1.0)
    return Noise(
        scale=np.where(varies, deviation / units.scale, size),
        varies=varies,
        products=products,
        far=far,
        n_equal=1.0 / float(border[-1]),
    )


def _far_rows(seen: Survey) -> Rows:
    """The rows of the sample that are far out, and stand for themselves; all rows where the sample has them all."""
    X, y, weight = seen.sample
    kept = slice(0 if seen.is_complete else seen.n_random, None)
    return Rows(X[kept], y[kept], None if weight is None else weight[kept])


def _noise(place: Place, rows: Rows, units: Units) -> Summary:  # noqa: ARG001
    """Means, squares, and products under squared weights, of the columns at unit scale."""
    design, weight = units.design(rows), units.weight(rows)
    features = np.arange(units.scale.size)
    return Summary(
        sums={
            "mean": design.rmatvec(weight),
            "square": design.curvatures(weight, np.zeros(features.size)),
            "gram": design.gram(weight * weight, features, border=True),
        }
    )
