"""
How do PyTorch's losses and penalties compare with an exact fit?
================================================================

A small network is trained with absolute, squared and combined loss, then with an L1 penalty on its weights. Last, a
single linear layer is trained for a problem that ``LADRegressor`` solves exactly, which shows how far from the optimum
training stopped. The example needs PyTorch (a CPU build is enough) and takes a few seconds: ``python
examples/networks_torch.py``.
"""

# sphinx_gallery_thumbnail_path = "_static/thumb_networks.png"
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from ladreg import LADRegressor
from ladreg.metrics import combined_loss, l1_loss, l2_loss

try:
    import torch
except ImportError:
    raise SystemExit("This example needs PyTorch: pip install torch") from None

torch.set_num_threads(1)  # the tables are small: threads would wait for each other

# %%
# Data with outliers in y
# -----------------------
# 442 diabetes patients with ten measurements; the target is the progression of the disease, in hundreds. In every tenth
# training row the target is multiplied by ten. The test rows have no outliers.

X, y = load_diabetes(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y / 100, test_size=150, random_state=0)
scaler = StandardScaler().fit(X)
X, X_test = scaler.transform(X), scaler.transform(X_test)
y_outliers = y.copy()
y_outliers[::10] *= 10

# %%
# Three losses
# ------------
# ``torch.nn.L1Loss`` is the mean absolute error, the same number as ``ladreg.metrics.l1_loss``; ``torch.nn.MSELoss`` is
# ``l2_loss``. Predictions and targets must have the same shape: PyTorch broadcasts ``(n, 1)`` against ``(n,)`` with
# only a warning.

absolute, squared = torch.nn.L1Loss(), torch.nn.MSELoss()
losses = {
    "L1": absolute,
    "L2": squared,
    "combined": lambda predicted, true: 0.5 * absolute(predicted, true) + 0.5 * squared(predicted, true),
}


def column(values):
    return torch.from_numpy(values).reshape(len(values), -1)


inputs = column(X)


def network():
    torch.manual_seed(0)
    layers = [torch.nn.Linear(10, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1)]
    return torch.nn.Sequential(*layers).double()


def train(net, optimizer, objective, targets, epochs, after=None):
    true = column(targets)
    for _ in range(epochs):
        optimizer.zero_grad()
        objective(net(inputs), true).backward()
        optimizer.step()
        if after:
            after()


def predict(net):
    with torch.no_grad():
        return net(column(X_test)).numpy().ravel()


for title, targets in {"without outliers": y, "with 10 % outliers": y_outliers}.items():
    rows = {}
    for name, loss in losses.items():
        net = network()
        train(net, torch.optim.Adam(net.parameters(), lr=0.01), loss, targets, epochs=200)
        rows[f"network, {name} loss"] = predict(net)
    rows["LADRegressor"] = LADRegressor().fit(X, targets).predict(X_test)
    rows["LinearRegression"] = LinearRegression().fit(X, targets).predict(X_test)
    print(f"\nTraining targets {title}: losses on test rows")
    print(f"{'':22s} l1_loss   l2_loss   combined_loss")
    for name, predicted in rows.items():
        values = l1_loss(y_test, predicted), l2_loss(y_test, predicted), combined_loss(y_test, predicted, l1_ratio=0.5)
        print(f"{name:22s} {values[0]:7.3f} {values[1]:9.3f} {values[2]:15.3f}")

# %%
# Without outliers the choice of loss matters little, and with only 292 rows the network is not better than a linear
# model. With outliers in y the L2 and the combined loss are much worse, since squares dominate for large residuals. L1
# loses little.

# %%
# An L1 penalty on the weights
# ----------------------------
# The objective is the L1 loss plus ``strength`` times the sum of the absolute weights (without biases). If the penalty
# is added to the loss, subgradient steps oscillate around zero and no weight becomes exactly zero. A proximal step
# after each step on the loss shrinks all weights by ``rate * strength`` and sets smaller ones to zero:
# soft-thresholding, as in ``LassoCD``.

strength, rate = 0.01, 0.05


def weights(net):
    return [parameter for name, parameter in net.named_parameters() if name.endswith("weight")]


def penalty(net):
    return strength * sum(weight.abs().sum() for weight in weights(net))


@torch.no_grad()
def soft_threshold(net):
    for weight in weights(net):
        weight.copy_(weight.sign() * (weight.abs() - rate * strength).clamp(min=0))


in_loss, proximal = network(), network()
train(
    in_loss,
    torch.optim.SGD(in_loss.parameters(), lr=rate),
    lambda predicted, true: absolute(predicted, true) + penalty(in_loss),
    y_outliers,
    epochs=1500,
)
train(
    proximal,
    torch.optim.SGD(proximal.parameters(), lr=rate),
    absolute,
    y_outliers,
    epochs=1500,
    after=lambda: soft_threshold(proximal),
)

print("\nL1 penalty                exactly 0   below 0.001   objective   l1_loss, test rows")
for name, net in {"added to the loss": in_loss, "by a proximal step": proximal}.items():
    with torch.no_grad():
        flat = torch.cat([weight.ravel() for weight in weights(net)])
        objective = float(absolute(net(inputs), column(y_outliers)) + penalty(net))
    zeros = f"{int((flat == 0).sum())} of {flat.numel()}"
    small = int((flat.abs() < 0.001).sum())
    print(f"{name:20s} {zeros:>14s} {small:13d} {objective:11.4f} {l1_loss(y_test, predict(net)):20.3f}")

# %%
# Both reach about the same objective, and most weights are small in both, but only the proximal step makes them exactly
# zero. It needs plain ``SGD``: ``torch.optim.Adam`` scales the gradient of each weight, so that a common threshold
# would be incorrect. The objective of a network has many local minima; the distance of these two from the optimum is
# unknown.

# %%
# How far from optimal did training stop?
# ---------------------------------------
# A single linear layer with L1 loss is the problem of ``LADRegressor``, whose certificate has a lower bound for all
# weights. The distance from the optimum is therefore known in each epoch: with a constant learning rate, and with one
# that decreases by 0.2 % per epoch.

model = LADRegressor().fit(X, y_outliers)
bound = model.certificate_.bound


def linear(shrink, epochs):
    torch.manual_seed(0)
    layer = torch.nn.Linear(10, 1).double()
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.02)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, shrink)
    reached = {}
    for epoch in range(max(epochs) + 1):
        optimizer.zero_grad()
        loss = absolute(layer(inputs), column(y_outliers))
        if epoch in epochs:
            reached[epoch] = loss.item()
        assert loss.item() >= bound * (1 - 1e-12)  # below the bound by no more than rounding, in any epoch
        loss.backward()
        optimizer.step()
        schedule.step()
    return layer, reached


epochs = [0, 10, 100, 300, 1000, 3000]
_, constant = linear(1.0, epochs)
layer, shrinking = linear(0.998, epochs)
print(f"\nL1 loss of a linear layer; proved lower bound: {bound:.9f}")
print(f"{'':8s}{'constant rate':>25s}{'shrinking rate':>28s}")
print(f"{'epochs':8s}" + 2 * f"{'loss':>13s}{'from bound':>14s}")
for epoch in epochs:
    cells = [f"{loss:13.9f}{(loss - bound) / loss:14.1e}" for loss in (constant[epoch], shrinking[epoch])]
    print(f"{epoch:6d}  {''.join(cells)}")

# %%
# With a constant rate the loss stops decreasing at a distance that depends on the rate, which looks like convergence.
# With a decreasing rate it gets closer, but does not reach the optimum. ``LADRegressor`` does:

print(f"\nLADRegressor\n{model.certificate_}")

# %%
# ``verify`` certifies any weights, here those of the layer.

model.coef_, model.intercept_ = layer.weight.detach().numpy().ravel(), layer.bias.item()
print(f"\nThe layer after {max(epochs)} epochs with a shrinking rate\n{model.verify(X, y_outliers)}")
assert np.isclose(model.verify(X, y_outliers).objective, l1_loss(y_outliers, model.predict(X)))
