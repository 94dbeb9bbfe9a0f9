"""Claims beside the fit: nothing is proved of coefficients that are not allowed, pivotal alphas keep noise out."""

from __future__ import annotations

import warnings

import numpy as np

from ladreg import QuantileRegressor
from tests.campaign.models import RANGE

# Parts of the problems that are asked.
EDITED, PIVOTAL = 0.05, 0.02
# A simulated 0.9 quantile is above the exact one of this order, by five deviations of 1000 simulations.
SURE = 0.85


def broken_claims(seed, model, case, fitted):
    """Complaints about `verify` and about `alpha="pivotal"`; the numbers drawn are apart from those of the problem."""
    rng = np.random.default_rng([seed, 1])
    chances = rng.random(2)
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if chances[0] < EDITED and fitted is not None:
            found += _edited(rng, case, fitted)
        if chances[1] < PIVOTAL:
            found += _pivotal(rng)
    return found


def _edited(rng, case, fitted):
    """A coefficient of the fitted estimator is changed to one that is not allowed: `verify` says which."""
    given = case.contained(), case.targets, case.weight
    j, size = int(rng.integers(case.X.shape[1])), float(10.0 ** rng.uniform(-200, 200))
    excluded = np.ones(case.X.shape[1])
    excluded[j] = np.inf
    value, others = [
        (-size, {"positive": True, "penalty_weights": None, "bounds": None}),
        (size * rng.choice([-1.0, 1.0]), {"positive": False, "penalty_weights": excluded, "bounds": None}),
        (np.nan, {}),
        (np.inf, {}),
    ][rng.integers(4)]
    coef = np.array(fitted.coef_, dtype=float)
    np.atleast_2d(coef)[-1, j] = value
    fitted.coef_ = coef
    for parameter in others:
        setattr(fitted, parameter, others[parameter])
    place = f"coef_[{j}]" if coef.ndim == 1 else f"coef_[{coef.shape[0] - 1}, {j}]"
    try:
        proof = fitted.verify(*given)
    except ValueError as error:
        named = str(error).startswith("coef_[")  # of several that are not allowed the first is named
        return [] if named or RANGE.search(str(error)) else [f"verify of {place} = {value:g}: {error}"]
    except OverflowError:
        return []
    if np.isinf((proof[-1] if isinstance(proof, list) else proof).objective):
        return []
    return [f"false proof: verify of {place} = {value:g} under {others} finds {proof}"]


def _pivotal(rng):
    """At an extreme quantile the fit without features goes through one target: what that row's slopes are is known."""
    n_samples, n_features = int(rng.integers(3, 40)), int(rng.integers(1, 12))
    rare = float(rng.uniform(0.02, 0.98)) / n_samples
    above = bool(rng.random() < 0.5)
    X = rng.standard_normal((n_samples, n_features)) * np.exp(rng.uniform(0, 3) * rng.standard_normal((n_samples, 1)))
    y = rng.standard_normal(n_samples) ** int(rng.choice([1, 3, 9]))
    model = QuantileRegressor(quantile=1 - rare if above else rare, alpha="pivotal").fit(X, y)
    rare = 1 - model.quantile if above else model.quantile
    slopes = rare * np.abs((X - X.mean(axis=0)) / X.std(axis=0)).max(axis=1)
    least = np.sort(slopes)[int(np.ceil(SURE * n_samples)) - 1]
    asked = f"alpha='pivotal', quantile {model.quantile:.6g} of {X.shape}"
    if not model.alpha_ >= 1.1 * least * (1 - 1e-9):
        return [f"disagreement: {asked}: {model.alpha_:.6g} is less than the slopes of noise, {1.1 * least:.6g}"]
    own = slopes[np.argmax(y) if above else np.argmin(y)]
    if own < model.alpha_ * (1 - 1e-9) and model.coef_.any():
        return [f"silent wrong: {asked}: noise is selected, whose slopes are {own:.6g} of {model.alpha_:.6g}"]
    return []
