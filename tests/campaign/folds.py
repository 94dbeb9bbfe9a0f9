"""Cross-validation of squares, judged fold by fold: held-out errors against scikit-learn's fits to centred columns.

These problems have a generator of their own beside that of the others, so that the integers of the others keep their
meaning.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import enet_path
from sklearn.model_selection import KFold, TimeSeriesSplit

import ladreg
from tests.campaign.draws import Case
from tests.campaign.formula import LONG
from tests.campaign.judge import Answer, complaints
from tests.campaign.models import Model, deviations, formula_of, is_advice

# Part of the problems that come with one of these.
SHARE = 0.05
KINDS = ("positive", "constant up to rounding", "far and sparse", "short list")
TOL = 1e-13
# Errors of held-out rows are compared where the training rows determine coefficients: the smallest eigenvalue of their
# Gram matrix, with its ridge, is at least 1e-5 times the largest.
REGULAR = 1e-5


def posed(rng):
    """A model with an `alphas` list and folds, and its case."""
    kind = str(rng.choice(KINDS))
    n_samples, n_features = int(rng.integers(20, 81)), int(rng.integers(2, 31))
    if kind in ("positive", "short list"):
        # After a jump of alpha many features come in at once; Gram matrices serve where rows are more.
        n_features = int(rng.integers(15, 51))
        n_samples = int(n_features * rng.uniform(0.8, 3.0))
    X = rng.standard_normal((n_samples, n_features))
    coef = np.where(rng.random(n_features) < rng.choice([0.1, 0.5, 1.0]), rng.uniform(-0.3, 1.0, n_features), 0.0)
    if kind == "positive":
        coef = np.where(rng.random(n_features) < 0.5, rng.uniform(0.0, 1.0, n_features), 0.0)
    else:
        X += rng.choice([0.0, 1.0]) * rng.standard_normal((n_samples, 1))
        X *= np.exp(rng.choice([0.0, 2.0]) * rng.standard_normal(n_features))
    y = X @ coef + rng.choice([0.3, 1.0]) * rng.standard_normal(n_samples)
    sparse = bool(rng.random() < 0.4)
    if kind == "constant up to rounding":
        whole = rng.dirichlet(np.ones(4), n_samples).sum(axis=1)
        X[:, rng.integers(n_features)] = whole * 10.0 ** rng.integers(-6, 7)
    elif kind == "far and sparse":
        far = rng.random(n_features) < 0.5
        X = np.where(far, 10.0 ** rng.integers(1, 5) + 10.0 ** -rng.uniform(0, 5) * X, X * (rng.random(X.shape) < 0.5))
        sparse = True
    case = Case(X, y, None, [kind], "dense" if not sparse else str(rng.choice(["csr", "csc"])))
    if rng.random() < 0.4:
        case.weight = rng.choice([rng.integers(1, 4, n_samples).astype(float), rng.uniform(0.2, 2.0, n_samples)])
    own = {
        "l1_ratio": float(rng.choice([1.0, 0.9, 0.5, 0.1])),
        "fit_intercept": kind == "far and sparse" or bool(rng.random() < 0.8),
        "positive": bool(rng.random() < (0.9 if kind == "positive" else 0.3)),
        "standardize": kind == "constant up to rounding" or bool(rng.random() < 0.4),
    }
    largest = ladreg.alpha_max(X, y, sample_weight=case.weight, **own)
    steps = [10.0 ** -np.arange(4.0), 10.0 ** -rng.uniform(0, 3, int(rng.integers(1, 6))), np.geomspace(1, 1e-2, 8)]
    # The first alpha has a support already: features come in beside it at the second.
    first = (largest or 1.0) * 10.0 ** -rng.uniform(0.0, 1.0)
    own["alphas"] = first * steps[0 if kind == "positive" else rng.integers(3)]
    own["cv"] = KFold(int(rng.integers(2, 5))) if rng.random() < 0.7 else TimeSeriesSplit(3)
    return Model("ElasticNetCDCV", {**own, "tol": TOL}), case


def found(rng):
    """The model, the case, and what is wrong with the errors of held-out rows and with the path."""
    model, case = posed(rng)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = model.made().fit(case.contained(), case.y, sample_weight=case.weight)
    caught = [one for one in caught if not is_advice(str(one.message))]
    leaked = [one for one in caught if not issubclass(one.category, ConvergenceWarning)]
    said = [f"leaked {one.category.__name__}: {one.message} ({one.filename}:{one.lineno})" for one in leaked]
    warned = len(caught) > 0
    for k, (train, test) in enumerate(model.parameters["cv"].split(case.X)):
        said += _held_out(model, case, train, test, fitted.alphas_, fitted.mse_path_[:, k])
    for k, alpha in enumerate(fitted.alphas_):
        formula = formula_of(model, case, float(alpha))
        answer = Answer(fitted.coef_path_[:, k], fitted.intercept_path_[k], None, 0.0, warned)
        said += [f"path: {text}" for text in complaints(formula, answer)]
    return model, case, said


def _held_out(model, case, train, test, alphas, errors):
    """Whether scikit-learn's fits to the training rows have other errors in those that are held out."""
    own = model.parameters
    weight = np.ones(case.y.size, LONG) if case.weight is None else case.weight.astype(LONG)
    X, y = case.X.astype(LONG), case.y.astype(LONG)
    part = weight[train] / weight[train].sum()
    means = (part @ X[train], part @ y[train]) if own["fit_intercept"] else (LONG(0), LONG(0))
    unit = deviations(X[train], part) if own["standardize"] else np.ones(X.shape[1], LONG)
    columns, target = (X - means[0]) / unit, y - means[1]
    root = np.sqrt(part * train.size)
    Z, t = (columns[train] * root[:, None]).astype(float), (target[train] * root).astype(float)
    gram, said = Z.T @ Z / train.size, []
    for alpha, error, coef in zip(alphas, errors, _rivals(Z, t, alphas, own), strict=True):
        support = np.flatnonzero(coef)
        curved = gram + alpha * (1 - own["l1_ratio"]) * np.eye(Z.shape[1])
        values = np.linalg.eigvalsh(curved[np.ix_(support, support)])
        if not np.isfinite(coef).all() or (values.size and values[0] < REGULAR * np.trace(curved)):
            continue
        wanted = np.average((target[test] - columns[test] @ coef.astype(LONG)) ** 2, weights=weight[test])
        if abs(error - wanted) > 1e-4 * wanted + 1e-9 * np.var(case.y):
            place = f"mse_path_ has {error:.9g}, at alpha={alpha:.4g}"
            said.append(f"disagreement: the error of held-out rows is {wanted:.9g}, {place}")
    return said


def _rivals(Z, t, alphas, own):
    """scikit-learn's coefficients at each alpha, each a start for the next; NaN where a fit did not converge."""
    order, found = np.argsort(-alphas), np.full((alphas.size, Z.shape[1]), np.nan)
    same = {"l1_ratio": own["l1_ratio"], "positive": own["positive"], "tol": 1e-13, "max_iter": 100_000}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _, coefs, gaps = enet_path(np.asfortranarray(Z), t, alphas=alphas[order], **same)
    ended = gaps * t.size <= same["tol"] * (t @ t)  # where it warns of no convergence
    found[order[ended]] = coefs.T[ended]
    return found
