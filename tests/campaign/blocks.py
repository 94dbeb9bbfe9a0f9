"""Tables cut into blocks against the same tables in memory: the objective, and what is proved of it."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from ladreg import LADRegressor, blocks
from ladreg._problem import StopReason
from tests.campaign import options
from tests.campaign.draws import draw
from tests.campaign.formula import LONG
from tests.campaign.models import RANGE, draw_model, formula_of, is_advice

# Part of the problems that come with a table in blocks.
SHARE = 0.005
# How often each is drawn.
NAMES = {
    "LADRegressor": 4,
    "QuantileRegressor": 4,
    "HuberLossRegressor": 3,
    "CombinedLossRegressor": 3,
    "LassoCD": 1,
    "ElasticNetCD": 1,
}
# Relative difference of two objectives that are both proved, beside the rounding of their terms.
AGREE = 1e-12
# Of at most this number of rows the scale of Huber's loss is that in memory, as documented, even if fits are several.
IN_MEMORY = 2000


def drawn(seed):
    """A model and a table of an integer."""
    return posed(np.random.default_rng([28, seed]))


def posed(rng):
    """A model, and a table of some hundred rows, most of which are not those of another drawn table."""
    case = draw(rng)
    n_rows = int(10.0 ** rng.uniform(2.3, 3.4))
    index = rng.integers(0, case.y.size, n_rows)
    weight = None if case.weight is None else case.weight[index]
    if weight is not None and not weight.any():
        weight = None
    case = replace(case, X=case.X[index], y=case.y[index], weight=weight, container="dense")
    if rng.random() < 0.7:
        noise = rng.standard_t(2, n_rows) * float(rng.choice([0.01, 1.0]))
        with np.errstate(over="ignore"):
            case = replace(case, y=case.y + noise * np.median(np.abs(case.y - np.median(case.y))))
    rates = np.array(list(NAMES.values()), float)
    model = draw_model(rng, str(rng.choice(list(NAMES), p=rates / rates.sum())), case)
    options.add(rng, model, case)
    for name in ("solver", "warm_start", "max_features"):
        model.parameters.pop(name, None)
    rows, held = int(rng.integers(40, n_rows + 1)), int(rng.integers(60, n_rows + 1))
    return model, case, rows, held, bool(rng.random() < 0.2)


def compared(seed):
    """Complaints about one table, and whether blocks were warned of."""
    return _compared(*drawn(seed))


def found(rng):
    """Model, case and complaints of a table of the main draw."""
    drawn_table = posed(rng)
    return *drawn_table[:2], _compared(*drawn_table)[0]


def _compared(model, case, rows, held, is_sparse):
    if case.others is not None:
        case = replace(case, others=None)
    X = sp.csr_array(case.X) if is_sparse else case.X
    data = blocks.arrays(X, case.y, case.weight, rows=rows).holding(held)
    try:
        there, warned, leaked = fitted(model.made(), data)
        here, slow, _ = fitted(model.made(), X, case.y, case.weight)
        found = [f"leaked: {text}" for text in leaked]
        if hasattr(here, "scale_"):
            found += [] if warned else _scales(model, case, here.scale_, there.scale_)
            here, slow, _ = fitted(model.made(scale=there.scale_), X, case.y, case.weight)
    except (ValueError, OverflowError) as error:
        return ([], False) if RANGE.search(str(error)) else ([f"{type(error).__name__}: {error}"], False)
    return found + _judged(model, case, here, there, slow, warned), warned


def fitted(model, *given):
    """The fitted model, whether it warned of its convergence, and its other warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(*given)
    others = [str(one.message) for one in caught if not issubclass(one.category, ConvergenceWarning)]
    return model, len(others) < len(caught), [text for text in others if not is_advice(text)]


def _scales(model, case, here, there):
    """Scales agree. Of more than `IN_MEMORY` rows they may be those of two fits by absolute values with equal sums."""
    is_rounding = there <= 1e-15 * np.abs(case.y).max()
    same = (
        is_rounding or abs(here / there - 1) <= 1e-9 or (case.y.size > IN_MEMORY and _has_several_pilots(model, case))
    )
    return [] if same else [f"disagreement: the scale is {here} in memory, {there} in blocks"]


def _has_several_pilots(model, case):
    """Whether the fit by absolute values that a scale comes from is not the only one, or rounding hides that it is."""
    own = {name: model.parameters[name] for name in ("fit_intercept", "positive", "bounds") if name in model.parameters}
    factors = model.parameters.get("penalty_weights", 1.0)
    is_excluded = np.isinf(1.0 if isinstance(factors, str) else factors)
    factors = np.broadcast_to(np.where(is_excluded, np.inf, 0.0), case.X.shape[1])
    pilot = fitted(LADRegressor(1.0, penalty_weights=factors, **own), case.X, case.y, case.weight)[0]
    return not pilot.certificate_.unique


def _judged(model, case, here, there, here_warned, there_warned):
    found = []
    for k, (one, other) in enumerate(zip(np.ravel(here.certificate_), np.ravel(there.certificate_), strict=True)):
        scale = getattr(there, "scale_", None)
        quantile = np.ravel(getattr(there, "quantile", None))[k]
        formula = formula_of(model, case, float(model.parameters["alpha"]), quantile=quantile, scale=scale)
        values, slack = [], 0.0
        for fitted in (here, there):
            coef = np.asarray(np.atleast_2d(fitted.coef_)[k], LONG)
            intercept = LONG(np.atleast_1d(fitted.intercept_)[k])
            values.append(float(formula.objective(coef, intercept)))
            slack += float(formula.rounding(coef, intercept) + formula.evaluation(coef, intercept))
        slack += AGREE * abs(values[0])
        if other.objective - other.gap > values[0] + slack:
            found.append(f"false proof: {other}, and memory finds {values[0]:.17g} (blocks {values[1]:.17g})")
        if abs(other.objective - values[1]) > slack:
            found.append(f"silent wrong: the objective is {values[1]:.17g}, not {other.objective:.17g}")
        # Within the tolerance there is no warning of a fit that says that it stopped before it was exact.
        short = other.gap if other.stopped == StopReason.TOO_MANY_ROWS.value else 0.0
        if not there_warned and values[1] > values[0] + slack + (here_warned * one.gap) + short:
            found.append(f"disagreement: {values[1]:.17g} in blocks, {values[0]:.17g} in memory, no warning")
    return found


def check_blocks(number, seed, drawn=drawn, compared=compared, kind="tables"):
    """Compare tables, and print a summary; 1 if there are complaints."""
    n_warned = n_failed = 0
    for k in range(number):
        said, warned = compared(seed * 10**6 + k)
        n_warned += warned
        if said:
            n_failed += 1
            model = drawn(seed * 10**6 + k)[0]
            print(f"{seed * 10**6 + k}: {model.name} {model.parameters}: {said}", flush=True)
    print(f"{number} {kind} in blocks: {n_failed} with complaints, {n_warned} not proved, with a warning")
    return int(bool(n_failed))
