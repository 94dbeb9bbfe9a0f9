"""``python -m tests.make_models``: one fitted model of each class, as users save them, under the version that runs."""

import json
import pickle
from pathlib import Path
from zipfile import ZIP_DEFLATED

import joblib
import numpy as np
import skops.io
from sklearn.base import clone

import ladreg
from tests import public

DATA = Path(__file__).parent / "data"
FORMATS = {
    "pickle": lambda model, path: path.write_bytes(pickle.dumps(model, protocol=4)),
    "joblib": joblib.dump,
    "skops": lambda model, path: skops.io.dump(model, path, compression=ZIP_DEFLATED, compresslevel=9),
}


def table():
    """Data of round numbers, the same wherever they are made."""
    rng = np.random.default_rng(7)
    X = np.round(rng.standard_normal((24, 4)), 2)
    return X, np.round(X @ [2.0, -1.0, 0.0, 0.5] + rng.standard_t(2, 24), 2)


def answers(model, X):
    """What a loaded model must say, as JSON has it."""
    if not hasattr(model, "predict"):
        return {"selection_probabilities_": model.selection_probabilities_.tolist()}
    names = ("coef_", "intercept_", "objective_")
    uses = [name for name in ("predict", "predict_interval") if hasattr(model, name)]
    said = {name: getattr(model, name)(X).tolist() for name in uses}
    return {name: np.asarray(getattr(model, name)).tolist() for name in names} | said


def main():
    """Save them in a folder of this version, which stays as it is once the version is released."""
    folder = DATA / f"models-{ladreg.__version__}"
    folder.mkdir(parents=True, exist_ok=True)
    X, y = table()
    expected = {}
    for estimator in public.ONE_EACH:
        name = type(estimator).__name__
        model = clone(estimator).fit(X, y)
        expected[name] = answers(model, X)
        for suffix, dump in FORMATS.items():
            dump(model, folder / f"{name}.{suffix}")
    text = json.dumps({"X": X.tolist(), "y": y.tolist(), "models": expected}, indent=1)
    (folder / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
