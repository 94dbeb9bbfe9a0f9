"""
Quickstart
==========

Fit a line that outliers cannot pull away, select features, choose alpha by cross-validation, and
read the proof that comes with every fit. Run it by ``python examples/quickstart.py``: it is offline,
and only the picture needs more than ladreg's own requirements.
"""

import os
import sys
import textwrap

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.feature_selection import SelectFromModel
from sklearn.linear_model import HuberRegressor, LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from ladreg import LADRegressor, LassoCD

os.environ.setdefault("MPLBACKEND", "Agg")  # draw into a file, unless a notebook or the user chose otherwise
try:
    import matplotlib.pyplot as plt
except ImportError:
    plt = None


def heading(text):
    print(f"\n{text}\n{'-' * len(text)}")


# %%
# Data with outliers
# -----------------------
# International phone calls from Belgium, in millions a year. From 1964 to 1969 the minutes were
# recorded instead of the calls, and in 1963 and 1970 for a part of the year (Rousseeuw and Leroy,
# *Robust Regression and Outlier Detection*, 1987). The other 16 years are clean. The wrong years
# stay in the data, and no model is told of them.

year = np.arange(1950, 1974)
calls = np.hstack(
    [
        [4.4, 4.7, 4.7, 5.9, 6.6, 7.3, 8.1, 8.8, 10.6, 12.0, 13.5, 14.9, 16.1, 21.2],  # 1950 to 1963
        [119.0, 124.0, 142.0, 159.0, 182.0, 212.0, 43.0, 24.0, 27.0, 29.0],
    ]
)
wrong = (year >= 1964) & (year <= 1969)
mixed = (year == 1963) | (year == 1970)
clean = ~wrong & ~mixed

# %%
# Three lines
# -----------
# Time is counted in decades since 1950: ``HuberRegressor`` iterates on the data as they are scaled,
# and stops far from its optimum when it is given calendar years. All parameters are defaults.

X = (year.reshape(-1, 1) - 1950) / 10
lines = {
    "least squares": LinearRegression().fit(X, calls),
    "Huber": HuberRegressor().fit(X, calls),
    "least absolute deviations": LADRegressor().fit(X, calls),
}
reference = LinearRegression().fit(X[clean], calls[clean])

heading("Phone calls (millions): who was pulled away?")
print(f"{'':31s}{'slope':>10s}{'value':>10s}{'median error':>15s}")
print(f"{'':31s}{'a year':>10s}{'in 1950':>10s}{'clean years':>15s}")
for name, model in [*lines.items(), ("least squares, clean years only", reference)]:
    error = np.median(np.abs(calls - model.predict(X))[clean])
    print(f"{name:31s}{model.coef_[0] / 10:10.2f}{model.intercept_:10.2f}{error:15.2f}")
huber = lines["Huber"]
print(f"\nHuber: {huber.n_iter_} iterations, converged: {huber.n_iter_ < huber.max_iter}")

# %%
# Least squares is pulled away altogether, to a negative number of calls in 1950. The Huber loss
# resists most of the pull, and the absolute loss a little more of it. Neither is free of it: the
# wrong years are a quarter of the data, and near one end. The last row is for comparison: it takes
# knowing which years are wrong.

if plt is None:
    print('\nNo picture, since matplotlib is missing: pip install "ladreg[plot]"')
else:
    styles = {  # colour, line width, line style, height of the label
        "least squares": ("#D55E00", 2.2, "-", 108),
        "Huber": ("#009E73", 2.2, "-", 49),
        "least absolute deviations": ("#0072B2", 3.2, "-", 36.5),
        "clean years only": ("0.4", 1.2, ":", 24),
    }
    figure, axes = plt.subplots(figsize=(8, 4.5), dpi=150, layout="constrained")
    axes.hlines(range(0, 201, 50), 1949, 1973.3, color="0.92", lw=0.8, zorder=0)
    for name, model in {**lines, "clean years only": reference}.items():
        colour, width, style, height = styles[name]
        axes.plot(year, model.predict(X), style, color=colour, lw=width, solid_capstyle="round")
        label = {"color": colour, "weight": "normal" if model is reference else "bold", "va": "center"}
        axes.text(1975.6, height, f"+{model.coef_[0] / 10:.1f}", ha="right", **label)
        axes.text(1976, height, name, **label)
    axes.text(1975.6, 121, "million\na year", color="0.4", size=9, ha="right", va="bottom")
    axes.plot(year[clean], calls[clean], "o", color="0.15", ms=5.5)
    axes.plot(year[mixed], calls[mixed], "o", mfc="white", mec="0.15", ms=5.5)
    axes.plot(year[wrong], calls[wrong], "X", color="#CC79A7", mec="white", ms=10)
    axes.text(1963.2, 150, "wrong: minutes,\nnot calls", color="#A8497F", ha="right", va="center")
    line = {"arrowstyle": "-", "color": "0.6"}
    axes.annotate("partly wrong", (1970, 45.5), (1970.2, 64), color="0.35", size=9, ha="center", arrowprops=line)
    axes.set(xlim=(1949, 1985), ylim=(-14, 222), xticks=range(1950, 1975, 5), yticks=range(0, 201, 50))
    axes.set_ylabel("calls recorded, millions", color="0.35")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors="0.35")
    title = "Belgian phone calls: how far six wrong years pull each line"
    axes.set_title(title, loc="left", weight="bold", pad=12)
    given = sys.argv[1] if len(sys.argv) > 1 else ""
    picture = given if given.endswith((".png", ".pdf", ".svg")) else "quickstart.png"
    figure.savefig(picture)
    print(f"\nPicture: {picture}")

# %%
# The certificate
# ---------------
# Each ladreg fit carries its proof: the objective reached (here the mean absolute error), and a
# lower bound that no coefficients can beat. Here they agree to the last digit. The certificate does
# not call this line the only optimal one, and it is not: lines with slopes from 1.16 to 1.62 share
# the smallest error. Of those ``LADRegressor`` returns the one in the middle, whatever the order of
# the rows. The example ``plot_canonical_optimum.py`` shows such a family.

heading("Certificate of the line through the phone calls")
print(lines["least absolute deviations"].certificate_)

# %%
# Feature selection
# -----------------
# 442 diabetes patients, ten measurements each; with the products of pairs there are 55 features,
# too many. ``LassoCD`` selects some of them inside a pipeline, and ``LADRegressor`` fits those without
# a penalty.

diabetes = load_diabetes()
pipeline = Pipeline(
    [
        ("products", PolynomialFeatures(2, interaction_only=True, include_bias=False)),
        ("scale", StandardScaler()),
        ("select", SelectFromModel(LassoCD(alpha=2.0))),
        ("fit", LADRegressor()),
    ]
)
pipeline.fit(diabetes.data, diabetes.target)

heading("Diabetes: features selected at alpha = 2")
names = [name.replace(" ", "*") for name in pipeline[:-1].get_feature_names_out(diabetes.feature_names)]
print(f"{len(names)} of {pipeline['products'].n_output_features_}:")
print("\n".join(textwrap.wrap(", ".join(names), 80)))

heading("Certificate of the selection (LassoCD)")
print(pipeline["select"].estimator_.certificate_)
heading("Certificate of the fit to the selected features (LADRegressor)")
print(pipeline["fit"].certificate_)

# %%
# Choosing alpha
# --------------
# ``GridSearchCV`` reaches alpha through the names of the steps. The score is the mean absolute error
# on patients that the fit has not seen: five folds, the same for all rows of the table.

folds = KFold(5, shuffle=True, random_state=0)
score = "neg_mean_absolute_error"
alphas = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0]
search = GridSearchCV(pipeline, {"select__estimator__alpha": alphas}, cv=folds, scoring=score)
search.fit(diabetes.data, diabetes.target)
everything = Pipeline([step for step in pipeline.steps if step[0] != "select"])

heading("Diabetes: mean absolute error in five-fold cross-validation")
for name, model in {
    "10 measurements, no selection": LADRegressor(),
    "55 features, no selection": everything,
}.items():
    error = -cross_val_score(model, diabetes.data, diabetes.target, cv=folds, scoring=score).mean()
    print(f"{name:31s} {error:6.2f}")
for alpha, error in zip(alphas, -search.cv_results_["mean_test_score"], strict=True):
    mark = "  <- best" if alpha == search.best_params_["select__estimator__alpha"] else ""
    print(f"{f'55 features, alpha = {alpha:g}':31s} {error:6.2f}{mark}")

best = search.best_estimator_
heading(f"Diabetes: the model at alpha = {search.best_params_['select__estimator__alpha']:g}")
for name, value in zip(best[:-1].get_feature_names_out(diabetes.feature_names), best["fit"].coef_, strict=True):
    print(f"{name.replace(' ', '*'):10s} {value:7.2f}")

# %%
# ``GridSearchCV`` fitted the best pipeline once more, to all patients. Both of its fits are proved.

heading("Certificate of the best selection (LassoCD)")
print(best["select"].estimator_.certificate_)
heading("Certificate of the best fit (LADRegressor)")
print(best["fit"].certificate_)

# %%
# The products help only after selection, and the best alpha was chosen on the folds that it is
# reported for, which flatters it a little; ``cross_val_score(search, ...)`` would give an unbiased
# estimate.
