"""The kernels in plain NumPy: slow, short, and the specification the compiled ones are tested against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def soft_threshold(z: float, strength: float, positive: bool = False) -> float:
    """Minimiser over b of (b - z)^2 / 2 + strength * |b| (over b >= 0 when `positive`)."""
    if positive:
        return max(z - strength, 0.0)
    return float(np.sign(z) * max(abs(z) - strength, 0.0))


def dense_burst(
    X: NDArray[np.floating],
    center: Array,
    scale: Array,
    weight: Array,
    curvature: Array,
    strength: Array,
    positive: bool,
    features: NDArray[np.intp],
    n_epochs: int,
    coef: Array,
    residual: Array,
) -> float:
    """Coordinate descent on the columns (X - center) * scale; updates `coef` and `residual` in place.

    Returns
    -------
    float
        The largest |change of coef_j| * sqrt(curvature_j) of the last epoch.
    """
    largest = 0.0
    for _ in range(n_epochs):
        largest = 0.0
        for j in features:
            if curvature[j] == 0.0:
                continue
            column = (X[:, j].astype(np.float64) - center[j]) * scale[j]
            old = coef[j]
            gradient = column @ (weight * residual)
            coef[j] = soft_threshold(gradient + curvature[j] * old, strength[j], positive) / curvature[j]
            residual -= (coef[j] - old) * column
            largest = max(largest, abs(coef[j] - old) * np.sqrt(curvature[j]))
    return float(largest)


def sparse_burst(
    data: NDArray[np.floating],
    indices: NDArray[np.integer],
    indptr: NDArray[np.integer],
    center: Array,
    scale: Array,
    weight: Array,
    curvature: Array,
    strength: Array,
    positive: bool,
    features: NDArray[np.intp],
    n_epochs: int,
    coef: Array,
    residual: Array,
    shift: float,
) -> tuple[float, float]:
    """`dense_burst` on CSC columns: the centred residual is `residual + shift`.

    Returns
    -------
    tuple of float
        The largest move of the last epoch, and the shift after it.
    """
    X = np.zeros((residual.size, coef.size))
    for j in range(coef.size):
        np.add.at(X[:, j], indices[indptr[j] : indptr[j + 1]], data[indptr[j] : indptr[j + 1]])
    centred = residual + shift
    before = coef.copy()
    largest = dense_burst(X, center, scale, weight, curvature, strength, positive, features, n_epochs, coef, centred)
    moved = (coef - before) * scale
    residual -= X @ moved
    return largest, shift + float(center @ moved)


def column_stats(X: NDArray[np.floating], lowest: Array, highest: Array, total: Array) -> None:
    """Minimum, maximum and sum of absolute values of each column; an X without rows changes nothing."""
    if X.shape[0]:
        lowest[:], highest[:], total[:] = X.min(axis=0), X.max(axis=0), np.abs(X.astype(np.float64)).sum(axis=0)


def magnitudes(X: NDArray[np.floating], shift: Array, weight: Array, total: Array) -> None:
    """Column sums of ``weight * |x - shift|``."""
    total[:] = weight @ np.abs(X - shift)
