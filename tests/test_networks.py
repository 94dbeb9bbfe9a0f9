"""Our metrics and PyTorch's and Keras's losses are the same numbers, where those are installed."""

import os
from importlib.util import find_spec

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from ladreg import LADRegressor
from ladreg.metrics import combined_loss, huber_loss, l1_loss, l2_loss, pinball_loss

SHAPES = [(64,), (64, 1), (64, 4)]


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.fixture
def keras():
    backends = [name for name in ("torch", "tensorflow", "jax") if find_spec(name)]
    if not (backends and find_spec("keras")):
        pytest.skip("Keras or a backend for it is not installed")
    os.environ.setdefault("KERAS_BACKEND", backends[0])
    import keras

    return keras


def pairs(shape):
    """Targets and predictions: random ones, and small multiples of 1/8, whose losses have no rounding in float32."""
    rng = np.random.default_rng(len(shape))
    yield "random", *(3 * rng.standard_normal((2, *shape)))
    yield "eighths", *(rng.integers(-40, 40, (2, *shape)) / 8)


@pytest.mark.parametrize("shape", SHAPES)
def test_torch_has_the_same_losses(torch, shape):
    absolute, squared = torch.nn.L1Loss(), torch.nn.MSELoss()
    for _, true, predicted in pairs(shape):
        y, p = torch.from_numpy(true), torch.from_numpy(predicted)
        residual = y - p
        for ours, theirs in (
            (l1_loss(true, predicted), absolute(p, y)),
            (l2_loss(true, predicted), squared(p, y)),
            (combined_loss(true, predicted, l1_ratio=0.3), 0.3 * absolute(p, y) + 0.7 * squared(p, y)),
            (huber_loss(true, predicted), torch.nn.HuberLoss()(p, y)),
            (huber_loss(true, predicted, delta=2.5), torch.nn.HuberLoss(delta=2.5)(p, y)),
            (huber_loss(true, predicted, delta=2.5) / 2.5, torch.nn.SmoothL1Loss(beta=2.5)(p, y)),
            (pinball_loss(true, predicted), absolute(p, y) / 2),
            # PyTorch has no pinball loss; this is how it is written there.
            (pinball_loss(true, predicted, quantile=0.9), torch.maximum(0.9 * residual, -0.1 * residual).mean()),
        ):
            assert ours == pytest.approx(theirs.item(), rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_keras_has_the_same_losses(keras, shape):
    # Keras may compute in float32 whatever dtype is asked for: keras-team/keras, issue 23223.
    exact = keras.backend.result_type("float64", "float64") == "float64"
    options = {"dtype": "float64"}
    absolute, squared = keras.losses.MeanAbsoluteError(**options), keras.losses.MeanSquaredError(**options)
    for kind, y, p in pairs(shape):
        rel = 1e-12 if exact or kind == "eighths" else 1e-6
        for ours, theirs in (
            (l1_loss(y, p), absolute(y, p)),
            (l2_loss(y, p), squared(y, p)),
            (combined_loss(y, p, l1_ratio=0.25), 0.25 * absolute(y, p) + 0.75 * squared(y, p)),
            (huber_loss(y, p), keras.losses.Huber(**options)(y, p)),
            (huber_loss(y, p, delta=2.5), keras.losses.Huber(delta=2.5, **options)(y, p)),
            (pinball_loss(y, p), absolute(y, p) / 2),
        ):
            assert ours == pytest.approx(float(theirs), rel=rel)


def test_sample_weights_are_normalised_here_and_by_one_reduction_of_keras(keras):
    _, y, p = next(iter(pairs((64, 4))))
    weight = np.random.default_rng(0).random(64)
    mean = keras.losses.MeanAbsoluteError(reduction="mean_with_sample_weight")
    over_rows = keras.losses.MeanAbsoluteError()
    ours = l1_loss(y, p, sample_weight=weight)
    assert ours == pytest.approx(float(mean(y, p, sample_weight=weight)), rel=1e-6)
    assert ours * weight.mean() == pytest.approx(float(over_rows(y, p, sample_weight=weight)), rel=1e-6)


@pytest.mark.parametrize("strength", [0.0, 0.05])
def test_a_linear_layer_comes_near_the_bound_from_above(torch, strength):
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), y / 100
    y[::10] *= 10
    certificate = LADRegressor(alpha=strength).fit(X, y).certificate_
    assert certificate.relative_gap < 1e-12
    torch.manual_seed(0)
    layer = torch.nn.Linear(10, 1).double()
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.02)
    inputs, targets = torch.from_numpy(X), torch.from_numpy(y).reshape(-1, 1)
    reached = []
    for _ in range(500):
        optimizer.zero_grad()
        objective = torch.nn.L1Loss()(layer(inputs), targets) + strength * layer.weight.abs().sum()
        reached.append(objective.item())
        objective.backward()
        optimizer.step()
    assert reached[0] > 1.2 * certificate.objective
    assert min(reached) >= certificate.bound * (1 - 1e-12)
    assert reached[-1] <= certificate.bound * 1.01
