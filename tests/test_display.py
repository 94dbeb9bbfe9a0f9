"""Pictures say what the fits found: the data of their artists, drawn without a screen."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LassoCV, LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ladreg import (
    CertificateDisplay,
    ConformalQuantileRegressor,
    CVCurveDisplay,
    ElasticNetCDCV,
    IntervalDisplay,
    LADRegressor,
    LADRegressorCV,
    LassoCD,
    LassoCDCV,
    LassoCDIC,
    PathDisplay,
    QuantileProcessDisplay,
    QuantileRegressor,
    ResidualDisplay,
    StabilityDisplay,
    StabilitySelection,
    infer,
    lasso_path,
    quantile_process,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

X, y = load_diabetes(return_X_y=True, as_frame=True)
CV = LassoCDCV(cv=5, alphas=30).fit(X, y)
QUANTILES = QuantileRegressor(quantile=[0.2, 0.5, 0.8], alpha=0).fit(X, y)


@pytest.fixture(autouse=True)
def _no_figure_stays():
    yield
    plt.close("all")


def drawn():
    """One display of each class, not drawn yet."""
    intervals = np.column_stack([y - 1, y + 1])
    return [
        PathDisplay.from_estimator(CV),
        CVCurveDisplay.from_estimator(CV),
        QuantileProcessDisplay(QUANTILES.quantile, QUANTILES.coef_[:, :1]),
        ResidualDisplay(y, QUANTILES.predict(X)[:, 1]),
        IntervalDisplay(y, intervals),
        StabilityDisplay([[0.1, 0.2], [0.5, 0.9]], 0.6, alphas=[1.0, 0.5]),
        CertificateDisplay.from_estimator(QUANTILES),
    ]


@pytest.mark.parametrize("k", range(7))
@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_a_display_draws_into_the_axes_given_or_a_figure_of_its_own(k, style):
    with plt.style.context(style):
        display, (_, ax) = drawn()[k], plt.subplots()
        assert display.plot(ax=ax) is display
        assert display.ax_ is ax
        assert display.figure_ is ax.figure
        display.plot().figure_.canvas.draw()
        assert display.ax_ is not ax


def test_a_path_shows_its_coefficients_and_marks_both_choices():
    display = PathDisplay.from_estimator(CV).plot(n_labels=3, lw=4)
    for line, coef in zip(display.lines_, CV.coef_path_, strict=True):
        assert np.array_equal(line.get_ydata(), coef)
        assert np.array_equal(line.get_xdata(), CV.alphas_)
    largest = np.argsort(-np.abs(CV.coef_path_).max(axis=1))[:3]
    assert [label.get_text() for label in display.labels_] == list(X.columns[largest])
    assert [line.get_linewidth() == 4 for line in display.lines_] == [j in largest for j in range(10)]
    assert [line.get_xdata()[0] for line in display.chosen_] == [CV.alpha_1se_, CV.alpha_min_]
    counts = [int(label.get_text()) for label in display.counts_.get_xticklabels()]
    assert counts == [np.count_nonzero(CV.coef_path_[:, CV.alphas_ == a]) for a in display.counts_.get_xticks()]


def test_a_path_from_a_function_leaves_alpha_zero_out_of_a_logarithmic_axis():
    path = lasso_path(X, y, alphas=[1.0, 0.1, 0.0], fit_intercept=True)
    display = PathDisplay.from_path(path, names=X.columns, chosen={"a": 0.1, "b": 0.1, "none": 0.0}).plot()
    display.figure_.canvas.draw()
    assert display.ax_.get_xlim() == (1.0, 0.1)
    assert len(display.chosen_) == 1


def test_a_chosen_criterion_and_a_chosen_ratio_have_paths():
    display = PathDisplay.from_estimator(LassoCDIC(alphas=5).fit(X, y)).plot()
    assert len(display.chosen_) == 1
    model = ElasticNetCDCV(l1_ratio=[0.5, 0.9], alphas=6, eps=1e-5, cv=3).fit(X, y)
    display = CVCurveDisplay.from_estimator(model).plot()
    assert display.smallest_.get_xdata()[0] == model.alpha_min_
    assert np.array_equal(PathDisplay.from_estimator(model).coefs, model.coef_path_)


@pytest.mark.parametrize("scoring", [None, "neg_median_absolute_error"])
def test_the_points_of_a_curve_are_what_cross_validation_offers(scoring):
    model = LADRegressorCV(alphas=8, cv=4, scoring=scoring).fit(X, y)
    display = CVCurveDisplay.from_estimator(model).plot()
    losses = model.mae_path_ if scoring is None else model.scores_path_
    assert np.array_equal(display.mean_.get_ydata(), losses.mean(axis=1))
    assert np.array_equal(np.array([fold.get_ydata() for fold in display.folds_]).T, losses)
    assert display.smallest_.get_xdata()[0] == model.alpha_min_
    assert display.sparsest_.get_xdata()[0] == model.alpha_1se_
    assert display.sparsest_.get_xdata()[0] >= display.smallest_.get_xdata()[0]


def test_a_curve_of_scikit_learns_lasso():
    model = LassoCV(cv=5, alphas=10).fit(X, y)
    display = CVCurveDisplay.from_estimator(model).plot()
    assert display.smallest_.get_xdata()[0] == model.alpha_


def test_quantiles_have_the_intervals_of_infer_and_least_squares_beside_them():
    display = QuantileProcessDisplay.from_estimator(QUANTILES, X, y, features=["bmi", 3], method="iid").plot()
    ends = infer(QUANTILES, X, y, method="iid").conf_int()[:, [3, 4]]
    assert np.array_equal(display.intervals, ends)
    line = LinearRegression().fit(X, y)
    for k, j in enumerate([2, 3]):
        assert np.array_equal(display.lines_[k].get_ydata(), QUANTILES.coef_[:, j])
        assert display.least_squares_[k].get_ydata()[0] == pytest.approx(line.coef_[j])
        assert display.axes_[k].get_title(loc="left") == X.columns[j]
        corners = display.bands_[k].get_paths()[0].vertices
        assert corners[:, 1].min() == ends[:, k, 0].min()
        assert corners[:, 1].max() == ends[:, k, 1].max()


def test_a_quantile_process_is_drawn_in_steps():
    process = quantile_process(X[["bmi"]].to_numpy()[:30], y.to_numpy()[:30])
    line = QuantileProcessDisplay.from_path(process, names=["bmi"]).plot().lines_[0]
    assert line.get_drawstyle() == "steps-post"
    assert np.array_equal(line.get_xdata(), process[0])
    assert np.array_equal(line.get_ydata()[:-1], process[1][0])


def test_residuals_flag_outliers_and_rows_that_are_fitted_exactly():
    rng = np.random.default_rng(0)
    table = rng.uniform(0, 10, (60, 1))
    target = 3 + 2 * table[:, 0] + rng.standard_normal(60)
    target[:6] += 30
    model = LADRegressor().fit(table, target)
    display = ResidualDisplay.from_estimator(model, table, target).plot()
    assert np.array_equal(np.sort(display.outliers_.get_ydata()), np.sort((target - model.predict(table))[:6]))
    assert len(display.exact_.get_ydata()) == 2
    assert sum(len(one.get_ydata()) for one in (display.points_, display.outliers_, display.exact_)) == 60
    assert display.scale == pytest.approx(1.4826 * np.median(np.abs(target - model.predict(table))))


def test_where_most_rows_are_fitted_exactly_the_others_are_outliers():
    display = ResidualDisplay.from_predictions([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.1])
    assert np.array_equal(display.is_outlier, [False, False, False, True])
    assert ResidualDisplay.from_predictions([0.0, 2.0], [0.0, 2.0]).is_exact.all()


def test_intervals_hold_what_they_say():
    model = ConformalQuantileRegressor(coverage=0.8, random_state=0).fit(X[:300], y[:300])
    display = IntervalDisplay.from_estimator(model, X[300:], y[300:], feature="bmi").plot()
    low, high = model.predict_interval(X[300:]).T
    inside = (low <= y[300:]) & (y[300:] <= high)
    assert display.coverage == inside.mean()
    assert len(display.inside_.get_ydata()) == inside.sum()
    assert np.array_equal(display.outside_.get_xdata(), X["bmi"][300:][~inside])
    ends = np.array([segment[:, 1] for segment in display.intervals_.get_segments()])
    assert np.array_equal(ends, np.column_stack([low, high]))


def test_intervals_come_from_pipelines_and_from_quantiles():
    conformal = ConformalQuantileRegressor(random_state=0)
    pipeline = make_pipeline(StandardScaler(), conformal).fit(X, y)
    assert np.array_equal(
        IntervalDisplay.from_estimator(pipeline, X, y).intervals, pipeline.predict(X, return_interval=True)[1]
    )
    lines = QUANTILES.predict(X)
    display = IntervalDisplay.from_estimator(QUANTILES, X, y)
    assert np.array_equal(display.intervals, np.sort(lines, axis=1)[:, [0, 2]])
    middles = display.plot().intervals_.get_segments()
    order = np.argsort([segment[0, 0] for segment in middles])
    assert np.all(np.diff([middles[k][:, 1].mean() for k in order]) >= -1e-9)


def test_pipelines_are_drawn_as_their_last_step():
    def piped(model):
        return make_pipeline(StandardScaler(), model).fit(X, y)

    chosen = piped(LassoCDCV(cv=5, alphas=30))
    path = PathDisplay.from_estimator(chosen)
    assert path.names == list(X.columns)
    assert np.array_equal(path.coefs, chosen[-1].coef_path_)
    assert np.array_equal(CVCurveDisplay.from_estimator(chosen).losses, chosen[-1].mse_path_)
    assert list(CertificateDisplay.from_estimator(chosen).certificates) == ["LassoCDCV"]
    selector = piped(StabilitySelection(max_features_per_fit=3, n_pairs=5, random_state=0))
    assert StabilityDisplay.from_estimator(selector).names == list(X.columns)
    quantiles = piped(QuantileRegressor(quantile=[0.25, 0.75], alpha=0))
    drawn = QuantileProcessDisplay.from_estimator(quantiles, X, y)
    assert drawn.names == list(X.columns)
    line = LinearRegression().fit(StandardScaler().fit_transform(X), y)
    np.testing.assert_allclose(drawn.least_squares, line.coef_)


@pytest.mark.parametrize("alphas", [4, None])
def test_stability_names_what_is_selected(alphas):
    base = LassoCD(alpha=5.0)
    selector = StabilitySelection(base, alphas=alphas, n_pairs=5, random_state=0).fit(X, y)
    display = StabilityDisplay.from_estimator(selector).plot()
    assert np.array_equal(display.selected, selector.get_support(indices=True))
    assert {label.get_text().strip() for label in display.labels_} == set(X.columns[display.selected])
    if alphas is None:
        assert np.array_equal([bar.get_width() for bar in display.lines_], selector.selection_probabilities_)
    else:
        for line, path in zip(display.lines_, selector.stability_paths_, strict=True):
            assert np.array_equal(line.get_ydata(), path)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_bars_are_as_long_as_digits_are_proved():
    early = LassoCD(alpha=1e-4, max_iter=1).fit(X**2, y).certificate_
    fits = {"early": early, "median": LADRegressor().fit(X, y).certificate_}
    display = CertificateDisplay(fits).plot()
    wanted = [min(max(-np.log10(max(one.relative_gap, 1e-16)), 0), 16) for one in fits.values()]
    assert np.allclose([bar.get_width() for bar in display.bars_], wanted, rtol=1e-12)
    assert 0 < wanted[0] < 12 < wanted[1]
    assert list(CertificateDisplay.from_estimator(QUANTILES).certificates) == [
        "quantile 0.2",
        "quantile 0.5",
        "quantile 0.8",
    ]
    two = LADRegressor().fit(X, np.column_stack([y, -y]))
    assert list(CertificateDisplay.from_estimator(two).certificates) == ["target 0", "target 1"]
    assert list(CertificateDisplay.from_estimator(CV).certificates) == ["LassoCDCV"]


def test_labels_at_lines_do_not_overlap():
    paths = 0.9 + 0.001 * np.arange(6)[:, None] + np.zeros((6, 2))
    display = StabilityDisplay(paths, 0.6, alphas=[2.0, 1.0]).plot()
    display.figure_.canvas.draw()
    boxes = sorted((label.get_window_extent() for label in display.labels_), key=lambda box: box.y0)
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))
    assert boxes[-1].y1 <= display.ax_.get_window_extent().y1 + boxes[-1].height


REFUSED = {
    "coefs must have shape": lambda: PathDisplay([1.0, 0.5], np.ones((3, 4))),
    "names must have 3 entries, got 1": lambda: PathDisplay([1.0], np.ones((3, 1)), names=["a"]),
    "alphas must have an entry above zero": lambda: PathDisplay([0.0], np.ones((3, 1))),
    "n_labels must be": lambda: PathDisplay([1.0], np.ones((3, 1))).plot(n_labels=0),
    "LassoCD has no path": lambda: PathDisplay.from_estimator(LassoCD().fit(X, y)),
    "LassoCD has no stability paths": lambda: StabilityDisplay.from_estimator(LassoCD().fit(X, y)),
    "LassoCV has no certificate": lambda: CertificateDisplay.from_estimator(LassoCV().fit(X, y)),
    "LassoCDIC has no cross-validated losses": lambda: CVCurveDisplay.from_estimator(LassoCDIC(alphas=3).fit(X, y)),
    "losses must have shape": lambda: CVCurveDisplay([1.0, 0.5], np.ones((3, 4))),
    "several quantiles": lambda: QuantileProcessDisplay.from_estimator(LADRegressor().fit(X, y), X, y),
    "'bmi2', which is not": lambda: QuantileProcessDisplay.from_estimator(QUANTILES, X, y, features=["bmi2"]),
    "ax must be 2 axes": lambda: QuantileProcessDisplay([0.5], [[1, 2]]).plot(ax=plt.gca()),
    "y_pred must have shape": lambda: ResidualDisplay(y, y[:-1]),
    "threshold must be": lambda: ResidualDisplay(y, y, threshold=0),
    "intervals must have shape": lambda: IntervalDisplay(y, y),
    "predicts one number": lambda: IntervalDisplay.from_estimator(CV, X, y),
    "index of a column": lambda: IntervalDisplay.from_estimator(QUANTILES, X.to_numpy(), y, feature="bmi"),
    "certificates must have": lambda: CertificateDisplay({}),
    "paths must have shape": lambda: StabilityDisplay([[0.5]], 0.6, alphas=[1.0, 2.0]),
}


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("message", REFUSED)
def test_what_makes_no_picture_is_refused(message):
    with pytest.raises(ValueError, match=message):
        REFUSED[message]()


def test_without_matplotlib_there_is_the_command_that_installs_it(monkeypatch):
    display = ResidualDisplay([1.0], [2.0])
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r"matplotlib is needed for this: pip install 'ladreg\[plot\]'"):
        display.plot()
