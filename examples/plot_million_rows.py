"""
How long does a median regression of a million rows take?
=========================================================

Less time than least squares on these data, including the proof of optimality.
"""

from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression

from ladreg import LADRegressor, QuantileRegressor

random = np.random.default_rng(0)
X = random.standard_normal((1_000_000, 10))
y = X.sum(axis=1) + random.standard_t(2, 1_000_000)  # errors without a variance


def timed(model, n_rows):
    start = perf_counter()
    model.fit(X[:n_rows], y[:n_rows])
    return perf_counter() - start, model


# %%
# Three fits
# ----------
# The relative gap is the proved distance from the optimum.

sizes = [3_000, 30_000, 300_000, 1_000_000]
LADRegressor().fit(X[:100], y[:100])  # the first fit imports what it needs
models = {
    "median": LADRegressor(),
    "quantile 0.9": QuantileRegressor(quantile=0.9, alpha=0),
    "least squares": LinearRegression(),
}
seconds = {name: [timed(model, n_rows)[0] for n_rows in sizes] for name, model in models.items()}
for name, model in models.items():
    proof = f"relative gap {model.certificate_.relative_gap:.0e}" if hasattr(model, "certificate_") else "no proof"
    print(f"{name:14s} {seconds[name][-1]:.2f} s, error of coefficients {abs(model.coef_ - 1).max():.4f}, {proof}")

# %%
# Times were measured when this page was built.

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for (name, times), colour in zip(seconds.items(), ("#0072B2", "#009E73", "#D55E00"), strict=True):
    axes.loglog(sizes, times, "o-", color=colour, lw=2)
    above = -14 if name == "quantile 0.9" else 0
    axes.annotate(name, (sizes[-1], times[-1]), (8, above), textcoords="offset points", color=colour)
axes.set(xlabel="rows, with 10 columns", ylabel="seconds", xlim=(2e3, 6e6))
axes.grid(color="0.5", alpha=0.2)
axes.spines[["top", "right"]].set_visible(False)
plt.show()
