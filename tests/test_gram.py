"""The Gram matrix of a working set that changes, of which only some rows are there."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from ladreg._design import SparseDesign
from ladreg._least_squares import Centred
from ladreg._problem import HalfSquared
from tests.problems import make

N, P = 15, 40


def columns(rng, sparse=False, weighted=False):
    """Columns of which one is constant and two are equal, and their Gram matrix."""
    X = rng.standard_normal((N, P)) + 1.0
    if sparse:
        X *= rng.random(X.shape) < 0.3
    X[:, 3], X[:, 5] = 2.0, X[:, 4]
    weight = rng.random(N) + 0.1 if weighted else np.ones(N)
    weight /= weight.sum()
    given_X = sp.csc_array(X) if sparse else X
    problem = make(given_X, rng.standard_normal(N), weight=weight, loss=HalfSquared(), alpha=1.0)
    centred = X - weight @ X
    gram = (centred.T * weight) @ centred
    gram[3], gram[:, 3] = 0.0, 0.0
    return Centred(problem).gram, gram


def check(gram, expected):
    """What is known is right, and of what is not known nothing is claimed."""
    rows = gram.features[gram.known]
    np.testing.assert_allclose(gram.matrix[gram.known], expected[np.ix_(rows, gram.features)], atol=1e-13)
    if not isinstance(gram.design, SparseDesign):  # whose centred square is a difference
        np.testing.assert_array_equal(gram.matrix[gram.known & (gram.features == 3)], 0.0)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.booleans(), st.booleans())
def test_rows_of_a_working_set_that_changes(seed, sparse, weighted):
    rng = np.random.default_rng(seed)
    gram, expected = columns(rng, sparse, weighted)
    for _ in range(6):
        wanted = rng.permutation(P)[: rng.integers(0, 8)]
        others = None if rng.random() < 0.3 else rng.permutation(P)[: rng.integers(0, 8)]
        features = gram.work_on(wanted, others)
        assert sorted(features) == sorted({*wanted, *(() if others is None else others)})
        np.testing.assert_array_equal(features[gram.known].size, wanted.size)
        assert set(features[gram.known]) == set(wanted)
        check(gram, expected)
        gram.fill(rng.permutation(np.flatnonzero(~gram.known))[: rng.integers(0, 3)])
        check(gram, expected)
        some = rng.permutation(P)[:4]
        if 3 not in some:
            np.testing.assert_allclose(gram.of(some), expected[np.ix_(some, some)], atol=1e-13)


def test_what_is_known_is_not_computed_again(monkeypatch):
    gram, expected = columns(np.random.default_rng(0))
    gram.work_on(np.arange(6), np.arange(10, 20))
    asked = []
    design = type(gram.design)
    cross = design.cross
    monkeypatch.setattr(design, "cross", lambda *given: asked.append(given[2].size * given[3].size) or cross(*given))
    gram.work_on(np.arange(6), np.arange(10, 20))
    assert asked == []
    gram.work_on(np.arange(6), np.arange(12, 22))
    assert asked == [6 * 2]
    gram.work_on(np.arange(7), np.arange(12, 22))
    assert asked == [6 * 2, 17]
    check(gram, expected)


@pytest.mark.parametrize("size", [4, 20])
def test_copied_columns_say_the_same(size):
    """The columns of a working set are copied if it has at most a quarter of the features."""
    gram, expected = columns(np.random.default_rng(1), weighted=True)
    copies, copy = [], gram.design.weighted_columns
    object.__setattr__(gram.design, "weighted_columns", lambda *given: copies.append(1) or copy(*given))
    gram.work_on(np.arange(0, 10, 2), np.arange(20, 20 + size))
    assert len(copies) == (size == 4)
    gram.fill(np.flatnonzero(~gram.known)[:4])
    check(gram, expected)
