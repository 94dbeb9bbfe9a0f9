"""Models that were saved by a version of ladreg are loaded by every later one; a model of another version says so."""

import copy
import json
import pickle
import re
import warnings

import joblib
import numpy as np
import pytest
import skops.io
from sklearn.base import clone

import ladreg
from tests import public
from tests.make_models import DATA, FORMATS, answers, table

FOLDERS = sorted(DATA.glob("models-*"))
X, y = table()
NAMES = [value.__name__ for value in public.classes()]
classes = pytest.mark.parametrize("name", NAMES)
formats = pytest.mark.parametrize("suffix", FORMATS)
# A prediction is a sum of five terms of sizes up to 10, which rounds by less than 1e-14, in whatever order it is added;
# other numbers are loaded as they were saved.
RTOL, ATOL = 1e-12, 1e-14
# Bytes of all models of a version, which stay in the repository for good.
LARGEST = 200_000
one_each = pytest.mark.parametrize("model", public.ONE_EACH, ids=lambda model: type(model).__name__)


def load(path):
    if path.suffix == ".pickle":
        return pickle.loads(path.read_bytes())
    if path.suffix == ".joblib":
        return joblib.load(path)
    value = getattr(ladreg, path.stem)
    return skops.io.load(path, trusted=[f"{value.__module__}.{value.__name__}"])


def copies(model, path):
    """The model after each way to save and load it."""
    for suffix, dump in FORMATS.items():
        file = path / f"{type(model).__name__}.{suffix}"
        dump(model, file)
        yield lambda file=file: load(file)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@classes
@formats
def test_saved_models_predict_what_they_predicted(folder, name, suffix):
    record = json.loads((folder / "expected.json").read_text())
    if name not in record["models"]:
        pytest.skip("a class that came later")
    version = folder.name.removeprefix("models-")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = load(folder / f"{name}.{suffix}")
    assert [version in str(warning.message) for warning in caught] == [True] * (version != ladreg.__version__)
    for key, values in answers(model, np.array(record["X"])).items():
        np.testing.assert_allclose(values, record["models"][name][key], rtol=RTOL, atol=ATOL)
    if hasattr(model, "verify"):
        found = np.ravel(model.verify(np.array(record["X"]), np.array(record["y"])))
        objectives = np.ravel(record["models"][name]["objective_"])
        np.testing.assert_allclose([proof.objective for proof in found], objectives, rtol=1e-12)
        assert max(proof.relative_gap for proof in found) < 1e-9


def test_every_class_is_saved_under_this_version():
    folder = DATA / f"models-{ladreg.__version__}"
    names = {path.name for path in folder.iterdir()} - {"expected.json"}
    assert names == {f"{name}.{suffix}" for name in NAMES for suffix in FORMATS}
    assert sum(path.stat().st_size for path in folder.iterdir()) < LARGEST


@one_each
def test_a_model_of_another_version_names_both(model, monkeypatch, tmp_path):
    fitted = clone(model).fit(X, y)
    state = type(model).__getstate__
    older = lambda one: {**state(one), "_ladreg_version": "0.0.7"}  # noqa: E731
    monkeypatch.setattr(type(model), "__getstate__", older)
    loaders = list(copies(fitted, tmp_path))
    monkeypatch.undo()
    message = re.escape(
        f"{type(model).__name__} was saved by ladreg 0.0.7 and is loaded by ladreg {ladreg.__version__}"
    )
    for loader in loaders:
        with pytest.warns(UserWarning, match=message) as caught:
            found = loader()
        assert len(caught) == 1
        np.testing.assert_array_equal(public.slopes(found), public.slopes(fitted))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            copy.deepcopy(found)
            pickle.loads(pickle.dumps(found))


@one_each
def test_copies_under_one_version_are_silent_and_alike(model, tmp_path):
    fitted = clone(model).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = [
            clone(fitted),
            copy.copy(fitted),
            copy.deepcopy(fitted),
            *(load() for load in copies(fitted, tmp_path)),
        ]
    for one in found:
        assert "_ladreg_version" not in vars(one)
        assert repr(one) == repr(fitted)
    for one in found[1:]:
        assert set(vars(one)) == set(vars(fitted))
        np.testing.assert_array_equal(public.slopes(one), public.slopes(fitted))


def test_the_line_that_loads_is_named():
    blob = pickle.dumps(ladreg.LADRegressor().fit(X, y)).replace(ladreg.__version__.encode(), b"0.0.7")
    with pytest.warns(UserWarning, match=r"0\.0\.7") as caught:
        pickle.loads(blob)
    assert caught[0].filename == __file__


def test_a_model_without_a_version_is_loaded():
    state = ladreg.LADRegressor().fit(X, y).__getstate__()
    del state["_ladreg_version"]
    bare = ladreg.LADRegressor()
    bare.__setstate__(state)
    assert bare.certificate_.relative_gap < 1e-9
