"""The compiled kernels agree with their NumPy twin."""

import numpy as np
import pytest
import scipy.sparse as sp

from ladreg._kernels import _cd, _rows, reference

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
}


def state(seed, n_samples=17, n_features=6, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features)).astype(dtype)
    X[rng.random(X.shape) < 0.4] = 0
    X[:, 3] = 0
    weight = rng.random(n_samples)
    weight /= weight.sum()
    return rng, X, weight, rng.standard_normal(n_samples)


def arguments(rng, X, weight, center, scale):
    columns = (X.astype(float) - center) * scale
    strength = rng.random(X.shape[1]) * 0.2
    return scale, weight, weight @ columns**2, strength


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("read_only", [False, True])
def test_dense_burst_is_its_reference(layout, dtype, positive, read_only):
    rng, X, weight, residual = state(0, dtype=dtype)
    X = LAYOUTS[layout](X)
    X.flags.writeable = not read_only
    center = weight @ X
    scale, weight, curvature, strength = arguments(rng, X, weight, center.astype(float), 2.0 ** rng.integers(-3, 3, 6))
    curvature[3] = 0.0
    features = np.array([5, 0, 3, 1], dtype=np.intp)
    results = []
    for kernel in (_cd.dense_burst, reference.dense_burst):
        coef, left = np.full(6, 0.1), residual.copy()
        move = kernel(X, center.astype(float), scale, weight, curvature, strength, positive, features, 4, coef, left)
        results.append((coef, left, move))
    for ours, twin in zip(*results, strict=True):
        np.testing.assert_allclose(ours, twin, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("centred", [False, True])
def test_sparse_burst_is_its_reference_and_the_dense_one(index, dtype, centred):
    rng, X, weight, residual = state(1, dtype=dtype)
    S = sp.csc_array(X)
    center = weight @ X.astype(float) if centred else np.zeros(6)
    if centred:
        residual = residual - weight @ residual
    scale, weight, curvature, strength = arguments(rng, X, weight, center, 2.0 ** rng.integers(-3, 3, 6))
    features = np.arange(6, dtype=np.intp)
    common = center, scale, weight, curvature, strength, False, features, 5
    results = []
    for kernel in (_cd.sparse_burst, reference.sparse_burst):
        coef, left = np.zeros(6), residual.copy()
        move, shift = kernel(S.data, S.indices.astype(index), S.indptr.astype(index), *common, coef, left, 0.0)
        results.append((coef, left + shift, move))
    coef, left = np.zeros(6), residual.copy()
    results.append((coef, left, _cd.dense_burst(X, *common, coef, left)))
    for other in results[1:]:
        for ours, twin in zip(results[0], other, strict=True):
            np.testing.assert_allclose(ours, twin, rtol=1e-9, atol=1e-12)


def test_soft_threshold_is_the_prox_of_the_absolute_value():
    grid = np.linspace(-3, 3, 60001)
    for z in (-2.0, -0.3, 0.0, 0.4, 1.7):
        best = grid[np.argmin((grid - z) ** 2 / 2 + 0.5 * np.abs(grid))]
        assert reference.soft_threshold(z, 0.5) == pytest.approx(best, abs=1e-4)


def test_an_empty_burst_moves_nothing():
    empty = np.zeros(0)
    features = np.zeros(0, dtype=np.intp)
    args = empty, empty, np.ones(3), empty, empty, False, features, 3
    assert _cd.dense_burst(np.zeros((3, 0)), *args, empty, np.ones(3)) == 0.0


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_row_passes_are_their_references(layout, dtype):
    rng, X, weight, _ = state(2, dtype=dtype)
    X = LAYOUTS[layout](X)
    X.flags.writeable = False
    weight[::3] = 0.0
    ours, twin = np.full((2, 3, 6), np.nan)
    _rows.column_stats(X, *ours)
    reference.column_stats(X, *twin)
    np.testing.assert_allclose(ours, twin, rtol=1e-6 if dtype is np.float32 else 1e-13)
    shift = rng.standard_normal(6)
    _rows.magnitudes(X, shift, weight, ours[0])
    reference.magnitudes(X, shift, weight, twin[0])
    np.testing.assert_allclose(ours[0], twin[0], rtol=1e-12)
