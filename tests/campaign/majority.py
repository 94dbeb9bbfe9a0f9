"""Targets that a plane fits exactly in most rows, and columns far from the origin."""

from __future__ import annotations

import numpy as np

# How often each is drawn; of the exact majorities, how often rare dummies stand beside the other columns.
MAJORITY, FAR, RARE = 0.15, 0.05, 0.3
OTHERS = ("gross", "above", "noise", "rounding", "zeros", "integer")


def settle(rng, case):
    """Replace the target, or move the columns, of some cases; `rng` is not the one that the rest is drawn from."""
    rare = rng.spawn(1)[0]
    if rng.random() < MAJORITY:
        if rare.random() < RARE:
            _rare_dummies(rare, case)
        _exact_majority(rng, case)
    if rng.random() < FAR:
        shift = float(rng.choice([1e6, 1e9, 1.7e12]))
        case.X = np.round(100 * case.X) + shift  # integers, whose differences are exact
        case.ills.append(f"columns at {shift:g}")


def _rare_dummies(rng, case):
    """Dummies of a few rows each, that overlap, before the other columns; of all rows of some, none is on the plane."""
    repeated = case.X[rng.integers(0, case.y.size, int(rng.integers(100, 401)))]
    dummies = np.zeros((repeated.shape[0], int(rng.integers(3, 9))))
    for column in dummies.T:
        column[rng.choice(column.size, int(rng.integers(1, 6)), replace=False)] = 1.0
    case.X = np.hstack([dummies, repeated + rng.integers(-2, 3, repeated.shape)])
    case.y = np.zeros(repeated.shape[0])
    if case.free is not None:
        case.free = np.append(np.ones(dummies.shape[1], dtype=bool), case.free)
    case.ills.append("rare dummies")


def _exact_majority(rng, case):
    """From half of the rows to all of them on a plane of small integers."""
    n_samples, n_features = case.X.shape
    kind = str(rng.choice(OTHERS))
    wrong = rng.random(n_samples) < rng.uniform(0, 0.5)
    if "rare dummies" in case.ills:
        wrong |= case.X[:, 0] != 0
    plane = case.X @ rng.integers(-2, 3, n_features) + float(rng.integers(-2, 3))
    size = 10.0 ** rng.uniform(-2, 6, n_samples)
    case.y = {
        "gross": lambda: plane + np.where(wrong, rng.choice([-1.0, 1.0], n_samples) * size, 0.0),
        "above": lambda: plane + np.where(wrong, size, 0.0),
        "noise": lambda: plane + np.where(wrong, rng.standard_normal(n_samples), 0.0),
        "rounding": lambda: plane * (1 + 2.2e-16 * rng.integers(-1, 2, n_samples)),
        "zeros": lambda: np.where(wrong, np.exp(rng.standard_normal(n_samples)), 0.0),
        "integer": lambda: np.round(plane) + np.where(wrong, rng.integers(-3, 4, n_samples), 0),
    }[kind]()
    case.ills = [ill for ill in case.ills if not ill.startswith("y ")]
    case.ills.append(f"y exact but for {kind}")
