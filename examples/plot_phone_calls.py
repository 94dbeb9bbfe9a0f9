"""
How robust is a line to six outliers?
=====================================

International phone calls from Belgium, in millions per year. From 1964 to 1969 minutes were recorded instead of calls,
in 1963 and 1970 for part of the year (Rousseeuw and Leroy, *Robust Regression and Outlier Detection*, 1987).
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression

from ladreg import HuberLossRegressor, LADRegressor, ResidualDisplay

year = np.arange(1950, 1974)
calls = [4.4, 4.7, 4.7, 5.9, 6.6, 7.3, 8.1, 8.8, 10.6, 12.0, 13.5, 14.9, 16.1, 21.2]  # 1950 to 1963
calls = np.array([*calls, 119.0, 124.0, 142.0, 159.0, 182.0, 212.0, 43.0, 24.0, 27.0, 29.0])
clean = (year < 1963) | (year > 1970)
X = year.reshape(-1, 1) - 1950.0

# %%
# Three losses, and least squares on the clean years for comparison. The six outliers are a quarter of the data, near
# one end: the absolute loss resists most of their influence, but not all of it.

lines = {
    "least squares": LinearRegression().fit(X, calls),
    "Huber": HuberLossRegressor().fit(X, calls),
    "absolute loss": LADRegressor().fit(X, calls),
    "squares, clean years": LinearRegression().fit(X[clean], calls[clean]),
}
for name, model in lines.items():
    print(f"{name:21s} +{model.coef_[0]:.2f} million calls per year")
print(f"\n{lines['absolute loss'].certificate_}")

# %%
# The residuals of the absolute loss show which years are outliers: a year is flagged if its residual exceeds 3.5 s,
# where s is estimated from the median of the absolute residuals.

figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4), layout="constrained")
for (name, model), colour in zip(lines.items(), ("#D55E00", "#009E73", "#0072B2", "0.5"), strict=True):
    left.plot(year, model.predict(X), "--" if name.startswith("squares") else "-", color=colour, lw=2, label=name)
left.plot(year, calls, "o", color="0.4", ms=4)
left.set(ylabel="calls recorded, millions", title="Belgian phone calls")
left.spines[["top", "right"]].set_visible(False)
left.legend(frameon=False)
display = ResidualDisplay.from_estimator(lines["absolute loss"], X, calls).plot(ax=right)
print("flagged:", *year[display.is_outlier])
plt.show()
