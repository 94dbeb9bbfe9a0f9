"""Columns that share no row: found, counted, and the Gram matrix in blocks is the dense one."""

import numpy as np
import pytest
import scipy.sparse as sp

from ladreg._design import as_design
from ladreg._kernels import _blocks, reference_blocks
from ladreg._piecewise.newton_step import newton_step
from ladreg._problem import ElasticNet
from tests.kernel_calls import disjoint, full_blocks, in_blocks


def dummies(codes, n_levels=None):
    n = codes.size
    return sp.csr_array((np.ones(n), codes, np.arange(n + 1)), shape=(n, n_levels or codes.max() + 1))


def grouped(n_samples=600, n_groups=60, crossed=0, dense=2, seed=0):
    """Dense columns, the dummies of a factor and those of another, smaller one."""
    rng = np.random.default_rng(seed)
    parts = [sp.csr_array(rng.standard_normal((n_samples, dense))), dummies(rng.integers(0, n_groups, n_samples))]
    if crossed:
        parts.append(dummies(rng.integers(0, crossed, n_samples), crossed))
    return sp.csr_array(sp.hstack(parts))


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("function", ["disjoint_columns", "block_gram"])
def test_kernels_are_their_reference(function, index):
    calls = [(disjoint if function == "disjoint_columns" else in_blocks)(index) for _ in range(2)]
    for kernels, call in zip((_blocks, reference_blocks), calls, strict=True):
        getattr(kernels, function)(**call)
    for name, ours in calls[0].items():
        if function == "block_gram" or name == "label":
            np.testing.assert_allclose(ours, calls[1][name], rtol=1e-14)


def test_products_that_are_all_stored_need_no_places():
    calls = [full_blocks() for _ in range(2)]
    for kernels, call in zip((_blocks, reference_blocks), calls, strict=True):
        kernels.block_gram(**call)
    for name in ("diagonal", "cross", "inner"):
        np.testing.assert_allclose(calls[0][name], calls[1][name], rtol=1e-14)
    for crossed in (0, 20):
        pattern = as_design(grouped(crossed=crossed)).blocks(True)
        assert (pattern.position.size == 0) == (crossed == 0)


@pytest.mark.parametrize("n_classes", [1, 2, 6])
def test_classes_of_random_tables_are_their_reference_and_share_no_row(n_classes):
    for seed in range(20):
        X = sp.csr_array(sp.random(40, 30, density=0.05, random_state=seed))
        X.sort_indices()
        labels = np.zeros((2, 30), dtype=np.intp)
        for kernels, label in zip((_blocks, reference_blocks), labels, strict=True):
            rows = np.zeros_like(X.indices)
            kernels.disjoint_columns(X.indices, X.indptr, 5, n_classes, rows, label)
        np.testing.assert_array_equal(*labels)
        for number in range(n_classes):
            assert (X[:, labels[0] == number] != 0).sum(axis=1).max(initial=0) <= 1


@pytest.mark.parametrize("border", [True, False])
@pytest.mark.parametrize("crossed", [0, 20])
@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_array])
def test_the_gram_matrix_in_blocks_is_the_dense_one(kind, crossed, border):
    rng = np.random.default_rng(1)
    X = grouped(crossed=crossed)
    design = as_design(kind(X)).rescaled(np.zeros(X.shape[1]), np.exp(rng.standard_normal(X.shape[1])))
    weight = rng.random(X.shape[0])
    weight[::7] = 0.0
    pattern = design.blocks(border)
    assert pattern.separate.size == 60
    assert pattern.others.size == 2 + crossed + border
    found = design.block_gram(weight, border)
    full = np.zeros((pattern.n_columns,) * 2)
    full[np.ix_(pattern.separate, pattern.separate)] = np.diag(found.diagonal)
    full[np.ix_(pattern.separate, pattern.others)] = found.cross.toarray()
    full[np.ix_(pattern.others, pattern.separate)] = found.cross.toarray().T
    full[np.ix_(pattern.others, pattern.others)] = found.inner
    expected = design.gram(weight, np.arange(X.shape[1]), border)
    np.testing.assert_allclose(full, expected, rtol=1e-12, atol=1e-12)
    # The solver is that of a definite matrix; a part of the columns is a part of the matrix.
    more = rng.random(pattern.n_columns) + 0.1
    some = np.sort(rng.choice(pattern.n_columns, 50, replace=False))
    right = rng.standard_normal(pattern.n_columns)
    definite = found.plus(np.arange(pattern.n_columns), more)
    expected = expected + np.diag(more)
    np.testing.assert_allclose(definite.solver()(right), np.linalg.solve(expected, right), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        definite.of(some).solver()(right[some]),
        np.linalg.solve(expected[np.ix_(some, some)], right[some]),
        rtol=1e-9,
        atol=1e-9,
    )
    assert definite.is_regular()
    assert definite.of(some).is_regular()


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("crossed", [0, 20])
@pytest.mark.parametrize("border", [True, False])
def test_a_penalised_newton_step_in_blocks_is_the_dense_one(border, crossed, positive):
    rng = np.random.default_rng(crossed + border)
    design = as_design(grouped(crossed=crossed))
    weight, size = rng.random(600), design.n_features + border
    blocks = design.block_gram(weight, border).plus(np.arange(size), np.ones(size))
    dense = design.gram(weight, np.arange(design.n_features), border) + np.eye(size)
    strength = np.where(rng.random(design.n_features) < 0.8, 3.0 * rng.random(design.n_features), 0.0)
    penalty = ElasticNet(strength, positive)
    for gradient in 5.0 * rng.standard_normal((10, size)):
        point = np.maximum(rng.standard_normal(size), 0.0)
        found = newton_step(blocks, gradient, point, penalty, (1e-14,))
        np.testing.assert_allclose(found, newton_step(dense, gradient, point, penalty, (1e-14,)), rtol=1e-9, atol=1e-9)
        assert np.count_nonzero(point + found) < size


def test_a_column_that_depends_on_the_dummies_is_seen():
    """The intercept is the sum of all dummies of a factor: a singular matrix whose equations have solutions."""
    design = as_design(grouped())
    gram = design.block_gram(np.ones(600), True)
    assert not gram.is_regular()
    assert design.block_gram(np.ones(600), False).is_regular()
    right = design.gram(np.ones(600), np.arange(62), True) @ np.random.default_rng(0).standard_normal(63)
    found = gram.pseudo_solver()(right)
    np.testing.assert_allclose(design.gram(np.ones(600), np.arange(62), True) @ found, right, rtol=1e-9, atol=1e-9)


def test_tables_without_groups_have_no_blocks():
    X = sp.csr_array(sp.random(200, 60, density=0.3, random_state=0))
    assert as_design(X).blocks(True) is None
    assert as_design(X.toarray()).blocks(True) is None
    assert as_design(grouped(n_groups=20)).blocks(True) is None
    assert as_design(sp.csr_array((0, 60))).blocks(True) is None
