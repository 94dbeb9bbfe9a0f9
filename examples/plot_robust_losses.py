"""
Which loss for data with outliers?
==================================

Absolute, squared, combined, Huber and quantile losses: what a residual costs, how far outliers in y and in X
pull the fits, and what robustness costs where there are none.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import norm
from sklearn.linear_model import LinearRegression

from ladreg import CombinedLossRegressor, HuberLossRegressor, LADRegressor, QuantileRegressor
from ladreg.metrics import combined_loss, huber_loss, l1_loss, l2_loss, pinball_loss

# %%
# What a mistake costs
# --------------------
# The derivative of a loss is the pull of a row on the fit. A loss resists gross errors in y if its derivative is
# bounded: those of the absolute, Huber and quantile losses are. The squared and the combined loss pull the harder, the
# farther off a row is; the absolute part of the combined loss adds a kink at zero, and no robustness.

residual = np.linspace(-4, 4, 401)
losses = {  # colour, the loss, its derivative
    "absolute (L1)": ("#0072B2", l1_loss, {}, np.sign(residual)),
    "squared (L2)": ("#D55E00", l2_loss, {}, 2 * residual),
    "Huber, delta = 1.35": ("#009E73", huber_loss, {"delta": 1.35}, np.clip(residual, -1.35, 1.35)),
    "combined, half and half": ("#A8497F", combined_loss, {"l1_ratio": 0.5}, np.sign(residual) / 2 + residual),
    "quantile 0.75": ("0.25", pinball_loss, {"quantile": 0.75}, np.where(residual > 0, 0.75, -0.25)),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for name, (colour, loss, options, slope) in losses.items():
    value = loss(residual[None], np.zeros((1, 401)), multioutput="raw_values", **options)
    left.plot(residual, value, color=colour, lw=2)
    jump = slope.copy()
    if abs(slope[201] - slope[199]) > 0.2:
        jump[200] = np.nan  # a kink of the loss is a gap of its derivative
    right.plot(residual, jump, color=colour, lw=2, label=name)
left.set(xlabel="residual", xlim=(-4, 4), ylim=(0, 6))
left.set_title("Loss", loc="left", size=10)
right.set(xlabel="residual", xlim=(-4, 4), ylim=(-4, 4))
right.set_title("Derivative: the pull of a row", loc="left", size=10)
right.legend(frameon=False, labelcolor="linecolor", loc="upper left", fontsize=9)
for axes in (left, right):
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
plt.show()

# %%
# More and more wrong numbers
# ---------------------------
# A line y = 1 + 2 x with normal errors of standard deviation 1, 200 rows, x from 0 to 10. In a share of the rows the
# decimal point is misplaced, and a number is ten times too large: first the target (an outlier in y), then the feature
# (a bad leverage point). Errors are averages over eight samples. The quantile 0.75 is measured against its own line,
# which lies 0.67 higher; ``QuantileRegressor`` at 0.5 is the same as ``LADRegressor``.

models = {
    "LinearRegression": (LinearRegression(), "#D55E00", "-"),
    "CombinedLossRegressor": (CombinedLossRegressor(l1_ratio=0.5), "#A8497F", "--"),
    "QuantileRegressor, 0.75": (QuantileRegressor(quantile=0.75, alpha=0), "0.25", "-"),
    "HuberLossRegressor": (HuberLossRegressor(), "#009E73", "-"),
    "LADRegressor": (LADRegressor(), "#0072B2", "-"),
}
above = {name: norm.ppf(getattr(model, "quantile", 0.5)) for name, (model, *_) in models.items()}
shares = {
    "targets": np.array([0, 5, 10, 15, 20, 22, 24, 26, 28, 30, 35, 40, 45, 48, 50]) / 100,
    "features": np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20]) / 100,
}
n_rows, n_samples = 200, 8


def mean_error(name, share, wrong):
    """Errors of slope and intercept where a share of the targets or features is ten times too large."""
    random = np.random.default_rng(0)
    errors = []
    for _ in range(n_samples):
        x = random.uniform(0, 10, n_rows)
        y = 1 + 2 * x + random.standard_normal(n_rows)
        rows = random.permutation(n_rows)[: round(share * n_rows)]
        (y if wrong == "targets" else x)[rows] *= 10
        model = models[name][0].fit(x.reshape(-1, 1), y)
        errors.append((model.coef_[0] - 2, model.intercept_ - 1 - above[name]))
    return np.mean(errors, axis=0)


errors = {
    wrong: {name: np.array([mean_error(name, share, wrong) for share in grid]) for name in models}
    for wrong, grid in shares.items()
}

print(f"{'error of the slope, 2':24s}{'outliers in y':>28s}{'outliers in X':>26s}")
columns = [("targets", share) for share in (0.1, 0.3, 0.4, 0.5)] + [("features", share) for share in (0.02, 0.05, 0.1)]
print(" " * 24 + "".join(f"{share:8.0%}" for _, share in columns))
for name in models:
    row = [errors[wrong][name][np.isclose(shares[wrong], share), 0].item() for wrong, share in columns]
    print(f"{name:24s}" + "".join(f"{value + 0.0:8.2f}" for value in np.round(row, 2)))

# %%
# The scales of the panels differ. Outliers in y, on the left: least squares and the combined loss follow them from the
# first. The slopes of Huber's loss and of the absolute loss hold until nearly half of the rows are wrong; the
# intercepts do drift, for all outliers in y lie on the same side, and that of Huber's loss the more. The quantile 0.75
# has a quarter of the rows above it, and gives way when a quarter is wrong.
#
# Outliers in X, on the right: **least absolute deviations break down as well**, and so do all the others. One wrong
# row in twenty takes half of the slope, one in ten nearly all of it. (That the quantile 0.75 holds out a little longer
# is because the wrong rows lie below the line here; it goes sooner than the median if they lie above.) None of these
# losses protects from rows far out in X: look at X, or use least trimmed squares or MM-estimators.

figure, panels = plt.subplots(2, 2, figsize=(9, 6.5), layout="constrained", sharex="col")
for column, (wrong, title) in enumerate({"targets": "Outliers in y", "features": "Outliers in X: leverage"}.items()):
    for row, what in enumerate(("slope (true: 2)", "intercept")):
        axes = panels[row, column]
        axes.axhline(0, color="0.7", lw=1)
        for name, (_, colour, style) in models.items():
            width = 3 if name == "LADRegressor" else 2
            axes.plot(100 * shares[wrong], errors[wrong][name][:, row], style, color=colour, lw=width, label=name)
        axes.set_ylabel(f"error of the {what}")
        axes.grid(color="0.92")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(length=0)
    panels[0, column].set_title(title, loc="left", size=10)
    panels[1, column].set(xlabel=f"{wrong} that are ten times too large, %", xlim=100 * shares[wrong][[0, -1]])
lines = panels[0, 0].get_legend_handles_labels()
figure.legend(*lines, loc="outside upper center", ncols=3, frameon=False, labelcolor="linecolor", fontsize=9)
plt.show()

# %%
# The price where nothing is wrong
# --------------------------------
# 150 samples of 100 rows and five features, errors normal with standard deviation 1. All are unbiased. The efficiency
# is the variance of the coefficients of least squares divided by that of the model's: 0.64 means that the same
# precision takes 1 / 0.64 times as many rows. For large samples it is 0.64 for the median, 0.54 for the quantile 0.75
# and 0.95 for Huber's loss; the last digit here is chance.

random = np.random.default_rng(0)
X = random.standard_normal((100, 5))
truth = np.arange(5.0)
Y = (X @ truth + 1)[:, None] + random.standard_normal((100, 150))
print(f"{'':24s}{'bias of':>13s}{'bias of':>13s}")
print(f"{'':24s}{'coefficients':>13s}{'intercept':>13s}{'efficiency':>13s}")
least = None
for name, (model, *_) in models.items():
    model.fit(X, Y)
    variance = model.coef_.var(axis=0).mean()
    least = least or variance
    biases = np.abs((model.coef_ - truth).mean(axis=0)).max(), abs((model.intercept_ - 1 - above[name]).mean())
    print(f"{name:24s}{biases[0]:13.3f}{biases[1]:13.3f}{least / variance:13.2f}")

# %%
# What the absolute loss gains where targets are wrong it pays for in precision where they are not. Huber's loss pays
# less, and needs a scale: the default estimates one from the residuals of least absolute deviations. The combined loss
# is nearly as efficient as least squares, and nearly as easily pulled away.
