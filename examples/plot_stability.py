"""
How many of the selected features are noise?
============================================

Cross-validation chooses for prediction, and lets features in that do not matter. ``StabilitySelection`` keeps what is
selected from most halves of the data, and bounds how many false selections are to be expected. Here the noise is known.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from ladreg import LassoCDCV, LassoCDIC, StabilityDisplay, StabilitySelection

# %%
# Probes
# ------
# Ten measurements of 442 diabetes patients, and 190 columns of noise that look like them: nineteen copies of the table
# with the patients shuffled, so that they have nothing to do with the target.

X, y = load_diabetes(return_X_y=True, as_frame=True)
names = X.columns
real = StandardScaler().fit_transform(X)
random = np.random.default_rng(0)
table = np.hstack([real] + [real[random.permutation(len(y))] for _ in range(19)])
probe = np.arange(table.shape[1]) >= len(names)

# %%
# At most one false selection
# ---------------------------
# ``max_false_selections=1`` is a bound on their expected number. With the threshold it determines how many features are
# taken from each half: ten of 200, the first of the path. The bound asks nothing of the data nor of the estimator.

stable = StabilitySelection(threshold=0.75, max_false_selections=1, alphas=30, random_state=0).fit(table, y)
print(f"{stable.max_features_per_fit_} features from each of {2 * stable.n_pairs} halves")
print(f"bound on the expected number of false selections: {stable.expected_false_selections_:.2f}")
print("selected:", ", ".join(names[stable.get_support()[~probe]]), f"and {np.sum(stable.get_support() & probe)} probes")

# %%
# What others select
# ------------------
# Every selected probe is a false selection. The smallest error of cross-validation and AIC, which are both for
# prediction, take up many; the rule of one standard error and BIC take none in this table, but promise nothing for
# another.

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
# The share of the halves from which each feature is selected, as ``alpha`` falls. Each half gives
# ten features at most, so that the paths become level where the ten are full. Four measurements are above the
# threshold. All probes are far below it.

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
