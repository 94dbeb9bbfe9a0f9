"""Gross outliers: targets so far away that only their side can matter, judged by the problem in which they are near."""

from __future__ import annotations

import numpy as np

from tests.campaign.formula import LONG
from tests.campaign.judge import Answer, complaints
from tests.campaign.oracles import linear_rival

# How often problems of losses that are linear far away get gross outliers.
RATE = 0.12
ROBUST = ("LADRegressor", "QuantileRegressor", "HuberLossRegressor")
ROBUST += ("LADRegressorCV", "QuantileRegressorCV", "HuberLossRegressorCV", "lad_path")
# Most of the sum of weights that outliers may have.
MOST = 0.45
# Distance of near targets from the others, in ranges of these, and the part of it that a fit must stay away from them.
NEAR, AWAY = 1e4, 1e-3


def spoil(rng, model, case):
    """Some targets moved far away, at 1e6 to 1e300; `case.near` has them near, on the same sides."""
    if model.name not in ROBUST or rng.random() > RATE or case.y.size < 5:
        return
    number = int(rng.integers(1, max(2, case.y.size // 2)))
    outliers = np.sort(rng.choice(case.y.size, number, replace=False))
    others = np.ones(case.y.size, bool) if case.weight is None else case.weight > 0
    others[outliers] = False
    if case.weight is not None and case.weight[outliers].sum() > MOST * case.weight.sum():
        return
    size = np.abs(case.y[others]).max(initial=0)
    spread = float(np.ptp(case.y[others]) if others.any() else 0) or float(size)
    if not 1e-280 < spread < 1e280 or np.abs(case.y).max() > 1e3 * spread:
        return  # where all others are zero, near is as far as anything
    case.outliers = outliers
    side = rng.choice([-1.0, 1.0], number)
    most = min(300, 300 - np.log10(spread))
    far = spread * 10.0 ** rng.uniform(6, most, number)
    case.near = case.y.copy()
    case.near[case.outliers] += side * NEAR * spread
    case.y = case.y.copy()
    case.y[case.outliers] = side * far
    case.ills.append("gross outliers")


def judge(formula, answer, case):
    """What is wrong with an answer to a problem with gross outliers; `formula` has their near targets.

    Where the fit passes an outlier, near targets say nothing. Then the optimum of the near problem is asked whether it
    passes one as well: if it is proved and does not, the answer was dragged.
    """
    present = np.ones(case.y.size, bool) if case.weight is None else case.weight > 0
    place = np.cumsum(present) - 1
    rows = place[case.outliers[present[case.outliers]]]
    if _keeps_sides(formula, answer.coef, answer.intercept, rows):
        answer.objective = None
        return complaints(formula, answer)
    rival = linear_rival(formula)
    # The face of several optima may reach as far as an outlier, and its centre half of the way.
    if rival is None or answer.warned or not answer.unique or not _keeps_sides(formula, *rival[1:], rows):
        return []
    # Heavy rows whose predictions are sums of large terms cost their rounding, wherever the fit is.
    hidden = formula.rounding(answer.coef, answer.intercept) + formula.rounding(*rival[1:])
    if formula.objective(answer.coef, answer.intercept) <= rival[0] + hidden:
        return []
    near = Answer(*rival[1:], None, 0.0, warned=False)
    if complaints(formula, near) or _falls_towards(formula, rival, answer, rows):
        return []
    return ["silent wrong: outliers drag the fit to their other side"]


def _falls_towards(formula, rival, answer, rows):
    """Whether the rival's objective falls on the way to the answer, until an outlier is met: then it is no optimum.

    Its proof is relative to the heaviest rows, and may say nothing of rows whose weights are far below theirs.
    """
    objective, coef, intercept = rival
    residual = formula.residual(coef, intercept)[rows]
    change = formula.residual(answer.coef, answer.intercept)[rows] - residual
    met = residual * change < 0
    part = (residual[met] / -change[met]).min(initial=LONG(1))
    met_at = coef + part * (answer.coef - coef), intercept + part * (answer.intercept - intercept)
    return formula.objective(*met_at) < objective


def _keeps_sides(formula, coef, intercept, rows):
    """Whether near targets are all far from the fit, on the side where they were put."""
    residual = formula.residual(coef, intercept)[rows]
    distance = formula.y[rows] - np.median(formula.y)
    bend = formula.loss.bend if np.isfinite(formula.loss.bend) else LONG(0)
    return bool(np.all(np.sign(distance) * residual > np.maximum(AWAY * np.abs(distance), bend)))
