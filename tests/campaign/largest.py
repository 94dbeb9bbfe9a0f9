"""The largest alpha of losses that are no squares: above it penalised coefficients are zero, and below it one is not.

These problems have a generator of their own, so that the integers of the others keep their meaning.
"""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from tests.campaign.draws import draw
from tests.campaign.models import RANGE, draw_model, formula_of, natural_alpha

# Part of the problems that come with one of these.
SHARE = 0.02
NAMES = ("LADRegressor", "QuantileRegressor", "HuberLossRegressor", "CombinedLossRegressor")
# The largest alpha is known to a few digits where columns are far from the origin.
BELOW, ABOVE = 0.9, 1.1
# A slope of at most 1e-10 times the largest that its column can have is rounding.
ROUNDING = 1e-10
# A curved piece is narrow if its width is below 1e-7 times the largest target: at 0.9 of the largest alpha, leaving
# zero lowers the objective by 0.005 of the width, and answers may miss 1e-9 of the objective.
NARROW = 1e-7
# A residual is rounding up to 64 EPS of its terms.
SUMMED = 64 * float(np.finfo(float).eps)
# Slopes of light rows are rounding of those of heavy ones.
FAR_APART = "weights of 1e-10 and 1e12"


def posed(rng):
    """The model and the case."""
    case = draw(rng)
    model = draw_model(rng, str(rng.choice(NAMES)), case)
    model.parameters |= {"warm_start": False, "solver": "auto"} if model.name == "LADRegressor" else {}
    model.parameters["alpha"] = 1.0
    return model, case


def found(rng):
    """The model, the case, and what is wrong with fits beside the largest alpha."""
    model, case = posed(rng)
    estimator, said = model.made(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            largest = estimator.alpha_max(case.contained(), case.y, case.weight)
        except (ValueError, OverflowError, RuntimeError) as error:
            if not RANGE.search(str(error)) and "must be > 0" not in str(error):
                said = [f"{type(error).__name__}: {error}"]
            return model, case, said
    if np.ndim(largest) or (largest > 0 and _is_rounding(largest, model, case)):
        return model, case, said
    factor = model.parameters.get("penalty_weights")
    penalised = np.ones(case.X.shape[1], bool) if factor is None else (factor > 0) & np.isfinite(factor)
    for share, moves in ((BELOW, True), (ABOVE, False)) if largest > 0 else ():
        coef = _coef(estimator.set_params(alpha=share * largest), case)
        if coef is None or coef[penalised].any() == moves or (not moves and _is_zero(estimator, model, case)):
            continue
        if not _is_hidden(estimator, model, case):
            said.append(f"silent wrong: at {share} of alpha_max, {largest:.9g}, coefficients are {coef}")
    return model, case, said


def _is_rounding(largest, model, case):
    """Whether the numbers of the data do not tell the largest alpha from zero."""
    return FAR_APART in case.ills or not ROUNDING * natural_alpha(model, case) < largest < np.inf


def _is_zero(estimator, model, case):
    """Whether penalised coefficients move predictions, beside free ones, by no more than an ordinary row's rounding.

    Of columns that differ by 1e-6 of their size, coefficients of 1e-10 are the rounding of a fit, and so is what an
    intercept's last digit hides.
    """
    formula, coef = formula_of(model, case, 1.0, scale=1.0), estimator.coef_
    terms, _ = formula.sizes(coef, estimator.intercept_)
    return formula.moved_without(coef) <= SUMMED * np.median(terms)


def _is_hidden(estimator, model, case):
    """Whether features take no more from the loss than the tolerance, or the rounding of what the free ones predict.

    Zero and what was just fitted are both answers then.

    The optimum grows with alpha: it is no farther below the objective than the lower bound at a hundredth of the alpha.
    """
    objective = estimator.objective_
    formula = formula_of(model, case, estimator.alpha, scale=getattr(estimator, "scale_", None))
    rounding = formula.rounding(estimator.coef_, estimator.intercept_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator.set_params(alpha=estimator.alpha / 100).fit(case.contained(), case.y, sample_weight=case.weight)
    return objective - (estimator.objective_ - estimator.dual_gap_) <= 1e-9 * objective + rounding


def _coef(estimator, case):
    """The coefficients; None with a warning of convergence, an error of range or a narrow curved piece."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            coef = estimator.fit(case.contained(), case.y, sample_weight=case.weight).coef_
        except (ValueError, OverflowError):
            return None
    width = estimator.epsilon * estimator.scale_ if hasattr(estimator, "scale_") else np.inf
    is_narrow = width < NARROW * float(np.abs(case.y).max())
    return None if is_narrow or any(issubclass(one.category, ConvergenceWarning) for one in caught) else coef
