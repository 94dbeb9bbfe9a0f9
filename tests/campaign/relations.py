"""The same problem asked in another way: the answers must be as good as each other, by the first one's formula."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tests.campaign.formula import LONG
from tests.campaign.judge import complaints
from tests.campaign.models import PATHS, QUANTILES, SQUARES, Model, ratio_of, run

CONTAINERS = ("dense", "fortran", "strided", "csr", "csc")


def drawn_relation(rng, model, case):
    """`(name, other model, other case, unit)`: coefficients times `unit` and intercepts times its last entry are for
    the first problem again; None where no relation fits.
    """
    if model.tuned or model.name in PATHS or model.name == "StabilitySelection" or case.others is not None:
        return None
    ways = [_permuted, _contained, _repeated, _scaled_y, _scaled_column, _other_solver]
    return ways[rng.integers(len(ways))](rng, model, case)


def _same(case):
    return np.ones(case.X.shape[1] + 1)


def _permuted(rng, model, case):
    order = rng.permutation(case.y.size)
    weight = None if case.weight is None else case.weight[order]
    return "permuted rows", model, replace(case, X=case.X[order], y=case.y[order], weight=weight), _same(case)


def _contained(rng, model, case):
    return "another container", model, replace(case, container=str(rng.choice(CONTAINERS))), _same(case)


def _repeated(rng, model, case):
    weight = case.weight
    if weight is None or weight.sum() > 400 or np.any(weight != np.round(weight)):
        return None
    times = weight.astype(int)
    other = replace(case, X=np.repeat(case.X, times, axis=0), y=np.repeat(case.y, times), weight=None)
    return "repeated rows", model, other, _same(case)


def _scaled_y(rng, model, case):
    """Losses of degree one keep their alpha, squares have theirs multiplied; a mixture of degrees has no relation."""
    own = dict(model.parameters)
    factor = 2.0 ** int(rng.integers(-20, 21))
    mixing = ratio_of(model)
    if model.name == "CombinedLossRegressor" and own["l1_ratio"] < 1:
        return None
    if 0 < mixing < 1 or (mixing == 0 and model.name not in SQUARES):
        return None
    if own.get("bounds") is not None:
        own["bounds"] = tuple(factor * np.asarray(end) for end in own["bounds"])
    if model.name == "HuberLossRegressor" or (model.name in SQUARES and mixing):
        own["alpha"] *= factor
    if "scale" in own:
        own["scale"] *= factor
    return "y scaled", Model(model.name, own), replace(case, y=case.y * factor), _same(case) / factor


def _scaled_column(rng, model, case):
    own, j = dict(model.parameters), rng.integers(case.X.shape[1])
    if own.get("standardize") and np.ptp(case.X[:, j]) == 0:
        return None  # the deviation of a constant column counts as one, whatever the unit
    factor = 2.0 ** int(rng.integers(-20, 21))
    X, unit = case.X.copy(), _same(case)
    X[:, j] *= factor
    unit[j] = factor
    if own.get("bounds") is not None:
        own["bounds"] = tuple(np.asarray(end) / unit[:-1] for end in own["bounds"])
    if not own.get("standardize") and own.get("alpha"):
        mixing = ratio_of(model)
        if 0 < mixing < 1:
            return None
        weights = np.ones(X.shape[1]) if own.get("penalty_weights") is None else own["penalty_weights"].copy()
        weights[j] *= factor if mixing else factor**2
        own["penalty_weights"] = weights
    return "column scaled", Model(model.name, own), replace(case, X=X), unit


def _other_solver(rng, model, case):
    own = dict(model.parameters)
    if "precompute" in own:
        own["precompute"] = own["precompute"] is not True
    elif "solver" in own:
        others = ["auto", "linprog", *(["highs-ds", "highs-ipm"] if model.name in QUANTILES else [])]
        own["solver"] = str(rng.choice([one for one in others if one != own["solver"]]))
    elif own.get("alpha"):
        own["warm_start"] = not own.get("warm_start", False)
    else:
        return None
    return "another solver", Model(model.name, own), case, _same(case)


def broken(rng, model, case, outcome):
    """What a relation that was drawn says against the answers."""
    drawn = drawn_relation(rng, model, case)
    if drawn is None:
        return []
    name, model, case, unit = drawn
    other = run(model, case)
    if other.refused or other.complaints:
        # Numbers that leave float64's range in other units may be refused.
        excused = name in ("y scaled", "column scaled")
        refusal = [] if excused or not other.refused else [f"refused: {other.refused}"]
        return [f"relation ({name}): {text}" for text in other.complaints or refusal]
    found = []
    for (formula, answer), (second_formula, second) in zip(outcome.answers, other.answers, strict=True):
        found += complaints(second_formula, second)
        if not (answer.warned or second.warned):
            found += _compared(formula, answer, second, unit)
    return [f"relation ({name}): {text}" for text in found]


def _compared(formula, answer, second, unit):
    coef, intercept = second.coef.astype(LONG) * unit[:-1], LONG(second.intercept) * unit[-1]
    one, two = formula.objective(answer.coef, answer.intercept), formula.objective(coef, intercept)
    slop = formula.share * formula.variance + formula.rounding(answer.coef, answer.intercept)
    if abs(one - two) > 1e-9 * min(one, two) + slop + formula.rounding(coef, intercept):
        return [f"disagreement: objectives {one:.17g} and {two:.17g}"]
    if answer.unique and second.unique and not formula.loss.square and _is_tame(formula):
        _, size = formula.sizes(answer.coef, answer.intercept)
        apart = np.max(np.abs(coef - answer.coef) * formula.deviation, initial=0)
        # A gap that is rounding, times how flat the optimum may be: a vertex of well conditioned columns is sharp.
        if apart > 1e-6 * size.max() and answer.gap <= formula.rounding(answer.coef, answer.intercept):
            return [f"disagreement: unique, but coefficients are {apart:.3g} apart"]
    return []


def _is_tame(formula):
    """Columns far from dependent, and rows of weights that float64 can tell from zero."""
    columns = formula.columns[:, np.isfinite(formula.strength)]
    size = np.sqrt((columns**2).sum(axis=0))
    if columns.shape[1] == 0 or np.any(size == 0) or formula.weight.min() < 1e-6 * formula.weight.max():
        return False
    return np.linalg.cond((columns / size).astype(float)) < 1e3
