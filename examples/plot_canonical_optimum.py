"""
What if the median line is not unique?
======================================

With few rows or integer targets many lines can share the smallest sum of absolute deviations. ``LADRegressor`` always
returns the same, well-defined one, whatever the order of the rows.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import QuantileRegressor

from ladreg import LADRegressor

# %%
# The median of four numbers
# --------------------------
# Every number from 2 to 10 is a median of 1, 2, 10 and 20. Like NumPy, ``LADRegressor`` returns the midpoint 6, however
# large the largest number is.

for largest in (20, 2_000):
    four = np.array([1, 2, 10, largest])
    model = LADRegressor().fit(np.zeros((4, 1)), four)
    print(f"1, 2, 10, {largest}: LADRegressor {model.intercept_:g}, NumPy {np.median(four):g}, mean {four.mean():g}")

# %%
# A family of optimal lines
# -------------------------
# Eight rows of integers have many optimal lines. Both estimators are fitted to 200 random orders of these rows.

x = np.arange(1.0, 9.0)
y = np.array([2.0, 1.0, 2.0, 3.0, 3.0, 4.0, 7.0, 3.0])


def different_lines(estimator):
    random = np.random.default_rng(0)
    found = []
    for _ in range(200):
        order = random.permutation(x.size)
        fit = estimator.fit(x[order, None], y[order])
        found.append((fit.coef_[0], fit.intercept_))
    return np.unique(np.round(found, 9), axis=0, return_counts=True)


one, _ = different_lines(LADRegressor())
several, counts = different_lines(QuantileRegressor(quantile=0.5, alpha=0))
print(f"LADRegressor: {len(one)} line")
print(f"scikit-learn's QuantileRegressor: {len(several)} lines, {', '.join(map(str, counts))} times")
for slope, intercept in np.vstack([one, several]):
    print(f"slope {slope:.4f}, sum of absolute deviations {abs(y - slope * x - intercept).sum():g}")

# %%
# All of these lines are optimal. ``LADRegressor`` returns the centre of all optima, and its certificate says that the
# optimum is not proved to be unique. The choice breaks ties in a reproducible way; the data do not prefer it.

print(LADRegressor().fit(x[:, None], y).certificate_)

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for slope, intercept in several:
    (other,) = axes.plot(x, slope * x + intercept, lw=1.5, color="#C04F00")
(ours,) = axes.plot(x, one[0, 0] * x + one[0, 1], lw=3, color="#0072B2")
axes.plot(x, y, "o", color="0.15")
axes.legend([ours, other], ["LADRegressor, any order of rows", "QuantileRegressor"], frameon=False)
axes.set(xlabel="x", ylabel="y")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
