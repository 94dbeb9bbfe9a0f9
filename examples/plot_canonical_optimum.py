"""
What if the median line is not unique?
======================================

With few rows or round numbers, many lines can share the smallest sum of absolute deviations.
``LADRegressor`` returns one that depends on the rows, but not on their order.
"""

from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import QuantileRegressor

from ladreg import LADRegressor

# %%
# The median of four numbers
# --------------------------
# Every number from 2 to 10 is a median of 1, 2, 10 and 20. ``LADRegressor`` takes the middle, 6, as NumPy
# does, and stays there when the largest number goes away. The least squares fit among the medians,
# which is nearest to the mean, would be pulled.

nothing = np.zeros((4, 1))
figure, axes = plt.subplots(figsize=(8, 2.4), layout="constrained")
for height, largest in enumerate((20.0, 28.0)):
    four = np.array([1.0, 2.0, 10.0, largest])
    middle = LADRegressor().fit(nothing, four).intercept_
    print(f"1, 2, 10, {largest:g}: LADRegressor {middle:g}, NumPy {np.median(four):g}, mean {four.mean():g}")
    axes.plot([2, 10], [height, height], lw=9, alpha=0.2, color="#0072B2", solid_capstyle="butt")
    axes.plot(four, np.full(4, height), "o", color="0.15", ms=7)
    axes.plot(middle, height, "*", color="#0072B2", ms=16, mec="white")
    axes.plot(min(four.mean(), 10), height, "D", color="#C04F00", ms=7, mfc="white", mew=2)
axes.text(6, 0.22, "LADRegressor", ha="center", weight="bold", color="#0072B2")
axes.text(8.25, -0.38, "least squares among the medians", ha="center", color="#C04F00")
axes.set(yticks=[], ylim=(-0.6, 1.5), xlabel="every number in the band is a median")
axes.spines[["top", "right", "left"]].set_visible(False)
plt.show()

# %%
# A family of optimal lines
# -------------------------
# Eight rows of integers. The corners of the set of optimal (slope, intercept) are lines through two
# of the points, so that trying all pairs finds them; the set is their convex hull.

x = np.arange(1.0, 9.0)
y = np.array([2.0, 1.0, 2.0, 3.0, 3.0, 4.0, 7.0, 3.0])


def deviations(slope, intercept):
    return np.abs(y - slope * x - intercept).sum()


def through(i, j):
    slope = (y[j] - y[i]) / (x[j] - x[i])
    return slope, y[i] - slope * x[i]


pairs = [through(i, j) for i, j in combinations(range(len(x)), 2)]
smallest = min(deviations(*pair) for pair in pairs)
corners = {tuple(np.round(pair, 12)) for pair in pairs if deviations(*pair) < smallest + 1e-9}
corners = np.array(sorted(corners))

print(f"Smallest sum of absolute deviations: {smallest:g}, reached by {len(corners)} lines through two points")
print("   slope  intercept")
for slope, intercept in corners:
    print(f"{slope:8.4f} {intercept:10.4f}")

# %%
# The canonical line
# ------------------
# Of all optimal lines ``LADRegressor`` takes the centre: its residuals are nearest to the middle of the
# ranges that they have among these lines. It need not be a corner. The certificate proves that it is
# optimal, and does not call it unique.

X = x.reshape(-1, 1)
canonical = LADRegressor().fit(X, y)
print(f"Canonical line: slope {canonical.coef_[0]:.4f}, intercept {canonical.intercept_:.4f}")
print(canonical.certificate_)

# %%
# The order of the rows
# ---------------------
# Both estimators are fitted to 200 shuffles of the same rows.


def lines(estimator):
    random = np.random.default_rng(0)
    found = []
    for _ in range(200):
        order = random.permutation(len(x))
        estimator.fit(X[order], y[order])
        found.append((estimator.coef_[0], estimator.intercept_))
    return np.unique(np.round(found, 9), axis=0, return_counts=True)


ours, times = lines(LADRegressor())
theirs, counts = lines(QuantileRegressor(quantile=0.5, alpha=0))
print(f"LADRegressor: {len(ours)} line, found {times[0]} times")
print(f"QuantileRegressor: {len(theirs)} lines, found {', '.join(map(str, counts))} times")

# %%
# All of these lines are optimal. But which of them ``QuantileRegressor`` returned changed with the
# order of the rows, while ``LADRegressor`` returned one. The rule breaks ties, and no more: a choice
# among equals is not information about the data. On the right, the numbers say how often each line
# was found.

hull = corners[np.argsort(np.arctan2(*(corners - corners.mean(axis=0)).T))]
span = np.array([0.5, 8.5])
grid = np.linspace(span[0], span[1], 200)
values = corners[:, :1] * grid + corners[:, 1:]
ours_style, theirs_style = {"color": "#0072B2"}, {"color": "#C04F00"}

figure, (data, plane) = plt.subplots(1, 2, figsize=(8, 4), layout="constrained", width_ratios=[1.15, 1])
data.fill_between(grid, values.min(axis=0), values.max(axis=0), alpha=0.15, lw=0, **ours_style)
for slope, intercept in theirs:
    data.plot(span, slope * span + intercept, lw=1, **theirs_style)
data.plot(span, canonical.coef_[0] * span + canonical.intercept_, lw=3, **ours_style)
data.plot(x, y, "o", color="0.15", ms=6)
data.text(0.9, 6.6, "LADRegressor:\none line in 200 shuffles", weight="bold", va="center", **ours_style)
data.text(0.9, 5.6, f"QuantileRegressor:\n{len(theirs)} lines", weight="bold", va="center", **theirs_style)
data.set(xlabel="x", ylabel="y", xlim=span, ylim=(0, 7.6))
data.set_title("Optimal lines fill the shaded region", loc="left", size=10)

plane.fill(*hull.T, alpha=0.15, lw=0, **ours_style)
plane.plot(*theirs.T, "o", ms=8, mfc="white", mew=2, **theirs_style)
for corner, count in zip(theirs, counts, strict=True):
    plane.annotate(f"{count}x", corner, (8, 6), textcoords="offset points", **theirs_style)
plane.plot(*ours[0], "*", ms=16, mec="white", **ours_style)
plane.annotate(f"{times[0]}x", ours[0], (11, -3), textcoords="offset points", weight="bold", **ours_style)
plane.set(xlabel="slope", ylabel="intercept", xlim=(0.2, 0.75), ylim=(-0.2, 2.0))
plane.set_title("The same lines as points", loc="left", size=10)
for axes in (data, plane):
    axes.grid(color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
plt.show()

# %%
# Weights and repeated rows
# -------------------------
# An integer weight of k is a row repeated k times. The lines agree, though again several are optimal.

weight = np.array([1, 2, 3, 1, 2, 3, 1, 2])
weighted = LADRegressor().fit(X, y, sample_weight=weight)
repeated = LADRegressor().fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
for name, model in {"weighted": weighted, "repeated": repeated}.items():
    print(f"{name}: slope {model.coef_[0]:.12f}, intercept {model.intercept_:.12f}")
print(f"proved to be unique: {weighted.certificate_.unique}")
