"""Extrapolation of the iterates of coordinate descent."""

from __future__ import annotations

import numpy as np

from ladreg._arrays import Array
from ladreg._problem import ElasticNet


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
