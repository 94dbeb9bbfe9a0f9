"""
How do I force a feature in, or keep one out?
=============================================

The lasso treats all columns alike. ``penalty_weights`` says what is known beforehand: 0 leaves a feature without
penalty, infinity excludes it, and weights from a first fit make the lasso *adaptive*, which shrinks large
coefficients less.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from ladreg import ElasticNetCD, LassoCD, PathDisplay, alpha_max, lasso_path

X, y = load_diabetes(return_X_y=True, as_frame=True)

# %%
# Forced in, kept out
# -------------------
# Age and sex are to be adjusted for whatever their effect, and ``s1`` (total cholesterol) is left out, since it is
# nearly the sum of other columns. ``alpha_max`` with the same weights says where the grid of ``alpha`` begins.

weights = np.ones(X.shape[1])
weights[X.columns.get_indexer(["age", "sex"])] = 0
weights[X.columns.get_loc("s1")] = np.inf
alpha = 0.2 * alpha_max(X, y, penalty_weights=weights)
plain = LassoCD(alpha).fit(X, y)
adjusted = LassoCD(alpha, penalty_weights=weights).fit(X, y)
print(f"{'':4s} {'plain':>8s} {'adjusted':>9s}")
for name, one, other in zip(X.columns, plain.coef_, adjusted.coef_, strict=True):
    print(f"{name:4s} {one:8.1f} {other:9.1f}")

# %%
# The adaptive lasso
# ------------------
# Weights are the inverse sizes of a first, ridge-like fit. Along the whole path the adaptive lasso keeps fewer
# features for the same fit.

first = ElasticNetCD(0.001, l1_ratio=0.0).fit(X, y)

# %%
# Three paths
# -----------
# Without penalty, age and sex are in from the first alpha on, and ``s1`` stays at zero. At the smallest
# alpha, a thousandth of the largest, the adaptive lasso still leaves two features out.

fig, axes = plt.subplots(1, 3, figsize=(12, 4), sharey=True, layout="constrained")
panels = {"lasso": None, "age and sex forced in, s1 excluded": weights, "adaptive lasso": 1 / np.abs(first.coef_)}
for ax, (title, penalty_weights) in zip(axes, panels.items(), strict=True):
    path = lasso_path(X, y, fit_intercept=True, penalty_weights=penalty_weights)
    PathDisplay.from_path(path, names=X.columns).plot(ax=ax)
    ax.set_title(title, pad=12)
    ax.label_outer()
plt.show()
