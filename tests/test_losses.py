"""The mathematics of losses and penalties, checked by brute force on a grid."""

import numpy as np
import pytest
import scipy.optimize
from hypothesis import given
from hypothesis import strategies as st

from ladreg._problem import Absolute, Combined, ElasticNet, HalfSquared, Huber, Pinball, Squared

LOSSES = [
    Absolute(),
    Pinball(0.5),
    Pinball(0.1),
    Pinball(0.9),
    HalfSquared(),
    Squared(),
    Combined(0.5, 0.5),
    Combined(0.1, 2.0),
    Combined(2.0, 0.1),
    Huber(1.0),
    Huber(0.3, 4.0),
    Huber(30.0),
]
GRID = np.linspace(-50, 50, 200_001)
finite = st.floats(-10, 10)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_the_kind_of_a_loss_is_that_of_its_values(loss):
    left, right = loss.derivative(np.array([-1e-12, 1e-12]))
    assert loss.has_kink == (right - left > 1e-6)
    assert loss.has_bounded_slopes == (np.abs(loss.derivative(np.array([-1e12, 1e12]))).max() < 1e3)
    bends = np.diff(loss.value(GRID[GRID > 0]), 2).max() > 1e-10
    assert loss.is_piecewise_linear == (not bends)
    assert loss.is_square == np.allclose(loss.value(GRID), loss.value(np.ones(1)) * GRID**2)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_conjugate_is_the_supremum(loss):
    low, high = np.clip(loss.interval(), -4, 4)
    for slope in np.linspace(low, high, 9):
        brute = np.max(slope * GRID - loss.value(GRID))
        assert loss.conjugate(np.array([slope]))[0] == pytest.approx(brute, abs=1e-6)


@pytest.mark.parametrize("loss", [Absolute(), Pinball(0.1), Huber(1.0), Huber(0.3, 4.0)], ids=repr)
def test_conjugate_is_infinite_outside_the_interval(loss):
    low, high = loss.interval()
    for slope in (low - 0.1, high + 0.1):
        assert np.max(slope * GRID - loss.value(GRID)) >= 0.1 * 50 - 1e-9


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@given(residual=finite, share=st.floats(0, 1))
def test_fenchel_young_is_value_plus_conjugate_minus_product(loss, residual, share):
    low, high = np.clip(loss.interval(), -4, 4)
    slope = np.array([low + share * (high - low)])
    residual = np.array([residual])
    expected = loss.value(residual) + loss.conjugate(slope) - residual * slope
    gap = loss.fenchel_young(residual, slope)
    assert gap >= 0
    assert gap == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@given(residual=finite)
def test_the_derivative_is_a_subgradient(loss, residual):
    residual = np.array([residual])
    slope = loss.derivative(residual)
    some = GRID[::40]
    assert np.all(loss.value(some) >= loss.value(residual) + slope * (some - residual) - 1e-9)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_a_slope_inside_the_interval_belongs_to_its_residual(loss):
    low, high = np.clip(loss.interval(), -4, 4)
    slope = np.linspace(low, high, 7)[1:-1]
    assert loss.fenchel_young(loss.residual_at(slope), slope) == pytest.approx(0)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9), st.data())
def test_location_minimises(loss, y, data):
    y = np.array(y, dtype=float)
    weight = np.array(data.draw(st.lists(st.integers(1, 4), min_size=y.size, max_size=y.size)), dtype=float)
    cost = lambda constant: weight @ loss.value(y - constant)  # noqa: E731
    assert cost(loss.location(y, weight)) <= min(map(cost, np.linspace(-5, 5, 101))) + 1e-9


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@given(residual=finite, exponent=st.integers(-30, 30))
def test_a_change_of_units_changes_nothing(loss, residual, exponent):
    unit = 2.0**exponent
    other, factor = loss.rescaled(unit)
    residual = np.array([residual])
    # A curved piece too narrow for float64 becomes a kink, which costs at most its width.
    narrow = 2e-8 * factor if isinstance(other, Absolute) and not isinstance(loss, Absolute) else 1e-300
    assert loss.value(unit * residual) == pytest.approx(factor * other.value(residual), rel=1e-14, abs=narrow)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@given(residual=finite, slope=st.floats(-100, 100))
def test_value_plus_conjugate_is_at_least_the_product(loss, residual, slope):
    residual, slope = np.array([residual]), np.clip(np.array([slope]), *loss.interval())
    total = loss.value(residual) + loss.conjugate(slope)
    assert residual * slope <= total + 1e-13 * (1 + total)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@given(residual=finite)
def test_residual_at_inverts_the_derivative_off_kink_and_lines(loss, residual):
    residual = np.array([residual])
    slope = loss.derivative(residual)
    low, high = loss.interval()
    if loss.curvature == 0 and not low < slope[0] < high:
        return
    # Beside the kink's slope a small residual is lost in rounding.
    lost = 1e-15 * loss.kink()[1] / loss.curvature if loss.curvature else 0.0
    assert loss.residual_at(slope) == pytest.approx(residual, rel=1e-13, abs=lost)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_curvature_and_smoothness_bound_the_slope_of_the_derivative(loss):
    step = np.diff(loss.derivative(GRID)) / np.diff(GRID)
    assert step.min() >= loss.curvature * (1 - 1e-6)
    assert step.max() <= loss.smoothness * (1 + 1e-6)
    low, high = loss.kink()
    sides = loss.derivative(np.array([-1e-12, 1e-12]))
    np.testing.assert_allclose(sides, [low, high], atol=1e-11)


SMALLEST = (
    Combined(0.5, 0.5),
    Combined(1e-9, 1.0),
    Combined(1.0, 1e-9),
    Huber(1.0),
    Huber(1e-3),
    Huber(1e3),
    Squared(),
)


@pytest.mark.parametrize("loss", SMALLEST, ids=repr)
@pytest.mark.parametrize("seed", range(20))
def test_location_is_scipys_minimum(loss, seed):
    rng = np.random.default_rng(seed)
    y = rng.standard_normal(30) * np.exp(rng.standard_normal(30)) if seed % 2 else rng.integers(0, 6, 30).astype(float)
    weight = rng.integers(1, 5, 30).astype(float)
    cost = lambda constant: float(weight @ loss.value(y - constant))  # noqa: E731
    best = scipy.optimize.minimize_scalar(cost, bounds=(y.min(), y.max()), method="bounded", options={"xatol": 1e-12})
    assert cost(loss.location(y, weight)) <= min([best.fun, *map(cost, y)]) * (1 + 1e-14)


@pytest.mark.parametrize("size", [1.0, 1e-20])
def test_the_location_of_a_wide_delta_is_the_mean(size):
    """The digits of delta are not those of y."""
    y, weight = size * np.array([0.0, 1.0, 5.0]), np.array([0.1, 0.7, 0.3])
    assert Huber(200.0).location(y, weight) == pytest.approx(2.0 * size, rel=1e-14, abs=0)
    assert Huber(200.0).location(np.full(3, size), weight) == size


def test_locations_by_hand():
    ones = np.ones
    # Derivatives of the rows 0 and 10 are at their ends and cancel; the mean of 1 and 2 is left.
    assert Huber(1.0).location(np.array([0.0, 1.0, 2.0, 10.0]), ones(4)) == pytest.approx(1.5, rel=1e-15)
    # 3 m - 6 + (1 + 1 - 1) / 2 = 0 between 1 and 5; in the second the kink of the middle row holds 3 m - 3.2 = -0.2.
    assert Combined(0.5, 0.5).location(np.array([0.0, 1.0, 5.0]), ones(3)) == pytest.approx(11 / 6, rel=1e-15)
    assert Combined(0.5, 0.5).location(np.array([0.0, 1.0, 2.2]), ones(3)) == 1.0
    # Two far groups of equal weight: every constant between their ends is optimal, and the middle is taken.
    assert Huber(0.5).location(np.array([0.0, 0.0, 8.0, 8.0]), ones(4)) == pytest.approx(4.0, rel=1e-13)


@pytest.mark.parametrize("exponent", [-498, -100, 100, 498])
@pytest.mark.parametrize("loss", [Combined(0.5, 0.5), Huber(1.0), Squared()], ids=repr)
def test_extreme_units_change_nothing(loss, exponent):
    """What vanishes beside the other part is left out, the rest is exact."""
    unit = 2.0**exponent
    other, factor = loss.rescaled(unit)
    residual = np.array([-3.0, -0.25, 0.0, 0.7, 2.0])
    assert np.isfinite(factor)
    assert factor > 0
    np.testing.assert_allclose(factor * other.value(residual), loss.value(unit * residual), rtol=1e-14)


@pytest.mark.parametrize("positive", [False, True])
def test_prox_of_the_penalty(positive):
    penalty = ElasticNet(np.array([0.0, 0.5, 2.0, 0.5, np.inf]), positive, np.array([0.0, 0.0, 0.0, 3.0, 0.0]))
    grid = np.linspace(0 if positive else -4, 4, 80_001)
    for z in (-3.0, -0.4, 0.0, 0.3, 2.5):
        prox = penalty.prox(np.full(5, z))
        for j, (strength, ridge) in enumerate(zip(penalty.strength[:4], penalty.ridge, strict=False)):
            cost = (grid - z) ** 2 / 2 + strength * np.abs(grid) + ridge * grid**2 / 2
            assert prox[j] == pytest.approx(grid[np.argmin(cost)], abs=1e-3)
        assert prox[4] == 0.0


@pytest.mark.parametrize("positive", [False, True])
def test_fenchel_young_of_the_penalty(positive):
    penalty = ElasticNet(np.array([0.5, 0.5, 0.5]), positive)
    coef = np.array([2.0, 0.0, 1.0])
    slope = np.array([0.5, -0.3, 0.1])
    np.testing.assert_allclose(penalty.fenchel_young(coef, slope), 0.5 * np.abs(coef) - coef * slope)


@pytest.mark.parametrize("positive", [False, True])
def test_fenchel_young_of_a_ridge_is_value_plus_conjugate(positive):
    penalty = ElasticNet(np.array([0.5]), positive, np.array([2.0]))
    grid = np.linspace(0 if positive else -6, 6, 120_001)
    for coef in (0.0, 0.7, 1.5) if positive else (-2.0, 0.0, 0.7):
        for slope in (-3.0, -0.2, 0.0, 0.5, 4.0):
            conjugate = (grid * slope - 0.5 * np.abs(grid) - grid**2).max()
            expected = penalty.value(np.array([coef])) + conjugate - coef * slope
            found = penalty.fenchel_young(np.array([coef]), np.array([slope]))[0]
            assert found == pytest.approx(expected, abs=1e-6)
            assert found >= 0


def test_an_excluded_feature_costs_nothing_at_zero_and_everything_elsewhere():
    penalty = ElasticNet(np.array([np.inf, 1.0]))
    assert penalty.value(np.array([0.0, -2.0])) == 2.0
    assert penalty.value(np.array([1e-300, 0.0])) == np.inf
    np.testing.assert_array_equal(penalty.fenchel_young(np.array([0.0, 1.0]), np.array([9.0, 1.0])), [0.0, 0.0])
    assert penalty.overrun(np.array([1e9, 0.5])) == 1.0


@pytest.mark.parametrize("exponent", [-40, 0, 40])
def test_a_penalty_in_other_units(exponent):
    penalty = ElasticNet(np.array([0.5, 0.0]), False, np.array([2.0, 3.0]))
    unit, factor = 2.0 ** np.array([exponent, 3]), 2.0 ** (2 * exponent)
    coef = np.array([0.3, -2.0])
    assert penalty.rescaled(unit, factor).value(coef) == pytest.approx(penalty.value(unit * coef) / factor, rel=1e-14)


def test_equal_weights_have_the_middle_of_the_medians_interval_however_many_they_are():
    for n in [*range(2, 400, 2), 10_000, 123_456]:
        y = np.arange(float(n))
        for weight in (np.full(n, 1 / n), np.full(n, 3.0), np.repeat([0.0, 1e-3], [n // 2, n // 2])):
            wanted = (n - 1) / 2 if weight[0] else (3 * n / 2 - 1) / 2
            assert Absolute().location(y, weight) == wanted, n
