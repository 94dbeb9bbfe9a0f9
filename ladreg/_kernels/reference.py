"""The kernels in plain NumPy: slow, short, and the specification that the compiled kernels are tested against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def soft_threshold(z: float, strength: float, positive: bool = False) -> float:
    """Minimiser over b of (b - z)^2 / 2 + strength * |b| (over b >= 0 when `positive`)."""
    if positive:
        return max(z - strength, 0.0)
    return float(np.sign(z) * max(abs(z) - strength, 0.0))


def dense_burst(
    X: NDArray[np.floating],
    center: Array,
    scale: Array,
    weight: Array,
    curvature: Array,
    strength: Array,
    ridge: Array,
    positive: bool,
    features: NDArray[np.intp],
    n_epochs: int,
    coef: Array,
    residual: Array,
) -> float:
    """Coordinate descent on the columns (X - center) * scale; updates `coef` and `residual` in place.

    Returns
    -------
    float
        The largest |change of coef_j| * sqrt(curvature_j) of the last epoch.
    """
    largest = 0.0
    for _ in range(n_epochs):
        largest = 0.0
        for j in features:
            if curvature[j] + ridge[j] == 0.0:
                continue
            column = (X[:, j].astype(np.float64) - center[j]) * scale[j]
            old = coef[j]
            gradient = column @ (weight * residual)
            z = gradient + curvature[j] * old
            coef[j] = soft_threshold(z, strength[j], positive) / (curvature[j] + ridge[j])
            residual -= (coef[j] - old) * column
            largest = max(largest, abs(coef[j] - old) * np.sqrt(curvature[j]))
    return float(largest)


def gram_burst(
    gram: Array,
    strength: Array,
    positive: bool,
    n_epochs: int,
    coef: Array,
    slope: Array,
    lower: Array | None = None,
    upper: Array | None = None,
) -> int:
    """Cycle `n_epochs` times over the features of a Gram matrix, or until no coefficient changes; return the epochs."""
    for epoch in range(n_epochs):
        before = coef.copy()
        for j in range(coef.size):
            if gram[j, j] > 0:
                old = coef[j]
                coef[j] = soft_threshold(slope[j] + gram[j, j] * old, strength[j], positive) / gram[j, j]
                if lower is not None and upper is not None:
                    coef[j] = min(max(coef[j], lower[j]), upper[j])
                slope -= (coef[j] - old) * gram[j]
        if np.array_equal(coef, before):
            return epoch + 1
    return n_epochs


def settle(
    gram: Array,
    strength: Array,
    positive: bool,
    max_steps: int,
    tolerance: float,
    coef: Array,
    slope: Array,
    support: NDArray[np.intp],
    factor: Array,
    size: int,
    lower: Array | None = None,
    upper: Array | None = None,
) -> tuple[int, int]:
    """Minimise ``coef'gram coef / 2 - b'coef + strength'|coef|``; features enter one at a time.

    Osborne, Presnell and Turlach's method without the savings of the compiled kernel: every step solves its system
    anew, or moves along a null vector where columns are dependent: the smallest eigenvalue of their Gram matrix is at
    most 1e-12 of the largest.
    """
    low = np.full(coef.size, -np.inf) if lower is None else lower
    high = np.full(coef.size, np.inf) if upper is None else upper
    moving = np.flatnonzero((coef != 0) & (low < coef) & (coef < high))
    inside = list(support[:size]) + [j for j in moving if j not in support[:size]]
    b = slope + gram @ coef
    sign = np.where((coef < 0) & (not positive), -1.0, 1.0)
    steps = max_steps
    for done in range(max_steps):
        S = np.array(inside, dtype=np.intp)
        slope[:] = b - gram @ coef
        null = _null_vector(gram[np.ix_(S, S)])
        if null is not None:
            rate = null @ (strength[S] * sign[S] - slope[S])
            step: Array = -null if rate > 0 else null
            longest = np.inf
        else:
            step = np.linalg.solve(gram[np.ix_(S, S)], slope[S] - strength[S] * sign[S]).astype(np.float64)
            longest = 1.0
        signed = positive | (strength[S] > 0)
        ends = np.where(
            step < 0,
            np.where(signed & (sign[S] > 0), np.maximum(low[S], 0.0), low[S]),
            np.where(signed & (sign[S] < 0), np.minimum(high[S], 0.0), high[S]),
        )
        crosses = np.isfinite(ends) & (step != 0)
        ends = np.where(crosses, ends, 0.0)
        share = np.where(crosses, np.abs(ends - coef[S]) / np.where(crosses, np.abs(step), 1.0), np.inf)
        length = min(longest, share.min(initial=np.inf))
        if not np.isfinite(length):
            break
        coef[S] += length * step
        if share.min(initial=np.inf) <= longest:
            gone = S[np.argmin(share)]
            coef[gone] = ends[np.argmin(share)]
            inside.remove(gone)
            continue
        slope[:] = b - gram @ coef
        up = np.where(coef < high, slope - np.where(coef < 0, -strength, strength), -np.inf)
        least = np.maximum(low, 0.0) if positive else low
        down = np.where(coef > least, np.where(coef > 0, strength, -strength) - slope, -np.inf)
        violation = np.maximum(up, down)
        violation[inside] = 0.0
        violation[np.diag(gram) <= 0] = 0.0
        worst = int(np.argmax(violation))
        if violation[worst] <= tolerance:
            steps = done + 1
            break
        inside.append(worst)
        sign[worst] = np.sign(coef[worst] or slope[worst])
    slope[:] = b - gram @ coef
    support[: len(inside)] = inside
    triangle = np.linalg.cholesky(gram[np.ix_(inside, inside)]) if inside else np.zeros((0, 0))
    factor[: len(inside), : len(inside)] = triangle
    return len(inside), steps


def follow(
    gram: Array,
    known: NDArray[np.bool_],
    unit: Array,
    positive: bool,
    alphas: Array,
    max_steps: int,
    budget: int,  # noqa: ARG001 - one call does all steps
    rounding: float,
    coef: Array,
    slope: Array,
    support: NDArray[np.intp],
    factor: Array,
    size: int,
    coefs: Array,
    slopes: Array,
    n_steps: NDArray[np.intp],
    done: NDArray[np.intp],
    at: int,
    used: int,
    lower: Array | None = None,
    upper: Array | None = None,
) -> tuple[int, int, int, bool]:
    """`settle` for the penalties ``alpha * unit`` from number `at` on, each from the solution before, without epochs.

    Where a feature without a valid row violates its condition, the kernel returns to ask for the row.
    """
    while at < alphas.size:
        there = np.flatnonzero(known)
        inside, triangle = np.zeros(there.size, dtype=np.intp), np.zeros((there.size, there.size))
        limits = [None if end is None else end[there] for end in (lower, upper)]
        inside[:size] = np.searchsorted(there, support[:size])
        strength, tolerance = alphas[at] * unit, rounding * np.abs(slope).max(initial=0.0)
        part, here, slope_here, left = gram[np.ix_(there, there)], coef[there], slope[there], max_steps - used
        given = part, strength[there], positive, left, tolerance, here, slope_here, inside, triangle, size, *limits
        size, steps = settle(*given) if there.size else (0, 1)
        slope -= (here - coef[there]) @ gram[there]
        coef[there] = here
        support[:size], factor[:size, :size] = there[inside[:size]], triangle[:size, :size]
        used += steps
        violation = (slope if positive else np.abs(slope)) - strength
        if np.any(~known & (violation > tolerance)):
            return size, at, used, True
        coefs[at], slopes[at], n_steps[at], done[at] = coef, slope, used, used < max_steps
        at, used = at + 1, 0
    return size, at, used, False


def homotopy(
    X: NDArray[np.float64],
    shift: Array,
    scale: Array,
    root: Array,
    y: Array,
    products: Array,
    strength: Array,
    positive: bool,
    alphas: Array,
    room: int,
    largest: int,  # noqa: ARG001 - the pool has all features
    reach: float,  # noqa: ARG001 - every knot is a gradient check
    budget: int,
    most_knots: int,
    count: NDArray[np.intp],
    found: NDArray[np.intp],
    values: Array,
    n_knots: NDArray[np.intp],
    clear: float,
    constant: float,  # noqa: ARG001 - a constant column has no slope
    uncertain: NDArray[np.bool_],
) -> int:
    """The path of a lasso with columns ``root * (X - shift) * scale``, knot by knot; return how many alphas it solved.

    The size of the support of each solution, its features and their coefficients are written to `count`, `found` and
    `values`. A feature whose slope exceeds ``(1 - clear) * alpha * strength`` at any knot or alpha is marked in
    `uncertain`. Between two of these ``slope / alpha`` is a ratio of two linear functions, and lies between its ends.
    """
    Z, sides = (X - shift) * scale * root[:, None], (1.0,) if positive else (1.0, -1.0)
    coef, sign, support, at, used, knots, left = *np.zeros((2, Z.shape[1])), list[int](), 0, 0, 0, -1
    alpha = float(np.max((products if positive else np.abs(products)) / strength, initial=0.0))
    while at < alphas.size and budget > 0 and alphas[at] >= alpha * (1 - 1e-13):  # 1e-13 for rounding
        count[at], n_knots[at], at = 0, 1, at + 1
    while at < alphas.size and budget > 0 and knots <= most_knots:
        # 1. How the support's coefficients (`step`) and all slopes (`change`) move per unit of falling alpha.
        part, slope = Z[:, support], Z.T @ (y - Z @ coef)
        uncertain |= (slope if positive else np.abs(slope)) > (1 - clear) * alpha * strength
        step = np.linalg.solve(part.T @ part, (strength * sign)[support])
        change = Z.T @ (part @ step)
        # 2. The next alpha, or the first feature that enters or leaves before it.
        after, event = max(alpha - alphas[at], 0.0), (-1, 0.0)
        for j in np.setdiff1d(np.arange(coef.size), support):
            for side in sides:
                nearer, distance = strength[j] - side * change[j], alpha * strength[j] - side * slope[j]
                if nearer > 0 and distance < after * nearer and (j, side) != (left, sign[j]):
                    after, event = max(distance, 0.0) / nearer, (int(j), side)
        for i, j in enumerate(support):
            if sign[j] * (coef[j] + after * step[i]) < 0:
                after, event = max(-coef[j] / step[i], 0.0), (j, 0.0)
        coef[support] += after * step
        alpha, left, (j, side) = alpha - after, -1, event
        if j < 0:
            here = slice(used, used + len(support))
            count[at], found[here], values[here], n_knots[at] = len(support), support, coef[support], max(knots, 1)
            at, used, knots = at + 1, here.stop, 0
            continue
        # 3. The feature enters or leaves; stop if an entering column depends on the support, or there is no room.
        knots, budget = knots + 1, budget - 1
        if side == 0.0:
            support.remove(j)
            coef[j], left = 0.0, j
            continue
        rest = Z[:, j] - part @ np.linalg.lstsq(part, Z[:, j], rcond=None)[0]
        if len(support) == room or rest @ rest <= 1e-12 * Z[:, j] @ Z[:, j]:
            break
        support.append(j)
        sign[j] = side
    return at


def largest_parts(slope: Array, strength: Array, positive: bool, part: Array, where: NDArray[np.intp]) -> None:
    """The largest ratio of slope to strength in each row, and its feature; NaN is the largest."""
    ratio = (np.maximum(slope, 0.0) if positive else np.abs(slope)) / strength
    where[:] = ratio.argmax(axis=1) if strength.size else 0
    part[:] = ratio.max(axis=1, initial=0.0)


def reaching(
    slope: Array,
    strength: Array,
    positive: bool,
    edge: Array,
    counts: NDArray[np.intp],
    features: NDArray[np.intp],
) -> int:
    """The number of slopes per row of at least `edge * strength`, and as many of these features as find room."""
    reached = (np.maximum(slope, 0.0) if positive else np.abs(slope)) >= edge[:, None] * strength
    counts[:], all_features = reached.sum(axis=1), np.nonzero(reached)[1]
    features[: all_features.size] = all_features[: features.size]
    return int(all_features.size)


def _null_vector(gram: Array) -> Array | None:
    """A vector that a Gram matrix maps to zero; None if the matrix is regular."""
    values, vectors = np.linalg.eigh(gram) if gram.size else (np.ones(1), np.zeros((1, 1)))
    return vectors[:, 0] if values[0] <= 1e-12 * values[-1] else None


def sparse_burst(
    data: NDArray[np.floating],
    indices: NDArray[np.integer],
    indptr: NDArray[np.integer],
    center: Array,
    scale: Array,
    weight: Array,
    curvature: Array,
    strength: Array,
    ridge: Array,
    positive: bool,
    features: NDArray[np.intp],
    n_epochs: int,
    coef: Array,
    residual: Array,
    shift: float,
) -> tuple[float, float]:
    """`dense_burst` on CSC columns: the centred residual is `residual + shift`.

    Returns
    -------
    tuple of float
        The largest move of the last epoch, and the shift after it.
    """
    X = np.zeros((residual.size, coef.size))
    for j in range(coef.size):
        np.add.at(X[:, j], indices[indptr[j] : indptr[j + 1]], data[indptr[j] : indptr[j + 1]])
    centred = residual + shift
    before = coef.copy()
    largest = dense_burst(
        X, center, scale, weight, curvature, strength, ridge, positive, features, n_epochs, coef, centred
    )
    moved = (coef - before) * scale
    residual -= X @ moved
    return largest, shift + float(center @ moved)


def _shifted(X: NDArray[np.floating], shift: Array | None) -> Array:
    return X.astype(np.float64) if shift is None else X - shift


def forward(X: NDArray[np.floating], shift: Array | None, coef: Array, y: Array, offset: float, out: Array) -> None:
    """``out = y - offset - (X - shift) @ coef``."""
    out[:] = y - offset - _shifted(X, shift) @ coef


def backward(X: NDArray[np.floating], shift: Array | None, dual: Array, slope: Array) -> float:
    """``slope += (X - shift).T @ dual``; return the sum of `dual`."""
    slope += _shifted(X, shift).T @ dual
    return float(dual.sum())


def sweep(
    X: NDArray[np.floating],
    shift: Array | None,
    coef: Array,
    y: Array,
    offset: float,
    weight: Array,
    lower: float,
    upper: float,
    out: Array,
    slope: Array,
) -> float:
    """`forward`, then `backward` with the dual ``weight * (upper if out > 0 else lower)``."""
    forward(X, shift, coef, y, offset, out)
    return backward(X, shift, weight * np.where(out > 0, upper, lower), slope)


def audit(
    X: NDArray[np.floating],
    shift: Array | None,
    coef: Array,
    y: Array,
    offset: float,
    weight: Array,
    dual: Array,
    out: Array,
    slope: Array,
    size: Array | None,
) -> float:
    """`forward` and `backward`, and `magnitudes` unless `size` is None."""
    forward(X, shift, coef, y, offset, out)
    if size is not None:
        magnitudes(X, shift, weight, size)
    return backward(X, shift, dual, slope)


def magnitudes(X: NDArray[np.floating], shift: Array | None, weight: Array, size: Array) -> None:
    """``size += weight @ |X - shift|``."""
    size += weight @ np.abs(_shifted(X, shift))


def curvatures(X: NDArray[np.floating], center: Array, weight: Array, total: Array) -> None:
    """``total += weight @ (X - center)^2``."""
    total += weight @ (X - center) ** 2


def products(
    X: NDArray[np.floating], shift: Array | None, root: Array | None, features: NDArray[np.intp], gram: Array
) -> None:
    """``gram += Z.T @ Z`` for the chosen columns Z of ``(X - shift) * root[:, None]``; a root of None is one."""
    Z = _shifted(X, shift)[:, features]
    if root is not None:
        Z = Z * root[:, None]
    gram += Z.T @ Z


def column_stats(X: NDArray[np.floating], known: Array) -> None:
    """Update the minimum, maximum, sum of |x| and sum of x of each column, which are the four rows of `known`."""
    if X.shape[0]:
        known[0], known[1] = np.minimum(known[0], X.min(axis=0)), np.maximum(known[1], X.max(axis=0))
        known[2] += np.abs(X.astype(np.float64)).sum(axis=0)
        known[3] += X.astype(np.float64).sum(axis=0)


def sparse_gram(
    data: Array, indices: NDArray[np.integer], indptr: NDArray[np.integer], weight: Array, gram: Array
) -> None:
    """``gram += A.T @ diag(weight) @ A`` for the rows of a CSR array with ascending indices."""
    A = np.zeros((weight.size, gram.shape[0]))
    for i in range(weight.size):
        A[i, indices[indptr[i] : indptr[i + 1]]] = data[indptr[i] : indptr[i + 1]]
    gram += (A.T * weight) @ A


def crossings(residual: Array, moved: Array, weight: Array, reach: float, lengths: Array, rises: Array) -> int:
    """The step lengths below `reach` at which ``residual - length * moved`` becomes zero in a row.

    Each such row adds its length to `lengths` and its ``weight * |moved|`` to `rises`; their number is returned.
    """
    rows = np.flatnonzero((residual * moved > 0) & (np.abs(residual) < reach * np.abs(moved)))
    lengths[: rows.size] = residual[rows] / moved[rows]
    rises[: rows.size] = weight[rows] * np.abs(moved[rows])
    return rows.size


def weighted_select(values: Array, weights: Array, goal: float, rate: float = 0.0) -> float:
    """The smallest v at which ``rate * v`` plus the weights of values up to v reaches `goal`; infinity if no v does."""
    order = np.argsort(values)
    values = values[order]
    reached = np.concatenate([[0.0], np.cumsum(weights[order])])
    first = int(np.searchsorted(reached[1:] + rate * values, goal))
    between = (goal - reached[first]) / rate if rate > 0 else float("inf")
    return float(min(between, values[first])) if first < values.size else float(between)


def advance(residual: Array, moved: Array, length: float, changed: NDArray[np.intp]) -> int:
    """``residual -= length * moved``; list the rows that became or ceased to be positive, return their number."""
    before = residual > 0
    residual -= length * moved
    rows = np.flatnonzero(before != (residual > 0))
    changed[: rows.size] = rows
    return rows.size


def crossed(residual: Array, moved: Array, slack: float, rows: NDArray[np.intp]) -> int:
    """List the rows where ``residual - moved`` is across zero by more than `slack`; a residual of zero is below."""
    now = residual - moved
    found = np.flatnonzero(np.where(residual > 0, now < -slack, now > slack))
    rows[: found.size] = found
    return found.size


def within(residual: Array, radius: float, rows: NDArray[np.intp]) -> int:
    """List the rows with ``|residual| <= radius``."""
    found = np.flatnonzero(np.abs(residual) <= radius)
    rows[: found.size] = found
    return found.size


def sides(
    residual: Array,
    lengths: Array,
    radius: float,
    above: NDArray[np.bool_],
    near: NDArray[np.intp],
    turned: NDArray[np.intp],
) -> tuple[int, int]:
    """List the rows with ``|residual| <= radius * lengths``, and those where ``residual > 0`` is not what `above` says.

    Both numbers of rows are returned.
    """
    close = np.flatnonzero(np.abs(residual) <= radius * lengths)
    other = np.flatnonzero((residual > 0) != above)
    near[: close.size], turned[: other.size] = close, other
    return close.size, other.size


def off_ends(
    residual: Array, dual: Array, weight: Array, lower: float, upper: float, rows: NDArray[np.intp]
) -> tuple[int, float]:
    """List the rows whose dual is not the end of its interval on the residual's side, ``weight * (lower or upper)``.

    The sum of the ends times the residuals is returned after their number.
    """
    end = weight * np.where(residual > 0, upper, lower)
    found = np.flatnonzero(dual != end)
    rows[: found.size] = found
    return found.size, float(end @ residual)


def weigh(a: Array, s: Array, under: Array, over: Array, q: Array) -> None:
    """Compute ``q``."""
    q[:] = 1.0 / (under / a + over / s)


def _lengths(
    a: Array, s: Array, under: Array, over: Array, steps: tuple[Array, ...], bold: float
) -> tuple[float, float]:
    """The longest steps with ``a + primal * da > 0``, ``s - primal * da > 0``, and likewise for the multipliers."""
    da, dunder, dover = steps
    primal = max(float(np.max(-da / a)), float(np.max(da / s)), bold)
    dual = max(float(np.max(-dunder / under)), float(np.max(-dover / over)), bold)
    return min(1.0, bold / primal), min(1.0, bold / dual)


def predict(a: Array, s: Array, under: Array, over: Array, residual: Array, bold: float, moved: Array) -> float:
    """Replace the predictions `moved` by the step of ``a`` towards complementarity zero.

    Returns the complementarity after the longest step.
    """
    da = (residual - moved) / (under / a + over / s)
    moved[:] = da
    dunder, dover = -under - under * da / a, -over + over * da / s
    primal, dual = _lengths(a, s, under, over, (da, dunder, dover), bold)
    return float((a + primal * da) @ (under + dual * dunder) + (s - primal * da) @ (over + dual * dover))


def _right_hand_sides(
    a: Array, s: Array, under: Array, over: Array, residual: Array, da: Array, center: float
) -> tuple[Array, Array, Array]:
    """Mehrotra's, of the two complementarities and of both: centred, with the predictor's second-order term."""
    dunder, dover = -under - under * da / a, -over + over * da / s
    to_under = center - a * under - da * dunder
    to_over = center - s * over + da * dover
    return to_under, to_over, residual - over + under + to_under / a - to_over / s


def correct(
    a: Array, s: Array, under: Array, over: Array, residual: Array, da: Array, center: float, pushed: Array
) -> None:
    """Compute q times Mehrotra's right-hand side."""
    push = _right_hand_sides(a, s, under, over, residual, da, center)[2]
    pushed[:] = push / (under / a + over / s)


def direct(
    a: Array,
    s: Array,
    under: Array,
    over: Array,
    residual: Array,
    center: float,
    bold: float,
    moved: Array,
    da: Array,
    dover: Array,
) -> tuple[float, float]:
    """Replace the predictions `moved` by the corrected step of ``a``, and the predictor's step `da` by that of `under`.

    `dover` gets the step of `over`.
    """
    to_under, to_over, push = _right_hand_sides(a, s, under, over, residual, da, center)
    moved[:] = (push - moved) / (under / a + over / s)
    da[:] = (to_under - under * moved) / a
    dover[:] = (to_over + over * moved) / s
    return _lengths(a, s, under, over, (moved, da, dover), bold)


def step(
    a: Array,
    s: Array,
    under: Array,
    over: Array,
    da: Array,
    dunder: Array,
    dover: Array,
    primal: float,
    dual: float,
) -> float:
    """Take the step in place; return the complementarity after it."""
    a += primal * da
    s -= primal * da
    under += dual * dunder
    over += dual * dover
    return float(a @ under + s @ over)


def group(keys: Array, groups: NDArray[np.intp], first: NDArray[np.intp]) -> int:
    """Number distinct keys in order of first appearance; `first` gets the place of the first key of each number."""
    _, begins, inverse = np.unique(keys, return_index=True, return_inverse=True)
    order = np.argsort(begins)
    number = np.empty_like(order)
    number[order] = np.arange(order.size)
    groups[:] = number[inverse]
    first[: order.size] = begins[order]
    return order.size
