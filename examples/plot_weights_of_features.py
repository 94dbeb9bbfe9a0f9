"""
How do I force a feature in, or exclude one?
============================================

The lasso penalises all features equally. With ``penalty_weights`` each feature has its own penalty factor: 0 leaves it
unpenalised, infinity excludes it, and factors from a first fit give the *adaptive* lasso, which shrinks large
coefficients less.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from ladreg import ElasticNetCD, LassoCD, PathDisplay, alpha_max, lasso_path

X, y = load_diabetes(return_X_y=True, as_frame=True)

# %%
# Forced in, excluded
# -------------------
# The model adjusts for age and sex whatever their effect, and ``s1`` (total cholesterol) is excluded, since it is
# nearly the sum of other columns. ``alpha_max`` takes the same factors.

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
# The factors are ``1 / abs(coef_)`` of a ridge fit.

first = ElasticNetCD(0.001, l1_ratio=0.0).fit(X, y)

# %%
# Three paths
# -----------
# In the middle, the unpenalised age and sex are non-zero from the first alpha on, and ``s1`` stays at zero. On the
# right, the adaptive lasso still excludes two features at the smallest alpha, a thousandth of the largest.

fig, axes = plt.subplots(1, 3, figsize=(12, 4), sharey=True, layout="constrained")
panels = {"lasso": None, "age and sex forced in, s1 excluded": weights, "adaptive lasso": 1 / np.abs(first.coef_)}
for ax, (title, penalty_weights) in zip(axes, panels.items(), strict=True):
    path = lasso_path(X, y, fit_intercept=True, penalty_weights=penalty_weights)
    PathDisplay.from_path(path, names=X.columns).plot(ax=ax)
    ax.set_title(title, pad=12)
    ax.label_outer()
plt.show()
