"""
How many of the selected features are noise?
============================================

Cross-validation optimises prediction and often selects irrelevant features. ``StabilitySelection`` keeps the features
that are selected in most halves of the data, and bounds the expected number of false selections. Here the noise is
known.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from ladreg import LassoCDCV, LassoCDIC, StabilityDisplay, StabilitySelection

# %%
# Probes
# ------
# Ten measurements of 442 diabetes patients, and 190 noise columns (probes) with the same distribution: nineteen copies
# of the table with shuffled patients.

X, y = load_diabetes(return_X_y=True, as_frame=True)
names = X.columns
real = StandardScaler().fit_transform(X)
random = np.random.default_rng(0)
table = np.hstack([real] + [real[random.permutation(len(y))] for _ in range(19)])
probe = np.arange(table.shape[1]) >= len(names)

# %%
# At most one false selection
# ---------------------------
# ``max_false_selections=1`` bounds the expected number of false selections. With the threshold it determines how many
# features are selected in each half: the first ten on the path. The bound holds for any data and estimator.

stable = StabilitySelection(threshold=0.75, max_false_selections=1, alphas=30, random_state=0).fit(table, y)
print(f"{stable.max_features_per_fit_} features from each of {2 * stable.n_pairs} halves")
print(f"bound on the expected number of false selections: {stable.expected_false_selections_:.2f}")
print("selected:", ", ".join(names[stable.get_support()[~probe]]), f"and {np.sum(stable.get_support() & probe)} probes")

# %%
# Other methods
# -------------
# Every selected probe is a false selection. Minimum cross-validation error and AIC, which are for prediction, select
# many probes. The one-standard-error rule and BIC select none here, but they guarantee nothing.

selections = {
    "AIC": LassoCDIC("aic").fit(table, y).coef_ != 0,
    "CV, smallest error": LassoCDCV(cv=10).fit(table, y).coef_ != 0,
    "BIC": LassoCDIC("bic").fit(table, y).coef_ != 0,
    "CV, one standard error": LassoCDCV(cv=10, selection="1se").fit(table, y).coef_ != 0,
    "stability selection": stable.get_support(),
}
print(f"{'':24s}{'measurements':>12s}{'probes':>9s}")
for name, kept in selections.items():
    print(f"{name:24s}{np.sum(kept & ~probe):12d}{np.sum(kept & probe):9d}")

# %%
# The stability paths
# -------------------
# The fraction of the halves in which each feature is selected, for decreasing ``alpha``. At most ten features are
# selected in each half, so that the paths become flat. Four measurements are above the threshold, all probes far below
# it.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained", width_ratios=[1.5, 1])
columns = [*names, *[""] * probe.sum()]
StabilityDisplay(stable.stability_paths_, stable.threshold_, alphas=stable.alphas_, names=columns).plot(ax=left)

rows = np.arange(len(selections))[::-1]
counts = np.array([[np.sum(kept & ~probe), np.sum(kept & probe)] for kept in selections.values()])
right.barh(rows, counts[:, 0], color="#0072B2", height=0.6)
right.barh(rows, counts[:, 1], left=counts[:, 0], color="0.8", height=0.6)
right.set_yticks(rows, list(selections))
right.set_xlabel("features selected")
right.text(counts[1].sum() * 0.6, rows[1], "probes", ha="center", va="center", color="0.25")
right.text(counts[1, 0] / 2, rows[1], "real", ha="center", va="center", color="white")
right.spines[["top", "right"]].set_visible(False)
right.tick_params(length=0)
plt.show()
