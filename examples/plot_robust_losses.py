"""
Which loss for data with outliers?
==================================

Absolute, squared, combined, Huber's and quantile loss: how much influence a residual has, how far outliers in y and in
X pull the fit away, and what robustness costs without outliers.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm
from sklearn.linear_model import LinearRegression

from ladreg import CombinedLossRegressor, HuberLossRegressor, LADRegressor, QuantileRegressor

# %%
# Influence of a row
# ------------------
# The derivative of the loss is the influence of a row on the fit. A loss is robust to outliers in y if its derivative
# is bounded: that of the absolute, Huber's and quantile loss is, that of the squared and the combined loss is not.

models = {  # estimator, colour, derivative of the loss
    "squared (LinearRegression)": (LinearRegression(), "#D55E00", lambda r: 2 * r),
    "combined, half and half": (CombinedLossRegressor(l1_ratio=0.5), "#A8497F", lambda r: np.sign(r) / 2 + r),
    "quantile 0.75": (QuantileRegressor(quantile=0.75, alpha=0), "0.35", lambda r: np.where(r > 0, 0.75, -0.25)),
    "Huber": (HuberLossRegressor(), "#009E73", lambda r: np.clip(r, -1.35, 1.35)),
    "absolute (LADRegressor)": (LADRegressor(), "#0072B2", np.sign),
}
residual = np.linspace(-4, 4, 400)
figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
for name, (_, colour, derivative) in models.items():
    axes.plot(residual, derivative(residual), color=colour, lw=2, label=name)
axes.set(xlabel="residual", ylabel="influence of a row", ylim=(-4, 4))
axes.legend(frameon=False, labelcolor="linecolor")
axes.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# More and more outliers
# ----------------------
# The line is y = 1 + 2 x with normal errors, 200 rows, x from 0 to 10. In a fraction of the rows the decimal point is
# misplaced, and a number is ten times too large: first in y (an outlier in y), then in x (a bad leverage point). Errors
# are means over eight samples. The true intercept of the quantile 0.75 is 0.67 higher.

above = {name: norm.ppf(getattr(model, "quantile", 0.5)) for name, (model, *_) in models.items()}
fractions = {"y": np.arange(0, 0.51, 0.05), "x": np.arange(0, 0.21, 0.02)}


def mean_error(name, fraction, where):
    """Mean error of slope and intercept if a fraction of y or x is ten times too large."""
    random, errors = np.random.default_rng(0), []
    for _ in range(8):
        x = random.uniform(0, 10, 200)
        y = 1 + 2 * x + random.standard_normal(200)
        (y if where == "y" else x)[random.permutation(200)[: round(200 * fraction)]] *= 10
        model = models[name][0].fit(x.reshape(-1, 1), y)
        errors.append((model.coef_[0] - 2, model.intercept_ - 1 - above[name]))
    return np.mean(errors, axis=0)


errors = {
    where: {name: np.array([mean_error(name, fraction, where) for fraction in grid]) for name in models}
    for where, grid in fractions.items()
}
print(f"{'error of the slope, which is 2':32s}{'20 % of y':>12s}{'40 % of y':>12s}{'10 % of x':>12s}")
for name in models:
    print(f"{name:32s}{errors['y'][name][4, 0]:12.2f}{errors['y'][name][8, 0]:12.2f}{errors['x'][name][5, 0]:12.2f}")

# %%
# **Outliers in y** pull least squares and the combined loss away at once. The slopes of Huber's and absolute loss hold
# until nearly half of the targets are outliers; the quantile 0.75 breaks down at a quarter, since all outliers are
# above it. The intercepts drift, because all outliers lie on one side.
#
# **Outliers in X break all of these losses**, least absolute deviations too: check X, or use least trimmed squares or
# MM-estimators.

figure, panels = plt.subplots(2, 2, figsize=(9, 6), layout="constrained", sharex="col")
for column, where in enumerate(fractions):
    for row, what in enumerate(("slope", "intercept")):
        axes = panels[row, column]
        for name, (_, colour, _) in models.items():
            axes.plot(100 * fractions[where], errors[where][name][:, row], color=colour, lw=2, label=name)
        axes.set_ylabel(f"error of the {what}")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0, column].set_title(f"Outliers in {where.upper() if where == 'x' else where}", loc="left")
    panels[1, column].set_xlabel(f"rows with {where} ten times too large, %")
figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False)
plt.show()

# %%
# The price without outliers
# --------------------------
# 150 samples of 100 rows with normal errors. The efficiency is the variance of least squares divided by that of the
# model: 0.64 means that the model needs 1 / 0.64 times as many rows for the same precision.

random = np.random.default_rng(0)
X = random.standard_normal((100, 5))
Y = (X @ np.arange(5.0))[:, None] + random.standard_normal((100, 150))
variance = {name: model.fit(X, Y).coef_.var(axis=0).mean() for name, (model, *_) in models.items()}
for name in models:
    print(f"{name:28s}efficiency {variance['squared (LinearRegression)'] / variance[name]:.2f}")
