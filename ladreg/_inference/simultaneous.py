"""Critical values of intervals that hold all at once."""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array

# Draws with a fixed seed: the 0.95 quantile of the largest ratio has a standard error of 0.5 %.
_DRAWS, _SEED = 10_000, 0


def largest_ratio(cov: Array, level: float) -> float:
    """The quantile of the largest size of normal variables with this covariance, each over its deviation."""
    deviation = np.sqrt(cov.diagonal())
    values, vectors = np.linalg.eigh(cov / deviation / deviation[:, None])
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    draws = np.random.default_rng(_SEED).standard_normal((_DRAWS, root.shape[1]))
    return float(np.quantile(np.abs(draws @ root.T).max(axis=1), level))
