"""
Quickstart
==========

Fit, predict, choose alpha and get intervals in 25 lines: a median regression with its certificate, the error on
held-out rows, a lasso with alpha chosen by cross-validation, standard errors, and prediction intervals with a plot. It
runs offline: ``python examples/quickstart.py``.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import train_test_split

from ladreg import ConformalQuantileRegressor, IntervalDisplay, LADRegressor, LassoCDCV, infer

data = load_diabetes(scaled=False)  # 442 patients, ten measurements; y is the progression of the disease
X, X_new, y, y_new = train_test_split(data.data, data.target, random_state=0)

# %%
# **Fit and predict.** The certificate is a proof: no coefficients have a mean absolute error below the lower bound.

model = LADRegressor().fit(X, y)
print(model.certificate_)
print(f"\nmean absolute error on new patients: {mean_absolute_error(y_new, model.predict(X_new)):.1f}")

# %%
# **Choose alpha.** The one-standard-error rule keeps few features: it takes the largest alpha whose cross-validated
# error is within one standard error of the smallest.

lasso = LassoCDCV(selection="1se", standardize=True).fit(X, y)
names = [name for name, coef in zip(data.feature_names, lasso.coef_, strict=True) if coef]
print(f"\nalpha = {lasso.alpha_:.2f} keeps {', '.join(names)}\n")

# %%
# **Standard errors, p-values and confidence intervals** of the median regression.

print(infer(model, X, y))

# %%
# **Prediction intervals** with a coverage of 80 % of new patients.

intervals = ConformalQuantileRegressor(coverage=0.8, random_state=0).fit(X, y)
display = IntervalDisplay.from_estimator(intervals, X_new, y_new).plot()
display.ax_.set(xlabel="new patients, sorted by the midpoint of their interval", ylabel="progression of diabetes")
display.figure_.savefig("quickstart.png", dpi=150)
print("\nPicture: quickstart.png")
plt.show()
