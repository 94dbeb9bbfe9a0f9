"""Random problems that are nasty on purpose: ties, repeats, dummies, constant columns, n < p, weights of zero."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from ladreg._losses import Absolute, Pinball
from tests.problems import make

KINDS = ("normal", "integer", "dummies", "leverage", "twins", "constant", "zero")


@st.composite
def tables(draw, max_samples=24, max_features=8):
    """X, y and sample weights."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_samples = draw(st.integers(1, max_samples))
    n_features = draw(st.integers(0, max_features))
    X = _columns(rng, draw(st.sampled_from(KINDS)), n_samples, n_features)
    if draw(st.booleans()) and n_samples > 2:
        X = X[rng.integers(0, max(1, n_samples // 2), n_samples)]
    y = draw(st.sampled_from([rng.integers(0, 4, n_samples), rng.standard_normal(n_samples), np.ones(n_samples)]))
    weight = draw(
        st.sampled_from([np.ones(n_samples), rng.integers(0, 4, n_samples), rng.exponential(1.0, n_samples)])
    ).astype(float)
    weight[rng.integers(n_samples)] += 1.0
    return X, y.astype(float), weight


def _columns(rng, kind, n_samples, n_features):
    X = rng.standard_normal((n_samples, n_features))
    if kind == "integer":
        X = rng.integers(-2, 3, X.shape).astype(float)
    elif kind == "dummies":
        X = (rng.random(X.shape) < 0.3).astype(float)
    elif kind == "leverage":
        X *= np.exp(2 * rng.standard_normal((n_samples, 1)))
    elif kind == "twins" and n_features > 1:
        X[:, 1] = X[:, 0]
    elif kind == "constant" and n_features:
        X[:, 0] = 3.0
    elif kind == "zero" and n_features:
        X[:, -1] = 0.0
    return X


@st.composite
def lad_problems(draw, **sizes):
    """LAD and quantile problems, penalised or not."""
    X, y, weight = draw(tables(**sizes))
    loss = draw(st.sampled_from([Absolute(), Absolute(), Pinball(0.5), Pinball(0.2)]))
    alpha = draw(st.sampled_from([0.0, 0.0, 0.02, 0.2]))
    return make(X, y, weight=weight, loss=loss, alpha=alpha, fit_intercept=draw(st.booleans()))
