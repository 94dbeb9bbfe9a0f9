"""Random problems that are nasty on purpose: ties, repeats, dummies, constant columns, n < p, weights of zero."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from ladreg._problem import Absolute, Combined, Huber, Pinball, Squared
from tests.problems import make

L1_LOSSES = (
    Absolute(),
    Pinball(0.2),
    Combined(0.5, 0.5),
    Combined(1.0, 0.01),
    Combined(0.01, 1.0),
    Huber(1.0),
    Huber(0.05),
    Squared(),
)
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


@st.composite
def l1_problems(draw, losses=L1_LOSSES, alphas=(0.0, 0.02, 0.2), positive=None, **sizes):
    """Problems of the L1 family: any loss, features that are free, penalised, more so and excluded, any or b >= 0."""
    X, y, weight = draw(tables(**sizes))
    loss, alpha = draw(st.sampled_from(losses)), draw(st.sampled_from(alphas))
    factors = np.ones(X.shape[1])
    if draw(st.booleans()):
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        factors = rng.choice([0.0, 1.0, 1.0, 2.5, np.inf], X.shape[1])
    strength = np.where(np.isinf(factors), np.inf, alpha * np.where(np.isinf(factors), 0.0, factors))
    signs = draw(st.booleans()) if positive is None else positive
    return make(X, y, weight=weight, loss=loss, alpha=strength, positive=signs, fit_intercept=draw(st.booleans()))
