"""One operator, whatever the storage: every operation equals that of the dense float64 array it stands for."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp

from ladreg._design import as_design, dense, row_passes

rng = np.random.default_rng(0)
X = np.where(rng.random((40, 5)) < 0.5, 0.0, rng.standard_normal((40, 5)))
SCALE = 2.0 ** np.arange(-2, 3)

STORAGES = {
    "C": np.ascontiguousarray(X),
    "F": np.asfortranarray(X),
    "strided": np.repeat(X, 2, axis=1)[:, ::2],
    "float32": X.astype(np.float32),
    "csr": sp.csr_matrix(X),
    "csc": sp.csc_array(X),
    "csr64": sp.csr_array(
        (sp.csr_array(X).data, sp.csr_array(X).indices.astype(np.int64), sp.csr_array(X).indptr.astype(np.int64)),
        shape=X.shape,
    ),
}


def small_blocks(monkeypatch):
    """Let every pass over a dense table go through blocks of a few rows."""
    for room in (dense, row_passes):
        monkeypatch.setattr(room, "CHUNK_BYTES", 8 * 5 * 7)
        monkeypatch.setattr(room, "WALK_BYTES", 8 * 5 * 9)
    monkeypatch.setattr(dense, "_PRODUCT_BYTES", 8 * 5 * 6)
    monkeypatch.setattr(row_passes, "_STRETCH", 11)


@pytest.fixture(params=STORAGES, ids=str)
def pair(request, monkeypatch):
    """A scaled (and, if dense, shifted) design beside the array it stands for, in blocks of a few rows."""
    small_blocks(monkeypatch)
    stored = STORAGES[request.param]
    shift = np.zeros(5) if sp.issparse(stored) else np.arange(5.0)
    values = stored.toarray() if sp.issparse(stored) else stored.astype(float)
    return as_design(stored).rescaled(shift, SCALE), (values - shift) * SCALE


def test_products(pair):
    design, dense = pair
    np.testing.assert_allclose(design.matvec(np.arange(5.0)), dense @ np.arange(5.0), rtol=1e-12, atol=1e-12)
    block = np.arange(10.0).reshape(5, 2)
    np.testing.assert_allclose(design.matvec(block), dense @ block, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(design.absolute_matvec(block), np.abs(dense) @ block, rtol=1e-12)
    np.testing.assert_allclose(design.reach(), np.abs(dense).max(axis=0), rtol=1e-12)
    np.testing.assert_allclose(design.rmatvec(np.arange(40.0)), np.arange(40.0) @ dense, rtol=1e-12, atol=1e-12)


def test_moments(pair):
    design, dense = pair
    weight = np.arange(40.0)
    center = np.linspace(-1, 1, 5)
    np.testing.assert_allclose(design.magnitudes(weight), weight @ np.abs(dense), rtol=1e-12)
    threes = np.broadcast_to(3.0, 40)
    np.testing.assert_allclose(as_design(dense).magnitudes(threes), threes @ np.abs(dense), rtol=1e-12)
    np.testing.assert_allclose(design.curvatures(weight, center), weight @ (dense - center) ** 2, rtol=1e-12)
    chosen = np.array([3, 0])
    bordered = np.column_stack([dense[:, chosen], np.ones(40)])
    gram = (bordered.T * weight) @ bordered
    np.testing.assert_allclose(design.gram(weight, chosen, border=True), gram, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(design.gram(weight, chosen, border=False), gram[:2, :2], rtol=1e-10, atol=1e-10)


WEIGHTS = np.arange(40.0), np.full(40, 0.25), np.broadcast_to(0.25, 40), np.repeat([0.0, 1.0, 3.0, 3.0], 10)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("scale", [None, SCALE, 2.0 ** (600 * np.arange(-1, 4) / 10)], ids=["plain", "scaled", "wild"])
def test_products_of_columns_leave_them_as_they_are(storage, scale, monkeypatch):
    small_blocks(monkeypatch)
    stored = STORAGES[storage]
    values = stored.data if sp.issparse(stored) else stored
    given, dense = values.copy(), stored.toarray() if sp.issparse(stored) else stored.astype(float)
    design = as_design(stored)
    if scale is not None:
        monkeypatch.setattr(row_passes, "_TAME", 2.0**100)
        design, dense = design.rescaled(np.zeros(5), scale), dense * scale
    features, others = np.arange(5), np.column_stack([np.ones(40), np.linspace(-1, 2, 40)])
    for weight in WEIGHTS:
        expected = (dense.T * weight) @ dense
        inner, outer = design.moments(weight, others)
        for products in (inner, design.cross(weight, features, features), design.gram(weight, features, border=False)):
            np.testing.assert_allclose(products / expected.max(), expected / expected.max(), rtol=1e-10, atol=1e-300)
        np.testing.assert_allclose(outer, (dense.T * weight) @ others, rtol=1e-10, atol=1e-10 * np.abs(dense).max())
        np.testing.assert_array_equal(values, given)


def test_cross_products(pair):
    design, dense = pair
    features = np.array([0, 4, 2, 3])
    for weight in WEIGHTS:
        products = (dense[:, features].T * weight) @ dense[:, features]
        np.testing.assert_allclose(design.cross(weight, features, features), products, rtol=1e-10, atol=1e-10)
        for chosen in ([1, 3], [2], []):
            cross = design.cross(weight, features[chosen], features)
            np.testing.assert_allclose(cross, products[chosen], rtol=1e-10, atol=1e-10)


def test_weighted_columns(pair):
    design, dense = pair
    features, weight = np.array([4, 0, 3]), np.arange(40.0)
    found = design.weighted_columns(features, weight)
    if sp.issparse(design.X):
        assert found is None
        return
    assert found.flags.c_contiguous
    np.testing.assert_allclose(found, (dense[:, features] * np.sqrt(weight)[:, None]).T, rtol=1e-12, atol=1e-12)


def test_products_with_chosen_columns(pair):
    design, dense = pair
    features = np.array([4, 0, 3])
    np.testing.assert_allclose(
        design.matvec_of(features, np.arange(3.0)), dense[:, features] @ np.arange(3.0), atol=1e-12
    )
    np.testing.assert_allclose(
        design.rmatvec_of(features, np.arange(40.0)), np.arange(40.0) @ dense[:, features], atol=1e-10
    )


def test_spread_bounds_the_mean_square_and_deviations_are_its_root(pair):
    design, dense = pair
    weight = np.arange(40.0) / np.arange(40.0).sum()
    mean = weight @ dense
    variance = weight @ (dense - mean) ** 2
    np.testing.assert_array_less(variance, design.spread(True) * (1 + 1e-12) + 1e-300)
    np.testing.assert_array_less(weight @ dense**2, design.spread(False) * (1 + 1e-12) + 1e-300)
    np.testing.assert_allclose(design.deviations(weight), np.sqrt(variance), rtol=1e-12)


def test_parts(pair):
    design, dense = pair
    rows, columns = np.array([7, 1, 30]), np.array([4, 2])
    np.testing.assert_allclose(design.rows(rows), dense[rows])
    np.testing.assert_allclose(design.rows(rows, columns), dense[np.ix_(rows, columns)])
    np.testing.assert_allclose(design.select(columns).matvec(np.ones(2)), dense[:, columns].sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(design.take(rows).matvec(np.ones(5)), dense[rows].sum(axis=1), atol=1e-12)
    np.testing.assert_allclose(design.transposed_csc(rows).toarray(), dense[rows].T)


def test_rescaling_twice_is_rescaling_once(pair):
    design, dense = pair
    shift = np.zeros(5) if sp.issparse(design.X) else np.linspace(0, 1, 5)
    again = design.rescaled(shift, 2 * SCALE)
    np.testing.assert_allclose(again.rows(np.arange(40)), (dense - shift) * 2 * SCALE, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_array])
def test_the_reach_of_a_sparse_column_does_not_depend_on_other_columns(kind):
    table = np.array([[0.0, 1e-9, 0.0, -1e9], [0.0, -2e-9, 3.0, 0.0]])
    np.testing.assert_array_equal(as_design(kind(table)).reach(), [0.0, 2e-9, 3.0, 1e9])
    np.testing.assert_array_equal(as_design(kind((3, 2))).reach(), [0.0, 0.0])


def test_the_design_shares_its_array():
    for stored in STORAGES.values():
        design = as_design(stored)
        ours, theirs = (design.X.data, stored.data) if sp.issparse(stored) else (design.X, stored)
        assert np.shares_memory(ours, theirs)


def test_a_sparse_design_refuses_to_be_filled():
    with pytest.raises(ValueError, match="sparse column that has zeros cannot be shifted"):
        as_design(STORAGES["csr"]).rescaled(np.ones(5), SCALE)


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_array])
def test_a_sparse_column_without_zeros_is_shifted_where_it_is_far_from_zero(kind):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 4)) * (rng.random((30, 4)) < 0.5)
    X[:, 1], X[:, 3] = 1e3 + 1e-4 * rng.standard_normal(30), 3.0
    design = as_design(kind(X))
    shift, distance = design.extent(centred=True)
    np.testing.assert_array_equal(shift != 0, [False, True, False, True])
    assert distance[1] == pytest.approx(np.ptp(X[:, 1]) / 2)
    assert (shift[3], distance[3]) == (3.0, 0.0)
    moved = design.rescaled(shift, SCALE[:4])
    np.testing.assert_allclose(moved.rows(np.arange(30)), (X - shift) * SCALE[:4], rtol=1e-14)
    np.testing.assert_allclose(design.rescaled(shift, SCALE[:4]).matvec(np.ones(4)), (X - shift) @ SCALE[:4])
    assert np.shares_memory(design.X.data, as_design(design.X).X.data)
    np.testing.assert_array_equal(design.rows(np.arange(30)), X)


def test_extent_of_a_constant_column_is_exactly_zero():
    shift, distance = as_design(np.full((3, 1), 0.1)).extent(centred=True)
    assert shift[0] == 0.1
    assert distance[0] == 0.0


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array, sp.csc_array])
def test_deviations_where_nearly_all_weight_is_on_one_row(storage):
    x, weight = [1e6, 1e6 + 1.0, 1e6 + 3.0, 0.0], [1e12, 1e-10, 2.0, 1e-10]
    found = as_design(storage(np.array(x)[:, None])).deviations(np.array(weight) / np.sum(weight))
    np.testing.assert_allclose(found, exact_deviation(x, weight), rtol=1e-12)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array, sp.csc_array])
@pytest.mark.parametrize("far", [1e6, 1.7e12, -1e15])
def test_deviations_far_from_the_origin(storage, far):
    rng = np.random.default_rng(0)
    X, weight = far + rng.integers(0, 101, (40, 3)).astype(float), rng.integers(0, 4, 40).astype(float)
    found = as_design(storage(X)).deviations(weight / weight.sum())
    np.testing.assert_allclose(found, [exact_deviation(x, weight) for x in X.T], rtol=1e-14)


def exact_deviation(x, weight):
    """The root of the weighted variance, which is exact."""
    x, weight = ([Fraction(value) for value in column] for column in (x, weight))
    total = sum(weight)
    mean = sum(a * b for a, b in zip(x, weight, strict=True)) / total
    return np.sqrt(float(sum(b * (a - mean) ** 2 for a, b in zip(x, weight, strict=True)) / total))
