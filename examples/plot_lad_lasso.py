"""
Which features matter when y has outliers?
==========================================

``LassoCD`` selects features by squared errors, and large errors in a few targets drown what the features say.
``LADRegressor`` with ``alpha > 0`` selects by absolute errors. The table is simulated, so that the answer is known.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, KFold

from ladreg import LADRegressor, LassoCD, alpha_max

# %%
# More features than rows
# -----------------------
# 120 rows and 250 features, neighbours with a correlation of 0.5. Six features matter. One target in ten is an outlier,
# in either direction.

random = np.random.default_rng(0)
n_rows, n_features = 120, 250
X = random.standard_normal((n_rows, n_features))
for j in range(1, n_features):
    X[:, j] = 0.5 * X[:, j - 1] + np.sqrt(0.75) * X[:, j]
truth = np.zeros(n_features)
truth[[20, 60, 100, 140, 180, 220]] = [3, -2.5, 2, -2, 1.5, 1]
y = X @ truth + random.standard_normal(n_rows)
wrong = random.permutation(n_rows)[: n_rows // 10]
y[wrong] += random.normal(0, 30, wrong.size)

# %%
# Where the grid begins
# ---------------------
# Above ``alpha_max`` all coefficients are zero; grids are fractions of it. Below it features come in one after the
# other, and the others are exactly zero.

largest = LADRegressor().alpha_max(X, y)
print(f"alpha_max = {largest:.4f}")
print(f"{'alpha / alpha_max':>18s}{'features':>10s}{'of the six':>12s}{'exact zeros':>13s}{'relative gap':>14s}")
for part in (1.001, 0.999, 0.7, 0.5, 0.3):
    model = LADRegressor(alpha=part * largest).fit(X, y)
    kept = model.coef_ != 0
    gap = model.certificate_.relative_gap
    print(
        f"{part:18g}{kept.sum():10d}{kept[truth != 0].sum():12d}{np.sum(model.coef_ == 0):13d}"
        f"{f'{gap:.0e}' if gap > 1e-14 else '< 1e-14':>14s}"
    )

# %%
# Choosing alpha
# --------------
# Cross-validation, scored by the mean absolute error: there are outliers in the held-out rows too, and they would
# dominate squared errors. *Adaptive* weights are ``1 / abs(coef)`` of the first fit. They shrink large coefficients
# less, and features that the first fit left out stay out. (The weights use all rows, so the cross-validation of the
# adaptive fit is optimistic and favours a small ``alpha``.)


def choose(model, largest, parts):
    folds = KFold(3, shuffle=True, random_state=0)
    grid = {"alpha": largest * np.array(parts)}
    return GridSearchCV(model, grid, cv=folds, scoring="neg_mean_absolute_error").fit(X, y).best_estimator_


parts = (0.9, 0.7, 0.6, 0.5, 0.4, 0.3)
lasso = choose(LassoCD(), alpha_max(X, y), parts)
lad = choose(LADRegressor(), largest, parts)
with np.errstate(divide="ignore"):
    weights = 1 / np.abs(lad.coef_)
adaptive = LADRegressor(penalty_weights=weights)
adaptive = choose(adaptive, adaptive.alpha_max(X, y), (0.3, 0.1, 0.03, 0.01, 0.003, 0.001))

print(f"{'':24s}{'features':>10s}{'of the six':>12s}{'sum of errors':>15s}")
fits = {"LassoCD": lasso, "LADRegressor": lad, "LADRegressor, adaptive": adaptive}
for name, model in fits.items():
    kept = model.coef_ != 0
    print(f"{name:24s}{kept.sum():10d}{kept[truth != 0].sum():12d}{np.abs(model.coef_ - truth).sum():15.2f}")

# %%
# The paths
# ---------
# Coefficients from ``alpha_max`` downwards, the six features in colour, all others in grey; the true values are the
# marks on the right, and the dotted lines what was chosen above. The lasso takes in features that have nothing to do
# with the target before it has found the six. The absolute loss finds the six first. It shrinks them as the lasso
# does, and lets others in at smaller ``alpha``; adaptive weights keep most of those out. (The coefficients of the
# absolute loss are steps in ``alpha``, of which 16 values are drawn; those of the lasso are continuous.)

colours = ["#0072B2", "#D55E00", "#009E73", "#A8497F", "#B88A00", "#56B4E9"]
figure, panels = plt.subplots(1, 3, figsize=(9.5, 4.4), layout="constrained", sharey=True)
for axes, (name, model) in zip(panels, fits.items(), strict=True):
    end = 0.0008 if model is adaptive else 0.25
    shares = np.geomspace(1.001, end, 60 if model is lasso else 16)
    style = "default" if model is lasso else "steps-mid"
    top = alpha_max(X, y) if model is lasso else model.alpha_max(X, y)
    path = np.array([clone(model).set_params(alpha=share * top).fit(X, y).coef_ for share in shares])
    others = axes.plot(shares, path[:, truth == 0], color="0.6", lw=0.8, drawstyle=style)
    matter = []
    for colour, feature in zip(colours, np.flatnonzero(truth), strict=True):
        matter += axes.plot(shares, path[:, feature], color=colour, lw=2, drawstyle=style, label=f"x{feature}")
        (true,) = axes.plot(end * (end**0.03), truth[feature], "<", color=colour, ms=7, clip_on=False)
    chosen = axes.axvline(model.alpha / top, color="0.4", lw=1, ls=":")
    axes.set(xscale="log", xlim=(1, end), xlabel="alpha / alpha_max")
    ticks = [1, 0.5, 0.3] if end > 0.1 else [1, 0.1, 0.01, 0.001]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_title(name, loc="left", size=10)
    axes.grid(axis="y", color="0.92")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
panels[0].set_ylabel("coefficient")
names = [*(line.get_label() for line in matter), "other features", "true value", "alpha chosen"]
figure.legend([*matter, others[0], true, chosen], names, loc="outside lower center", ncols=5, frameon=False, fontsize=9)
plt.show()
