"""Cross-validation of squares whose columns are far from the origin, held against single fits to the same rows.

These problems have a generator of their own, so that the integers of the others keep their meaning.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold

from ladreg import ElasticNetCD
from tests.campaign.draws import Case
from tests.campaign.models import Model

# Part of the problems that come with one of these.
SHARE = 0.005
# Objectives agree to this part, and errors of held-out rows to the root of what single fits prove: at 1e10 predictions
# keep six digits.
AGREE, AGREE_ERRORS = 1e-6, 1e-4


def posed(rng):
    """A model and its case."""
    n_samples, n_features = int(rng.integers(12, 61)), int(rng.integers(1, 9))
    X = np.round(100 * rng.standard_normal((n_samples, n_features)))
    y = [rng.standard_normal(n_samples), rng.integers(0, 3, n_samples).astype(float)][rng.integers(2)]
    X += 10.0 ** rng.uniform(3, 10) * rng.choice([1.0, 1.0, -1.0, 0.0], n_features)
    case = Case(X, y, None, ["far from the origin"], str(rng.choice(["dense", "csr", "csc"])))
    if rng.random() < 0.4:
        case.weight = rng.integers(1, 4, n_samples).astype(float)
    own = {
        "l1_ratio": float(rng.choice([1.0, 0.9, 0.1])),
        "fit_intercept": bool(rng.random() < 0.3),
        "positive": bool(rng.random() < 0.2),
        "standardize": bool(rng.random() < 0.3),
        "penalty_weights": rng.choice([0.0, 1.0, 1.0, 2.0], n_features),
        "alphas": int(rng.integers(1, 6)),
        "cv": int(rng.integers(2, 5)),
    }
    return Model("ElasticNetCDCV", own), case


def found(rng):
    """The model, the case, and where it is not what single fits are that are proved."""
    model, case = posed(rng)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            tuned = model.made().fit(case.contained(), case.y, sample_weight=case.weight)
        except ValueError as error:
            return model, case, [] if "penalt" in str(error) else [f"ValueError: {error}"]
    own = {name: value for name, value in model.parameters.items() if name not in ("alphas", "cv")}
    said = []
    for k, alpha in enumerate(tuned.alphas_):
        single = ElasticNetCD(alpha=alpha, **own)
        if (best := _proved(single, case, np.arange(case.y.size))) is not None:
            single.coef_, single.intercept_ = tuned.coef_path_[:, k], tuned.intercept_path_[k]
            objective = single.verify(case.contained(), case.y, case.weight).objective
            if objective > best * (1 + AGREE):
                said.append(f"silent wrong: the path has {objective:.9g} at {alpha:.4g}, where {best:.9g} is optimal")
        for fold, (train, test) in enumerate(KFold(model.parameters["cv"]).split(case.X)):
            if _proved(single, case, train) is None or not single.certificate_.unique:
                continue
            weight = None if case.weight is None else case.weight[test]
            error = np.average((case.y[test] - single.predict(case.X[test])) ** 2, weights=weight)
            if abs(tuned.mse_path_[k, fold] - error) > AGREE_ERRORS * (error + np.var(case.y)):
                place = f"mse_path_ has {tuned.mse_path_[k, fold]:.9g}, at alpha={alpha:.4g}"
                said.append(f"disagreement: the error of held-out rows is {error:.9g}, {place}")
    is_told = any(issubclass(one.category, ConvergenceWarning) for one in caught)
    return model, case, [] if is_told else said


def _proved(single, case, rows):
    """The objective of the fit to some rows; None where it is not proved."""
    weight = None if case.weight is None else case.weight[rows]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        single.fit(case.X[rows], case.y[rows], sample_weight=weight)
    return None if any(issubclass(one.category, ConvergenceWarning) for one in caught) else single.objective_
