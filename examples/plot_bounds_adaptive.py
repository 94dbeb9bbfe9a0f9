"""
How do I combine bounds and adaptive penalty factors?
=====================================================

Known signs and ranges of coefficients are ``bounds``. With ``penalty_weights="adaptive"`` the penalty factors come from
a first fit. Both can be combined, in cross-validation too, and each fit is proved.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from ladreg import LADRegressorCV

X, y = load_diabetes(return_X_y=True, as_frame=True)

# %%
# Suppose that the effect of blood pressure and body mass index cannot be negative, that of HDL cholesterol (``s3``)
# cannot be positive, and no coefficient can exceed 500 in absolute value.

lower, upper = np.full(10, -500.0), np.full(10, 500.0)
lower[X.columns.get_indexer(["bmi", "bp"])] = 0
upper[X.columns.get_loc("s3")] = 0
options = {"lasso": {}, "bounds": {"bounds": (lower, upper)}, "adaptive": {"penalty_weights": "adaptive"}}
options["both"] = {**options["bounds"], **options["adaptive"]}
models = {name: LADRegressorCV(alphas=30, selection="1se", **given).fit(X, y) for name, given in options.items()}
for name, model in models.items():
    print(f"{name:9s} {model.mae_path_.mean(axis=1).min():6.2f}  {', '.join(X.columns[model.coef_ != 0])}")

# %%
# The numbers are the smallest mean absolute errors of held-out rows. Each fold has its own first fit, which avoids
# leakage from held-out rows.

fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for shift, (name, model) in enumerate(models.items()):
    ax.plot(np.arange(10) + 0.12 * (shift - 1.5), model.coef_, "o", label=name)
ax.set(xticks=range(10), xticklabels=X.columns, ylabel="coefficient")
ax.axhline(0, color="gray", linewidth=0.8)
ax.legend()
plt.show()
