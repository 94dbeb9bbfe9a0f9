"""
How do Keras's losses and penalties compare with an exact fit?
==============================================================

The questions of ``networks_torch.py``, in Keras: three losses, an L1 penalty on the weights, and how
far from ``LADRegressor``'s exact optimum a linear layer stops. The example needs Keras 3 with any of
its backends and runs in some seconds: ``python examples/networks_keras.py``. With TensorFlow,
``keras.losses`` and ``keras.regularizers`` are the same as ``tf.keras.losses`` and
``tf.keras.regularizers``.
"""

import os
import warnings

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from ladreg import LADRegressor
from ladreg.metrics import combined_loss, l1_loss, l2_loss

os.environ.setdefault("KERAS_BACKEND", "torch")  # or tensorflow, or jax
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the tables are small: threads would wait for each other
try:
    import keras
except ImportError as error:
    raise SystemExit(f"This example needs Keras and a backend: pip install keras torch ({error})") from None

# PyTorch's tensors lack a keyword that NumPy 2 asks for; Keras's conversion is right all the same.
warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)

# %%
# Data with outliers in y
# -----------------------
# 442 diabetes patients, ten measurements each; the target is a score of the disease, in hundreds. In
# every tenth training row the target is multiplied by ten. The test rows are clean.

X, y = load_diabetes(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y / 100, test_size=150, random_state=0)
scaler = StandardScaler().fit(X)
X, X_test = scaler.transform(X), scaler.transform(X_test)
wrong = y.copy()
wrong[::10] *= 10

# %%
# Three losses
# ------------
# ``keras.losses.MeanAbsoluteError`` is the same number as ``ladreg.metrics.l1_loss``, and
# ``keras.losses.MeanSquaredError`` is ``l2_loss``. A combined loss is a function of tensors.

absolute, squared = keras.losses.MeanAbsoluteError(), keras.losses.MeanSquaredError()
losses = {
    "L1": absolute,
    "L2": squared,
    "combined": lambda true, predicted: 0.5 * absolute(true, predicted) + 0.5 * squared(true, predicted),
}


def network(**options):
    keras.utils.set_random_seed(0)
    hidden = keras.layers.Dense(16, activation="relu", **options)
    return keras.Sequential([keras.Input((10,)), hidden, keras.layers.Dense(1, **options)])


def predict(net, rows):
    return keras.ops.convert_to_numpy(net(rows)).ravel()


def train(net, epochs, done=0):
    # Four batches of 73 rows an epoch: in a smaller last batch a row would count more than in the others.
    net.fit(X, wrong.reshape(-1, 1), batch_size=73, initial_epoch=done, epochs=epochs, verbose=0)


print("Every tenth training target wrong: losses on clean test rows")
print(f"{'':22s} l1_loss   l2_loss   combined_loss")
rows = {}
for name, loss in losses.items():
    net = network()
    net.compile(keras.optimizers.Adam(0.01), loss)
    train(net, epochs=50)
    rows[f"network, {name} loss"] = predict(net, X_test)
rows["LADRegressor"] = LADRegressor().fit(X, wrong).predict(X_test)
for name, predicted in rows.items():
    values = l1_loss(y_test, predicted), l2_loss(y_test, predicted), combined_loss(y_test, predicted, l1_ratio=0.5)
    print(f"{name:22s} {values[0]:7.3f} {values[1]:9.3f} {values[2]:15.3f}")

# %%
# L2 is drawn after the outliers in y, and so is the combined loss, since its squared half outweighs
# the other where residuals are large. L1 withstands most of it.

# %%
# An L1 penalty on the weights
# ----------------------------
# ``kernel_regularizer=keras.regularizers.L1(strength)`` adds the penalty to the loss, and training
# follows its subgradient: weights step over zero and back, and none ends there. A proximal step sets
# small weights to zero. Keras applies a ``kernel_constraint`` after each step of the optimizer, which is
# the place for it; with plain SGD the threshold is ``rate * strength``.

strength, rate = 0.01, 0.05


class SoftThreshold(keras.constraints.Constraint):
    """Shrink all weights by the threshold; what is smaller becomes zero."""

    def __init__(self, threshold):
        self.threshold = threshold

    def __call__(self, weights):
        return keras.ops.sign(weights) * keras.ops.relu(keras.ops.abs(weights) - self.threshold)


nets = {
    "added to the loss": network(kernel_regularizer=keras.regularizers.L1(strength)),
    "by a proximal step": network(kernel_constraint=SoftThreshold(rate * strength)),
}
print("\nL1 penalty                exactly 0   below 0.001   objective   l1_loss, test rows")
for name, net in nets.items():
    net.compile(keras.optimizers.SGD(rate), absolute)
    train(net, epochs=250)
    flat = np.concatenate([keras.ops.convert_to_numpy(layer.kernel).ravel() for layer in net.layers])
    objective = l1_loss(wrong, predict(net, X)) + strength * np.abs(flat).sum()
    zeros = f"{np.sum(flat == 0)} of {flat.size}"
    small = np.sum(np.abs(flat) < 0.001)
    print(f"{name:20s} {zeros:>14s} {small:13d} {objective:11.4f} {l1_loss(y_test, predict(net, X_test)):20.3f}")

# %%
# More than half of the weights are small in both, but only the proximal step makes them zero. The objective
# of a network has many local minima, and nothing proves how far these two are from the best.

# %%
# How far from optimal did training stop?
# ---------------------------------------
# A single linear layer with L1 loss is the problem of ``LADRegressor``. ``verify`` takes the weights of
# the layer and computes their objective and a bound that no weights can beat, both in float64 (Keras
# computes in float32). So the distance of each epoch is known. The rate shrinks by 0.3 % a step.

model = LADRegressor().fit(X, wrong)
optimum = model.certificate_
keras.utils.set_random_seed(0)
layer = keras.Sequential([keras.Input((10,)), keras.layers.Dense(1)])
schedule = keras.optimizers.schedules.ExponentialDecay(0.05, decay_steps=1, decay_rate=0.997)
layer.compile(keras.optimizers.Adam(schedule), absolute)

print("\nA linear layer with L1 loss")
print("epochs          loss   proved lower bound   from bound")
done = 0
for epochs in [0, 3, 10, 30, 100, 300]:
    if epochs > done:
        train(layer, epochs, done)
        done = epochs
    kernel, bias = layer.get_weights()
    model.coef_, model.intercept_ = kernel.astype(float).ravel(), float(bias[0])
    proof = model.verify(X, wrong)
    assert proof.objective >= optimum.bound * (1 - 1e-12)  # below the bound by no more than rounding
    print(f"{epochs:6d} {proof.objective:13.9f} {proof.bound:20.9f} {proof.relative_gap:12.1e}")

# %%
# Training comes nearer, always from above, and does not arrive. ``LADRegressor`` does:

print(f"\nLADRegressor\n{optimum}")
