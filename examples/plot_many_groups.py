"""
One line per shop, or one slope for all 2,000 shops?
====================================================

``fit_many`` fits each shop separately, in one call. A model with a dummy column per shop has one common slope. With 25
rows per shop the separate slopes are noisy, the common slope is not. The data are simulated: the true slope is -2.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.preprocessing import OneHotEncoder

from ladreg import LADRegressor, fit_many

random = np.random.default_rng(0)
shop = np.repeat(np.arange(2_000), 25)
price = random.uniform(1, 2, shop.size)
sales = random.normal(10, 3, 2_000)[shop] - 2 * price + random.standard_t(2, shop.size)

# %%
# 2,000 fits
# ----------
# Each has its own certificate.

each = fit_many(LADRegressor(), price[:, np.newaxis], sales, groups=shop)
slopes = np.ravel(each.coef)
far = np.mean(abs(slopes + 2) > 1)
print(f"slopes of {slopes.size} shops: median {np.median(slopes):.2f}, {far:.0%} are off by more than 1")

# %%
# One fit with 2,000 dummies
# --------------------------
# The dummies stay sparse, and the time hardly depends on their number.

X = hstack([csr_matrix(price[:, np.newaxis]), OneHotEncoder().fit_transform(shop[:, np.newaxis])], format="csr")
common = LADRegressor().fit(X, sales)
print(f"common slope: {common.coef_[0]:.3f}")
print(common.certificate_)

# %%
# The slopes of separate fits, and the common slope.

figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
axes.hist(slopes, bins=80, range=(-6, 2), color="#56B4E9")
axes.axvline(common.coef_[0], color="#D55E00", lw=2.5)
top = axes.get_ylim()[1]
axes.text(common.coef_[0] + 0.1, 0.95 * top, f"common slope: {common.coef_[0]:.2f}", color="#D55E00")
axes.text(-5.8, 0.5 * top, "separate fits", color="#0072B2")
axes.set(xlabel="slope of the price", ylabel="number of shops")
axes.spines[["top", "right"]].set_visible(False)
plt.show()
