"""Fits to rows in blocks are those of the same rows in memory, in few passes, with the same bits whoever reads."""

import os
import pickle
import signal
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import ladreg
from ladreg import CombinedLossRegressor, HuberLossRegressor, LADRegressor, QuantileRegressor, blocks
from ladreg.blocks import BlockError

N, P = 40_000, 4
PLAIN = ["survey", "refine", "gather", "certify"]


def table(seed=0, n=N, p=P):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    return X, X @ np.arange(p) + rng.standard_t(2, n), rng.uniform(0.2, 2.0, n)


def assert_same(model, X, y, w=None, rows=3000, held=4000, n_passes=4):
    """The model fitted to blocks is that fitted in memory."""
    there = clone(model).fit(blocks.arrays(X, y, w, rows=rows).holding(held))
    here = clone(model).fit(X, y, w)
    np.testing.assert_allclose(there.objective_, here.objective_, rtol=1e-12)
    size = np.abs(here.coef_).max() + np.abs(here.intercept_).max()
    np.testing.assert_allclose(there.coef_, here.coef_, rtol=0, atol=1e-9 * size)
    np.testing.assert_allclose(there.intercept_, here.intercept_, rtol=0, atol=1e-9 * size)
    for one in np.ravel(there.certificate_):
        assert one.relative_gap <= 1e-12
        assert one.stopped == "the equations that determine the optimum were solved exactly"
    assert there.n_passes_ <= n_passes
    return there


@pytest.mark.parametrize("seed", range(4))
def test_of_several_optima_it_is_the_one_of_memory(seed):
    """Groups of even sizes in two and three factors: the centre of their optima depends on all rows, far ones too."""
    rng = np.random.default_rng(seed)
    group = np.arange(600) % 8
    factors = np.column_stack([group & 1, (group >> 1) & 1, (group >> 2) & 1]) * 1.0
    rare = np.column_stack([rng.random((600, 3)) < 0.01, rng.integers(0, 3, 600)]) * 1.0
    noise, w = rng.standard_t(2, 600), rng.integers(0, 3, 600) * 1.0
    for X, y, weight in (factors, noise, None), (rare, noise, None), (rare, noise + 1e3, w):
        for model in (LADRegressor(), QuantileRegressor(quantile=0.25, alpha=0, positive=True)):
            assert_same(model, X, y, weight, rows=200, held=200, n_passes=7)


def test_four_passes_give_the_fit_in_memory():
    X, y, w = table()
    model = assert_same(LADRegressor(), X, y, w)
    assert model.n_passes_ == 4
    assert model.certificate_.unique
    assert_same(LADRegressor(fit_intercept=False), X, y)
    assert_same(QuantileRegressor(quantile=0.9, alpha=0), X + 1e4, y + 1e5, w, n_passes=6)
    assert_same(LADRegressor(alpha=0.3, penalty_weights=[1, 0, np.inf, 1]), X, y, n_passes=6)
    assert_same(LADRegressor(alpha=0.01, positive=True), X, -y, n_passes=6)
    assert_same(LADRegressor(bounds=([-1, 0.5, 0.2, 0], [0.5, np.inf, 0.5, 2.9])), X, y, n_passes=6)
    assert_same(LADRegressor(alpha=0.3, l1_ratio=0.4), X, y, w, n_passes=6)
    assert (
        assert_same(QuantileRegressor(quantile=0.3, alpha=0), X.astype(np.float32), y, n_passes=6).coef_.dtype == "f4"
    )


def test_quantiles_share_passes():
    X, y, w = table(1)
    model = assert_same(QuantileRegressor(quantile=[0.2, 0.5, 0.8], alpha=0), X, y, w, n_passes=5)
    assert model.coef_.shape == (3, P)


def test_tables_of_other_kinds():
    X, y, _ = table(2)
    rng = np.random.default_rng(3)
    dummies = np.eye(12)[rng.integers(0, 12, N)]
    rare = np.zeros(N)
    rare[rng.choice(N, 5, replace=False)] = 1.0
    outlying = np.where(rng.random(N) < 0.01, 1e12, y)
    assert_same(LADRegressor(), np.column_stack([X, rare]), y, n_passes=8)
    assert_same(LADRegressor(), np.column_stack([X, X[:, 0] + X[:, 1]]), y, n_passes=8)
    assert_same(LADRegressor(), sp.csr_array(dummies[:, 1:]), y, n_passes=8)
    assert_same(LADRegressor(), X, np.round(y), n_passes=8)
    assert_same(LADRegressor(), rng.standard_cauchy((N, 2)), y, n_passes=12)
    assert_same(LADRegressor(), X, y, rng.integers(0, 3, N).astype(float), n_passes=8)
    there = LADRegressor().fit(blocks.arrays(X, outlying, rows=3000).holding(4000))
    np.testing.assert_allclose(there.coef_, LADRegressor().fit(X, outlying).coef_, atol=1e-9)
    exact = LADRegressor().fit(blocks.arrays(X, X @ np.ones(P), rows=3000).holding(4000))
    np.testing.assert_allclose(exact.coef_, 1.0, rtol=1e-13)
    assert exact.certificate_.unique


def test_repeated_rows_are_solved_once_each():
    """Counts and binary targets on dummies: all rows may be fitted exactly, but few of them are distinct."""
    rng = np.random.default_rng(14)
    group = rng.integers(0, 12, N)
    dummies = np.eye(12)[group][:, 1:]
    counts = rng.poisson(np.exp(0.2 * group)).astype(float)
    model = assert_same(LADRegressor(), dummies, counts, n_passes=3)
    assert model.certificate_.unique
    assert_same(QuantileRegressor(quantile=[0.2, 0.9], alpha=0), sp.csr_array(dummies), counts, n_passes=3)
    assert_same(LADRegressor(alpha=0.05), dummies, rng.integers(0, 2, N).astype(float), n_passes=3)


def test_rows_that_fit_into_memory_are_read_once():
    X, y, w = table(4, n=2000)
    there = LADRegressor(alpha=0.1).fit(blocks.arrays(X, y, w, rows=300))
    here = LADRegressor(alpha=0.1).fit(X, y, w)
    assert there.n_passes_ == 1
    assert there.coef_.tobytes() == here.coef_.tobytes()
    assert there.certificate_ == here.certificate_
    assert not hasattr(there.fit(X, y, w), "n_passes_")


def test_few_rows_are_held():
    """What the fit solves is far less than the rows, and nothing of them is kept by the model."""
    X, y, _ = table(5)
    model = LADRegressor().fit(blocks.arrays(X, y, rows=3000).holding(4000))
    assert len(pickle.dumps(model)) < 2000
    assert set(model.get_params()) == set(LADRegressor().get_params())
    assert set(vars(clone(model))) == set(vars(LADRegressor()))


def test_every_engine_gives_the_same_bits(tmp_path):
    X, y, w = table(6)
    np.save(tmp_path / "X.npy", X)
    data = blocks.arrays(np.load(tmp_path / "X.npy", mmap_mode="r"), y, w, rows=3000).holding(4000)
    wanted = LADRegressor().fit(data)
    with ThreadPoolExecutor(3) as threads, spawned(1) as single, spawned(2) as double:
        for engine in (threads, single, double):
            assert_bits(LADRegressor().fit(data.on(engine)), wanted)


def spawned(number=2):
    return ProcessPoolExecutor(number, mp_context=get_context("fork"))


def assert_bits(model, wanted):
    assert model.coef_.tobytes() == wanted.coef_.tobytes()
    assert (model.intercept_, model.objective_, model.dual_gap_) == (
        wanted.intercept_,
        wanted.objective_,
        wanted.dual_gap_,
    )


class Killing:
    """Kills the worker that loads a block for the k-th time."""

    def __init__(self, folder, number, source):
        self.folder, self.number, self.source, self.owner = str(folder), number, source, os.getpid()
        self.n_blocks = source.n_blocks

    def name(self, k):
        return self.source.name(k)

    def rows(self, k):
        return self.source.rows(k)

    def load(self, k):
        if k == 2 and os.getpid() != self.owner:
            path = os.path.join(self.folder, f"loaded {self.number} ")
            times = sum(os.path.exists(path + str(i)) for i in range(10))
            open(path + str(times), "w").close()
            if times == self.number:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.source.load(k)


def test_a_worker_killed_in_any_pass_changes_no_bit(tmp_path):
    X, y, w = table(7)
    data = blocks.arrays(X, y, w, rows=5000)
    wanted = LADRegressor().fit(data.holding(4000))
    for number in range(wanted.n_passes_):
        killing = blocks.Blocks(Killing(tmp_path, number, data.source)).holding(4000).on(spawned)
        assert_bits(LADRegressor().fit(killing), wanted)
        assert (tmp_path / f"loaded {number} {number}").exists()


@pytest.mark.parametrize("where", ["x", "y", "w", "negative"])
def test_what_is_no_number_is_found(tmp_path, where):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    X, y, w = table(8, n=1000)
    if where == "x":
        X[713, 1] = np.inf
    elif where == "y":
        y[713] = np.nan
    else:
        w[713] = -1.0 if where == "negative" else np.nan
    whole = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": y, "w": w})
    whole.to_parquet(tmp_path / "table.parquet", row_group_size=200, index=False)
    message = {
        "x": "column 'b' of row 113 is inf",
        "y": "column 'y' has no value in row 113",
        "w": "column 'w' has no value in row 113",
        "negative": "the weight of row 113 is -1",
    }[where]
    with pytest.raises(BlockError, match=rf"table\.parquet, row group 3: {message}"):
        LADRegressor().fit(blocks.parquet(tmp_path, target="y", weight="w"))
    for values in (sp.csr_array(X[:, :2]), X[:, :2]):
        if where != "negative":
            with pytest.raises(BlockError, match=r"rows 600 to 799: .* of row 113 is (nan|inf)"):
                LADRegressor().fit(blocks.arrays(values, y, w, rows=200))


def test_data_that_change_during_the_fit_are_an_error():
    X, y, _ = table(9)

    class Changing:
        n_blocks, loads = 4, 0

        def name(self, k):
            return f"quarter {k}"

        def load(self, k):
            self.loads += 1
            part = slice(k * N // 4, (k + 1) * N // 4)
            return X[part], y[part] + (self.loads > 9)

    with pytest.raises(BlockError, match=r"quarter \d: y changed during the fit"):
        LADRegressor().fit(blocks.Blocks(Changing()).holding(4000).on(ThreadPoolExecutor(1)))


def test_verify_proves_given_coefficients():
    X, y, w = table(10)
    data = blocks.arrays(X, y, w, rows=3000).holding(4000)
    model = LADRegressor().fit(X, y, w)
    assert model.verify(data).relative_gap < 1e-12
    model.coef_ = model.coef_ + 1e-3
    there, here = model.verify(data), model.verify(X, y, w)
    assert there.objective == pytest.approx(here.objective, rel=1e-13)
    assert there.gap == pytest.approx(here.gap, rel=1e-6)
    assert not there.unique
    with pytest.raises(ValueError, match="X has 2 features"):
        model.verify(blocks.arrays(X[:, :2], y))


def test_more_rows_than_may_be_held_are_fitted_exactly():
    """They are solved as means of groups of them, which have duals enough."""
    X, y, w = table(11)
    y = np.where(np.random.default_rng(0).random(N) < 0.6, 0.0, np.abs(y))
    assert_same(LADRegressor(), X, y, held=1000)
    assert_same(LADRegressor(alpha=0.1), X, y, w)
    assert_same(QuantileRegressor(quantile=0.3, alpha=0), X, y, held=1000)
    assert assert_same(LADRegressor(), sp.csr_array(X * (X > 1)), y).certificate_.unique


def test_means_are_of_rows_near_the_best_point():
    """The groups of the first point do not prove it: those at the optimum that they lead to do."""
    rng = np.random.default_rng(46)
    X = rng.standard_normal((20_000, 5))
    y = np.where(rng.random(20_000) < 0.5, 0.0, np.abs(X.sum(axis=1) + rng.standard_normal(20_000)))
    there = LADRegressor(alpha=0.02).fit(blocks.arrays(X, y, rows=3000).holding(4000))
    assert there.certificate_.relative_gap < 1e-12
    assert there.objective_ == pytest.approx(LADRegressor(alpha=0.02).fit(X, y).objective_, rel=1e-12)
    assert there.n_passes_ <= 12


def counts(seed, n=N):
    """Counts, of which a hundred rows do not tell what all rows are near."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 4))
    return X, rng.poisson(np.exp(0.3 * X[:, 0])).astype(float)


@pytest.mark.parametrize("kind", ["zeros", "censored", "counts", "plane", "positive", "quantile", "far"])
def test_ties_in_bulk_are_proved(kind):
    """Rows that are fitted exactly and too many to be gathered have a dual that one number a column determines."""
    n = 5000
    X, y, w = table(11, n=n)
    rng = np.random.default_rng(0)
    if kind == "counts":
        X, y = counts(3, n)
    elif kind == "censored":
        y = np.maximum(y - X[:, 3] / 2 - 0.5, 0.0)
    elif kind == "plane":
        y = np.where(rng.random(n) < 0.5, X @ [1, 2, 3, 4], y)
    else:
        y = np.where(rng.random(n) < 0.5, 0.0, y - X[:, 3] / 2 + (kind == "quantile"))
    if kind == "far":
        y[rng.choice(n, 40, replace=False)] = 1e13
    model = QuantileRegressor(quantile=0.4 if kind == "quantile" else 0.5, alpha=0.0, positive=kind == "positive")
    there = clone(model).fit(blocks.arrays(X, y, w, rows=1000).holding(300))
    here = clone(model).fit(X, y, w)
    assert there.objective_ == pytest.approx(here.objective_, rel=1e-13)
    assert there.certificate_.relative_gap <= 1e-12
    assert there.certificate_.bound <= here.objective_ * (1 + 1e-14)
    assert not (there.certificate_.unique and not here.certificate_.unique)
    assert there.n_passes_ <= 24


@pytest.mark.parametrize("seed", [0, 4, 5])
def test_ties_prove_nothing_that_is_not_so(seed):
    """A sample that has its optimum at zero, where all rows have not: their slope is on the side without a limit."""
    rng, n = np.random.default_rng(seed), 4000
    X, u = rng.uniform(0.5, 1.5, (n, 1)), rng.random(n)
    size = rng.exponential(1.0, (2, n))
    y = np.where(u < 0.52, size[0], np.where(u < 0.75, 0.0, -size[1]))
    model = LADRegressor(positive=True, fit_intercept=False)
    best = clone(model).fit(X, y)
    assert best.coef_[0] > 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        there = clone(model).fit(blocks.arrays(X, y, rows=1000).holding(100))
    assert there.certificate_.bound <= best.objective_ * (1 + 1e-14)


def test_what_is_not_proved_is_said():
    """So few rows are held that their fit is far from that of all rows."""
    X, y = counts(3)
    with pytest.warns(
        ConvergenceWarning,
        match=r"More rows are near the fit .* by \.holding\(rows\) of the blocks: [\d,]{3,6} rows are",
    ):
        there = LADRegressor().fit(blocks.arrays(X, y, rows=3000).holding(100))
    here = LADRegressor().fit(X, y)
    assert there.certificate_.bound <= here.objective_ <= there.objective_ * (1 + 1e-12)
    assert not there.certificate_.unique


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_collections_of_dask():
    da = pytest.importorskip("dask.array")
    dd = pytest.importorskip("dask.dataframe")
    pd = pytest.importorskip("pandas")
    X, y, w = table(12, n=3000)
    dX, dy, dw = (da.from_array(values, chunks=700) for values in (X, y, w))
    model, here = LADRegressor().fit(dX, dy, sample_weight=dw), LADRegressor().fit(X, y, w)
    np.testing.assert_allclose(model.coef_, here.coef_, rtol=1e-13)
    assert model.verify(dX, dy, dw).relative_gap < 1e-12
    lazy = model.predict(dX)
    assert isinstance(lazy, da.Array)
    np.testing.assert_array_equal(lazy.compute(), model.predict(X))
    several = QuantileRegressor(quantile=[0.6, 0.2], alpha=0, rearrange=True).fit(dX.rechunk((700, 1)), dy)
    np.testing.assert_array_equal(several.predict(dX.rechunk((700, 1))).compute(), several.predict(X))
    frame = dd.from_pandas(pd.DataFrame(X, columns=list("abcd")).assign(y=y, w=w), npartitions=4)
    named = LADRegressor().fit(frame[list("abcd")], frame["y"], frame["w"])
    assert named.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_allclose(named.coef_, here.coef_, rtol=1e-13)
    predicted = named.predict(frame[list("abcd")])
    np.testing.assert_allclose(predicted.compute(), named.predict(frame[list("abcd")].compute()), rtol=1e-13)
    with pytest.raises(ValueError, match="y must be a Dask collection"):
        LADRegressor().fit(dX)
    with pytest.raises(ValueError, match="X has 3000 rows, y 2999"):
        LADRegressor().fit(dX, dy[1:])


def test_what_blocks_cannot_do_is_said():
    X, y, w = table(13, n=100)
    data = blocks.arrays(X, y, w)
    with pytest.raises(TypeError, match="LADRegressorIC needs all rows in memory"):
        ladreg.LADRegressorIC().fit(data)
    with pytest.raises(TypeError, match="needs all rows in memory"):
        ladreg.LADRegressorIC(alphas=[0.1, 0]).fit(X, y).verify(data)
    with pytest.raises(TypeError, match=r"StabilitySelection needs all rows in memory\. For data in blocks"):
        ladreg.StabilitySelection().fit(data, None)
    for path in (ladreg.lasso_path, ladreg.lad_path, ladreg.quantile_path, ladreg.huber_path):
        with pytest.raises(TypeError, match="A path needs all rows in memory"):
            path(data, None)
    rare = QuantileRegressor(quantile=0.0001, alpha="pivotal")
    with pytest.raises(ValueError, match=r"at least 30 rows on both sides, and quantile=0\.0001 has"):
        rare.fit(blocks.arrays(*table(13), rows=3000).holding(4000))
    with pytest.raises(ValueError, match="y must be None for data in blocks"):
        LADRegressor().fit(data, y)
    with pytest.raises(ValueError, match="all weights are zero"):
        LADRegressor().fit(blocks.arrays(X, y, 0 * w))
    with pytest.raises(ValueError, match="rows must be an integer >= 1"):
        data.holding(0)


def drawn(seed):
    """A random table, weights or None, and a model."""
    rng = np.random.default_rng([28, seed])
    n, p = int(rng.integers(3000, 8000)), int(rng.integers(1, 7))
    X = rng.standard_normal((n, p)) * 10.0 ** rng.integers(-3, 4, p) + rng.choice([0.0, 100.0])
    kind = rng.choice(["plain", "dummies", "integers", "heavy", "sparse"])
    if kind == "dummies":
        X = np.eye(p + 1)[rng.integers(0, p + 1, n)][:, 1:]
    elif kind == "integers":
        X = rng.integers(-3, 4, (n, p)).astype(float)
    elif kind == "heavy":
        X = rng.lognormal(0.0, 1.5, (n, p))
    elif kind == "sparse":
        X = sp.random_array((n, p), density=0.3, rng=rng, format="csr")
    error = rng.choice(["normal", "t", "cauchy", "counts", "outliers", "zeros"])
    noise = rng.standard_t(1 if error == "cauchy" else 3 if error == "t" else 50, n)
    y = X @ rng.standard_normal(p) + noise
    if error == "counts":
        y = np.floor(np.abs(noise) * 3)
    elif error == "outliers":
        y = np.where(rng.random(n) < 0.01, 1e9, y)
    elif error == "zeros":
        y = np.where(rng.random(n) < 0.7, 0.0, np.abs(noise))
    weight = rng.choice([None, "real", "whole"])
    w = None if weight is None else rng.uniform(0.2, 2.0, n) if weight == "real" else rng.integers(0, 3, n) * 1.0
    alpha = float(rng.choice([0.0, 0.0, 0.01]))
    return (
        X,
        y,
        w,
        QuantileRegressor(quantile=float(rng.choice([0.5, 0.1, 0.8])), alpha=alpha, positive=bool(seed % 7 == 3)),
    )


def assert_like_memory(seed):
    """What memory finds, in the objective to 1e-12 and in the coefficients to 1e-9 where the optimum is unique."""
    X, y, w, model = drawn(seed)
    there = clone(model).fit(blocks.arrays(X, y, w, rows=1500).holding(2000))
    here = clone(model).fit(X, y, w)
    np.testing.assert_allclose(there.objective_, here.objective_, rtol=1e-12)
    if here.certificate_.unique:
        reach = np.append(np.abs(X).max(axis=0).toarray() if sp.issparse(X) else np.abs(X).max(axis=0), 1.0)
        found, known = (np.append(one.coef_, one.intercept_) * reach for one in (there, here))
        np.testing.assert_allclose(found, known, rtol=0, atol=1e-9 * (np.abs(known).max() + here.objective_))


@pytest.mark.parametrize("seed", range(20))
def test_random_tables(seed):
    assert_like_memory(seed)


@pytest.mark.parametrize("kind", ["plain", "heavy"])
def test_the_pivotal_alpha_is_that_of_memory_up_to_the_simulation(kind):
    X, y, w = table(15)
    X = np.random.default_rng(16).lognormal(0, 2, X.shape) if kind == "heavy" else X
    data = blocks.arrays(X, y, w, rows=3000).holding(4000)
    for model in (
        LADRegressor(alpha="pivotal", penalty_weights=[1, 0, 2, np.inf]),
        QuantileRegressor(quantile=[0.2, 0.5], alpha="pivotal", fit_intercept=False),
    ):
        there, here = clone(model).fit(data), clone(model).fit(X, y, w)
        np.testing.assert_allclose(there.alpha_, here.alpha_, rtol=0.06)
        for proof in np.ravel(there.verify(data)):
            assert proof.relative_gap < 1e-12


def test_the_pivotal_alpha_of_one_column_is_known():
    X, y, _ = table(17)
    found = LADRegressor(alpha="pivotal").fit(blocks.arrays(X[:, :1], y, rows=3000).holding(4000)).alpha_
    assert found == pytest.approx(1.1 * 1.6449 / np.sqrt(N), rel=0.02)
    weight = np.repeat([1.0, 3.0], N // 2)
    found = LADRegressor(alpha="pivotal").fit(blocks.arrays(X[:, :1], y, weight, rows=3000).holding(4000)).alpha_
    assert found == pytest.approx(1.1 * 1.6449 * np.sqrt(weight @ weight) / weight.sum(), rel=0.02)


def test_what_is_not_proved_is_relative_to_the_rows_that_are_not_far():
    """The loss of gross outliers hides nothing of the other rows: a fit that is not proved is warned of."""
    X, y = counts(3)
    y[np.random.default_rng(19).choice(N, 40, replace=False)] = 1e13
    with pytest.warns(ConvergenceWarning, match="More rows are near the fit"):
        there = LADRegressor().fit(blocks.arrays(X, y, rows=3000).holding(100))
    assert there.certificate_.gap > 1e-5


@pytest.mark.parametrize("held", [1000, 2000, 4000])
@pytest.mark.parametrize("quantile", [0.5, 0.8])
def test_how_far_far_targets_are_changes_nothing(quantile, held):
    """Their size is in the objective alone: not in the coefficients, and not in what is proved of the other rows."""
    X, y, w = table(20, n=8000, p=2)
    rng = np.random.default_rng(21)
    far = rng.choice(8000, 80, replace=False)
    away = np.where(rng.random(80) < 0.7, 1.0, -1.0) * rng.uniform(1.0, 2.0, 80)
    model, found, others = QuantileRegressor(quantile=quantile, alpha=0.01), [], np.delete(np.arange(8000), far)
    for size in (1e6, 1e9, 1e12):
        y[far] = size * away
        data = blocks.arrays(X, y, w, rows=1500).holding(held)
        there, here = clone(model).fit(data), clone(model).fit(X, y, w)
        residual = y - here.predict(X)
        cost = (w * np.maximum(quantile * residual, (quantile - 1) * residual))[others].sum() / w.sum()
        for proof in (there.certificate_, here.certificate_, there.verify(data), here.verify(data)):
            assert proof.relative_gap < 1e-12
            assert proof.gap < 1e-12 * cost
        assert there.n_passes_ <= 4
        assert there.objective_ == pytest.approx(here.objective_, rel=1e-14)
        found.append([*there.coef_, there.intercept_])
        np.testing.assert_allclose(found[-1], [*here.coef_, here.intercept_], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found, [found[0]] * 3, rtol=1e-14)


def test_far_targets_that_the_fit_follows_are_solved_where_they_are():
    """A rare column whose sampled rows have ordinary targets, and most others far ones."""
    rng = np.random.default_rng(4)
    X, y, _ = table(22, n=4000, p=2)
    rare = np.zeros(4000)
    at = np.sort(rng.choice(2000, 60, replace=False))
    rare[at] = rng.choice([1.0, -1.0, 3.0], 60)
    y[at[8:]] += 1e9
    assert_same(LADRegressor(), np.column_stack([X, rare]), y, rows=1000, held=600, n_passes=8)


def test_rows_without_numbers_are_near_the_fit_without_warnings():
    """All rows are solved as the distinct ones: one of zeros has no uncertainty, which is not infinity times it."""
    X = np.repeat(np.arange(4.0), 3000)[:, None]
    y = np.tile([0.0, 1.0, 5.0], 4000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        there = LADRegressor(fit_intercept=False).fit(blocks.arrays(X, y, rows=1000).holding(2000))
    assert there.objective_ == pytest.approx(LADRegressor(fit_intercept=False).fit(X, y).objective_, rel=1e-12)


@pytest.mark.parametrize("model", [LADRegressor(), HuberLossRegressor(scale=1.0)])
def test_tables_of_few_rows_are_solved_as_a_whole_where_fewer_prove_less(model):
    rng = np.random.default_rng(3)
    X = rng.standard_cauchy((500, 6))
    y = X.sum(axis=1) + rng.standard_cauchy(500)
    there = clone(model).fit(blocks.arrays(X, y, rows=100).holding(60))
    assert there.certificate_.relative_gap <= 1e-12
    assert there.objective_ == pytest.approx(clone(model).fit(X, y).objective_, rel=1e-9, abs=0)


@pytest.mark.parametrize("model", [LADRegressor(), CombinedLossRegressor()])
def test_objectives_have_the_digits_of_residuals_where_predictions_have_none(model):
    """Predictions of 1e16 round to whole numbers: of all such coefficients some would seem to fit targets exactly."""
    X, y, _ = table(n=2100, p=2)
    X = np.round(X * 2.0**8) / 2.0**8 + 2.0**41
    data = blocks.arrays(X, y, rows=500).holding(300)
    model.fit(X - 2.0**41, y)
    model.coef_, model.intercept_ = np.array([3000.25, -3000.25]), np.float64(0.5)
    residual = y - X.astype(np.longdouble) @ model.coef_ - model.intercept_
    share = getattr(model, "l1_ratio", 1.0)
    wanted = float((share * np.abs(residual) + (1.0 - share) * residual**2).mean() + model.alpha * 6000.5)
    assert model.verify(data).objective == pytest.approx(wanted, rel=1e-12, abs=0)
