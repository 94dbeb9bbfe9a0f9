"""
Which features matter when y has outliers?
==========================================

``LassoCD`` selects features by squared errors, which a few outliers in y dominate. ``LADRegressor`` with ``alpha > 0``
selects by absolute errors. The data are simulated, so that the answer is known.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import KFold

from ladreg import LADRegressorCV, LassoCDCV, PathDisplay

# %%
# More features than rows
# -----------------------
# 120 rows and 250 features; neighbouring features have a correlation of 0.5. Six features are relevant. 10 % of the
# targets are outliers, in both directions.

random = np.random.default_rng(0)
X = random.standard_normal((120, 250))
for j in range(1, 250):
    X[:, j] = 0.5 * X[:, j - 1] + np.sqrt(0.75) * X[:, j]
truth = np.zeros(250)
truth[[20, 60, 100, 140, 180, 220]] = [3, -2.5, 2, -2, 1.5, 1]
y = X @ truth + random.standard_normal(120)
outliers = random.permutation(120)[:12]
y[outliers] += random.normal(0, 30, 12)

# %%
# Choosing alpha
# --------------
# Cross-validation of ``LADRegressorCV`` uses absolute errors too, since there are outliers in the held-out rows. The
# *adaptive* fit has penalty factors of ``1 / abs(coef_)`` of the first fit: large coefficients are shrunk less, and
# features that the first fit did not select are excluded.

folds = KFold(5, shuffle=True, random_state=0)
lasso = LassoCDCV(cv=folds, eps=0.1, alphas=30).fit(X, y)
lad = LADRegressorCV(cv=folds, eps=0.1, alphas=30).fit(X, y)
with np.errstate(divide="ignore"):
    factors = 1 / np.abs(lad.coef_)
adaptive = LADRegressorCV(cv=folds, eps=1e-3, alphas=30, penalty_weights=factors, selection="1se").fit(X, y)

models = {"LassoCDCV": lasso, "LADRegressorCV": lad, "LADRegressorCV, adaptive": adaptive}
print(f"{'':26s}{'features':>10s}{'of the six':>12s}{'sum of errors':>15s}")
for name, model in models.items():
    kept = model.coef_ != 0
    print(f"{name:26s}{kept.sum():10d}{kept[truth != 0].sum():12d}{np.abs(model.coef_ - truth).sum():15.2f}")

# %%
# The paths
# ---------
# The lasso takes in irrelevant features before it has found the six; the absolute loss finds the six first. The marks
# on the right are the true coefficients.

figure, panels = plt.subplots(1, 3, figsize=(12, 4), layout="constrained", sharey=True)
for axes, (name, model) in zip(panels, models.items(), strict=True):
    PathDisplay.from_estimator(model).plot(ax=axes)
    axes.plot(np.full(6, 0.985), truth[truth != 0], "<", color="0.4", transform=axes.get_yaxis_transform())
    axes.set_title(name, pad=12)
    axes.label_outer()
plt.show()
