"""Cross-validation of rows in blocks against the same rows in memory: alphas, losses of held-out rows, the choice."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import KFold

from ladreg import (
    CombinedLossRegressorCV,
    LADRegressor,
    LADRegressorCV,
    QuantileRegressor,
    QuantileRegressorCV,
    blocks,
)
from tests.campaign.blocks import fitted
from tests.campaign.blocks import posed as table
from tests.campaign.models import FOLDS, RANGE, Model

# Part of the problems that come with one of these.
SHARE = 0.0025
# How often each is drawn.
NAMES = {"LADRegressorCV": 3, "QuantileRegressorCV": 3, "HuberLossRegressorCV": 2, "CombinedLossRegressorCV": 3}
# The estimators at one alpha of those whose optimum may not be unique in a fold.
SINGLE = {"LADRegressorCV": LADRegressor, "QuantileRegressorCV": QuantileRegressor}
# Relative difference of two losses, or alphas, of fits that are proved; and of a residual that is rounding of targets.
AGREE, ROUNDING = 1e-9, 64 * float(np.finfo(float).eps)
# The same of two curved losses: coefficients are known to the root of a gap of 1e-12, which is proved.
AGREE_CURVED = 1e-6
# The linear program for duals of rows on a kink, in memory as well, balances slopes to 1e-6 times the steepest.
PROGRAM = 1e-6
# With such weights few rows decide: several fits are optimal at the largest alpha, which itself is rounding of sums.
WILD = "weights of 1e-10 and 1e12"


def drawn(seed):
    """A model and a table of an integer."""
    return posed(np.random.default_rng([29, seed]))


def posed(rng):
    """A model, and a table that is drawn as for single fits, or with targets moved to a few of them."""
    _, case, rows, held, is_sparse = table(rng)
    if rng.random() < 0.3:
        case = replace(case, y=_few_values(rng, case.y), ills=[*case.ills, "few values"])
    rates = np.array(list(NAMES.values()), float)
    name = str(rng.choice(list(NAMES), p=rates / rates.sum()))
    own = {
        "cv": int(rng.integers(2, 4)),
        "alphas": int(rng.integers(1, 4)),
        "eps": float(rng.choice([0.5, 0.05])),
        "fit_intercept": bool(rng.random() < 0.8),
        "positive": bool(rng.random() < 0.2),
    }
    if rng.random() < 0.25:
        own["post_selection"] = float(rng.choice([0.0, 0.5]))
    if rng.random() < 0.3:
        own["penalty_weights"] = rng.choice([0.0, 1.0, 1.0, 2.0, np.inf], case.X.shape[1])
    options = {
        "QuantileRegressorCV": ("quantile", [0.1, 0.5, 0.8]),
        "HuberLossRegressorCV": ("epsilon", [0.1, 1.35, 4.0]),
        "CombinedLossRegressorCV": ("l1_ratio", [0.1, 0.5, 0.9]),
    }
    if name in options:
        option, values = options[name]
        own[option] = float(rng.choice(values))
    return Model(name, own), replace(case, others=None), rows, max(held, 200), is_sparse


def _few_values(rng, y):
    """The targets moved to their quantiles of a few levels."""
    levels = np.linspace(0.0, 1.0, int(rng.integers(3, 11)))
    values = np.quantile(y, levels, method="lower")
    return values[np.minimum(np.searchsorted(values, y), values.size - 1)]


def compared(seed):
    """Complaints about one table, and whether blocks were warned of."""
    return _compared(*drawn(seed))


def found(rng):
    """Model, case and complaints of a table of the main draw."""
    drawn_table = posed(rng)
    return *drawn_table[:2], _compared(*drawn_table)[0]


def _compared(model, case, rows, held, is_sparse):
    X = sp.csr_array(case.X) if is_sparse else case.X
    data = blocks.arrays(X, case.y, case.weight, rows=rows).holding(held)
    try:
        there, warned, leaked = fitted(model.made(), data)
        here, slow, _ = fitted(model.made(), X, case.y, case.weight)
    except (ValueError, OverflowError) as error:
        allowed = RANGE.search(str(error)) or FOLDS.search(str(error))
        return ([], False) if allowed else ([f"{type(error).__name__}: {error}"], False)
    said = [f"leaked: {text}" for text in leaked]
    return said if warned or slow else said + _judged(model, case, here, there), warned


def _judged(model, case, here, there):
    """Losses agree, and so does what follows from them, unless two of them are as good as equal."""
    losses, others = (getattr(one, one._losses_name) for one in (here, there))
    floor = ROUNDING * float(np.abs(case.y).max()) * _steepest(here, np.maximum(losses, others))
    # Slopes are sums of columns times duals, which are no larger than one, or the targets.
    steepest = float(np.abs(case.X).max()) * max(float(np.abs(case.y).max()), 1.0)
    is_rounding = max(here.alphas_.max(), there.alphas_.max()) <= PROGRAM * steepest
    if np.max(losses) <= np.max(floor) or is_rounding or WILD in case.ills:
        return []
    agree = AGREE if model.name in SINGLE else AGREE_CURVED
    if not _agree(here.alphas_, there.alphas_, agree, ROUNDING * steepest):
        return [f"disagreement: alphas are {here.alphas_} in memory, {there.alphas_} in blocks, no warning"]
    apart = np.abs(losses - others) - floor
    wrong = np.argwhere(apart > agree * np.maximum(losses, others))
    if wrong.size:
        if all(_has_several_optima(model, case, here.alphas_[k], fold) for k, fold in wrong):
            return []
        return [f"disagreement: losses of held-out rows differ by {apart.max():.2g} of {losses.max():.2g}, no warning"]
    means = np.sort(losses.mean(axis=1))
    is_tie = means.size > 1 and means[1] - means[0] <= 10 * agree * means[0] + np.max(floor)
    if is_tie or _agree(here.alpha_, there.alpha_, agree):
        return []
    return [f"disagreement: alpha is {here.alpha_} in memory, {there.alpha_} in blocks, no warning"]


def _has_several_optima(model, case, alpha, fold):
    """Whether the fit to the training rows is not unique: folds in blocks may have another optimum."""
    if model.name not in SINGLE:
        return False
    own = {
        name: model.parameters[name] for name in ("fit_intercept", "positive", "quantile") if name in model.parameters
    }
    used = case.X.any(axis=0)
    if model.parameters.get("penalty_weights") is not None:
        own["penalty_weights"] = model.parameters["penalty_weights"][used]
    train = [rows for rows, _ in KFold(model.parameters["cv"]).split(case.X)][fold]
    weight = None if case.weight is None else case.weight[train]
    fitted = SINGLE[model.name](alpha=alpha, **own).fit(case.X[np.ix_(train, used)], case.y[train], weight)
    return not fitted.certificate_.unique


def _steepest(fitted, losses):
    """A bound on the slope of a loss that is at most `losses`: s r^2 / 2 <= loss gives s |r| <= sqrt(2 s loss)."""
    if isinstance(fitted, LADRegressorCV | QuantileRegressorCV):
        return 1.0
    lines = fitted.l1_ratio if isinstance(fitted, CombinedLossRegressorCV) else 0.0
    return lines + np.sqrt(2 * (1 - lines) * losses)


def _agree(some, others, part, rounding=0.0):
    some, others = np.asarray(some), np.asarray(others)
    return some.shape == others.shape and np.allclose(some, others, rtol=part, atol=rounding)
