"""Sources of blocks of rows, and passes over them: the same bits whoever reads, and errors that say where."""

import os
import pickle
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import scipy.sparse as sp

import ladreg
from ladreg import blocks
from ladreg._row_blocks import Passes, Place, Rows, Summary, picked, stacked
from ladreg.blocks import BlockError
from tests.recorder import Recorder

N, P = 1000, 3


def table(seed=0, n=N):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, P))
    return X, X @ np.arange(1.0, P + 1) + rng.standard_cauchy(n), rng.uniform(0.5, 2.0, n)


def sums(place: Place, rows: Rows, power):
    """A task: sums that depend on their order, and every hundredth row."""
    index = np.flatnonzero((place.first + np.arange(rows.y.size)) % 100 == 0)
    found = Summary(
        sums={"x": rows.X.T @ rows.y**power, "n": rows.y.size}, low={"y": rows.y.min()}, high={"y": rows.y.max()}
    )
    found.rows["hundredth"] = [picked(rows, index)]
    return found


def total(data):
    return Passes(data.source, data.executor).total("sums", sums, 1.0)


def spawned():
    return ProcessPoolExecutor(2, mp_context=get_context("fork"))


def frames(folder, name="part", n_files=3, groups=4, **columns):
    """Parquet files of several row groups each; the whole table is returned."""
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    X, y, w = table()
    whole = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "y": y, "w": w, **columns})
    bounds = np.linspace(0, N, n_files + 1).astype(int)
    for k in range(n_files):
        part = whole.iloc[bounds[k] : bounds[k + 1]]
        part.to_parquet(folder / f"{name}{k}.parquet", row_group_size=-(-len(part) // groups), index=False)
    return whole


def test_every_engine_gives_the_same_bits():
    X, y, w = table()
    data = blocks.arrays(X, y, w, rows=37)
    wanted = total(data)
    assert wanted.sums["n"] == N
    with ThreadPoolExecutor(3) as threads, spawned() as processes:
        for engine in (threads, processes, spawned):
            found = total(data.on(engine))
            assert found.sums["x"].tobytes() == wanted.sums["x"].tobytes()
            assert stacked(found.rows["hundredth"]).X.tobytes() == X[::100].tobytes()


def test_all_sources_of_one_table_give_the_same_bits(tmp_path):
    frames(tmp_path, n_files=1, groups=8)
    X, y, w = table()
    data = blocks.parquet(tmp_path / "part0.parquet", target="y", weight="w", columns=["a", "b", "c"])
    assert (data.n_blocks, data.feature_names) == (8, ["a", "b", "c"])
    np.save(tmp_path / "X.npy", np.asfortranarray(X))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    batches = blocks.iterable(lambda: ((X[k : k + 125], y[k : k + 125], w[k : k + 125]) for k in range(0, N, 125)))
    wanted = total(blocks.arrays(X, y, w, rows=125))
    for other in (data, blocks.arrays(mapped, y, w, rows=125), batches):
        found = total(other)
        np.testing.assert_allclose(found.sums["x"], wanted.sums["x"], rtol=1e-13)
        assert (found.low["y"], found.high["y"]) == (y.min(), y.max())
        np.testing.assert_array_equal(stacked(found.rows["hundredth"]).weight, w[::100])


def test_a_memory_map_goes_to_workers_as_its_file(tmp_path):
    np.save(tmp_path / "X.npy", np.zeros((100_000, P)))
    data = blocks.arrays(np.load(tmp_path / "X.npy", mmap_mode="r"), np.zeros(100_000), rows=10_000)
    sent = pickle.dumps(data.source)
    assert len(sent) < 1_000_000  # y, but not X
    assert pickle.loads(sent).load(3)[0].shape == (10_000, P)
    part = blocks.arrays(np.load(tmp_path / "X.npy", mmap_mode="r")[10:], np.zeros(99_990)).source
    assert pickle.loads(pickle.dumps(part)).load(0)[0].shape == (99_990, P)


class Killer:
    """Kills the process that first loads a block, if it is not this one."""

    n_blocks = 5

    def __init__(self, folder, always=False):
        self.folder, self.always, self.owner = str(folder), always, os.getpid()

    def name(self, k):
        return f"part {k}"

    def rows(self, k):  # noqa: ARG002
        return N // 5

    def load(self, k):
        if k == 3 and os.getpid() != self.owner:
            path = os.path.join(self.folder, "killed")
            if self.always or not os.path.exists(path):
                open(path, "w").close()
                os.kill(os.getpid(), signal.SIGKILL)
        X, y, w = table()
        part = slice(k * N // 5, (k + 1) * N // 5)
        return X[part], y[part], w[part]


def test_a_killed_worker_changes_no_bit(tmp_path):
    data = blocks.Blocks(Killer(tmp_path))
    found = total(data.on(spawned))
    assert (tmp_path / "killed").exists()
    assert found.sums["x"].tobytes() == total(data).sums["x"].tobytes()


def test_a_block_that_kills_every_worker_is_named(tmp_path):
    data = blocks.Blocks(Killer(tmp_path, always=True))
    with pytest.raises(RuntimeError, match=r"part 3 to part 4, 4 times in one pass"):
        total(data.on(spawned))
    with spawned() as pool, pytest.raises(RuntimeError, match=r"part 4\. Pass a function that makes executors"):
        total(data.on(pool))


def test_what_is_wrong_with_a_block_names_it():
    X, y, w = table()
    cases = [
        ((X, y[:-1]), "part 1: X has 1000 rows, y 999"),
        ((X, y, w[:-1]), "part 1: X has 1000 rows, the weights 999"),
        ((X[:, 0], y), "part 1: X must have 2 dimensions"),
        ((X.astype(complex), y), "part 1: X has complex numbers"),
        ((np.full((N, 1), "a"), y), "part 1: X must be numbers"),
        (X, r"part 1: a block must be a tuple \(X, y\)"),
    ]
    for given, message in cases:

        class Source:
            n_blocks = 2

            def name(self, k):
                return f"part {k}"

            def load(self, k):
                return given if k else (X, y, w)  # noqa: B023

        with pytest.raises(BlockError, match=message):
            total(blocks.Blocks(Source()))


def test_unaligned_and_other_floats_become_plain_ones():
    X, y, _ = table()
    packed = np.zeros(N, dtype=np.dtype([("byte", "u1"), ("x", "f8", (P,))], align=False))
    packed["x"] = X
    assert not packed["x"].flags.aligned
    wanted = total(blocks.arrays(X, y)).sums["x"]
    assert total(blocks.arrays(packed["x"], y)).sums["x"].tobytes() == wanted.tobytes()
    np.testing.assert_allclose(total(blocks.arrays(X.astype(">f8"), y)).sums["x"], wanted)
    np.testing.assert_allclose(total(blocks.arrays(sp.csr_matrix(X).tocsc(), y)).sums["x"], wanted)
    np.testing.assert_allclose(total(blocks.arrays(X, y[:, None])).sums["x"], wanted)


def test_a_task_carries_names_and_not_the_statistics_of_files(tmp_path):
    """A scheduler keeps a copy for each task: with pyarrow's fragments, 0.4 MB for each row group."""
    pytest.importorskip("pyarrow")
    frames(tmp_path, n_files=2, groups=100)
    source = blocks.parquet(tmp_path / "part*.parquet", target="y").source
    few = pickle.dumps(blocks.parquet(tmp_path / "part0.parquet", target="y").source)
    assert (len(pickle.dumps(source)) - len(few)) / 100 < 30
    assert "fragment" not in repr(vars(source)).lower().replace("make_fragment", "")


def test_data_that_change_between_passes_are_noticed(tmp_path):
    X, y, _ = table()
    passes = Passes(blocks.arrays(X, y, rows=100).source)
    passes.total("sums", sums, 1.0)
    y[310] += 1.0
    with pytest.raises(BlockError, match="rows 300 to 399: y changed during the fit"):
        passes.total("sums", sums, 1.0)
    given = iter([(X, y), (X, y)])
    with pytest.raises(BlockError, match="batch 0 is missing"):
        total(blocks.iterable(lambda: given))
    frames(tmp_path)
    data = blocks.parquet(tmp_path, target="y")
    os.utime(tmp_path / "part1.parquet", (1, 1))
    with pytest.raises(BlockError, match=r"part1\.parquet, row group 0: the file has changed"):
        total(data)


def test_parquet_leaves_out_rows_and_reads_patterns(tmp_path):
    pc = pytest.importorskip("pyarrow.compute")
    holed = np.arange(N) * 1.0
    holed[[5, 777]] = np.nan
    whole = frames(tmp_path, a=np.where(np.isnan(holed), None, holed), c=1)
    given = {"target": "y", "columns": ["a", "c"], "filter": pc.field("b") > 0}
    with pytest.raises(BlockError, match=r"part2\.parquet, row group 1: column 'a' has no value in row \d+ \(1 of"):
        total(blocks.parquet(str(tmp_path / "part2*.parquet"), **given | {"filter": None}))
    data = blocks.parquet(tmp_path / "part*.parquet", **given, missing="drop")
    assert data.rows(0) is None
    left = whole[(whole.b > 0) & whole.a.notna()]
    passes = Passes(data.source)
    assert (passes.names, passes.n_rows) == (["count"], len(left))
    found = passes.total("sums", sums, 1.0).sums["x"]
    np.testing.assert_allclose(found, left[["a", "c"]].astype(float).T.to_numpy() @ left["y"].to_numpy(), rtol=1e-12)


def test_files_that_cannot_be_read_are_named(tmp_path):
    frames(tmp_path)
    data = blocks.parquet(tmp_path, target="y")
    path = tmp_path / "part2.parquet"
    begin = path.read_bytes()
    path.write_bytes(begin[: len(begin) // 2])
    with pytest.raises(BlockError, match=r"part2\.parquet"):
        blocks.parquet(tmp_path, target="y")
    info = os.stat(path)
    path.write_bytes(begin[:100] + b"\0" * (len(begin) - 200) + begin[-100:])
    with pytest.raises(BlockError, match=r"part2\.parquet, row group 0"):
        total(data)
    assert info.st_size
    with pytest.raises(FileNotFoundError, match="No file matches"):
        blocks.parquet(tmp_path / "none*", target="y")
    for given, message in (
        ({"target": "z"}, "no column 'z'"),
        ({"target": "y", "columns": ["y"]}, "only features"),
        ({"target": "y", "missing": "no"}, "missing must be one of"),
    ):
        path.write_bytes(begin)
        with pytest.raises(ValueError, match=message):
            blocks.parquet(tmp_path, **given)


def test_categories_go_through_fitted_transformers(tmp_path):
    """Each file has its own dictionary, in another order; a category that was not fitted is an error with its file."""
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    pd = pytest.importorskip("pandas")
    names = np.array(["north", "south", "west"])[np.arange(N) % 3]
    whole = frames(tmp_path, n_files=1, c=1.0)
    whole["place"] = names
    for k, order in enumerate((["north", "south", "west"], ["west", "north", "south"])):
        half = whole.iloc[k * N // 2 : (k + 1) * N // 2].copy()
        half["place"] = pd.Categorical(half["place"], categories=order)
        half.to_parquet(tmp_path / f"half{k}.parquet", index=False)
    data = blocks.parquet(tmp_path / "half*", target="y", columns=["place"])
    encoder = preprocessing.OneHotEncoder().fit(whole[["place"]])
    found = total(data.map(encoder.transform))
    assert data.map(encoder.transform).feature_names == ["place_north", "place_south", "place_west"]
    np.testing.assert_allclose(found.sums["x"], whole.groupby("place")["y"].sum(), rtol=1e-12)
    with pytest.raises(BlockError, match=r"half0\.parquet, row group 0: column 'place' has type .* pass a fitted"):
        total(data)
    less = preprocessing.OneHotEncoder().fit(whole[whole["place"] != "west"][["place"]])
    with pytest.raises(BlockError, match=r"half0\.parquet, row group 0 could not be read: .*unknown categories"):
        total(data.map(less.transform))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_collections_of_dask(tmp_path):
    da = pytest.importorskip("dask.array")
    from ladreg._row_blocks import DaskRows, is_dask

    X, y, w = table()
    assert not is_dask(X)
    wanted = total(blocks.arrays(X, y, w, rows=100))
    dX, dy, dw = (da.from_array(values, chunks=100) for values in (X, y, w))
    assert is_dask(dX)
    for given in ((dX, dy, dw), (dX.rechunk((100, 2)), dy.rechunk(130), dw)):
        found = Passes(DaskRows(*given)).total("sums", sums, 1.0)
        assert found.sums["x"].tobytes() == wanted.sums["x"].tobytes()
    unknown = dX[dX[:, 0] > 0]
    passes = Passes(DaskRows(unknown, dy[dX[:, 0] > 0], None))
    assert (passes.names, passes.n_rows) == (["count"], int(np.sum(X[:, 0] > 0)))
    with pytest.raises(ValueError, match="X has 1000 rows, y 999"):
        DaskRows(dX, dy[:-1], None)
    with pytest.raises(TypeError, match="X is a Dask collection, so that y must be one"):
        DaskRows(dX, y, None)
    with pytest.raises(ValueError, match="blocks of rows, y"):
        DaskRows(unknown, dy.rechunk(500), None)


def test_frames_of_dask(tmp_path):
    dd = pytest.importorskip("dask.dataframe")
    from ladreg._row_blocks import DaskRows, Mapped

    whole = frames(tmp_path)
    frame = dd.from_pandas(whole, npartitions=7)
    source = DaskRows(frame[["a", "b", "c"]], frame["y"], frame["w"])
    assert source.feature_names == ["a", "b", "c"]
    passes = Passes(source)
    found = passes.total("sums", sums, 1.0)
    np.testing.assert_allclose(found.sums["x"], whole[["a", "b", "c"]].T.to_numpy() @ whole["y"].to_numpy(), rtol=1e-12)
    doubled = Passes(Mapped.of(source, lambda X: 2 * X)).total("sums", sums, 1.0)
    np.testing.assert_array_equal(doubled.sums["x"], 2 * found.sums["x"])
    with pytest.raises(ValueError, match="X has 7 partitions, y or sample_weight 3"):
        DaskRows(frame[["a", "b"]], dd.from_pandas(whole, npartitions=3)["y"], None)
    empty = frame[["a", "b", "c", "y"]][frame["a"] > whole["a"].quantile(0.999)]
    assert Passes(DaskRows(empty[["a", "b", "c"]], empty["y"], None)).n_rows == 1


def test_what_is_no_source_is_refused():
    X, y, _ = table()
    with pytest.raises(TypeError, match="source must have n_blocks"):
        blocks.Blocks(X)
    with pytest.raises(TypeError, match="an iterator can be read only once"):
        blocks.iterable(iter([(X, y)]))
    with pytest.raises(TypeError, match="executor must have a method submit"):
        blocks.arrays(X, y).on(3)
    with pytest.raises(TypeError, match="transform must be a function"):
        blocks.arrays(X, y).map("scale")
    with pytest.raises(TypeError, match="y must be an array"):
        blocks.arrays(X, y.tolist())
    with pytest.raises(ValueError, match="X has 1000 rows, y 999"):
        blocks.arrays(X, y[:-1])
    with pytest.raises(ValueError, match="rows must be an integer >= 1"):
        blocks.arrays(X, y, rows=0)
    with pytest.raises(ValueError, match="no rows"):
        blocks.arrays(X[:0], y[:0])
    with pytest.raises(ValueError, match=r"omit \.on"), ThreadPoolExecutor(1) as pool:
        total(blocks.iterable(lambda: [(X, y)]).on(pool))
    with pytest.raises(ValueError, match="all 2 blocks are empty"):
        Passes(blocks.iterable(lambda: [(X[:0], y[:0])] * 2).source)


def simple(n=5000):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 2))
    return X, X.sum(axis=1) + rng.standard_t(2, n)


def test_a_pass_is_a_task_of_callbacks(capsys):
    callback = pytest.importorskip("sklearn.callback")
    data = blocks.arrays(*simple(), rows=1000).holding(1000)
    recorder = Recorder()
    model = ladreg.LADRegressor().set_callbacks(recorder).fit(data)
    names = [name for _, name, _, _ in recorder.begun]
    assert names[0] == "fit"
    assert names[1:] == ["survey", *names[2:-1], "certify"]
    assert [one[2:] for one in recorder.begun[1:]] == [(-k, 0) for k in range(1, model.n_passes_ + 1)]
    assert recorder.ended == [*recorder.begun[1:], ("LADRegressor", "fit", 0, None)]
    plain = ladreg.LADRegressor().fit(data)
    assert model.coef_.tobytes() == plain.coef_.tobytes()
    recorder = Recorder()
    ladreg.LassoCDCV(cv=3).set_callbacks(recorder).fit(data)
    assert [one[1] for one in recorder.begun] == ["fit", "moments", "fold", "fold", "fold", "certify"]
    pytest.importorskip("rich")
    ladreg.LADRegressor().set_callbacks(callback.ProgressBar()).fit(data)
    assert "LADRegressor" in capsys.readouterr().out


def test_verbose_names_the_passes(capsys):
    X, y = simple()
    data = blocks.arrays(X, y, rows=1000).holding(1000)
    ladreg.LassoCDCV(cv=3, verbose=1).fit(data)
    assert "[LassoCDCV] pass 1 over the rows: moments\n" in capsys.readouterr().out
    model = ladreg.LADRegressor().fit(X, y)
    ladreg.infer(model, data, verbose=1)
    assert "[infer] pass 1 over the rows: survey\n" in capsys.readouterr().out


def test_names_of_tasks_are_readable():
    """Dask's dashboard shows the words that the keys of tasks begin with."""
    key_split = pytest.importorskip("dask.utils").key_split
    X, y = simple()

    class Labelled(ThreadPoolExecutor):
        def submit(self, function, source, job):
            labels.add(key_split(job.label))
            return super().submit(function, source, job)

    labels, model = set(), ladreg.QuantileRegressor(quantile=[0.2, 0.5], alpha=0)
    with Labelled(1) as executor:
        model.fit(blocks.arrays(X, y, rows=1000).holding(1000).on(executor))
    assert {"ladreg-survey", "ladreg-certify"} <= labels
    assert all(label.startswith("ladreg-") for label in labels)
