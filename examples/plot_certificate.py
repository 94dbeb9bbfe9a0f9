"""
How far from optimal is my model?
=================================

``verify`` proves how far any coefficients are from the optimum, whatever found them: set them as ``coef_`` and
``intercept_`` of a fitted model, and call it.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import HuberRegressor, LinearRegression, QuantileRegressor, SGDRegressor
from sklearn.preprocessing import StandardScaler

from ladreg import LADRegressor, LassoCD

X, y = load_diabetes(return_X_y=True)
X = StandardScaler().fit_transform(X)

# %%
# By the mean absolute error
# --------------------------
# Some of these models minimise another loss, and some stop early. ``SGDRegressor`` with ``epsilon=0`` follows
# subgradients of the absolute error. The bound is the same for all: no coefficients have a smaller mean absolute error.


def sgd(epochs):
    options = {"alpha": 0, "eta0": 1, "average": True, "tol": None, "random_state": 0}
    return SGDRegressor("epsilon_insensitive", epsilon=0, max_iter=epochs, **options)


models = {
    "SGD, 1 epoch": sgd(1),
    "LinearRegression": LinearRegression(),
    "SGD, 100 epochs": sgd(100),
    "HuberRegressor": HuberRegressor(),
    "SGD, 1000 epochs": sgd(1000),
    "QuantileRegressor": QuantileRegressor(quantile=0.5, alpha=0),
    "LADRegressor": LADRegressor(),
}
proof, gaps = LADRegressor().fit(X, y), {}
print(f"{'':18s} mean absolute error   proved lower bound")
for name, model in models.items():
    model.fit(X, y)
    proof.coef_, proof.intercept_ = model.coef_, np.ravel(model.intercept_)[0]
    certificate = proof.verify(X, y)
    gaps[name] = certificate.relative_gap
    print(f"{name:18s} {certificate.objective:19.6f} {certificate.bound:20.6f}")

# %%
# A fit that stopped early
# ------------------------
# A ``ConvergenceWarning`` (silenced here) and the certificate say how far the fit may be from the optimum. The proved
# gap is an upper bound of the true distance, and not always a tight one.

optimum = LassoCD(alpha=1.0).fit(X, y).objective_
epochs = np.arange(1, 36)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    early = [LassoCD(alpha=1.0, max_iter=int(limit)).fit(X, y).certificate_ for limit in epochs]
proved = np.array([one.relative_gap for one in early])
true = np.array([(one.objective - optimum) / one.objective for one in early])

# %%
# Gaps below 1e-15, in the shaded region, are rounding.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
left.plot(np.maximum(list(gaps.values()), 1e-17), list(gaps), "o", color="#0072B2", ms=8)
left.invert_yaxis()
left.set(xscale="log", xlim=(5e-18, 3), xlabel="proved relative gap", title="Mean absolute error")
left.axvspan(5e-18, 1e-15, color="0.5", alpha=0.15)
right.plot(epochs, np.maximum(proved, 1e-17), "o-", color="#0072B2", ms=4, label="proved relative gap")
right.plot(epochs, np.maximum(true, 1e-17), "o-", color="#C04F00", ms=4, label="true relative distance")
right.set(yscale="log", ylim=(5e-18, 3), xlabel="max_iter of LassoCD", title="Lasso, stopped early")
right.axhspan(5e-18, 1e-15, color="0.5", alpha=0.15)
right.legend(frameon=False, loc="center left")
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
plt.show()
