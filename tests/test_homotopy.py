"""The path of a lasso from knot to knot, and what it shows about slopes: the kernels, and the walk that begins so."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import lars_path

from ladreg import LassoCD, lasso_path
from ladreg._design import as_design
from ladreg._kernels import _dual_norms, _homotopy, reference
from ladreg._least_squares import Centred, LeastSquaresTuning, homotopy, working_set_path
from ladreg._paths import solve_path
from ladreg._problem import HalfSquared, Settings
from tests.problems import make
from tests.strategies import tables

TUNING = LeastSquaresTuning()
FACTORS = np.geomspace(1.2, 1e-3, 30)


def table(rng, n_samples, n_features):
    """Columns that are correlated, and a target."""
    X = rng.standard_normal((n_samples, n_features)) + rng.standard_normal((n_samples, 3)) @ rng.standard_normal(
        (3, n_features)
    )
    return X, X[:, : min(5, n_features)].sum(axis=1) + rng.standard_normal(n_samples)


def walked(
    kernel, X, y, *, strength=None, positive=False, alphas=None, largest=None, reach=0.5, budget=10**4, room=None,
    most_knots=10**4, shift=None,
):  # fmt: skip
    """Alphas, coefficients of those that were solved, the knots before each, and the features in doubt."""
    n_samples, n_features = X.shape
    strength = np.ones(n_features) if strength is None else strength
    root = np.full(n_samples, n_samples**-0.5)
    shift, target = X.mean(axis=0) if shift is None else shift, (y - y.mean()) * root
    slope = ((X - shift) * root[:, None]).T @ target
    if alphas is None:
        alphas = np.max((slope if positive else np.abs(slope)) / strength) * FACTORS
    room = min(n_samples, n_features) if room is None else room
    count, n_knots = np.zeros((2, alphas.size), dtype=np.intp)
    found, values = np.zeros(alphas.size * room, dtype=np.intp), np.zeros(alphas.size * room)
    in_doubt = np.zeros(n_features, dtype=bool)
    number = kernel.homotopy(
        X, shift, np.ones(n_features), root, target, slope, strength, positive, alphas, room,
        n_features if largest is None else largest, reach, budget, most_knots, count, found, values, n_knots,
        TUNING.clear, 1e-28, in_doubt,
    )  # fmt: skip
    coef, row = np.zeros((number, n_features)), np.repeat(np.arange(number), count[:number])
    coef[row, found[: row.size]] = values[: row.size]
    return alphas, coef, n_knots[:number], in_doubt


def solved(*args, **how):
    return walked(*args, **how)[:3]


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("shape", [(12, 5), (12, 30), (40, 39), (25, 200)])
@pytest.mark.parametrize("order", ["F", "C"])
def test_knots_are_those_of_the_reference(shape, positive, order):
    rng = np.random.default_rng(sum(shape))
    X, y = table(rng, *shape)
    how = {"strength": rng.uniform(0.5, 2.0, shape[1]), "positive": positive}
    _, ours, n_knots = solved(_homotopy, np.asarray(X, order=order), y, **how)
    _, twin, all_knots = solved(reference, X, y, **how)
    assert ours.shape == twin.shape
    assert ours.shape[0] == FACTORS.size
    np.testing.assert_allclose(ours, twin, atol=1e-9)
    np.testing.assert_array_equal(n_knots, all_knots)
    here, there = (walked(kernel, X, y, **how)[3] for kernel in (_homotopy, reference))
    assert np.all(here >= there)


@pytest.mark.parametrize("reach", [0.9, 0.5, 0.1, 0.01])
@pytest.mark.parametrize("spare", [0, 3, 20])
def test_features_that_were_not_watched_are_found(reach, spare):
    """However few are watched for however long, violators at a look are called, and the walk is repeated."""
    X, y = table(np.random.default_rng(1), 20, 300)
    _, expected, _ = solved(reference, X, y)
    _, ours, _ = solved(_homotopy, X, y, largest=20 + spare, reach=reach)
    np.testing.assert_allclose(ours, expected[: ours.shape[0]], atol=1e-9)
    if spare >= 3:
        assert ours.shape == expected.shape


def test_knots_are_those_of_lars():
    X, y = table(np.random.default_rng(2), 30, 80)
    X, y = X - X.mean(axis=0), y - y.mean()
    knots, _, coefs = lars_path(X, y, method="lasso")
    middle = (knots[1:] + knots[:-1]) / 2
    _, ours, n_knots = solved(_homotopy, X, y, alphas=middle)
    np.testing.assert_allclose(ours.T, (coefs[:, 1:] + coefs[:, :-1]) / 2, atol=1e-8)
    np.testing.assert_array_equal(n_knots, 1)


def test_the_walk_ends_where_it_cannot_go_on():
    rng = np.random.default_rng(3)
    X, y = table(rng, 20, 60)
    whole = solved(_homotopy, X, y)[1]
    for limit in ({"budget": 0}, {"budget": 9}, {"room": 4}, {"most_knots": 1}):
        part = solved(_homotopy, X, y, **limit)[1]
        assert part.shape[0] < whole.shape[0]
        np.testing.assert_array_equal(part, whole[: part.shape[0]])
    # The first feature is there twice but for rounding: the second cannot come in beside it.
    first = np.flatnonzero(whole[whole.any(axis=1)][0])[:1]
    twice = np.column_stack([X, X[:, first] + 1e-9 * rng.standard_normal((20, 1))])
    part = solved(_homotopy, twice, y)[1]
    assert 0 < part.shape[0] < whole.shape[0]
    # No alpha leaves any coefficient; no slope is different from zero.
    assert not solved(_homotopy, X, y, alphas=np.array([1e9, 1e8]))[1].any()
    np.testing.assert_array_equal(solved(_homotopy, X, np.zeros(20), alphas=np.array([2.0, 1.0]))[1], np.zeros((2, 60)))


def test_constant_columns_stay_out():
    X, y = table(np.random.default_rng(4), 15, 40)
    X[:, 7] = 0.1  # the mean of which is not exactly this
    coef = solved(_homotopy, X, y, alphas=np.geomspace(1.0, 1e-25, 40))[1]
    assert not coef[:, 7].any()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10**6), st.booleans(), st.integers(1, 5), st.integers(0, 100))
def test_slopes_are_as_the_reference_sees_them(seed, positive, n_rows, n_features):
    rng = np.random.default_rng(seed)
    slope, strength = rng.standard_normal((n_rows, n_features)), rng.choice([0.5, 1.0, np.inf], n_features)
    slope[rng.random(slope.shape) < 0.2] = 0.0
    if seed % 3 == 0:
        slope[rng.random(slope.shape) < 0.02] = np.nan
    edge, results = rng.uniform(0.0, 3.0, n_rows), []
    for kernels in (_dual_norms, reference):
        part, where, counts, features = np.full(n_rows, 9.0), *np.full((2, n_rows), 9), np.zeros(20, dtype=np.intp)
        with np.errstate(invalid="ignore"):
            kernels.largest_parts(slope, strength, positive, part, where)
            total = kernels.reaching(slope, strength, positive, edge, counts, features)
        results.append((part, where, counts, features[:total], total))
    for ours, twin in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, twin)


def without_drafts(monkeypatch):
    monkeypatch.setattr(homotopy, "applies", lambda *_: False)


@settings(deadline=None, max_examples=40)
@given(tables(max_samples=12, max_features=30), st.booleans(), st.booleans())
def test_a_walk_finds_the_same_with_and_without_a_draft(data, positive, fit_intercept):
    X, y, weight = data
    assume(X.shape[1] > X.shape[0])
    how = {"sample_weight": weight, "positive": positive, "fit_intercept": fit_intercept, "alphas": 20}
    alphas, drafted, _ = lasso_path(X, y, tol=1e-8, **how)
    with pytest.MonkeyPatch.context() as patch:
        without_drafts(patch)
        _, walked, _ = lasso_path(X, y, tol=1e-8, **how)
    residual, other = (y[:, None] - X @ coefs for coefs in (drafted, walked))
    if fit_intercept:
        residual, other = (r - weight @ r / weight.sum() for r in (residual, other))
    values = [
        0.5 * weight @ r**2 / weight.sum() + alphas * np.abs(c).sum(axis=0)
        for r, c in ((residual, drafted), (other, walked))
    ]
    np.testing.assert_allclose(*values, rtol=1e-8, atol=1e-10)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 10**6), st.booleans(), st.sampled_from([0.9, 0.5, 0.1]), st.sampled_from([0, 1, 20, 300]))
def test_who_is_not_in_doubt_stays_away_from_its_strength(seed, positive, reach, spare):
    """For all alphas from the first to the last that was solved, whatever was watched."""
    rng = np.random.default_rng(seed)
    n_samples, n_features = int(rng.integers(2, 25)), int(rng.integers(1, 120))
    X, y = table(rng, n_samples, n_features)
    # Short columns are never near to their strength, those alike are so at the same time.
    X[:, 1::3] = X[:, [0]] + rng.choice([0.01, 0.1, 1.0]) * X[:, 1::3]
    X *= rng.choice([1e-3, 1.0], n_features)
    room = min(n_samples, n_features)
    how = {"strength": rng.choice([0.5, 1.0, np.inf], n_features), "positive": positive, "reach": reach}
    how |= {"largest": min(room + spare, n_features), "budget": int(rng.choice([5, 20, 10**4]))}
    assume(np.isfinite(how["strength"]).any())
    largest = 1.2 * np.abs(X.T @ (y - y.mean())).max() / n_samples
    alphas = np.geomspace(largest, largest * rng.choice([0.3, 1e-3]), 200)
    _, coef, _, in_doubt = walked(_homotopy, X, y, alphas=alphas, **how)
    residual = (y - y.mean()) - coef @ (X - X.mean(axis=0)).T
    slope = residual @ (X - X.mean(axis=0)) / n_samples
    part = (slope if positive else np.abs(slope)) / (how["strength"] * alphas[: coef.shape[0], None])
    assert np.all(part[:, ~in_doubt] <= 1 - TUNING.clear + 1e-9)


def test_who_comes_near_between_two_looks_is_in_doubt():
    """The last of four is 0.0001 from being in doubt at the first alpha, in doubt at 0.999 of it, then far away."""
    half = np.array([[1.0, 0.0, 0.0, 0.7002], [0.0, 1.0, 0.0, 0.3], [0.0, 0.0, 1.0, -0.5]])
    X, y = np.vstack([half, -half]), np.array([1.0, 0.999, 0.02, -1.0, -0.999, -0.02])
    alphas = np.array([1.0, 0.999, 0.05]) / 3
    _, coef, _, in_doubt = walked(_homotopy, X, y, alphas=alphas, reach=0.05)
    part = np.abs((y - coef @ X.T) @ X[:, 3]) / 6 / alphas
    assert part[0] < 1 - TUNING.clear < part[1]
    assert part[2] < 0.9
    assert in_doubt[3]


@pytest.mark.parametrize("order", ["F", "C"])
def test_a_shift_of_columns_is_subtracted_whatever_their_means(order):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        X, y = table(rng, 20, 300)
        X, shift = X + 1.0, rng.choice([-5.0, 0.0, 5.0], 300)
        with_shift = walked(_homotopy, np.array(X + shift, order=order), y, shift=shift, largest=60)
        without = walked(_homotopy, X, y, shift=np.zeros(300), largest=60)
        for one, other in zip(with_shift[:3], without[:3], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
        np.testing.assert_array_equal(with_shift[3], without[3])


def test_few_are_in_doubt():
    X, y = table(np.random.default_rng(10), 40, 2000)
    _, _, _, in_doubt = walked(_homotopy, X, y, largest=340)
    assert np.count_nonzero(in_doubt) < 1000
    # Before the first feature enters, those in doubt are the ones whose slope is within `clear` of the largest.
    _, _, _, first = walked(_homotopy, X, y, alphas=np.array([1e9, 1e8]))
    slope = np.abs((X - X.mean(axis=0)).T @ (y - y.mean()))
    np.testing.assert_array_equal(first, slope >= (1 - TUNING.clear) * slope.max())


@pytest.mark.parametrize("limit", [{"budget": 40}, {"room": 12}, {"most_knots": 3}])
def test_where_the_walk_ends_is_looked_at_as_well(limit):
    """Points solved since the last gradient check come with the features that a check there would find in doubt."""
    X, y = table(np.random.default_rng(12), 30, 90)
    _, coef, _, in_doubt = walked(_homotopy, X, y, reach=0.01, **limit)
    _, there, _, expected = walked(reference, X, y, **limit)
    assert 0 < coef.shape[0] < FACTORS.size
    assert np.all(in_doubt[coef.any(axis=0)])
    if coef.shape[0] == there.shape[0]:
        assert np.all(in_doubt >= expected)


def test_many_knots_are_passed_in_parts():
    """The kernel has room for one knot per row; then the gradient is checked, wherever alpha is."""
    X, y = table(np.random.default_rng(13), 8, 400)
    _, expected, n_knots = solved(reference, X, y, alphas=np.geomspace(3.0, 1e-6, 30))
    assert n_knots.sum() > 3 * 8
    _, ours, _ = solved(_homotopy, X, y, alphas=np.geomspace(3.0, 1e-6, 30), reach=1e-9)
    np.testing.assert_allclose(ours, expected, atol=1e-9)


@pytest.mark.parametrize("rough", [False, True])
def test_few_features_are_looked_at_and_all_where_gaps_leave_more_in_doubt(monkeypatch, rough):
    X, y = table(np.random.default_rng(11), 40, 900)
    _, expected, _ = lasso_path(X, y, tol=1e-4)
    looks = []
    see = working_set_path.WorkingSetPath._seen

    def seen(self, *given):
        looks.append(see(self, *given))
        return looks[-1]

    monkeypatch.setattr(working_set_path.WorkingSetPath, "_seen", seen)
    if rough:
        monkeypatch.setattr(homotopy, "draft", lambda *given, draft=homotopy.draft: shaken(draft(*given)))
    _, coefs, gaps = lasso_path(X, y, tol=1e-4)
    assert looks[0].among is not None
    assert looks[0].among.size < 300
    assert (len(looks) > 1) == rough
    assert all(look.among is None for look in looks[1:])
    np.testing.assert_allclose(coefs, expected, atol=1e-2)
    assert np.all(gaps <= 1e-4 * 0.5 * np.mean(y**2))


def shaken(draft):
    noise = np.cos(np.arange(draft.coef.size)).reshape(draft.coef.shape)
    return replace(draft, coef=draft.coef * (1 + 1e-4 * noise))


def test_drafts_are_made_for_few_rows_of_numbers_in_memory_alone():
    rng = np.random.default_rng(5)

    def applies(X):
        problem = make(X, rng.standard_normal(X.shape[0]), loss=HalfSquared(), alpha=1.0)
        return homotopy.applies(Centred(replace(problem, design=as_design(X))), problem.penalty, TUNING)

    X = rng.standard_normal((10, 30))
    assert applies(X)
    assert applies(np.asfortranarray(X))
    assert not applies(X.astype(np.float32))
    assert not applies(rng.standard_normal((20, 60))[::2, ::2])
    assert not applies(rng.standard_normal((TUNING.homotopy_rows + 1, 3)))


def test_a_path_of_few_rows_is_drafted():
    """Nothing is left to the rounds of the working-set path, which are needed where there is no draft."""
    X, y = table(np.random.default_rng(6), 40, 400)
    problem = make(X, y, loss=HalfSquared(), alpha=1.0)
    alphas = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / 40 * np.geomspace(1.0, 1e-3, 100)
    for rows, drafted in ((256, True), (0, False)):
        settings = Settings(1e-4, tuning=(LeastSquaresTuning(homotopy_rows=rows),))
        assert (solve_path(problem, alphas, settings).stats["n_rounds"] == 0) == drafted


def test_a_draft_that_ends_early_is_continued(monkeypatch):
    X, y = table(np.random.default_rng(7), 40, 400)
    _, whole, _ = lasso_path(X, y)
    monkeypatch.setattr(homotopy, "draft", lambda *given, draft=homotopy.draft: cut(draft(*given), 12))
    _, part, _ = lasso_path(X, y)
    np.testing.assert_allclose(part, whole, atol=1e-7)


def cut(draft, number):
    return replace(draft, coef=draft.coef[:number], n_knots=draft.n_knots[:number])


def test_a_draft_that_is_wrong_is_not_believed(monkeypatch):
    X, y = table(np.random.default_rng(8), 40, 400)
    _, expected, _ = lasso_path(X, y)

    def spoiled(*given, draft=homotopy.draft):
        found = draft(*given)
        found.coef[15:] *= 1.01
        found.coef[40:] = np.nan
        return found

    monkeypatch.setattr(homotopy, "draft", spoiled)
    _, coefs, gaps = lasso_path(X, y)
    np.testing.assert_allclose(coefs, expected, atol=1e-4)
    assert np.all(gaps <= 1e-4 * 0.5 * np.var(y))


def test_a_path_of_few_rows_is_that_of_single_fits():
    X, y = table(np.random.default_rng(9), 30, 200)
    alphas, coefs, _ = lasso_path(X, y, tol=1e-12, alphas=30, fit_intercept=True)
    for k, alpha in enumerate(alphas):
        single = LassoCD(alpha=alpha, tol=1e-12).fit(X, y)
        values = [0.5 * np.var(y - X @ coef) + alpha * np.abs(coef).sum() for coef in (coefs[:, k], single.coef_)]
        np.testing.assert_allclose(*values, rtol=1e-9)
