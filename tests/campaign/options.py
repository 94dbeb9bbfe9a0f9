"""Options of the models: limits of coefficients, ridges, a largest number of features, several targets."""

from __future__ import annotations

import inspect
from functools import cache

import numpy as np

import ladreg
from tests.campaign.models import COMBINED, PATHS, SQUARES, enlarge

# Parts of the problems that get each, of those whose model takes it.
BOUNDED, RIDGED, SHORT, SEVERAL = 0.3, 0.25, 0.4, 0.06


def add(rng, model, case):
    """Change the model's parameters, and give the case more targets; every model draws the same numbers."""
    chances, inner = rng.random(4), rng.spawn(4)
    if model.name == "StabilitySelection":
        if chances[0] < BOUNDED:
            estimator = model.parameters["estimator"]
            estimator.set_params(bounds=_bounds(inner[0], case, None, estimator.positive))
        return
    own, takes = model.parameters, _taken(model.name)
    if chances[0] < BOUNDED:
        own["bounds"] = _bounds(inner[0], case, own.get("penalty_weights"), own["positive"])
    ratio = "penalty_l1_ratio" if model.name in COMBINED else "l1_ratio"
    if chances[1] < RIDGED and ratio in takes and model.name not in SQUARES and own.get("solver", "auto") == "auto":
        least = 0.1 if model.tuned or model.name in PATHS else 0.0
        own[ratio] = float(inner[1].choice([least, 0.1, 0.5, 0.95]))
    if chances[2] < SHORT and "max_features" in takes:
        own["max_features"] = int(inner[2].integers(1, case.X.shape[1] + 1))
    if chances[3] < SEVERAL and _takes_several(model, case):
        _add_targets(inner[3], case)
        if model.tuned or model.name in PATHS:
            own["alpha_per_target"] = bool(inner[3].random() < 0.5)
    if model.at_largest and "bounds" in own:
        model.at_largest = False
        enlarge(model, case)


@cache
def _taken(name):
    """The parameters of a model."""
    return frozenset(inspect.signature(getattr(ladreg, name)).parameters)


def _takes_several(model, case):
    single = np.ndim(model.parameters.get("quantile", 0.5)) == 0 and not model.at_largest
    return single and case.outliers is None


def _add_targets(rng, case):
    """One or two targets beside y: a permutation of y, and y with another sign or a constant."""
    columns = [rng.permutation(case.y), -case.y, np.full(case.y.size, case.y[0])]
    chosen = rng.permutation(3)[: int(rng.integers(1, 3))]
    case.others = np.column_stack([columns[k] for k in chosen])
    case.ills.append("several targets")


def _bounds(rng, case, weights, positive):
    """Limits of ordinary size for the data: none, zero, either sign, and pairs that leave one value."""
    size = case.X.shape[1]
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        y = case.y if case.near is None else case.near
        unit = np.ptp(y) / np.ptp(case.X, axis=0)
    unit = np.where((unit > 1e-290) & (unit < 1e290), unit, 1.0) * 10.0 ** rng.uniform(-2, 1)
    if rng.random() < 0.2:  # numbers for all features
        unit, kinds = np.full(size, np.median(unit)), np.full(size, rng.integers(2))
    else:
        kinds = rng.integers(0, 6, size)
    share = rng.choice([0.0, 0.3, 1.0], size)
    one, infinite = np.ones(size), np.full(size, np.inf)
    lower = unit * np.choose(kinds, [-share, 0 * one, -infinite, share, -share - 0.5, -infinite])
    upper = unit * np.choose(kinds, [one, share, share - 0.3, infinite, -share, infinite])
    if positive:
        upper = np.maximum(upper, 0.0)
    if weights is not None:  # a feature that is excluded has the coefficient zero
        lower = np.where(np.isinf(weights), np.minimum(lower, 0.0), lower)
        upper = np.where(np.isinf(weights), np.maximum(upper, 0.0), upper)
    return lower, upper


def broken(model, outcome):
    """What is wrong with an answer that has more features than it may have."""
    most = model.parameters.get("max_features")
    if most is None:
        return []
    counts = [np.count_nonzero(answer.coef) for _, answer in outcome.answers]
    return [f"silent wrong: {max(counts)} features, max_features={most}"] if max(counts, default=0) > most else []
