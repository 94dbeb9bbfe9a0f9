"""The path functions: other people's answers, what they return and refuse, and data with nothing to be learnt."""

import inspect
import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning

from ladreg import (
    PathDisplay,
    combined_path,
    enet_path,
    huber_path,
    lad_path,
    lasso_path,
    quantile_path,
    quantile_process,
)

# x, y: load_diabetes; u = y / sqrt(mean((y - mean(y))^2)); v = y / sqrt(mean(y^2)), since these are glmnet's units;
# w = rep(1:3, length.out = 442); f = c(0, rep(1, 8), 2). glmnet 4.1-6; the last column of each, its intercept first:
# Rscript -e 'library(glmnet); coef(glmnet(x, y, thresh = 1e-14, maxit = 1e7, standardize = FALSE, ...))' with
# lambda = c(2, .5, .05); with standardize = TRUE, weights = w, lambda = c(10, 2, .5); with lambda = c(2, .5),
# penalty.factor = f, lower.limits = 0; with u, alpha = .5, lambda = c(.01, .001); with v and that, intercept = FALSE.
GLMNET = {
    "lasso": (
        {"l1_ratio": 1.0, "alphas": [2.0, 0.5, 0.05]},
        "152.133484162896 0 -194.043095300462 521.827932384847 295.223385230265 -99.4492582080145 0"
        " -222.7181143576259 0 512.05068459610993 52.922425024217",
    ),
    "weighted, standardized": (
        {"l1_ratio": 1.0, "alphas": [10.0, 2.0, 0.5], "standardize": True, "weighted": True},
        "152.594107369045 -3.75848738533663 -181.507095397662 521.300904775260 281.136021318943 -149.2157454916147 0"
        " -186.6013598086867 72.7426590354194 498.168053134672 61.8249271072152",
    ),
    "factors, positive": (
        {"l1_ratio": 1.0, "alphas": [2.0, 0.5], "positive": True, "penalty_weights": [0] + [1] * 8 + [2]},
        "152.133484162896 62.4766123824636 0 484.99206970887 117.474927483605 0 0 0 0 415.613886893605 0",
    ),
    "elastic net": (
        {"l1_ratio": 0.5, "alphas": [0.01, 0.001], "unit": 77.00574586945044},
        "1.97561211108599 0 -1.99371614952389 5.79622977456061 3.50457161122563 -0.256652527443053"
        " -0.788565239161012 -2.494243474772311 1.15641851526707 5.0308498040524 1.16624035441801",
    ),
    "without intercept": (
        {"l1_ratio": 0.5, "alphas": [0.01, 0.001], "unit": 170.51240981363347, "fit_intercept": False},
        "0 0 -0.730237022877561 2.584209315033906 1.492401883960027 0 -0.201086271873192 -1.133640442829595"
        " 0.310259723473604 2.236178772530554 0.454589177656648",
    ),
}


@pytest.mark.parametrize("case", GLMNET)
@pytest.mark.parametrize("precompute", [True, False])
def test_the_answers_are_glmnets(case, precompute):
    X, y = load_diabetes(return_X_y=True)
    chosen, expected = GLMNET[case]
    options = {"fit_intercept": True, **chosen}
    weight = np.resize([1.0, 2.0, 3.0], y.size) if options.pop("weighted", False) else np.ones(y.size)
    y = y / options.pop("unit", 1.0)
    _, coefs, _ = enet_path(X, y, precompute=precompute, sample_weight=weight, **options)
    found = np.average(y - X @ coefs[:, -1], weights=weight) if options["fit_intercept"] else 0.0
    np.testing.assert_allclose([found, *coefs[:, -1]], np.array(expected.split(), float), rtol=2e-5, atol=1e-9)


@pytest.mark.parametrize("shape", [(60, 8), (25, 70)], ids=str)
@pytest.mark.parametrize("positive", [True, False])
def test_what_is_returned_is_what_scikit_learn_returns(shape, positive):
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    pairs = [
        (lasso_path, sklearn.linear_model.lasso_path, {}),
        (enet_path, sklearn.linear_model.enet_path, {"l1_ratio": 0.4}),
        (enet_path, sklearn.linear_model.enet_path, {"l1_ratio": 0.9, "eps": 1e-2}),
        (
            lasso_path,
            sklearn.linear_model.lasso_path,
            {"precompute": X.T @ X, "Xy": X.T @ y, "coef_init": np.ones(shape[1])},
        ),
    ]
    for ours, theirs, options in pairs:
        for alphas in (100, [0.02, 0.5, 0.1]):
            common = {"positive": positive, "return_n_iter": True, "alphas": alphas, "copy_X": True, **options}
            if alphas == 100 and inspect.signature(theirs).parameters["alphas"].default is None:
                common["alphas"] = None  # before 1.9
            found = ours(X, y, tol=1e-10, max_iter=1000, verbose=False, **common)
            expected = theirs(X, y, tol=1e-12, max_iter=100_000, **common)
            assert [type(one) for one in found] == [type(one) for one in expected]
            assert [np.shape(one) for one in found] == [np.shape(one) for one in expected]
            np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
            np.testing.assert_allclose(found[1], expected[1], rtol=1e-4, atol=2e-5)
            assert found[1].dtype == expected[1].dtype
            assert np.all(found[2] <= expected[2] + 1e-9)
            assert len(ours(X, y, alphas=common["alphas"])) == 3


@pytest.mark.parametrize("path", [lasso_path, enet_path])
def test_parameters_are_scikit_learns(path):
    ours = inspect.signature(path).parameters
    theirs = inspect.signature(getattr(sklearn.linear_model, path.__name__)).parameters
    for name, parameter in theirs.items():
        if parameter.kind is not parameter.VAR_KEYWORD:
            assert ours[name].kind is parameter.kind
    assert set(ours) >= {"tol", "max_iter", "selection", "random_state", "sample_weight"}  # keywords that they hand on


@pytest.mark.parametrize("name", ["lasso_path", "enet_path"])
@pytest.mark.parametrize(
    "options",
    [
        {"n_alphas": 20},
        {"n_alphas": 20, "alphas": [0.1, 0.02]},
        {"alphas": 5, "selection": "random", "random_state": 0},
        {"alphas": 5, "tol": 1e-9, "max_iter": 5000},
    ],
    ids=str,
)
@pytest.mark.parametrize("column", [False, True])
@pytest.mark.filterwarnings("ignore:'n_alphas':FutureWarning")
def test_calls_of_scikit_learns_functions_give_what_they_give(name, options, column):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 5))
    y = X[:, 0] + rng.standard_normal(40)
    y = y[:, None] if column else y
    former = inspect.signature(sklearn.linear_model.lasso_path).parameters["alphas"].default is None
    if isinstance(options.get("alphas"), int) and former:
        pytest.skip("a number of alphas is new in scikit-learn 1.9")
    expected = getattr(sklearn.linear_model, name)(X, y, **{"tol": 1e-9, "max_iter": 100_000, **options})
    found = {"lasso_path": lasso_path, "enet_path": enet_path}[name](X, y, **options)
    assert [np.shape(one) for one in found] == [np.shape(one) for one in expected]
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-3, atol=1e-5)


RNG = np.random.default_rng(3)
TABLE = RNG.standard_normal((40, 5))
BOTH = np.column_stack([TABLE @ [1.0, -2.0, 0, 0, 0] + RNG.laplace(size=40), 9 * TABLE[:, 2] + RNG.laplace(size=40)])
CALLS = [
    (lasso_path, {"fit_intercept": True, "penalty_weights": "adaptive"}),
    (enet_path, {"l1_ratio": 0.5, "max_features": 2, "return_intercept": True, "return_n_iter": True}),
    (lad_path, {}),
    (lad_path, {"method": "knots", "eps": 0.3, "max_features": 2}),
    (quantile_path, {"quantile": 0.3, "penalty_weights": "adaptive"}),
    (huber_path, {"l1_ratio": 0.5}),
    (combined_path, {}),
]


@pytest.mark.parametrize(("path", "options"), CALLS, ids=lambda given: getattr(given, "__name__", str(given)))
def test_each_target_has_the_path_that_it_has_alone(path, options):
    """Grids and paths of one target may end earlier; numbers are the same bits."""
    grid = {} if "method" in options else {"alphas": 6, "eps": 0.05}
    own = path(TABLE, BOTH, alpha_per_target=True, **grid, **options)
    shared = path(TABLE, BOTH, **grid, **options)
    assert shared[0].ndim == 1
    assert own[1].shape[:2] == shared[1].shape[:2] == (2, 5)
    for k, target in enumerate(BOTH.T):
        alone = path(TABLE, target, **grid, **options)
        for found, expected in zip(own, alone, strict=True):
            found, size = np.asarray(found[k]), np.shape(expected)[-1]
            np.testing.assert_array_equal(found[..., :size], expected)
            assert np.all(np.isnan(found[..., size:].astype(float)))
        if grid:
            alone = path(TABLE, target, **{**options, "alphas": shared[0], "max_features": None})
            for found, expected in zip(shared[1:], alone[1:], strict=True):
                np.testing.assert_array_equal(found[k], expected)
        else:  # each solution is that of the target's own path in the same range of alphas
            place = np.searchsorted(-alone[0], -shared[0], side="left")
            inside = place < alone[0].size
            np.testing.assert_array_equal(shared[1][k][:, inside], alone[1][:, place[inside]])
    assert np.count_nonzero(shared[1], axis=1).max() <= options.get("max_features", 5)


def test_quantiles_of_several_targets():
    quantiles, coefs, intercepts, gaps = lad_path(TABLE, BOTH, quantiles=[0.2, 0.7])
    assert coefs.shape == (2, 5, 2)
    for k, target in enumerate(BOTH.T):
        alone = lad_path(TABLE, target, quantiles=[0.2, 0.7])
        for found, expected in zip((quantiles, coefs[k], intercepts[k], gaps[k]), alone, strict=True):
            np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match=r"y must have one target, got 2: .* Call quantile_process for each"):
        quantile_process(TABLE, BOTH)


def test_pictures_of_several_targets():
    path = lad_path(TABLE, BOTH, method="knots", eps=0.3, alpha_per_target=True)
    for k, target in enumerate(BOTH.T):
        shown = PathDisplay.from_path(path, target=k)
        expected = lad_path(TABLE, target, method="knots", eps=0.3)
        np.testing.assert_array_equal(shown.alphas, expected[0])
        np.testing.assert_array_equal(shown.coefs, expected[1])
    with pytest.raises(ValueError, match="target must be the number of a column of y from 0 to 1, got None"):
        PathDisplay.from_path(path)
    with pytest.raises(ValueError, match="target must be the number of a column of y from 0 to 0, got 1"):
        PathDisplay.from_path(lad_path(TABLE, BOTH[:, 0], alphas=3), target=1)


@pytest.mark.parametrize(("path", "options"), [*CALLS, (lad_path, {"quantiles": [0.2, 0.7]}), (quantile_process, {})])
def test_verbose_says_a_line(path, options, capsys):
    number = {} if "method" in options or "quantiles" in options or path is quantile_process else {"alphas": 3}
    path(TABLE, BOTH[:, 0], **number, **options)
    assert not capsys.readouterr().out
    path(TABLE, BOTH[:, 0], verbose=True, **number, **options)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert re.fullmatch(r"\d+ (alphas|quantiles|solutions), largest gap .* \(relative\)", lines[0])
    if path is not quantile_process:
        path(TABLE, BOTH, verbose=True, **number, **options)
        assert [line[:10] for line in capsys.readouterr().out.splitlines()] == ["target 0: ", "target 1: "]


class Recorder:
    """A callback that records tasks and the coefficients of each point of a path."""

    def __init__(self):
        self.begun, self.ended, self.others, self.coefs = [], [], [], []

    def setup(self, **_):
        self.others.append("setup")

    def teardown(self, **_):
        self.others.append("teardown")

    def on_fit_task_begin(self, _estimator, context):
        self.begun.append((context.task_name, context.task_id, context.max_subtasks))

    def on_fit_task_end(self, _estimator, context, *, X, y, fitted_estimator):
        self.ended.append((context.task_name, context.task_id, context.max_subtasks))
        if context.task_name == "alpha":
            self.coefs.append(fitted_estimator.coef_)
            assert np.isfinite(fitted_estimator.score(X, y))


@pytest.mark.parametrize(("path", "options"), [*CALLS, (lad_path, {"quantiles": [0.2, 0.7]}), (quantile_process, {})])
def test_callbacks_are_told_of_each_alpha(path, options):
    pytest.importorskip("sklearn.callback")
    options = {name: value for name, value in options.items() if name != "max_features"}
    number = {} if "method" in options or "quantiles" in options or path is quantile_process else {"alphas": 3}
    targets = BOTH if number else BOTH[:, 0]
    recorder = Recorder()
    found = path(TABLE, targets, callbacks=[recorder], **number, **options)
    size = 6 if number else 0
    alphas = [("alpha", k, 0) for k in range(size)]
    name = "fit" if "quantiles" in options else "path"
    assert recorder.begun == [(name, 0, size), *alphas]
    assert recorder.ended == [*alphas, (name, 0, size)]
    assert recorder.others == ["setup", "teardown"]
    if number:
        coefs = np.concatenate([one.T for one in found[1]])
        np.testing.assert_array_equal(recorder.coefs, coefs)
    for one, other in zip(found, path(TABLE, targets, **number, **options), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ValueError, match="tol must be"):
        path(TABLE, targets, callbacks=[recorder], tol=-1.0, **number, **options)
    assert recorder.others in (["setup", "teardown"], ["setup", "teardown"] * 2)


def test_too_few_steps_are_told():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((100, 300)), rng.standard_normal(100)
    for path in (lasso_path, enet_path):
        with pytest.warns(ConvergenceWarning, match="did not reach tol") as told:
            _, coefs, gaps = path(X, y, alphas=8, max_iter=1)
        assert told[0].filename == __file__
        assert np.isfinite(coefs).all()
        assert np.isfinite(gaps).all()


ONES = np.ones((8, 1))
NOTHING = {
    "zeros": (0 * ONES, np.arange(8.0)),
    "threes": (np.full((8, 2), 3.0), np.arange(8.0)),
    "constant target": (np.eye(8, 3), np.full(8, 0.1)),
    "zero target": (np.eye(8, 3), np.zeros(8)),
    "ones": (ONES, np.array([3.0, 2, 2, 1, 1, 0, 0, 0])),
    "two rows": (ONES[:2], np.array([3.0, 2.0])),
}


@pytest.mark.parametrize("case", NOTHING)
@pytest.mark.parametrize("weights", [[1.0], [1, 2], [1, 3, 3, 0, 3, 2, 3, 0], [0.1, 0.7]], ids=str)
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_nothing_to_be_learnt(case, weights, storage):
    X, y = NOTHING[case]
    weight = np.resize(weights, y.size)
    for path in (lasso_path, lad_path, enet_path):
        alphas, coefs, *_, gaps = path(storage(X), y, alphas=4, fit_intercept=True, sample_weight=weight)
        assert alphas.shape == (4,)
        assert np.all(alphas > 0)
        assert not coefs.any()
        assert gaps.max() < 1e-9


def test_features_without_penalty_leave_nothing_to_the_others():
    X, y = np.array([[0.1, -0.1, 0.6], [0.1, -0.5, 0.4]]), np.array([0.9, -0.7])
    _, coefs, gaps = lasso_path(
        X, y, alphas=4, penalty_weights=[1, 0, np.inf], fit_intercept=True, sample_weight=[2, 1]
    )
    np.testing.assert_allclose(X @ coefs - (X @ coefs)[1], (y - y[1])[:, None] @ np.ones((1, 4)), atol=1e-12)
    assert gaps.max() < 1e-12


@pytest.mark.parametrize("shape", [(20, 3), (10, 30)], ids=str)
@pytest.mark.parametrize("precompute", ["auto", True, False])
def test_least_squares_alone(shape, precompute):
    X, y = np.random.default_rng(0).standard_normal(shape), np.arange(float(shape[0]))
    _, coefs, gaps = lasso_path(X, y, alphas=[0.0], precompute=precompute)
    np.testing.assert_allclose(coefs[:, 0], np.linalg.lstsq(X, y)[0], rtol=1e-6, atol=1e-8)
    assert gaps[0] < 1e-8


def test_a_sparse_column_of_ones_is_of_deviation_one():
    y = np.array([3.0, 2, 2, 1, 1, 0, 0, 0, 0, 3, 2, 3, 2, 2, 3, 2, 2, 2])
    weight = np.array([3, 3, 1, 2, 3, 2, 3, 2, 2, 1, 3, 0, 3, 2, 3, 2, 1, 1])
    paths = [
        lasso_path(storage(np.ones((18, 1))), y, alphas=5, standardize=True, sample_weight=weight)
        for storage in (np.asarray, sp.csc_array, sp.csr_array)
    ]
    for other in paths[1:]:
        np.testing.assert_allclose(other[0], paths[0][0], rtol=1e-12)
        np.testing.assert_allclose(other[1], paths[0][1], rtol=1e-9)


def test_one_row():
    _, coefs, gaps = lasso_path(np.ones((1, 3)), [2.0], fit_intercept=True)
    assert not coefs.any()
    _, coefs, _ = lasso_path(np.ones((1, 3)), [2.0], alphas=[0.5])
    np.testing.assert_allclose(coefs[:, 0], 0.5, rtol=1e-12)  # 3 b = 2 - 0.5 in all
    assert gaps.max() < 1e-14


@pytest.mark.parametrize("path", [lasso_path, enet_path, lad_path])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphas": [1.0, -0.1]}, r"alphas\[1\] must be .* >= 0, got -0.1"),
        ({"alphas": [np.nan]}, r"alphas\[0\]"),
        ({"alphas": [np.inf]}, r"alphas\[0\]"),
        ({"alphas": []}, "alphas must be between 1 and"),
        ({"alphas": 10**12}, "alphas must be between 1 and"),
        ({"alphas": 0}, "alphas must be"),
        ({"alphas": 2.5}, "alphas must be"),
        ({"alphas": True}, "alphas must be"),
        ({"alphas": "all"}, "alphas must be"),
        ({"alphas": [[1.0, 2.0]]}, "alphas"),
        ({"alphas": ["a"]}, "alphas"),
        ({"eps": 0.0}, "eps must be"),
        ({"eps": -1.0}, "eps must be"),
        ({"eps": np.nan}, "eps must be"),
        ({"tol": -1.0}, "tol must be"),
        ({"max_iter": 0}, "max_iter must be"),
        ({"positive": "yes"}, "positive must be"),
        ({"fit_intercept": None}, "fit_intercept must be"),
        ({"penalty_weights": [1.0]}, "penalty_weights must have shape"),
        ({"sample_weight": -np.ones(20)}, "sample_weight"),
        ({"sample_weight": np.zeros(20)}, "sample_weight"),
    ],
    ids=str,
)
def test_parameters_that_make_no_sense(path, options, message):
    X, y = np.eye(20)[:, :3], np.arange(20.0)
    with pytest.raises(ValueError, match=message):
        path(X, y, **options)


def test_more_that_makes_no_sense():
    X, y = np.eye(20)[:, :3], np.arange(20.0)
    for path in (lasso_path, enet_path, lad_path):
        with pytest.raises(ValueError, match="NaN"):
            path(np.where(X == 1, np.nan, X), y)
        with pytest.raises(TypeError, match="unknown"):
            path(X, y, unknown=1)
    with pytest.raises(ValueError, match="return_n_iter"):
        lasso_path(X, y, return_n_iter=2)
    with pytest.raises(ValueError, match="precompute"):
        lasso_path(X, y, precompute="perhaps")
    with pytest.raises(ValueError, match="l1_ratio"):
        enet_path(X, y, l1_ratio=1.5)
    with pytest.raises(ValueError, match="l1_ratio"):
        enet_path(X, y, l1_ratio=0.0)
    with pytest.raises(ValueError, match="quantile"):
        lad_path(X, y, quantiles=[0.5, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert enet_path(X, y, l1_ratio=0.0, alphas=[1.0])[1].shape == (3, 1)
