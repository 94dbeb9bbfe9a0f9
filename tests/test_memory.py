"""Peak memory of fits, by counting allocations: tracemalloc knows of every array of NumPy's.

`python -m tests.test_memory` prints the table of docs/benchmarks.md.

A peak below the size of X says too that no array of X's size is made. What is not counted: the kernels ask C for
vectors of one number or five a feature, and where rows repeat for a hash table of at most four numbers a row; LAPACK
and HiGHS have work space of their own.
"""

import gc
import pickle
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from ladreg import (
    CombinedLossRegressor,
    CombinedLossRegressorCV,
    ConformalQuantileRegressor,
    ElasticNetCD,
    ElasticNetCDCV,
    HuberLossRegressor,
    HuberLossRegressorCV,
    LADRegressor,
    LADRegressorCV,
    LADRegressorIC,
    LassoCD,
    LassoCDCV,
    LassoCDIC,
    QuantileRegressor,
    QuantileRegressorCV,
    QuantileRegressorIC,
    StabilitySelection,
    combined_path,
    huber_path,
    lad_path,
    lasso_path,
)
from tests.benchmarks.harness import heading
from tests.public import classes

# Rows enough for blocks, which are of 8 MB, to be an eighth of X; and for blocks of residuals, which are of 32 MB.
N_ROWS, MANY, N_COLUMNS = 400_000, 1_000_000, 20

# The largest peak beyond X, as a part of X, a fifth above what was measured and at most one.
SINGLE = [
    (LADRegressor(), 0.46),
    (LADRegressor(alpha=0.1), 0.46),
    (QuantileRegressor(quantile=0.2, alpha=0), 0.46),
    (QuantileRegressor(quantile=[0.2, 0.5, 0.8], alpha=0), 0.65),
    (HuberLossRegressor(), 0.56),
    (CombinedLossRegressor(), 0.76),
    (CombinedLossRegressor(alpha=0.1), 1.0),
    (HuberLossRegressor(alpha=0.1), 0.56),
    (LassoCD(alpha=0.1), 0.36),
    (LassoCD(alpha=0.1, standardize=True), 0.37),
    (ElasticNetCD(alpha=0.1), 0.36),
]
TUNED = [
    (LassoCDCV(alphas=8), 0.85),
    (ElasticNetCDCV(alphas=8), 0.79),
    (LADRegressorIC(alphas=3), 1.0),
    (QuantileRegressorIC(alphas=3), 1.0),
]
# The losses of all alphas are computed a block of residuals at a time.
OF_BLOCKS = [(LassoCDIC(alphas=8), 0.91)]
# These gather the rows of a fold, or of a half: the second number is the part of X that it is.
GATHERING = [
    (LADRegressorCV(alphas=3), 0.95),
    (QuantileRegressorCV(alphas=3), 0.95),
    (HuberLossRegressorCV(alphas=3), 0.95),
    (CombinedLossRegressorCV(alphas=3), 0.95),
    (StabilitySelection(alphas=3, n_pairs=2, random_state=0), 0.5),
    (ConformalQuantileRegressor(random_state=0), 0.5),
]


def noise(n_samples, n_features):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_samples, n_features))
    return X, X[:, :5] @ np.array([1.0, -2.0, 3.0, 0.5, -0.1]) + rng.standard_t(2, n_samples)


@pytest.fixture(scope="module")
def many():
    return noise(MANY, N_COLUMNS)


@pytest.fixture(scope="module")
def tall(many):
    return tuple(part[:N_ROWS] for part in many)


@pytest.fixture(scope="module")
def columns(tall):
    return np.asfortranarray(tall[0]), tall[1]


def counted(call):
    """Bytes at the peak of a call, and those that it leaves behind where the garbage collector does not come."""
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        kept = call()
        left, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()
    del kept
    return peak, left


def beyond(model, X, y):
    """The peak of a fit beyond X, as a part of X; what stays is the fitted model."""
    fitted = clone(model)
    peak, left = counted(lambda: fitted.fit(X, y))
    assert left < 0.01 * X.nbytes + 2 * len(pickle.dumps(fitted)), "a fit holds on to its data"
    return peak / X.nbytes


def test_every_estimator_is_measured():
    assert {type(model) for model, _ in SINGLE + TUNED + OF_BLOCKS + GATHERING} == set(classes())


def test_large_arrays_are_counted():
    """The guard of the tests below: NumPy tells tracemalloc of its arrays, and of those it frees at once."""
    peak, left = counted(lambda: np.ones((1000, 1000)).copy().sum())
    assert 16e6 <= peak < 16.2e6
    assert left < 1e5


@pytest.mark.parametrize(("model", "limit"), SINGLE + TUNED, ids=repr)
def test_a_fit_needs_less_than_x_again(model, limit, tall):
    assert beyond(model, *tall) < limit <= 1.0


@pytest.mark.parametrize(("model", "limit"), OF_BLOCKS, ids=repr)
def test_blocks_of_residuals_are_less_than_x(model, limit, many):
    assert beyond(model, *many) < limit <= 1.0


@pytest.mark.parametrize(("model", "limit"), SINGLE[::2], ids=repr)
def test_columns_in_one_piece_need_no_more(model, limit, columns):
    assert beyond(model, *columns) < limit


@pytest.mark.parametrize(("model", "gathered"), GATHERING, ids=repr)
def test_what_gathers_rows_needs_less_than_x_beside_them(model, gathered, tall):
    X, y = (part[: 2 * N_ROWS // 5] for part in tall)
    assert beyond(model, X, y) < 1.0 + gathered


def test_many_columns_need_less_than_x_again():
    """Rows are copied for the reduced problem, at thirty rows a column less than a third of them at a time."""
    assert beyond(LADRegressor(), *noise(9000, 300)) < 0.88


@pytest.mark.parametrize("path", [lasso_path, lad_path, huber_path, combined_path], ids=lambda path: path.__name__)
def test_paths_need_little_more_than_x_again(path, tall, many):
    X, y = many if path is lasso_path else tall
    peak, left = counted(lambda: path(X, y, alphas=8 if path is lasso_path else 3))
    # At the first alpha of a LAD path the optima are a face of two dimensions on which every residual moves.
    assert peak < (1.25 if path is lad_path else 1.0) * X.nbytes
    assert left < 0.01 * X.nbytes


@pytest.mark.parametrize("model", [LADRegressor(alpha=0.1), HuberLossRegressor(), LassoCD(alpha=0.1)], ids=repr)
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_mapped_into_memory_is_not_loaded(model, order, tmp_path, tall):
    """The peak of a fit and of its predictions is below X, which itself is not counted; float32 is not widened."""
    X, y = tall
    np.save(tmp_path / "X.npy", np.asarray(X, order=order, dtype=np.float32))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    peak, _ = counted(lambda: clone(model).fit(mapped, y).predict(mapped))
    assert peak < mapped.nbytes == X.nbytes // 2


@pytest.mark.parametrize(
    "model", [LADRegressor(), CombinedLossRegressor(), HuberLossRegressor(), LassoCD(alpha=0.1)], ids=repr
)
def test_predictions_and_verification_need_vectors_only(model, tall):
    X, y = (part[: N_ROWS // 4] for part in tall)
    fitted = clone(model).fit(X, y)
    assert counted(lambda: fitted.predict(X))[0] < 0.2 * X.nbytes
    assert counted(lambda: fitted.verify(X, y))[0] < X.nbytes


WIDE = [
    LADRegressor(alpha=0.1),
    QuantileRegressor(quantile=0.2, alpha=0.1),
    CombinedLossRegressor(alpha=0.1),
    HuberLossRegressor(alpha=0.1),
    LassoCD(alpha=0.1),
    ElasticNetCD(alpha=0.1),
    LassoCDCV(alphas=8),
    StabilitySelection(alphas=3, n_pairs=2, random_state=0),
]


@pytest.mark.parametrize("model", WIDE, ids=repr)
def test_wide_tables_make_no_square_of_features(model):
    X, y = noise(60, 8000)
    assert beyond(model, X, y) < 4.0, "a square of all features is 133 times X"


@pytest.mark.parametrize("model", [LADRegressor(), CombinedLossRegressor(), HuberLossRegressor()], ids=repr)
def test_wide_tables_without_a_penalty_make_the_squares_that_the_guide_names(model):
    """The optimal face has a basis of almost as many vectors as there are features."""
    n_features = 300
    X, y = noise(15, n_features)
    assert counted(lambda: clone(model).fit(X, y))[0] < 8 * 8 * (15 + n_features) ** 2


@pytest.mark.parametrize(
    ("model", "limit"),
    [
        (LADRegressor(alpha=0.01), 2.0),
        (CombinedLossRegressor(alpha=0.01), 7.0),
        (HuberLossRegressor(alpha=0.01), 7.0),
        (LassoCD(alpha=0.01), 7.0),
        (LassoCDCV(alphas=4), 7.0),
    ],
    ids=repr,
)
@pytest.mark.parametrize("form", ["csr", "csc"])
def test_sparse_tables_stay_sparse(model, limit, form):
    """Products of columns weight and convert those that they need; a dense copy is 13 times X."""
    rng = np.random.default_rng(0)
    X = sp.random_array((20_000, 200), density=0.05, format=form, rng=rng)
    y = X @ np.ones(200) + rng.standard_normal(20_000)
    size = X.data.nbytes + X.indices.nbytes + X.indptr.nbytes
    assert counted(lambda: clone(model).fit(X, y))[0] < limit * size


def main():
    """The peak beyond X of every fit above."""
    X, y = noise(MANY, N_COLUMNS)
    F = np.asfortranarray(X)
    heading("estimators", "| estimator | beyond X, rows in one piece | columns in one piece |\n|---|---|---|")
    for model, _ in SINGLE + TUNED + OF_BLOCKS + GATHERING:
        print(f"| `{model!r}` | {beyond(model, X, y):.2f} | {beyond(model, F, y):.2f} |", flush=True)


if __name__ == "__main__":
    main()
