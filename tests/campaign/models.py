"""Estimators with parameters drawn at random, how they are run, and the formula that each of them should minimise."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np
from sklearn.exceptions import ConvergenceWarning

import ladreg
from ladreg._estimators import CertifiedRegressor
from ladreg._paths import Path
from tests.campaign.draws import Case
from tests.campaign.formula import EPS, LONG, Formula, Loss
from tests.campaign.judge import Answer

# How often each is drawn. Those that choose alpha fit many times.
NAMES = {
    "LassoCD": 26,
    "ElasticNetCD": 24,
    "LADRegressor": 14,
    "QuantileRegressor": 12,
    "CombinedLossRegressor": 8,
    "HuberLossRegressor": 7,
    "lasso_path": 1.5,
    "enet_path": 1.5,
    "lad_path": 0.5,
    "LassoCDCV": 2,
    "ElasticNetCDCV": 1.5,
    "LADRegressorCV": 0.3,
    "QuantileRegressorCV": 0.3,
    "HuberLossRegressorCV": 0.3,
    "CombinedLossRegressorCV": 0.3,
    "LassoCDIC": 1.5,
    "LADRegressorIC": 0.4,
    "QuantileRegressorIC": 0.3,
    "StabilitySelection": 0.3,
}
SQUARES = ("LassoCD", "ElasticNetCD", "lasso_path", "enet_path", "LassoCDCV", "ElasticNetCDCV", "LassoCDIC")
QUANTILES = ("QuantileRegressor", "QuantileRegressorCV", "QuantileRegressorIC")
COMBINED = ("CombinedLossRegressor", "CombinedLossRegressorCV")
HUBER = ("HuberLossRegressor", "HuberLossRegressorCV")
PATHS = ("lasso_path", "enet_path", "lad_path")
TOL = 1e-10
# What an error may say: that numbers are out of range, that there are no folds of such weights.
RANGE = re.compile(r"(?i)overflow|underflow|too large|too small|out of range|leave float64|scale (y|X|the columns)")
FEATURES = re.compile(r"max_features must be larger")
FOLDS = re.compile(r"fold \d+ of cv has no|at least two non-zero numbers|a minimum of 2 is required")


@dataclass
class Model:
    """An estimator or function by name, and its parameters."""

    name: str
    parameters: dict = field(default_factory=dict)
    # Whether `alpha` is the least that leaves no penalised coefficient.
    at_largest: bool = False

    @property
    def tuned(self):
        return self.name.endswith(("CV", "IC"))

    def made(self, **others):
        return getattr(ladreg, self.name)(**{**self.parameters, **others})


@dataclass
class Outcome:
    """What came of a fit: answers with their formulas, or a refusal, or complaints about neither."""

    answers: list[tuple[Formula, Answer]] = field(default_factory=list)
    refused: str = ""
    complaints: list[str] = field(default_factory=list)
    # The estimator, if it is one that predicts and its fit succeeded.
    fitted: ladreg.LADRegressor | None = None

    @property
    def warned(self):
        return any(answer.warned for _, answer in self.answers)


def drawn_name(rng):
    rates = np.array(list(NAMES.values()), float)
    return str(rng.choice(list(NAMES), p=rates / rates.sum()))


def draw_model(rng, name, case):
    """Parameters for an estimator of this name, in proportion to the data."""
    if name.endswith("CV") and (case.y.size < 8 or (case.weight is not None and case.weight.min() == 0)):
        name = name.removesuffix("CV")
    model = Model(name, {"fit_intercept": bool(rng.random() < 0.7), "positive": bool(rng.random() < 0.2)})
    if name == "StabilitySelection":
        estimator = ladreg.LassoCD(**model.parameters)
        return Model(name, {"estimator": estimator, "n_pairs": 2, "alphas": 3, "random_state": 0})
    own = model.parameters
    if case.free is not None:
        own["penalty_weights"] = np.where(case.free, 0.0, rng.choice([1.0, 2.5], case.X.shape[1], p=[0.8, 0.2]))
    elif rng.random() < 0.25:
        own["penalty_weights"] = rng.choice([0.0, 1.0, 2.5, np.inf], case.X.shape[1], p=[0.25, 0.4, 0.2, 0.15])
    _losses(rng, model, case)
    if model.name in SQUARES:
        _squares(rng, model)
    elif name in ("LADRegressor", *QUANTILES, "LADRegressorCV", "LADRegressorIC"):
        also = ["highs", "highs-ds", "highs-ipm"] if name == "QuantileRegressor" else []
        own["solver"] = str(rng.choice(["linprog", *also])) if rng.random() < 0.15 else "auto"
    _alphas(rng, model, case)
    return model


def _losses(rng, model, case):
    own = model.parameters
    if model.name in QUANTILES:
        several = model.name == "QuantileRegressor" and rng.random() < 0.2
        own["quantile"] = [0.1, 0.5, 0.8] if several else float(rng.choice([0.05, 0.25, 0.5, 0.5, 0.9, 0.99]))
    elif model.name in COMBINED:
        own["l1_ratio"] = float(rng.choice([0.0, 0.01, 0.3, 0.5, 0.9, 1.0]))
    elif model.name in HUBER:
        own["epsilon"] = float(rng.choice([1.35, 1.35, 0.1, 20.0]))
        size = float(np.abs(case.y).max())
        if rng.random() < 0.6 and 0 < size * 1e-12 < size * 1e3 < np.inf:
            own["scale"] = size * float(10.0 ** rng.integers(-12, 3))


def _squares(rng, model):
    own = model.parameters
    own["standardize"] = bool(rng.random() < 0.25)
    own["precompute"] = ["auto", "auto", True, False][rng.integers(4)]
    if model.name.lower().startswith("e"):
        least = 0.0 if model.name == "ElasticNetCD" else 0.1
        own["l1_ratio"] = float(rng.choice([least, 0.1, 0.5, 0.95, 1.0]))
    if model.tuned and model.name != "LassoCDIC":
        del own["precompute"]
    if model.name == "LassoCDIC":
        own.pop("precompute")


def _alphas(rng, model, case):
    own = model.parameters
    if model.tuned or model.name in PATHS:
        own["alphas"] = 5
        if model.name.endswith("CV"):
            own["cv"] = int(rng.integers(2, 4))
        if model.name.endswith("IC"):
            own["criterion"] = str(rng.choice(["aic", "bic", "ebic"]))
        return
    kind = rng.random()
    share = 0.0 if kind < 0.25 else 1.0 if kind < 0.33 else 10.0 if kind < 0.4 else 10.0 ** rng.uniform(-4, 0)
    with np.errstate(over="ignore"):
        alpha = float(share * natural_alpha(model, case)) if share else 0.0
    own["alpha"] = alpha if np.isfinite(alpha) else 0.0
    if rng.random() < 0.06:
        own["warm_start"] = True
    elif (
        case.all_kinds
        and model.name in ("LassoCD", "ElasticNetCD")
        and own.get("l1_ratio", 1.0) > 0
        and rng.random() < 0.08
    ):
        enlarge(model, case)


def enlarge(model, case):
    """The alpha that the library says is the least that leaves no penalised coefficient."""
    names = ("fit_intercept", "positive", "bounds", "penalty_weights", "standardize", "l1_ratio")
    own = {name: value for name, value in model.parameters.items() if name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            alpha = ladreg.alpha_max(case.contained(), case.y, sample_weight=case.weight, **own)
        except (ValueError, OverflowError):
            return
    model.parameters["alpha"], model.at_largest = float(alpha), alpha > 0


def natural_alpha(model, case):
    """The smallest alpha without a nonzero coefficient, or one near it where that depends on more than the data."""
    formula = formula_of(model, case, 1.0, scale=1.0)
    constant = LONG(0)
    if formula.fit_intercept:
        order = np.argsort(formula.y)
        middle = np.searchsorted(np.cumsum(formula.weight[order]), 0.5)
        constant = formula.centre[0] if formula.loss.smooth else formula.y[order][min(middle, order.size - 1)]
    slopes = formula.loss.slope(formula.y - constant)
    product = formula.columns.T @ (formula.weight * slopes)
    unit = np.where(formula.strength > 0, formula.strength, formula.ridge)
    usable = (unit > 0) & np.isfinite(unit)
    return np.max(np.abs(product[usable]) / unit[usable], initial=0)


def loss_of(model, quantile, scale):
    own = model.parameters
    if model.name in SQUARES:
        return Loss(square=0.5)
    if model.name in HUBER:
        return Loss(square=0.5, bend=float(np.clip(own["epsilon"] * scale, 1e-300, 1e300)))
    if model.name in COMBINED:
        share = own["l1_ratio"]
        return Loss(share, share, 1 - share)
    if model.name in QUANTILES:
        quantile = np.ravel(own["quantile"])[0] if quantile is None else quantile
        return Loss(float(quantile), float(1 - LONG(quantile)))
    return Loss(1.0, 1.0)


def ratio_of(model):
    """The share of the penalty that is L1."""
    name = "penalty_l1_ratio" if model.name in COMBINED else "l1_ratio"
    return model.parameters.get(name, 1.0)


def formula_of(model, case, alpha, *, quantile=None, scale=None, y=None):
    """What the class's docstring says that it minimises, for one of several targets `y`, if there are several."""
    own = model.parameters
    X, n_features = np.asarray(case.X, LONG), case.X.shape[1]
    factor = np.ones(n_features) if own.get("penalty_weights") is None else np.asarray(own["penalty_weights"])
    excluded = np.isinf(factor)
    factor = np.where(excluded, 0, factor) * LONG(alpha)
    mixing = ratio_of(model)
    unit = deviations(X, case.weight) if own.get("standardize") else np.ones(n_features, LONG)
    strength = np.where(excluded, np.inf, factor * LONG(mixing) * unit)
    ridge = factor * (1 - LONG(mixing)) * unit**2
    share = max(own.get("tol", TOL), 1e-15) if model.name in SQUARES and model.name not in PATHS else 0.0
    return Formula.of(
        X,
        y if y is not None else case.y if case.near is None else case.near,
        case.weight,
        loss_of(model, quantile, scale),
        strength,
        ridge=ridge,
        positive=own["positive"],
        fit_intercept=own["fit_intercept"],
        share=share,
        bounds=own.get("bounds"),
    )


def deviations(X, weight):
    """Weighted standard deviations, 1 for columns that are constant up to rounding."""
    weight = np.ones(X.shape[0], LONG) if weight is None else np.asarray(weight, LONG)
    X, weight = X[weight > 0], weight[weight > 0] / weight.sum()
    # Where one row has nearly all weight, the rounding of a mean far from zero is no less than the deviation.
    near = X - weight @ X
    square = weight @ (near - weight @ near) ** 2
    constant = (X.max(axis=0) == X.min(axis=0)) | (square <= LONG(1e-28) * (weight @ X**2))
    return np.where(constant, 1, np.sqrt(square))


@contextmanager
def witnesses():
    """Collects the solutions that each estimator has stored last, and the dual vectors of the steps of each path.

    Estimators of several targets have one for each of them, and functions one path for each, in their order.
    """
    fits, paths, empty, put, store = {}, {}, Path.empty, Path.put, CertifiedRegressor._store

    def spied_empty(problem, alphas):
        made = empty(problem, alphas)
        paths[id(made)] = (made, {})
        return made

    def spied_put(self, k, solution):
        paths[id(self)][1][k] = solution.dual
        return put(self, k, solution)

    def spied_store(self, data, problems, solutions):
        fits[id(self)] = (self, solutions)
        return store(self, data, problems, solutions)

    spied = patch.multiple(Path, empty=staticmethod(spied_empty), put=spied_put)
    with spied, patch.object(CertifiedRegressor, "_store", spied_store):
        yield fits, paths


# The warning of `QuantileRegressor(alpha=1)`, which an alpha that is drawn may be by chance.
DEFAULT = "alpha=1, the default as in scikit-learn, makes all coefficients zero"
END_OF_GRID = "is the smallest that was tried"
# That of a grid which begins above the largest alpha.
BOUND = "alpha_max is an upper bound"


def is_advice(message):
    """Whether a warning is about the parameters, and right as it is."""
    return message.startswith((DEFAULT, BOUND)) or END_OF_GRID in message


def run(model, case: Case):
    """Fit and collect; every exception and every warning is accounted for."""
    outcome = Outcome()
    with warnings.catch_warnings(record=True) as caught, witnesses() as (fits, paths):
        warnings.simplefilter("always")
        try:
            if model.name in PATHS:
                found = _path(model, case, paths)
            elif model.name == "StabilitySelection":
                found = _stability(model, case, outcome)
            else:
                outcome.fitted, found = _fit(model, case, fits)
        except Exception as error:  # all of them are findings, or refusals
            _failed(outcome, model, error)
            found = []
    warned = any(issubclass(one.category, ConvergenceWarning) for one in caught)
    outcome.complaints += [
        f"leaked {one.category.__name__}: {one.message} ({one.filename}:{one.lineno})"
        for one in caught
        if not (issubclass(one.category, ConvergenceWarning) or is_advice(str(one.message)))
    ]
    for _, answer in found:
        answer.warned = warned
    if not warned:
        _at_largest(model, case, found, outcome)
    outcome.answers = found
    return outcome


# Where means are far larger than deviations, the largest alpha is known to a few digits only.
_ROUNDED = {"y + 1e9", "far from the origin", "y outliers", "weights of 1e-10 and 1e12", "columns scaled", "powers"}
_ROUNDED |= {"leverage", "correlated", "nearly equal columns", "forced in: nearly equal", "y exact", "y constant"}


def _at_largest(model, case, found, outcome):
    if not model.at_largest or _ROUNDED & set(case.ills):
        return
    # Far from the origin the slopes of a fit are rounded: coefficients may move predictions by 1e-11 of y's deviation,
    # and by the rounding of a residual, which columns multiply by their distance from the origin over their deviation
    # where there is no intercept.
    is_far = any(ill.startswith("columns at") for ill in case.ills)
    for formula, answer in found:
        _, terms = formula.sizes(answer.coef, answer.intercept)
        least = max(1e-11 * np.sqrt(formula.variance), EPS * (formula.weight @ terms) * formula.distance())
        if formula.moved_without(answer.coef) > is_far * least:
            outcome.complaints.append(f"silent wrong: at alpha_max coefficients are {answer.coef}")


def _failed(outcome, model, error):
    text = str(error)
    selective = model.tuned or model.name == "StabilitySelection"
    allowed = RANGE.search(text) or (selective and FOLDS.search(text))
    allowed = allowed or (model.parameters.get("max_features") and FEATURES.search(text))
    if isinstance(error, ValueError | OverflowError) and allowed:
        outcome.refused = text
        return
    trace, where = error.__traceback__, ""
    while trace is not None:
        where, trace = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}", trace.tb_next
    outcome.complaints.append(f"{type(error).__name__}: {text} ({where})")


def _fit(model, case, fits):
    fitted, y = model.made(), case.targets
    if model.parameters.get("warm_start"):
        fitted.set_params(alpha=2 * model.parameters["alpha"])
        fitted.fit(case.contained(), y, sample_weight=case.weight)
        fitted.set_params(alpha=model.parameters["alpha"])
    fitted.fit(case.contained(), y, sample_weight=case.weight)
    n_fits = np.atleast_2d(fitted.coef_).shape[0]
    alphas = np.resize(fitted.alpha_ if model.tuned else model.parameters["alpha"], n_fits)
    stored = [solution for _, solutions in fits.values() for solution in solutions]
    quantiles = np.resize(getattr(fitted, "quantile", None), n_fits)
    scales = np.resize(getattr(fitted, "scale_", None), n_fits)
    found = []
    for k, (coef, proof) in enumerate(zip(np.atleast_2d(fitted.coef_), fitted._certificates, strict=True)):
        target = None if case.others is None else y[:, k]
        formula = formula_of(model, case, float(alphas[k]), quantile=quantiles[k], scale=scales[k], y=target)
        intercept = float(np.atleast_1d(fitted.intercept_)[k])
        values = [np.atleast_1d(one)[k] for one in (fitted.objective_, fitted.dual_gap_)]
        found.append((formula, Answer(coef, intercept, *values, False, proof["unique"], stored[k].dual)))
    return fitted, found


def _path(model, case, paths):
    values = model.made(X=case.contained(), y=case.targets, sample_weight=case.weight)
    steps = [known for _, known in paths.values()]
    if case.others is None:
        return _steps(model, case, values, steps[0])
    found = []
    for k, target in enumerate(case.targets.T):
        alphas = values[0] if values[0].ndim == 1 else values[0][k]
        part = [alphas, *(value[k] for value in values[1:])]
        found += _steps(model, case, part, steps[k], target)
    return found


def _steps(model, case, values, steps, target=None):
    """The fits of the path of one target; short paths of several end in NaN."""
    alphas, coefs, gaps = values[0], values[1], values[-1]
    found = []
    for k, alpha in enumerate(alphas[np.isfinite(alphas)]):
        formula = formula_of(model, case, float(alpha), y=target)
        coef = coefs[:, k]
        intercept = float(values[2][k]) if model.name == "lad_path" else LONG(0)
        if model.name != "lad_path" and formula.fit_intercept:
            intercept = formula.weight @ formula.residual(coef, 0)
        found.append((formula, Answer(coef, intercept, None, gaps[k], False, False, steps.get(k))))
    return found


def _stability(model, case, outcome):
    fitted = model.made().fit(case.contained(), case.y, sample_weight=case.weight)
    for values in (fitted.selection_probabilities_, fitted.stability_paths_):
        if not np.all((values >= 0) & (values <= 1)):
            outcome.complaints.append("probabilities are not between 0 and 1")
    return []
