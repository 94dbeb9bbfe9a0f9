"""
How far from optimal is my model?
=================================

``verify`` proves how far any coefficients are from the optimum, whatever found them: put them into a
fitted model as ``coef_`` and ``intercept_``, and ask.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import HuberRegressor, Lasso, LinearRegression, QuantileRegressor, SGDRegressor
from sklearn.preprocessing import StandardScaler

from ladreg import LADRegressor, LassoCD

X, y = load_diabetes(return_X_y=True)
X = StandardScaler().fit_transform(X)

# %%
# Judged by the absolute error
# ----------------------------
# Some of these models minimise something else, and some stop early. ``SGDRegressor`` with
# ``epsilon=0`` follows subgradients of the absolute error.


def sgd(epochs):
    return SGDRegressor(
        loss="epsilon_insensitive",
        epsilon=0,
        alpha=0,
        learning_rate="invscaling",
        eta0=1,
        average=True,
        max_iter=epochs,
        tol=None,
        random_state=0,
    )


models = {
    "SGD, 1 epoch": sgd(1),
    "SGD, 10 epochs": sgd(10),
    "LinearRegression": LinearRegression(),
    "SGD, 100 epochs": sgd(100),
    "HuberRegressor": HuberRegressor(),
    "SGD, 1000 epochs": sgd(1000),
    "QuantileRegressor": QuantileRegressor(quantile=0.5, alpha=0),
    "LADRegressor": LADRegressor(),
}
judge = LADRegressor().fit(X, y)
proved = {}
print(f"{'':18s} mean absolute error   proved lower bound   relative gap")
for name, model in models.items():
    model.fit(X, y)
    judge.coef_, judge.intercept_ = model.coef_, np.ravel(model.intercept_)[0]
    certificate = judge.verify(X, y)
    proved[name] = certificate.relative_gap
    gap = f"{certificate.relative_gap:.1e}" if certificate.relative_gap > 1e-15 else "< 1e-15"
    print(f"{name:18s} {certificate.objective:19.6f} {certificate.bound:20.6f} {gap:>14s}")

# %%
# For the absolute error the bound is the optimum itself: ``verify`` solves a linear program for it. A
# gap below 1e-15 is rounding.

# %%
# Judged by the lasso's objective
# -------------------------------
# Here the bound comes from the residuals of the model itself. That is cheap, and never wrong, but
# rough while the residuals are: the proved gap is an upper bound of the true one. scikit-learn's
# ``Lasso`` stops at a gap, too; its default tolerance allows a larger one.

judge = LassoCD(alpha=1.0).fit(X, y)
optimum = judge.objective_
for name, model in {"Lasso": Lasso(alpha=1.0), "LassoCD": LassoCD(alpha=1.0)}.items():
    model.fit(X, y)
    judge.coef_, judge.intercept_ = model.coef_, model.intercept_
    print(f"{name}\n{judge.verify(X, y)}\n")

# %%
# Stopped early, a fit says how far it may be from the optimum: in a ``ConvergenceWarning`` (silenced
# here) and in its certificate.

epochs = np.arange(1, 36)
gaps, errors = [], []
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    for limit in epochs:
        certificate = LassoCD(alpha=1.0, max_iter=int(limit)).fit(X, y).certificate_
        gaps.append(certificate.relative_gap)
        errors.append((certificate.objective - optimum) / certificate.objective)

# %%
# The scales are logarithmic and end at 1e-17; the shaded regions are rounding.

floor, rounding = 1e-17, 1e-15
blue, orange = "#0072B2", "#C04F00"
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
height = np.arange(len(proved))[::-1]
values = np.maximum(list(proved.values()), floor)
left.hlines(height, floor, values, color="0.8", lw=1)
left.plot(values, height, "o", color=blue, ms=8)
left.set_yticks(height, list(proved))
left.set(xscale="log", xlim=(floor / 2, 3), xlabel="proved relative gap")
left.axvspan(floor / 2, rounding, color="0.95", zorder=0)
left.set_title("Least absolute deviations", loc="left", size=10)

right.plot(epochs, np.maximum(gaps, floor), "o-", color=blue, ms=4, label="proved relative gap")
right.plot(epochs, np.maximum(errors, floor), "o-", color=orange, ms=4, label="true relative distance")
right.axhspan(floor / 2, rounding, color="0.95", zorder=0)
right.set(yscale="log", ylim=(floor / 2, 3), xlabel="LassoCD's max_iter")
right.legend(loc="lower left", frameon=False, labelcolor="linecolor", bbox_to_anchor=(0, 0.15))
right.set_title("Lasso, stopped early", loc="left", size=10)
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
right.grid(axis="y", color="0.92")
left.grid(axis="x", color="0.92")
plt.show()
