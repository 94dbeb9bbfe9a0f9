"""The compiled kernels agree with their NumPy twin."""

import numpy as np
import pytest
import scipy.sparse as sp

from ladreg._kernels import (
    _cd,
    _gram,
    _hash_groups,
    _interior_point,
    _line_search,
    _parametric,
    _rows,
    _simplex,
    reference,
    reference_parametric,
    reference_simplex,
)

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(np.repeat(X, 2, axis=0), 3, axis=1)[::2, ::3],
    "reversed": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
}


def state(seed, n_samples=17, n_features=6, dtype=np.float64):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features)).astype(dtype)
    X[rng.random(X.shape) < 0.4] = 0
    X[:, 3] = 0
    weight = rng.random(n_samples)
    weight /= weight.sum()
    return rng, X, weight, rng.standard_normal(n_samples)


def arguments(rng, X, weight, center, scale):
    columns = (X.astype(float) - center) * scale
    strength = rng.random(X.shape[1]) * 0.2
    return scale, weight, weight @ columns**2, strength


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("read_only", [False, True])
def test_dense_burst_is_its_reference(layout, dtype, positive, read_only):
    rng, X, weight, residual = state(0, dtype=dtype)
    X = LAYOUTS[layout](X)
    X.flags.writeable = not read_only
    center = weight @ X
    scale, weight, curvature, strength = arguments(rng, X, weight, center.astype(float), 2.0 ** rng.integers(-3, 3, 6))
    curvature[3] = 0.0
    features = np.array([5, 0, 3, 1], dtype=np.intp)
    ridge = np.array([0.0, 0.3, 0.0, 0.2, 0.0, 0.0])
    results = []
    for kernel in (_cd.dense_burst, reference.dense_burst):
        coef, left = np.full(6, 0.1), residual.copy()
        move = kernel(
            X, center.astype(float), scale, weight, curvature, strength, ridge, positive, features, 4, coef, left
        )
        results.append((coef, left, move))
    for ours, twin in zip(*results, strict=True):
        np.testing.assert_allclose(ours, twin, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("centred", [False, True])
def test_sparse_burst_is_its_reference_and_the_dense_one(index, dtype, centred):
    rng, X, weight, residual = state(1, dtype=dtype)
    S = sp.csc_array(X)
    center = weight @ X.astype(float) if centred else np.zeros(6)
    if centred:
        residual = residual - weight @ residual
    scale, weight, curvature, strength = arguments(rng, X, weight, center, 2.0 ** rng.integers(-3, 3, 6))
    features = np.arange(6, dtype=np.intp)
    common = center, scale, weight, curvature, strength, rng.random(6) * (rng.random(6) < 0.5), False, features, 5
    results = []
    for kernel in (_cd.sparse_burst, reference.sparse_burst):
        coef, left = np.zeros(6), residual.copy()
        move, shift = kernel(S.data, S.indices.astype(index), S.indptr.astype(index), *common, coef, left, 0.0)
        results.append((coef, left + shift, move))
    coef, left = np.zeros(6), residual.copy()
    results.append((coef, left, _cd.dense_burst(X, *common, coef, left)))
    for other in results[1:]:
        for ours, twin in zip(results[0], other, strict=True):
            np.testing.assert_allclose(ours, twin, rtol=1e-9, atol=1e-12)


def test_soft_threshold_is_the_prox_of_the_absolute_value():
    grid = np.linspace(-3, 3, 60001)
    for z in (-2.0, -0.3, 0.0, 0.4, 1.7):
        best = grid[np.argmin((grid - z) ** 2 / 2 + 0.5 * np.abs(grid))]
        assert reference.soft_threshold(z, 0.5) == pytest.approx(best, abs=1e-4)


def test_an_empty_burst_moves_nothing():
    empty = np.zeros(0)
    features = np.zeros(0, dtype=np.intp)
    args = empty, empty, np.ones(3), empty, empty, empty, False, features, 3
    assert _cd.dense_burst(np.zeros((3, 0)), *args, empty, np.ones(3)) == 0.0


STRAIGHT = ["C", "F", "rows of a wider C", "columns of a longer F", "backwards"]


def straight(X, layout):
    """X with contiguous rows or columns."""
    if layout == "rows of a wider C":
        return np.repeat(np.pad(X, ((0, 0), (2, 3))), 2, axis=0)[::2, 2:-3]
    if layout == "columns of a longer F":
        return np.asfortranarray(np.pad(X, ((4, 1), (0, 2))))[4:-1, :-2]
    return np.ascontiguousarray(X[::-1])[::-1] if layout == "backwards" else LAYOUTS[layout](X)


@pytest.mark.parametrize("layout", STRAIGHT)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(17, 6), (700, 3), (600, 1), (1, 6), (0, 6), (4, 0)], ids=str)
@pytest.mark.parametrize("uniform", [False, True])
def test_row_passes_are_their_references(layout, dtype, shape, uniform):
    rng = np.random.default_rng(2)
    n_samples, n_features = shape
    X = straight(rng.standard_normal(shape).astype(dtype), layout)
    X.flags.writeable = False
    weight = np.broadcast_to(0.25, n_samples) if uniform else rng.random(n_samples)
    shift, coef, y, dual = *rng.standard_normal((2, n_features)), *rng.standard_normal((2, n_samples))
    dual[::3] = 0.0
    begun = rng.random(n_features)
    shift = None if uniform else shift

    def results(kernels):
        out, slopes, sizes = np.zeros((3, n_samples)), np.tile(begun, (3, 1)), np.tile(begun, (2, 1))
        kernels.forward(X, shift, coef, y, 0.5, out[0])
        yield kernels.backward(X, shift, dual, slopes[0])
        yield kernels.sweep(X, shift, coef, y, 0.5, weight, -0.3, 0.7, out[1], slopes[1])
        yield kernels.audit(X, shift, coef, y, 0.5, weight, dual, out[2], slopes[2], sizes[0])
        yield kernels.audit(X, shift, coef, y, 0.5, weight, dual, out[2], begun.copy(), None)
        kernels.magnitudes(X, shift, weight, sizes[1])
        squares = begun.copy()
        kernels.curvatures(X, begun, weight, squares)
        yield squares
        chosen = np.arange(0, n_features, 2)
        for root in (None, np.abs(weight)):
            gram = np.full((chosen.size, chosen.size), 0.5)
            kernels.products(X, shift, root, chosen, gram)
            yield gram
        stats = np.array([begun, begun, begun, begun])
        kernels.column_stats(X, stats)
        yield from (out, slopes, sizes, stats)

    for ours, twin in zip(results(_rows), results(reference), strict=True):
        np.testing.assert_allclose(ours, twin, rtol=1e-12, atol=1e-11)


def test_row_passes_refuse_what_does_not_fit():
    X, five, six = np.ones((5, 6)), np.ones(5), np.ones(6)
    with pytest.raises(ValueError, match="other lengths"):
        _rows.forward(X, six, six, six, 0.0, five)
    with pytest.raises(ValueError, match="contiguous"):
        _rows.backward(np.ones((10, 12))[::2, ::2], six, five, six.copy())
    with pytest.raises(ValueError, match="different lengths"):
        _line_search.within(five, 1.0, np.zeros(6, dtype=np.intp))
    with pytest.raises(ValueError, match="different lengths"):
        _interior_point.weigh(five, five, five, five, six)


@pytest.mark.parametrize("seed", range(5))
def test_passes_over_residuals_are_their_references(seed):
    rng = np.random.default_rng(seed)
    size = 200
    draw = rng.integers(-3, 4, (2, size)).astype(float) if seed % 2 else rng.standard_normal((2, size))
    residual, moved = draw
    weight = rng.random(size)

    def results(kernels):
        index, left = np.zeros(size, dtype=np.intp), residual.copy()
        lengths, rises = np.zeros((2, size))
        count = kernels.crossings(residual, moved, weight, 2.0, lengths, rises)
        yield from (lengths[:count].copy(), rises[:count].copy())
        total = rises[:count].sum()
        for goal in (0.0, 0.3 * total, total * (1 - 1e-9), 2 * total):
            for rate in (0.0, 0.3, 1e-9, 1e9):
                yield kernels.weighted_select(lengths[:count].copy(), rises[:count].copy(), goal, rate)
        yield index[: kernels.crossed(residual, moved, 0.1, index)].copy()
        yield index[: kernels.within(residual, 0.5, index)].copy()
        yield index[: kernels.advance(left, moved, 0.7, index)].copy()
        yield left
        above, turned = moved > 0, index.copy()
        n_near, n_turned = kernels.sides(residual, weight, 0.5, above, index, turned)
        yield from (index[:n_near].copy(), turned[:n_turned])
        dual = np.where(moved > 0.5, moved, weight * np.where(residual > 0, 0.7, -0.3))
        count, total = kernels.off_ends(residual, dual, weight, -0.3, 0.7, index)
        yield from (index[:count], total)

    for ours, twin in zip(results(_line_search), results(reference), strict=True):
        np.testing.assert_allclose(ours, twin, rtol=1e-13)


@pytest.mark.parametrize("kernels", [_line_search, reference], ids=["compiled", "reference"])
def test_weighted_select_of_nothing_is_reached_by_the_rate_alone(kernels):
    assert kernels.weighted_select(np.zeros(0), np.zeros(0), 1.0) == np.inf
    assert kernels.weighted_select(np.zeros(0), np.zeros(0), 1.0, 4.0) == 0.25


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(30))
def test_weighted_select_is_the_zero_of_a_piecewise_linear_slope(seed, ties):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, 5, 40) / 2.0 if ties else rng.exponential(1.0, 40)
    weights, rate = rng.exponential(1.0, 40), (0.0, 0.1, 3.0)[seed % 3]
    slope = lambda v: rate * v + weights[values <= v].sum()  # noqa: E731
    for goal in rng.uniform(0, weights.sum() + rate, 5):
        found = _line_search.weighted_select(values.copy(), weights.copy(), goal, rate)
        assert found == pytest.approx(reference.weighted_select(values, weights, goal, rate), rel=1e-12)
        if np.isfinite(found):
            assert slope(found * (1 + 1e-12)) >= goal * (1 - 1e-12)
            assert slope(found * (1 - 1e-9) - 1e-300) <= goal * (1 + 1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_interior_point_arithmetic_is_its_reference(seed):
    rng = np.random.default_rng(seed)
    state = np.exp(3 * rng.standard_normal((4, 50)))
    residual, moved = rng.standard_normal((2, 50))

    def results(kernels):
        a, s, under, over = here = state.copy()
        q, pushed, dover = np.zeros((3, 50))
        da, step = moved.copy(), moved.copy()
        kernels.weigh(*here, q)
        yield kernels.predict(*here, residual, 0.99, da)
        yield da.copy()
        kernels.correct(*here, residual, da, 0.01, pushed)
        yield from (q, pushed)
        lengths = kernels.direct(*here, residual, 0.01, 0.99, step, da, dover)
        yield lengths
        yield kernels.step(*here, step, da, dover, *lengths)
        yield from (step, da, dover, a, s, under, over)

    for ours, twin in zip(results(_interior_point), results(reference), strict=True):
        np.testing.assert_allclose(ours, twin, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sparse_gram_is_its_reference(index):
    _, X, weight, _ = state(3)
    A = sp.csr_array(X)
    ours, twin = np.zeros((2, 6, 6))
    for kernels, gram in ((_rows, ours), (reference, twin)):
        kernels.sparse_gram(A.data, A.indices.astype(index), A.indptr.astype(index), weight, gram)
    np.testing.assert_allclose(ours, twin, rtol=1e-13)
    np.testing.assert_allclose(ours, (X.T * weight) @ X, rtol=1e-13)


@pytest.mark.parametrize("n_values", [0, 1, 5, 1000])
def test_groups_are_their_reference(n_values):
    keys = np.random.default_rng(0).integers(-3, 4, n_values) / 7
    keys[::5] = -0.0
    results = []
    for kernels in (_hash_groups, reference):
        groups, first = np.zeros((2, n_values), dtype=np.intp)
        count = kernels.group(keys, groups, first)
        results.append((groups, first[:count]))
    for ours, twin in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, twin)
    np.testing.assert_array_equal(keys[results[0][1]][results[0][0]], keys)


@pytest.mark.parametrize("positive", [False, True])
def test_gram_burst_is_its_reference_and_the_dense_one(positive):
    rng, X, weight, y = state(4)
    gram, strength = (X.T * weight) @ X, 0.05 * rng.random(6)
    results = []
    for kernels in (_gram, reference):
        coef = np.zeros(6)
        slope = X.T @ (weight * y)
        epochs = kernels.gram_burst(gram, strength, positive, 4, coef, slope)
        results.append((coef, slope, epochs))
    coef, residual = np.zeros(6), y.copy()
    rest = weight, np.diag(gram).copy(), strength, np.zeros(6), positive, np.arange(6), 4
    _cd.dense_burst(X, np.zeros(6), np.ones(6), *rest, coef, residual)
    results.append((coef, X.T @ (weight * residual), 4))
    for other in results[1:]:
        for ours, twin in zip(results[0], other, strict=True):
            np.testing.assert_allclose(ours, twin, rtol=1e-9, atol=1e-12)


def gram_problem(seed, n_samples, n_features, share, repeats=False):
    """Gram matrix, products with the target, and strengths that are a share of the largest product."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    if repeats:
        X[:, n_features // 2 :] = X[:, : n_features - n_features // 2]
    b = X.T @ rng.standard_normal(n_samples) / n_samples
    return np.ascontiguousarray(X.T @ X / n_samples), b, np.full(n_features, share * np.abs(b).max())


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("n_epochs", [0, 3])
@pytest.mark.parametrize("shape", [(40, 15), (20, 60), (5, 30)], ids=str)
@pytest.mark.parametrize("share", [0.3, 0.01])
@pytest.mark.parametrize("repeats", [False, True])
def test_settle_is_its_reference(positive, n_epochs, shape, share, repeats):
    gram, b, strength = gram_problem(1, *shape, share, repeats)
    strength[2] = 0.0
    begin, there = np.zeros(shape[1]), b.copy()
    _gram.gram_burst(gram, strength, positive, n_epochs, begin, there)
    results = []
    for kernel in (_gram.settle, reference.settle):
        coef, slope = begin.copy(), there.copy()
        support, factor = np.zeros(shape[1], dtype=np.intp), np.zeros((shape[1],) * 2)
        size, n_steps = kernel(gram, strength, positive, 2000, 1e-13, coef, slope, support, factor, 0)
        assert n_steps < 2000
        inside = support[:size]
        assert set(np.flatnonzero(coef)) <= set(inside)
        lower = np.tril(factor[:size, :size])
        np.testing.assert_allclose(lower @ lower.T, gram[np.ix_(inside, inside)], atol=1e-12)
        results.append((coef, slope))
    (ours, our_slope), (twin, twin_slope) = results
    np.testing.assert_allclose(our_slope, twin_slope, atol=1e-11)
    np.testing.assert_allclose(our_slope, b - gram @ ours, atol=1e-12)
    value = lambda coef: coef @ gram @ coef / 2 - b @ coef + strength @ np.abs(coef)  # noqa: E731
    assert value(ours) == pytest.approx(value(twin), rel=1e-12)


def test_settle_takes_up_a_factor_and_counts_its_steps():
    gram, b, strength = gram_problem(2, 50, 20, 0.05)
    coef, slope = np.zeros(20), b.copy()
    support, factor = np.zeros(20, dtype=np.intp), np.zeros((20, 20))
    size, _ = _gram.settle(gram, strength, False, 500, 1e-14, coef, slope, support, factor, 0)
    expected = coef.copy()
    again, n_steps = _gram.settle(gram, strength, False, 500, 1e-14, coef, slope, support, factor, size)
    assert (again, n_steps) == (size, 1)
    np.testing.assert_allclose(coef, expected, atol=1e-14)
    coef, slope = np.zeros(20), b.copy()
    assert _gram.settle(gram, strength, False, 2, 1e-14, coef, slope, support, factor, 0)[1] == 2


def followed(kernel, gram, b, unit, positive=False, budget=10**6, max_steps=2000, known=None):
    """The last arguments of `follow` after as many calls as it takes, and the number of these.

    Rows that are not `known` are filled in where they are asked for, one by one.
    """
    known = np.ones(b.size, dtype=bool) if known is None else known
    there = np.where(known[:, None], gram, np.nan)
    alphas, size = np.geomspace(1.0, 0.01, 12), b.size
    coef, slope, support, factor = np.zeros(size), b.copy(), np.zeros(size, dtype=np.intp), np.zeros((size, size))
    found = np.zeros((12, size)), np.zeros((12, size)), np.zeros(12, dtype=np.intp), np.zeros(12, dtype=np.intp)
    n_inside, at, used, calls = 0, 0, 0, 0
    while at < alphas.size:
        calls += 1
        n_inside, at, used, is_missing = kernel(
            there,
            known,
            unit,
            positive,
            alphas,
            max_steps,
            budget,
            1e-14,
            coef,
            slope,
            support,
            factor,
            n_inside,
            *found,
            at,
            used,
        )
        if is_missing:
            violation = (slope if positive else np.abs(slope)) - alphas[at] * unit
            worst = int(np.argmax(np.where(known, -np.inf, violation)))
            assert violation[worst] > 0
            there[worst], known[worst] = gram[worst], 1
    return alphas, *found, calls


def drawn_limits(rng, size):
    """Limits of either sign, some infinite and some that leave one value, and the values nearest to zero."""
    lower = rng.choice([-np.inf, 0.0, -0.3, 0.1, -0.05], size)
    upper = np.maximum(rng.choice([np.inf, -0.2, 0.0, 0.3, 1.0], size), lower)
    return lower, upper, np.clip(0.0, lower, upper)


@pytest.mark.parametrize("seed", range(24))
def test_limits_hold_and_conditions_at_them_hold(seed):
    shape, rng = [(40, 15), (20, 60), (5, 30), (30, 3)][seed % 4], np.random.default_rng(seed)
    gram, b, strength = gram_problem(seed, *shape, [0.3, 0.01, 0.1][seed % 3], repeats=seed % 3 == 0)
    strength[rng.random(shape[1]) < 0.2] = 0.0
    lower, upper, rest = drawn_limits(rng, shape[1])
    values = []
    for module in (_gram, reference):
        coef, slope = rest.copy(), b - gram @ rest
        support, factor = np.zeros(coef.size, dtype=np.intp), np.zeros(gram.shape)
        if seed % 2:
            module.gram_burst(gram, strength, False, 3, coef, slope, lower, upper)
            assert np.all((lower <= coef) & (coef <= upper))
        given = coef, slope, support, factor, 0, lower, upper
        _, n_steps = module.settle(gram, strength, False, 3000, 1e-12, *given)
        assert n_steps < 3000
        assert np.all((lower <= coef) & (coef <= upper))
        np.testing.assert_allclose(slope, b - gram @ coef, atol=1e-11)
        low = np.where(coef <= lower, -np.inf, np.where(coef > 0, strength, -strength))
        high = np.where(coef >= upper, np.inf, np.where(coef < 0, -strength, strength))
        assert np.all((low - 1e-10 <= slope) & (slope <= high + 1e-10))
        values.append(coef @ gram @ coef / 2 - b @ coef + strength @ np.abs(coef))
    assert values[0] == pytest.approx(values[1], rel=1e-11, abs=1e-12)


def test_infinite_limits_are_no_limits():
    gram, b, strength = gram_problem(1, 20, 60, 0.01)
    found = []
    for limits in ((), (np.full(60, -np.inf), np.full(60, np.inf))):
        coef, slope, support, factor = np.zeros(60), b.copy(), np.zeros(60, dtype=np.intp), np.zeros((60, 60))
        _gram.settle(gram, strength, False, 500, 1e-14, coef, slope, support, factor, 0, *limits)
        found.append(coef)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("shape", [(40, 15), (20, 60), (5, 30)], ids=str)
@pytest.mark.parametrize("repeats", [False, True])
def test_follow_is_its_reference(positive, shape, repeats):
    gram, b, unit = gram_problem(3, *shape, 1.0, repeats)
    unit[2] *= 0.1
    alphas, *ours, _ = followed(_gram.follow, gram, b, unit, positive)
    _, *twin, _ = followed(reference.follow, gram, b, unit, positive)
    assert np.all(ours[3] == 1)
    np.testing.assert_allclose(ours[1], twin[1], atol=1e-11)
    np.testing.assert_allclose(ours[1], b - ours[0] @ gram, atol=1e-12)
    for alpha, one, other in zip(alphas, ours[0], twin[0], strict=True):
        value = lambda coef: coef @ gram @ coef / 2 - b @ coef + alpha * unit @ np.abs(coef)  # noqa: B023, E731
        assert value(one) == pytest.approx(value(other), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("shape", [(40, 15), (20, 60)], ids=str)
@pytest.mark.parametrize("kernel", [_gram.follow, reference.follow], ids=["compiled", "reference"])
def test_follow_asks_for_the_rows_it_needs_alone(kernel, shape, positive):
    """Rows that are not there are NaN, so that none of them can have been read."""
    gram, b, unit = gram_problem(3, *shape, 1.0)
    _, *whole, _ = followed(kernel, gram, b, unit, positive)
    known = np.zeros(shape[1], dtype=bool)
    _, *lazy, calls = followed(kernel, gram, b, unit, positive, known=known)
    assert np.all(lazy[3] == 1)
    np.testing.assert_allclose(lazy[1], whole[1], atol=1e-12)
    np.testing.assert_allclose(lazy[0], whole[0], atol=1e-10)
    assert np.all(known[lazy[0].any(axis=0)])
    assert known.sum() == calls - 1
    if shape[1] > shape[0]:
        assert known.sum() < shape[1]


def test_follow_goes_on_where_its_budget_ended():
    gram, b, unit = gram_problem(4, 60, 80, 1.0)
    _, *whole, once = followed(_gram.follow, gram, b, unit)
    _, *parts, calls = followed(_gram.follow, gram, b, unit, budget=3)
    assert once == 1
    assert calls > 12
    assert parts[2].sum() <= 2 * whole[2].sum() + calls  # far less than to begin anew at each call
    np.testing.assert_allclose(parts[0], whole[0], atol=1e-13)


def test_follow_says_where_its_steps_did_not_suffice():
    gram, b, unit = gram_problem(5, 60, 80, 1.0)
    _, coefs, _, n_steps, done, _ = followed(_gram.follow, gram, b, unit, max_steps=2)
    assert not done.all()
    assert np.all(n_steps[done == 0] == 2)
    assert np.isfinite(coefs).all()


def test_follow_keeps_the_last_solution_where_numbers_overflow():
    gram, b, _ = gram_problem(6, 30, 5, 1.0)
    gram[3, 3], gram[2, 3], gram[3, 2], b[3] = 1e-300, 1e300, 1e300, 1e10
    _, coefs, slopes, _, done, _ = followed(_gram.follow, gram, b, np.full(5, 1e-3))
    assert np.isfinite(coefs).all()
    assert np.isfinite(slopes).all()
    assert not done.all()


@pytest.mark.parametrize("max_steps", [3, 30, 2000])
def test_follow_begins_again_where_epochs_overflow(max_steps):
    """Twenty features come in at once, whose products with each other are no Gram matrix: epochs come first."""
    size = 20
    gram = np.where(np.eye(size), 1e-300, 1e300)
    alphas, slope = np.array([1.0, 0.05]), np.linspace(0.9, 0.95, size)
    coef, support, factor = np.zeros(size), np.zeros(size, dtype=np.intp), np.zeros((size, size))
    coefs, slopes = np.full((2, size), 7.0), np.full((2, size), 7.0)
    n_steps, done = np.zeros(2, dtype=np.intp), np.zeros(2, dtype=np.intp)
    given = gram, np.ones(size, dtype=bool), np.ones(size), False, alphas, max_steps
    _gram.follow(*given, 10**6, 1e-14, coef, slope, support, factor, 0, coefs, slopes, n_steps, done, 0, 0)
    assert done.tolist() == [1, 0]
    np.testing.assert_array_equal(coefs, 0.0)
    np.testing.assert_array_equal(slopes, [np.linspace(0.9, 0.95, size)] * 2)


@pytest.mark.parametrize("wrong", ["strength", "coef", "slope", "support", "factor", "size", "feature"])
def test_settle_refuses_arrays_that_do_not_fit(wrong):
    given = {
        "strength": np.ones(3), "coef": np.zeros(3), "slope": np.zeros(3),
        "support": np.zeros(3, dtype=np.intp), "factor": np.zeros((3, 3)), "size": 0,
    }  # fmt: skip
    if wrong in ("size", "feature"):
        given["size"] = 4 if wrong == "size" else 1
        given["support"][0] = 7
    else:
        given[wrong] = np.zeros((4,) * given[wrong].ndim, dtype=given[wrong].dtype)
    with pytest.raises(ValueError, match=r"arrays of different lengths|not there"):
        _gram.settle(np.eye(3), given["strength"], False, 9, 0.0, *list(given.values())[1:])


def program(rng, n_rows, n_columns, integer):
    """Rows of a small program at a vertex, as the kernel takes them."""
    A = rng.integers(-2, 3, (n_rows, n_columns)).astype(float) if integer else rng.standard_normal((n_rows, n_columns))
    A[:, -1] = 1.0
    y = np.round(A.sum(axis=1) + rng.standard_t(2, n_rows)) if integer else rng.standard_t(2, n_rows)
    weight, tau = rng.exponential(1.0, n_rows), rng.uniform(0.1, 0.9)
    basis = np.sort(rng.permutation(n_rows)[:n_columns])
    if np.linalg.matrix_rank(A[basis]) < n_columns:
        return None
    inverse = np.ascontiguousarray(np.linalg.inv(A[basis]))
    residual = y - A @ (inverse @ y[basis])
    residual[basis] = 0.0
    lower, upper = weight * (tau - 1.0), weight * tau
    dual = np.where(residual > 0, upper, lower)
    dual[basis] = 0.0
    return A, y, residual, lower, upper, -A.T @ dual, basis, inverse


@pytest.mark.parametrize("integer", [False, True], ids=["real", "integer"])
@pytest.mark.parametrize("seed", range(20))
def test_exchanges_agree_with_their_twin_and_end_at_the_optimum(seed, integer):
    rng = np.random.default_rng(seed)
    n_rows, n_columns = int(rng.integers(5, 60)), int(rng.integers(1, 5))
    given = program(rng, n_rows, n_columns, integer)
    if given is None:
        pytest.skip("rows that depend on each other")
    A, y, *_ = given
    counts, objectives = [], []
    for kernels in (_simplex, reference_simplex):
        _, _, residual, lower, upper, goal, basis, inverse = (part.copy() for part in given)
        inside = np.empty(n_columns)
        count = kernels.pivot(A, residual, lower, upper, goal, basis, inverse, inside, 1e-9, 500)
        assert count >= 0
        exact = y - A @ np.linalg.solve(A[basis], y[basis])
        np.testing.assert_allclose(residual, exact, atol=1e-9)
        dual = np.where(residual > 0, upper, lower)
        dual[basis] = inside
        np.testing.assert_allclose(A.T @ dual, 0.0, atol=1e-9)
        assert np.all((inside >= lower[basis] - 1e-8) & (inside <= upper[basis] + 1e-8))
        counts.append(count)
        objectives.append(np.maximum(lower * exact, upper * exact).sum())
    assert objectives[0] == pytest.approx(objectives[1], rel=1e-10, abs=1e-12)
    if not integer:
        assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "basis"),
    [(1, 2, [0, 0]), (2, 2, [0, 2]), (2, 2, [-1, 0]), (3, 2, [0])],
    ids=["more columns than rows", "beyond the rows", "before the rows", "too few"],
)
def test_exchanges_refuse_arrays_that_do_not_fit(n_rows, n_columns, basis):
    rows = [np.zeros(n_rows) for _ in range(3)]
    residual, lower, upper = rows
    goal, inside = np.zeros(n_columns), np.zeros(n_columns)
    A, inverse = np.zeros((n_rows, n_columns)), np.zeros((n_columns, n_columns))
    chosen = np.array(basis, dtype=np.intp)
    with pytest.raises(ValueError, match="different lengths"):
        _simplex.pivot(A, residual, lower, upper, goal, chosen, inverse, inside, 0.0, 1)


@pytest.mark.parametrize("started", [False, True], ids=["from least squares", "from a start"])
@pytest.mark.parametrize("seed", range(10))
def test_vertices_agree_with_their_twin_and_are_optimal(seed, started):
    """Problems that share rows and targets, with weights (some are zero) and linear terms of their own."""
    rng = np.random.default_rng(seed)
    n, q, number = int(rng.integers(60, 400)), int(rng.integers(1, 6)), 5
    A = np.column_stack([np.ones(n), rng.standard_normal((n, q - 1))])
    y = A @ rng.standard_normal(q) + rng.standard_t(3, n)
    count = rng.integers(30, n, number)
    first = np.array([rng.integers(0, n - size + 1) for size in count])
    at = np.concatenate([[0], np.cumsum(count)[:-1]])
    weight = rng.exponential(size=int(count.sum())) * (rng.random(int(count.sum())) > 0.3)
    linear, tau = 0.1 * rng.standard_normal((number, q)), rng.uniform(0.2, 0.8, number)
    factor = np.linalg.cholesky(A.T @ A) if started else None
    objectives = []
    for kernels in (_simplex, reference_simplex):
        point = np.linalg.lstsq(A, y)[0] + np.zeros((number, q))
        basis, dual = np.zeros((number, q), dtype=np.intp), np.zeros(weight.size)
        made, limits = np.zeros(number, dtype=np.intp), (3, 5, 500, 1e-9, 1e-12)
        places = (count, first, first, at, at)
        kernels.vertices(A, y, weight, linear, tau - 1, tau, *places, factor, point, basis, dual, made, *limits)
        assert np.all(made >= 0)
        values = []
        for k in range(number):
            rows, mine = slice(first[k], first[k] + count[k]), slice(at[k], at[k] + count[k])
            low, high = weight[mine] * (tau[k] - 1), weight[mine] * tau[k]
            residual = y[rows] - A[rows] @ point[k]
            np.testing.assert_allclose(residual[basis[k]], 0.0, atol=1e-11)
            assert np.all((dual[mine] >= low - 1e-8) & (dual[mine] <= high + 1e-8))
            np.testing.assert_allclose(linear[k] + A[rows].T @ dual[mine], 0.0, atol=1e-10)
            values.append(np.maximum(low * residual, high * residual).sum() - point[k] @ linear[k])
            assert dual[mine] @ y[rows] == pytest.approx(values[-1], rel=1e-11)
        objectives.append(values)
    np.testing.assert_allclose(objectives[0], objectives[1], rtol=1e-11)


@pytest.mark.parametrize("penalty", [0.0, 0.02, 0.2])
@pytest.mark.parametrize("seed", range(4))
def test_folds_on_near_rows_agree_with_their_twin_and_are_optimal(seed, penalty):
    """The other rows keep their side; a start that is no prediction may leave a fold without a proof."""
    rng = np.random.default_rng(seed)
    n, q, tau = 600, int(rng.integers(2, 7)), 0.4
    X = np.column_stack([rng.standard_normal((n, q - 1)), np.ones(n)])
    at = rng.standard_normal(q) * (np.arange(q) % 3 != 1)
    y = X @ at + rng.standard_t(3, n)
    weight = (rng.random((n, 5)) < 0.8) * rng.uniform(0.5, 1.5, (n, 1)) / n
    strength = np.where(np.arange(q) < q - 1, penalty, 0.0)
    residual = y - X @ at
    near = np.flatnonzero(np.abs(residual) < 0.8)
    linear = (weight * np.where(residual > 0, tau, tau - 1)[:, None]).T @ X
    hessian = X[near].T @ X[near] / (1.6 * n)
    found = []
    for kernels in (_simplex, reference_simplex):
        point, made = np.tile(at, (5, 1)), np.zeros(5, dtype=np.intp)
        kernels.near_vertices(
            X[near], y[near], residual[near], weight[near], at, strength, hessian, linear, tau - 1, tau,
            point, made, 16 * q, 3, 5, 500, 1e-9, 1e-12, 1e-14,
        )  # fmt: skip
        found.append((point, made >= 0))
    (point, proved), (exact, known) = found
    assert proved.sum() >= 4
    assert np.all(known[proved])
    np.testing.assert_allclose(point[proved], exact[proved], rtol=1e-9, atol=1e-12)


def test_a_fold_whose_other_near_rows_change_sides_is_not_proved():
    """Two rows take part, and four times as many: the optimum is beyond all of these."""
    A, y = np.ones((100, 1)), np.linspace(-1.0, 1.0, 100)
    at, weight = np.array([-0.9]), np.full((100, 1), 0.01)
    residual, one = y - at[0], np.zeros(1)
    linear = np.array([[np.where(residual > 0, 0.005, -0.005).sum()]])
    for rows, is_proved in ((2, False), (100, True)):
        point, made = np.array([[-0.9]]), np.zeros(1, dtype=np.intp)
        _simplex.near_vertices(
            A, y, residual, weight, at, one, np.full((1, 1), 1e6), linear + 1e-4, -0.5, 0.5,
            point, made, rows, 0, 1, 500, 1e-9, 1e-12, 1e-14,
        )  # fmt: skip
        assert (made[0] >= 0) == is_proved
    assert abs(point[0, 0]) < 0.05


def test_rows_held_on_the_wrong_side_join():
    """A start at which the nearest rows say nothing of the optimum: its 5 q rows are not enough."""
    rng = np.random.default_rng(0)
    A, y = np.column_stack([np.ones(300), rng.standard_normal(300)]), rng.standard_t(2, 300)
    one, at = np.array([300]), np.zeros(1, dtype=np.intp)
    for start in ([0.0, 0.0], [3.0, 5.0]):
        point, basis = np.array([start]), np.zeros((1, 2), dtype=np.intp)
        made, dual = np.zeros(1, dtype=np.intp), np.zeros(300)
        _simplex.vertices(
            A, y, np.ones(300), np.zeros((1, 2)), np.array([-0.5]), np.array([0.5]), one, at, at, at, at, np.eye(2),
            point, basis, dual, made, 0, 5, 500, 1e-9, 1e-12,
        )  # fmt: skip
        assert made[0] > 0
        assert np.abs(y - A @ point[0]).sum() / 2 == pytest.approx(dual @ y, rel=1e-12)


def test_positive_steps_from_a_support_of_zeros_leave_no_coefficient_below_zero():
    # Features whose coefficients are zero, and whose slopes point below zero, are in the support that is handed over.
    rng = np.random.default_rng(0)
    for kernel in (_gram.settle, reference.settle):
        for _ in range(50):
            A = rng.standard_normal((20, 8))
            gram, slope, strength = A.T @ A, A.T @ rng.standard_normal(20), np.full(8, 0.1)
            support, factor, coef = np.arange(8), np.linalg.cholesky(gram), np.zeros(8)
            kernel(gram, strength, True, 500, 1e-14, coef, slope, support, factor, 8)
            assert np.all(coef >= 0)
            excess = np.where(coef > 0, np.abs(slope - strength), np.maximum(slope - strength, 0))
            assert excess.max() < 1e-10


def falling(seed, n_samples, n_features, positive):
    """A table, and the vertex of coefficients of zero, from which a path begins."""
    rng = np.random.default_rng(seed)
    rows = np.column_stack([rng.standard_normal((n_samples, n_features)), np.ones(n_samples)])
    y, weight = rng.standard_normal(n_samples), rng.uniform(0.5, 1.5, n_samples)
    strength = np.append(rng.uniform(0.5, 2.0, n_features), 0.0)
    kind = np.where(strength > 0, int(positive), 2).astype(np.intp)
    order = np.argsort(y)
    row = order[np.searchsorted(np.cumsum(weight[order]), 0.4 * weight.sum())]
    room = min(rows.shape)
    basis, active = np.zeros(room, dtype=np.intp), np.zeros(room, dtype=np.intp)
    basis[0], active[0] = row, n_features
    inverse = np.zeros((room, room))
    inverse[0, 0] = 1.0
    given = {"rows": rows, "columns": rows.T.copy(), "y": np.stack([y, y + 1e-9 * rng.random(n_samples)])}
    given |= {"weight": np.stack([weight, weight * (1 + 1e-9 * rng.random(n_samples))])}
    given |= {"strength": np.stack([strength, strength * (1 + 1e-9 * rng.random(n_features + 1))])}
    given |= {"centre": np.zeros_like(given["strength"]), "widening": True}
    given |= {"lower": -0.6, "upper": 0.4, "kind": kind, "size": 1, "basis": basis, "active": active}
    return given | {"sign": np.ones(room), "inverse": inverse, "side": np.sign(y - y[row]), "alpha": 50.0}


@pytest.mark.parametrize(("n_samples", "n_features"), [(25, 4), (12, 30)])
def test_a_parametric_process_is_its_reference(n_samples, n_features):
    """Quantiles from 0.1 to 0.9, at a penalty at which the first fit has no coefficient."""
    results = []
    for kernel in (_parametric.parametric, reference_parametric.parametric):
        given = falling(n_samples, n_samples, n_features, False)
        weight, y = given["weight"], given["y"]
        for part in weight:
            part /= part.sum()
        lowest = np.searchsorted(np.cumsum(weight[0, np.argsort(y[0])]), 0.1)
        given["basis"][0] = row = np.argsort(y[0])[lowest]
        given["side"][:] = np.sign(y[0] - y[0, row])
        given |= {"centre": weight @ given["rows"], "widening": False, "lower": 0.0, "upper": 1.0, "alpha": 0.9}
        dual = np.where(given["side"] > 0, weight[0], 0.0)
        dual[row] = 0.9 - dual.sum()
        largest = np.abs((dual @ given["rows"] - 0.9 * given["centre"][0])[:-1]).max()
        given["strength"] = given["strength"] / given["strength"][0, :-1].min() * 1.01 * largest
        count = 200
        knots, coef, dual = np.zeros(count), np.zeros((count, n_features + 1)), np.zeros((count, n_samples))
        counts = [np.zeros(count, dtype=np.intp) for _ in range(3)]
        state = kernel(*given.values(), np.array([0.1]), knots, False, 99, coef, dual, *counts, 500)
        size = state[2]
        assert state[0] == 0
        assert state[4] > 10
        assert np.count_nonzero(coef[: state[1], :-1].any(axis=0)) > 0
        results.append(
            (state, knots, coef, dual, given["side"], *counts, given["basis"][:size], given["active"][:size])
        )
    for ours, twin in zip(*results, strict=True):
        np.testing.assert_allclose(ours, twin, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("way", ["knot by knot", "all knots", "long steps"])
@pytest.mark.parametrize(("n_samples", "n_features", "positive"), [(25, 4, False), (12, 30, False), (20, 20, True)])
def test_a_parametric_path_is_its_reference(n_samples, n_features, positive, way):
    all_knots, long_steps = way == "all knots", way == "long steps"
    alphas = np.array([0.05]) if all_knots else np.geomspace(30.0, 0.05, 20)
    count = 200 if all_knots else alphas.size
    results = []
    for kernel in (_parametric.parametric, reference_parametric.parametric):
        given = falling(n_samples, n_samples, n_features, positive)
        knots, coef, dual = np.zeros(count), np.zeros((count, n_features + 1)), np.zeros((count, n_samples))
        counts = [np.zeros(count, dtype=np.intp) for _ in range(3)]
        state = kernel(*given.values(), alphas, knots if all_knots else None, long_steps, 99, coef, dual, *counts, 500)
        size = state[2]
        assert state[0] == 0
        assert state[4] > 4
        changed = [given[name][:size] for name in ("basis", "active", "sign")]
        results.append((state, knots, coef, dual, given["side"], given["inverse"][:size, :size], *counts, *changed))
    for ours, twin in zip(*results, strict=True):
        np.testing.assert_allclose(ours, twin, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("near", [1, 6, 20])
def test_long_steps_that_follow_few_rows_end_at_the_same_vertices(near):
    """Rows that are not followed along an edge turn at its end, where they are on the wrong side of the fit."""
    alphas, answers = np.geomspace(30.0, 0.05, 20), []
    for number in (near, 60):
        given = falling(60, 60, 4, False)
        coef, dual = np.zeros((20, 5)), np.zeros((20, 60))
        counts = [np.zeros(20, dtype=np.intp) for _ in range(3)]
        state = _parametric.parametric(*given.values(), alphas, None, True, number, coef, dual, *counts, 5000)
        assert state[:2] == (0, 20)
        answers.append((coef, dual, counts[0], given["side"]))
    for few, every in zip(*answers, strict=True):
        np.testing.assert_allclose(few, every, rtol=1e-8, atol=1e-9)
