"""
Data larger than memory
=======================

How do I fit a median to files that do not fit into memory? Read them block by block: the fit and its proof are the
same. The files here are small and simulated. Run it by ``python examples/larger_than_memory.py``; it needs pyarrow and
pandas (``pip install -e ".[parquet]"``).
"""

# sphinx_gallery_thumbnail_path = "_static/thumb_blocks.png"
import os
import tempfile

import numpy as np
import pandas as pd

from ladreg import LADRegressor, QuantileRegressor, blocks

# %%
# Six files of flights, with heavy-tailed delays.
folder = tempfile.TemporaryDirectory()
for month in range(1, 7):
    rng = np.random.default_rng(month)
    distance, hour = rng.gamma(3.0, 300.0, 20_000), rng.integers(5, 24, 20_000)
    delay = -6.0 + 0.9 * hour - 0.002 * distance + 8.0 * rng.standard_cauchy(20_000)
    table = pd.DataFrame({"distance": distance, "hour": hour, "delay": delay})
    table.to_parquet(os.path.join(folder.name, f"{month:02}.parquet"), row_group_size=5_000)

# %%
# A block is a row group. ``holding`` limits the number of rows in memory, so that the fit works as for a billion rows.
data = blocks.parquet(os.path.join(folder.name, "*.parquet"), target="delay").holding(10_000)
model = LADRegressor().fit(data)
print(f"{data.n_blocks} blocks, read {model.n_passes_} times")
print(dict(zip(model.feature_names_in_, model.coef_.round(4), strict=True)))
print(model.certificate_)

# %%
# Nine quantiles share the passes over the files.
quantiles = np.linspace(0.1, 0.9, 9)
several = QuantileRegressor(quantile=quantiles, alpha=0).fit(data)
print(f"read {several.n_passes_} times; delay per hour of the day:")
for quantile, coef in zip(quantiles, several.coef_, strict=True):
    print(f"  {coef[1]:5.2f} minutes at the quantile {quantile:.1f}")

# %%
# In memory the coefficients are the same.
whole = pd.read_parquet(folder.name)
memory = LADRegressor().fit(whole[["distance", "hour"]], whole["delay"])
print(f"largest difference: {abs(memory.coef_ - model.coef_).max():.1g}")
folder.cleanup()
