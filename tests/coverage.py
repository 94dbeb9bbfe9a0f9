"""``python -m tests.coverage het 100 --repetitions 200 --counts counts.json``: how often intervals hold the true value.

Each repetition draws a table from a design whose quantiles are known, from a seed of its own, and makes 0.95 intervals
of the coefficients by every method. With ``--counts`` a run adds its repetitions to those that the file has, from where
these end. Without a design, ``python -m tests.coverage --counts counts.json`` prints all that the file has, beside
quantreg's coverage of the same designs (`data/inference/quantreg_coverage.json`), and what the methods are asked for.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.stats import norm
from scipy.stats import t as student

from ladreg import QuantileRegressor, infer

DESIGNS = ("normal", "t2", "het", "cluster")
QUANTILES = (0.5, 0.9)
LEVEL, N_BOOTSTRAP = 0.95, 200
THEIRS = {
    "iid": "iid",
    "robust": "nid",
    "kernel": "ker",
    "rank": "rank_nid",
    "pairs": "boot_xy",
    "pairs of groups": "boot_cluster",
}


def draw(design, n, rng):
    """X, y, groups (or None), and a function that gives the coefficients of a quantile."""
    groups, binary, slope = None, rng.integers(0, 2, n), 1.0
    first, error, quantile = rng.standard_normal(n), rng.standard_normal(n), norm.ppf
    if design == "cluster":
        groups = np.repeat(np.arange(n // 10), 10)
        shared = rng.standard_normal((2, n // 10))[:, groups]
        first, error = np.sqrt(0.5) * (np.array([first, error]) + shared)
        binary = rng.permutation(np.arange(n // 10) % 2)[groups]
    elif design == "t2":
        error, quantile = rng.standard_t(2, n), lambda tau: student.ppf(tau, 2)
    elif design == "het":
        first = rng.uniform(0, 4, n)
        error = (0.5 + 0.5 * first) * error
    y = 1 + slope * first + binary + error

    def coefficients(tau):
        z = quantile(tau)
        return np.array([1 + z / 2, 1 + z / 2, 1.0]) if design == "het" else np.array([1 + z, 1.0, 1.0])

    return np.column_stack([first, binary]).astype(float), y, groups, coefficients


def methods(groups, seed):
    """The methods by their names in the table."""
    pairs = {"method": "bootstrap", "n_bootstrap": N_BOOTSTRAP, "random_state": seed}
    if groups is not None:
        clustered = {"groups": groups}
        return {
            "robust": {},
            "robust, groups": clustered,
            "kernel, groups": {"method": "kernel", **clustered},
            "pairs of groups": {**pairs, **clustered},
        }
    return {
        "iid": {"method": "iid"},
        "robust": {},
        "kernel": {"method": "kernel"},
        "rank": {"method": "rank"},
        "pairs": pairs,
    }


def run(design, n, counts, repetitions, seconds, chosen):
    """Bring the counts of the chosen methods to a number of repetitions: held, infinite, refused, done."""
    end = time.monotonic() + seconds
    for repetition in range(repetitions):
        if time.monotonic() > end:
            break
        rng = np.random.default_rng([DESIGNS.index(design), n, repetition])
        X, y, groups, coefficients = draw(design, n, rng)
        for tau in QUANTILES:
            model = None
            for name, options in methods(groups, repetition).items():
                cell = counts.setdefault(f"{tau} {name}", {"held": [0, 0, 0], "infinite": 0, "refused": 0, "done": 0})
                if cell["done"] != repetition or (chosen and name not in chosen):
                    continue
                cell["done"] += 1
                model = model or QuantileRegressor(quantile=tau, alpha=0).fit(X, y)
                try:
                    ends = infer(model, X, y, level=LEVEL, **options).conf_int()
                except ValueError:  # the densities leave too few rows
                    cell["refused"] += 1
                    continue
                held = (ends[:, 0] <= coefficients(tau)) & (coefficients(tau) <= ends[:, 1])
                cell["held"] = (np.array(cell["held"]) + held).tolist()
                cell["infinite"] += int(np.isinf(ends).any())


def wanted(design, n, tau, method):
    """The range of coverage that a method is asked for; None where nothing is."""
    large = (0.93, 0.98) if tau == 0.5 else (0.90, 0.98)
    if design == "cluster":
        return large if n >= 1000 and "groups" in method else None
    if n >= 1000:
        ranges = {"robust": large, "rank": large, "pairs": large, "iid": large if design != "het" else None}
    else:
        ranges = {"rank": (0.91, 0.99), "pairs": (0.91, 0.99), "robust": (0.92, 0.98) if tau == 0.5 else (0.87, 1.0)}
    return ranges.get(method)


def table(saved):
    """Rows of the table, as lines of Markdown."""
    theirs = json.loads((Path(__file__).parent / "data/inference/quantreg_coverage.json").read_text())
    lines = ["| design | n | quantile | method | runs | coverage | quantreg | asked for |", "|---" * 8 + "|"]
    for key, entry in saved.items():
        design, n = key.split()
        for cell, found in entry.items():
            tau, method = float(cell.split()[0]), cell.split(" ", 1)[1]
            number = found["done"] - found["refused"]
            if number == 0:
                continue
            part, asked = np.array(found["held"]) / number, wanted(design, int(n), tau, method)
            slack = 2 * np.sqrt(0.05 * 0.95 / number)  # two standard errors of the counts
            verdict = ""
            if asked is not None:
                verdict = "yes" if np.all((part >= asked[0] - slack) & (part <= asked[1] + slack)) else "**no**"
                verdict = f"{100 * asked[0]:.0f} to {100 * asked[1]:.0f}: {verdict}"
            extra = "".join(f", {found[what]} {what}" for what in ("infinite", "refused") if found[what])
            other = percent(theirs.get(key, {}).get(f"{tau} {THEIRS.get(method)}"))
            lines.append(
                f"| {design} | {n} | {tau} | {method} | {number}{extra} | {percent(part)} | {other} | {verdict} |"
            )
    return lines


def percent(part):
    return "" if part is None else " ".join(f"{100 * one:.0f}" for one in part)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("design", nargs="?", choices=DESIGNS)
    parser.add_argument("n", nargs="?", type=int)
    parser.add_argument("--repetitions", type=int, default=2000)
    parser.add_argument("--methods", nargs="*", help="names of methods as in the table; all by default")
    parser.add_argument("--seconds", type=float, default=np.inf, help="begin no further repetition after so long")
    parser.add_argument("--counts", type=Path, help="JSON file that the repetitions are added to")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    saved = json.loads(options.counts.read_text()) if options.counts and options.counts.exists() else {}
    if options.design:
        counts = saved.setdefault(f"{options.design} {options.n}", {})
        run(options.design, options.n, counts, options.repetitions, options.seconds, options.methods)
        if options.counts:
            options.counts.write_text(json.dumps(saved))
    lines = table(saved)
    print("\n".join(lines))
    return int(any("**no**" in line for line in lines))


if __name__ == "__main__":
    sys.exit(main())
