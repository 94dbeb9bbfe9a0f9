"""``python -m tests.lasso_coverage 150 --repetitions 200 --counts counts.json``: how often intervals of a lasso hold.

Each repetition draws 100 rows of correlated normal features (0.5 to the power of their distance), three of which
matter, with coefficients 1, 0.5 and 0.25, and errors of deviation one, from a seed of its own. "desparsified" is asked
for the coefficients of all features, by `LassoCDCV`; "selective" for those of least squares on the selected features
without errors, at a given alpha and sigma. With ``--counts`` a run adds its repetitions to those that the file has. The
table has the coverage and the median length of 0.95 intervals, beside those of another implementation
(`data/inference/lasso_coverage.json`).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

from ladreg import LassoCD, LassoCDCV, infer

N, ACTIVE, COEFFICIENTS = 100, np.array([0, 4, 9]), np.array([1.0, 0.5, 0.25])
LEVEL = 0.95
# Coverage is asked to be within 2 % of the level, and two standard errors of the counts.
ASKED = 0.02


def draw(p, rng):
    """X, the mean of y, and y."""
    X = rng.standard_normal((N, p))
    for j in range(1, p):
        X[:, j] = 0.5 * X[:, j - 1] + np.sqrt(0.75) * X[:, j]
    mean = X[:, ACTIVE] @ COEFFICIENTS
    return X, mean, mean + rng.standard_normal(N)


def intervals(p, rng):
    """For each name of a row of the table: lower ends, upper ends, and what they are to hold."""
    X, mean, y = draw(p, rng)
    truth = np.zeros(p)
    truth[ACTIVE] = COEFFICIENTS
    low, high = infer(LassoCDCV().fit(X, y), X, y, method="desparsified", level=LEVEL).conf_int().T
    active = truth != 0
    alpha = 0.8 * np.sqrt(2 * np.log(p) / N)
    found = infer(LassoCD(alpha=alpha).fit(X, y), X, y, method="selective", sigma=1.0, level=LEVEL)
    columns = X[:, found.features] - X[:, found.features].mean(axis=0)
    projected = np.linalg.lstsq(columns, mean, rcond=None)[0]
    return {
        "desparsified_active": (low[active], high[active], truth[active]),
        "desparsified_zero": (low[~active], high[~active], truth[~active]),
        "lee_fixed_alpha_sigma_known": (*found.conf_int().T, projected),
    }


def run(p, counts, repetitions, seconds):
    """Bring the counts to a number of repetitions."""
    end = time.monotonic() + seconds
    while counts["done"] < repetitions and time.monotonic() < end:
        for name, (low, high, truth) in intervals(p, np.random.default_rng([p, counts["done"]])).items():
            cell = counts.setdefault(name, {"held": 0, "of": 0, "lengths": []})
            cell["held"] += int(np.count_nonzero((low <= truth) & (truth <= high)))
            cell["of"] += truth.size
            cell["lengths"].append(float(np.median(high - low)) if truth.size else np.nan)
        counts["done"] += 1


def table(saved):
    """Rows of the table, as lines of Markdown."""
    theirs = json.loads((Path(__file__).parent / "data/inference/lasso_coverage.json").read_text())["data"]
    lines = ["| p | intervals | runs | coverage | reference | length | reference | within 2 % |", "|---" * 8 + "|"]
    for p, counts in saved.items():
        other = theirs.get(f"n=100 p={p}", {"coverage": {}, "typical_length": {}})
        for name in [name for name in counts if name != "done"]:
            cell = counts[name]
            part = cell["held"] / cell["of"]
            slack = 2 * np.sqrt(LEVEL * (1 - LEVEL) / counts["done"])
            numbers = [
                part,
                other["coverage"].get(name),
                np.nanmedian(cell["lengths"]),
                other["typical_length"].get(name),
            ]
            cells = ["" if number is None else f"{number:.3f}" for number in numbers]
            verdict = "yes" if abs(part - LEVEL) <= ASKED + slack else "**no**"
            lines.append(f"| {p} | {name} | {counts['done']} | {' | '.join(cells)} | {verdict} |")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("p", nargs="?", type=int, help="number of features; the references have 30 and 150")
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=np.inf, help="begin no further repetition after so long")
    parser.add_argument("--counts", type=Path, help="JSON file that the repetitions are added to")
    options = parser.parse_args()
    saved = json.loads(options.counts.read_text()) if options.counts and options.counts.exists() else {}
    if options.p:
        run(options.p, saved.setdefault(str(options.p), {"done": 0}), options.repetitions, options.seconds)
        if options.counts:
            options.counts.write_text(json.dumps(saved))
    lines = table(saved)
    print("\n".join(lines))
    return int(any("**no**" in line for line in lines))


if __name__ == "__main__":
    sys.exit(main())
