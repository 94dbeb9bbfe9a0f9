"""Covariances of Huber's estimator, its scale taken as known (Huber 1981, section 7.6)."""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array
from ladreg._inference.covariance import clustered, serial, to_original
from ladreg._inference.fit import Fit, Sample
from ladreg._inference.regressors import spread
from ladreg._problem import Huber


def huber_covariance(sample: Sample, fit: Fit, method: str, lags: int | None) -> Array:
    """The covariance of one fit: the sandwich, or for "iid" Huber's first estimate.

    With score psi and W the inverse of ``sum_i weight_i 1(|residual_i| <= delta) x_i x_i'``, the sandwich is
    ``W [sum_i square_i psi_i^2 x_i x_i'] W N/(N-p)``; the other is ``K^2 E / m^2 (X'X)^-1`` with E the mean of psi^2
    (N - p for N), m that of its derivative, and ``K = 1 + p/N (1 - m)/m``.
    """
    assert isinstance(fit.problem.loss, Huber)
    N, p = sample.size, sample.regressors.size
    curved = (np.abs(fit.residual) <= fit.problem.loss.delta).astype(np.float64)
    bread = sample.regressors.bread(sample.weight * (curved if method == "robust" else 1.0))
    if bread is None or not fit.residual[curved > 0].any():
        raise ValueError(
            f"{np.count_nonzero(curved)} of {curved.size} rows have residuals in the quadratic part of the loss, too "
            "few to determine the coefficients, or all of them fitted exactly. Raise epsilon or scale."
        )
    if method == "iid":
        mean = float(sample.weight @ curved) / N
        correction = (1 + p / N * (1 - mean) / mean) / mean
        part = spread(sample.square_root, bread)
        return to_original(sample, correction**2 * float(sample.weight @ fit.score**2) / (N - p) * (part.T @ part), 1)
    if sample.groups is not None:
        return to_original(sample, clustered(sample, [fit], [bread]), 1)
    if lags is not None:
        return to_original(sample, serial(sample, [fit], [bread], lags), 1)
    part = spread(sample.regressors.root(sample.square * fit.score**2), bread)
    return to_original(sample, N / (N - p) * (part.T @ part), 1)
