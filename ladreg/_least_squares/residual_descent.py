"""Descent on working sets too large for a Gram matrix, by products with the data: Newton steps, or coordinates."""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array, Index
from ladreg._least_squares import conjugate_gradients
from ladreg._least_squares.centred import Centred, duality_gap
from ladreg._least_squares.descent_state import State
from ladreg._problem import ElasticNet


def descend_on_data(columns: Centred, working: Index, state: State, goal: float, enough: float, limit: int) -> Array:
    """Step 3 for working sets too large for a Gram matrix: a Newton step where few features enter, else epochs."""
    tuning = state.tuning
    enough = max(enough, tuning.last * goal)
    if not (state.by_gram and state.newton_helps):
        return _descend_by_residuals(columns, working, state, enough, limit)
    features = conjugate_gradients.active(columns, state.coef, state.look.slope)
    known = int(np.count_nonzero(state.coef))
    fresh = features.size - known
    # With more features than the rank of X their signs contradict each other.
    settled = fresh <= tuning.settled * known and features.size <= tuning.regular * np.count_nonzero(columns.weight)
    if settled:
        rough = fresh > tuning.few_fresh * known or state.gap <= goal
        share = tuning.rough if rough else min(max(tuning.last * goal / state.gap, tuning.finest), tuning.rough)
        most = min(limit - state.used, tuning.products)
        coef, n_products = conjugate_gradients.newton_step(columns, state.coef, state.look, features, share, most)
        state.n_epochs += n_products
        state.n_newton += 1
        state.newton_helps = coef is not None
        if coef is not None:
            state.exact = True
            return coef
    return _descend_by_residuals(columns, working, state, enough, limit)


def _descend_by_residuals(columns: Centred, working: Index, state: State, goal: float, limit: int) -> Array:
    """Step 3 for working sets too large for a Gram matrix: bursts by residuals, with Anderson's extrapolation."""
    state.exact = True
    coef, penalty = state.coef.copy(), columns.penalty.at(working)
    residual = state.look.residual.copy()
    weight = columns.weight
    iterates = [coef[working]]
    lowest, kept = state.look.loss + columns.penalty.value(coef), coef.copy()
    for _ in range(state.tuning.rounds):
        for _ in range(state.tuning.differences):
            n_epochs = min(state.tuning.short_epochs, limit - state.used)
            if n_epochs <= 0:
                break
            columns.burst(working, n_epochs, coef, residual)
            state.n_epochs += n_epochs
            iterates.append(coef[working])
        # Compute the residual from the data: the one that a burst updates drifts by rounding.
        residual = columns.residual(coef)
        here = 0.5 * float(weight @ residual**2) + penalty.value(coef[working])
        # If one row has nearly all of the weight, slopes of sparse columns are rounding, and the objective may grow.
        if not here <= lowest + 1e-9 * columns.size:
            return kept
        bold = extrapolated(iterates[-state.tuning.differences - 1 :], penalty)
        if bold is not None:
            leap = coef.copy()
            leap[working] = bold
            after = columns.residual(leap)
            there = 0.5 * float(weight @ after**2) + penalty.value(bold)
            if there < here:
                coef, residual, here = leap, after, there
                iterates = [bold]
        lowest, kept = here, coef.copy()
        dual = weight * residual
        gap = duality_gap(
            penalty, coef[working], columns.design.rmatvec_of(working, dual), 0.5 * float(dual @ residual)
        )[0]
        if gap <= goal or state.used >= limit:
            break
    return coef


def extrapolated(iterates: list[Array], penalty: ElasticNet) -> Array | None:
    """Anderson's extrapolation of a sequence of coefficients (Bertrand and Massias 2021, arXiv 2011.10065).

    The affine combination of the iterates for which that of their changes is smallest; None where it is not determined.
    """
    if len(iterates) < 3:
        return None
    changes = np.diff(np.array(iterates), axis=0)
    products = changes @ changes.T
    size = float(np.trace(products))
    if not size > 0.0:
        return None
    try:
        share = np.linalg.solve(products + 1e-15 * size * np.eye(len(products)), np.ones(len(products)))
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(share).all() or abs(share.sum()) <= 1e-300:
        return None
    bold = (share / share.sum()) @ np.array(iterates[1:])
    bold[iterates[-1] == 0] = 0.0
    return np.maximum(bold, 0.0) if penalty.positive else bold
