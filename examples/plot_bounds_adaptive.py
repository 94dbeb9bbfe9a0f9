"""
How do I bound coefficients, and let the data weigh the penalty?
================================================================

What is known of signs and sizes goes into ``bounds``; what is not known may be weighed by a first fit, with
``penalty_weights="adaptive"``. Both go together, in cross-validation as well, and each fit is proved.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes

from ladreg import LADRegressorCV

X, y = load_diabetes(return_X_y=True, as_frame=True)

# %%
# Blood pressure and body mass make the disease worse, if they do anything, and HDL cholesterol, ``s3``, does not. No
# coefficient is to be beyond 500 in size.

lower, upper = np.full(10, -500.0), np.full(10, 500.0)
lower[X.columns.get_indexer(["bmi", "bp"])] = 0
upper[X.columns.get_loc("s3")] = 0
options = {"lasso": {}, "bounds": {"bounds": (lower, upper)}, "adaptive": {"penalty_weights": "adaptive"}}
options["both"] = {**options["bounds"], **options["adaptive"]}
models = {name: LADRegressorCV(alphas=30, selection="1se", **given).fit(X, y) for name, given in options.items()}
for name, model in models.items():
    print(f"{name:9s} {model.mae_path_.mean(axis=1).min():6.2f}  {', '.join(X.columns[model.coef_ != 0])}")

# %%
# The first column is the smallest mean absolute error of held-out rows. Each fold has had a first fit of its own, so
# that the weights know nothing of its held-out rows.

fig, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for shift, (name, model) in enumerate(models.items()):
    ax.plot(np.arange(10) + 0.12 * (shift - 1.5), model.coef_, "o", label=name)
ax.set(xticks=range(10), xticklabels=X.columns, ylabel="coefficient")
ax.axhline(0, color="gray", linewidth=0.8)
ax.legend()
plt.show()
