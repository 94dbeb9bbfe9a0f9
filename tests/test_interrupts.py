"""A fit that is interrupted, refused memory or robbed of its data leaves the estimator, and everything else, intact."""

import os
import subprocess
import sys
import textwrap
import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import threadpoolctl
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ladreg import (
    ElasticNetCDCV,
    HuberLossRegressor,
    LassoCDCV,
    QuantileRegressor,
    StabilitySelection,
    lad_path,
    lasso_path,
)
from tests import faults
from tests.faults import SMALL, WIDE

# Every call of these is interrupted, so they are few, and small.
SHARED = (
    "lad",
    "lad by reduction",
    "lad by linprog",
    "lad, sparse",
    "combined",
    "lasso",
    "lasso by residuals",
    "elastic net",
    "lad, folds",
    "quantile, folds",
    "lasso, criterion",
    "lad, criterion",
)
CASES = {
    **{name: faults.CASES[name] for name in SHARED},
    "quantiles": (QuantileRegressor(quantile=[0.2, 0.8], alpha=0.01), SMALL),
    "huber": (HuberLossRegressor(alpha=0.01), SMALL),
    "lasso, folds": (LassoCDCV(alphas=4, cv=2, post_selection=0.5), WIDE),
    "elastic net, folds": (ElasticNetCDCV(alphas=3, cv=2, l1_ratio=[0.5, 1.0]), SMALL),
    "stability": (StabilitySelection(n_pairs=2, alphas=3, random_state=0), SMALL),
}
cases = pytest.mark.parametrize("case", CASES)


class Interruption:
    """Raises at the call of a Python function of ladreg with that number; 0 only counts."""

    def __init__(self, number, error):
        self.number, self.error, self.count = number, error, 0

    def __call__(self, frame, event, _):
        if event == "call" and frame.f_globals.get("__name__", "").startswith("ladreg"):
            self.count += 1
            if self.count == self.number:
                sys.setprofile(None)
                raise self.error("injected")

    def __enter__(self):
        self.before = sys.getprofile()
        sys.setprofile(self)
        return self

    def __exit__(self, *_):
        sys.setprofile(self.before)


def bits(model):
    """The state in a form that compares by bits."""
    return {name: joblib.hash(value) for name, value in vars(model).items()}


def surroundings():
    """What a fit may not change for others."""
    pools = [(pool["filepath"], pool["num_threads"]) for pool in threadpoolctl.threadpool_info()]
    return np.geterr(), list(warnings.filters), pools, np.get_printoptions(), sys.getswitchinterval()


def moments(case, number):
    """At most `number` calls spread over a fit, its first and its last among them."""
    model, data = CASES[case]
    with Interruption(0, KeyboardInterrupt) as counted:
        clone(model).fit(*data)
    return np.unique(np.linspace(1, counted.count, number).astype(int)).tolist()


@cases
def test_an_interrupted_fit_leaves_the_estimator_as_it_was(case):
    model, data = CASES[case]
    undisturbed = bits(clone(model).fit(*data))
    half = data[0][: data[1].size // 2], data[1][: data[1].size // 2]
    before, chosen, ended = surroundings(), moments(case, 8), 0
    for k, moment in enumerate(chosen):
        error = (KeyboardInterrupt, MemoryError, SystemExit)[k % 3]
        fresh = clone(model)
        one = fresh if k % 2 else clone(model).fit(*half)
        state, objects = bits(one), dict(vars(one))
        try:
            with Interruption(moment, error):
                one.fit(*data)
        except error:
            ended += 1
            assert bits(one) == state, moment
            assert all(vars(one)[name] is value for name, value in objects.items())
        assert surroundings() == before
        assert bits(one.fit(*data)) == undisturbed, moment
    assert ended >= 0.8 * len(chosen)  # Python ignores what is raised where a generator is thrown away


def test_a_bootstrap_ends_at_once():
    """At a real signal, in the middle of replicates that would take ten minutes together."""
    run(
        """
        import os, signal, threading
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
        import numpy as np
        from ladreg import LADRegressor, infer
        rng = np.random.default_rng(0)
        X = rng.standard_normal((20_000, 5))
        y = X[:, 0] + rng.standard_normal(20_000)
        model = LADRegressor().fit(X, y)
        for n_jobs in (None, 2):
            threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                infer(model, X, y, method="bootstrap", n_bootstrap=200_000, random_state=0, n_jobs=n_jobs)
                raise AssertionError("not interrupted")
            except KeyboardInterrupt:
                assert threading.active_count() == 1
        """
    )


@pytest.mark.parametrize("path", [lasso_path, lad_path])
def test_an_interrupted_path_can_be_asked_for_again(path):
    undisturbed = path(*SMALL, alphas=4)
    before = surroundings()
    for moment in (1, 10, 50, 100, 200):
        with pytest.raises(KeyboardInterrupt), Interruption(moment, KeyboardInterrupt):
            path(*SMALL, alphas=4)
        assert surroundings() == before
        for one, other in zip(path(*SMALL, alphas=4), undisturbed, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "case",
    [
        "lad by reduction",
        "lad by linprog",
        "quantiles",
        "combined",
        "lasso",
        "lasso, folds",
        "lad, folds",
        "lad, criterion",
    ],
)
def test_a_warning_that_is_an_error_leaves_the_estimator_as_it_was(case):
    model, data = CASES[case]
    if case in ("quantiles", "lad, folds"):  # few rows are solved by walks, which reach no limit
        data = faults.MANY
    model = clone(model).fit(*data).set_params(max_iter=1, tol=0.0)
    state = bits(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        with pytest.raises(ConvergenceWarning):
            model.fit(*data)
    assert bits(model) == state


ALLOCATIONS = ("empty", "zeros", "ones", "full", "hstack", "vstack", "column_stack", "append", "concatenate")


@cases
def test_memory_that_is_refused_is_an_error_and_nothing_else(monkeypatch, case):
    model, data = CASES[case]
    undisturbed = bits(clone(model).fit(*data))
    refused, asked = 0, 0

    def refusing(real):
        def function(*args, **kwargs):
            nonlocal asked
            if sys._getframe(1).f_globals.get("__name__", "").startswith("ladreg"):
                asked += 1
                if asked == refused:
                    raise MemoryError("injected")
            return real(*args, **kwargs)

        return function

    for name in ALLOCATIONS:
        monkeypatch.setattr(np, name, refusing(getattr(np, name)))
    clone(model).fit(*data)
    total, one = asked, clone(model)
    for number in np.unique(np.linspace(1, total, 6).astype(int)).tolist():
        refused, asked = number, 0
        with pytest.raises(MemoryError, match="injected"):
            one.fit(*data)
        assert vars(one) == vars(clone(model))
        refused = 0
        assert bits(clone(one).fit(*data)) == undisturbed


def run(code, **others):
    """The output of a program of its own, which must end by itself within a minute."""
    code = "import faulthandler\nfaulthandler.dump_traceback_later(60, exit=True)\n" + textwrap.dedent(code)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **others}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of the address space")
def test_memory_that_the_system_refuses():
    out = run(
        """
        import resource
        import numpy as np
        from ladreg import HuberLossRegressor, LADRegressor, LassoCD
        rng = np.random.default_rng(0)
        X = rng.standard_normal((100_000, 5))
        y = X[:, 0] + rng.standard_normal(100_000)
        for model in (LADRegressor(), HuberLossRegressor(scale=1.0), LassoCD(alpha=0.01)):
            coef = model.fit(X, y).coef_
            refused = 0
            for room in (0, 1, 3):
                pages = int(open("/proc/self/statm").read().split()[0])
                limit = resource.getrlimit(resource.RLIMIT_AS)
                before = dict(vars(model))
                resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (room << 20), limit[1]))
                try:
                    model.fit(X, y)
                except MemoryError:
                    refused += 1
                    assert vars(model) == before or all(vars(model)[k] is v for k, v in before.items())
                finally:
                    resource.setrlimit(resource.RLIMIT_AS, limit)
            print(type(model).__name__, refused)
            assert refused > 0
            assert np.array_equal(model.fit(X, y).coef_, coef)
        """
    )
    assert "LassoCD" in out


def frozen(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def mapped(folder, mode):
    """Arrays as files, read with that mode."""

    def convert(array):
        name = folder / f"{len(list(folder.iterdir()))}.npy"
        np.save(name, array)
        return np.load(name, mmap_mode=mode)

    return convert


@cases
@pytest.mark.parametrize("how", ["frozen", "r", "c", "joblib"])
def test_data_that_cannot_be_written(tmp_path, case, how):
    model, (X, y) = CASES[case]
    weight = np.linspace(0.5, 1.5, y.size)
    undisturbed = bits(clone(model).fit(X, y, sample_weight=weight))
    if how == "joblib":
        joblib.dump((X, y, weight), tmp_path / "data")
        X, y, weight = joblib.load(tmp_path / "data", mmap_mode="r")
        assert isinstance(X.data if sp.issparse(X) else X, np.memmap)
    else:
        convert = frozen if how == "frozen" else mapped(tmp_path, how)
        if sp.issparse(X):
            X = type(X)(tuple(convert(part) for part in (X.data, X.indices, X.indptr)), shape=X.shape)
        else:
            X = convert(X)
        y, weight = convert(y), convert(weight)
    arrays = [X.data, X.indices, X.indptr, y, weight] if sp.issparse(X) else [X, y, weight]
    before = [one.tobytes() for one in arrays]
    assert bits(clone(model).fit(X, y, sample_weight=weight)) == undisturbed
    assert [one.tobytes() for one in arrays] == before


def test_data_that_another_thread_changes():
    """Numbers, NaN and huge ones come and go while fits run; structures of sparse arrays must not."""
    run(
        """
        import sys, threading, warnings
        sys.setswitchinterval(1e-5)
        warnings.simplefilter("ignore")
        import numpy as np
        import scipy.sparse as sp
        from sklearn.base import clone
        from tests.test_interrupts import CASES, bits

        def disturb(arrays, kept, stop, kind):
            rng = np.random.default_rng(0)
            while not stop.is_set():
                for one in arrays:
                    value = {"nan": np.nan, "huge": 10.0 ** rng.integers(-300, 300)}.get(kind, rng.standard_normal())
                    one.flat[rng.integers(one.size)] = value
                if rng.random() < 0.5:
                    for one, other in zip(arrays, kept):
                        one[...] = other

        for case in ("lad", "lad by reduction", "lad, sparse", "combined", "huber", "lasso", "elastic net, folds"):
            model, (X, y) = CASES[case]
            X, y, weight = X.copy(), y.copy(), np.ones(y.size)
            undisturbed = bits(clone(model).fit(X, y, sample_weight=weight))
            arrays = [X.data if sp.issparse(X) else X, y, weight]
            kept = [one.copy() for one in arrays]
            for kind in ("finite", "nan", "huge"):
                stop = threading.Event()
                thread = threading.Thread(target=disturb, args=(arrays[:2], kept, stop, kind))
                thread.start()
                for _ in range(3):
                    try:
                        found = clone(model).fit(X, y, sample_weight=weight)
                        assert np.isfinite(getattr(found, "coef_", 0.0)).all(), case
                    except (ValueError, OverflowError) as error:
                        assert str(error)
                stop.set()
                thread.join()
                for one, other in zip(arrays, kept):
                    one[...] = other
                assert bits(clone(model).fit(X, y, sample_weight=weight)) == undisturbed, (case, kind)
        """
    )
