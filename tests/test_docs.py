"""What the README and the docstrings say is true."""

import inspect
import re
import tomllib
from contextlib import redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest

import ladreg
import ladreg.blocks
import ladreg.metrics
import ladreg.onnx
from tests.benchmarks.page import PAGE, replaced, tables

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()

# Of numpydoc's checks: the summary stands on the opening line (GL01) and may begin with a plural, which is taken for a
# verb (SS05); a class and its short methods need no extended summary, example or "see also" each (ES01, EX01, SA01,
# SA04); scikit-learn's own methods are not ours (GL08).
IGNORED = {"GL01", "SS05", "ES01", "EX01", "SA01", "SA04", "GL08"}
PUBLIC = [ladreg.LADRegressor, ladreg.QuantileRegressor, ladreg.HuberLossRegressor, ladreg.CombinedLossRegressor]
PUBLIC += [ladreg.ElasticNetCD, ladreg.LassoCD, ladreg.Certificate, ladreg.alpha_max]
PUBLIC += [ladreg.LassoCDCV, ladreg.ElasticNetCDCV, ladreg.LADRegressorCV, ladreg.QuantileRegressorCV]
PUBLIC += [ladreg.HuberLossRegressorCV, ladreg.CombinedLossRegressorCV]
PUBLIC += [ladreg.LassoCDIC, ladreg.LADRegressorIC, ladreg.QuantileRegressorIC, ladreg.StabilitySelection]
PUBLIC += [ladreg.lasso_path, ladreg.enet_path, ladreg.lad_path, ladreg.pivotal_alpha]
PUBLIC += [ladreg.quantile_path, ladreg.quantile_process, ladreg.huber_path, ladreg.combined_path]
PUBLIC += [ladreg.ConformalQuantileRegressor, ladreg.infer, ladreg.Inference, ladreg.LassoInference]
PUBLIC += [ladreg.fit_many, ladreg.ManyFits]
PUBLIC += [ladreg.PathDisplay, ladreg.CVCurveDisplay, ladreg.QuantileProcessDisplay, ladreg.ResidualDisplay]
PUBLIC += [ladreg.IntervalDisplay, ladreg.StabilityDisplay, ladreg.CertificateDisplay]
PUBLIC += [getattr(ladreg.metrics, name) for name in ladreg.metrics.__all__]
PUBLIC += [getattr(ladreg.blocks, name) for name in ladreg.blocks.__all__] + [ladreg.onnx.register]


# Modules whose names are not at the top of the package.
OWN = ("ladreg.metrics", "ladreg.blocks", "ladreg.onnx")
METHODS = (
    "map",
    "on",
    "name",
    "rows",
    "load",
    "fit",
    "predict",
    "verify",
    "alpha_max",
    "conf_int",
    "wald",
    "equal_slopes",
    "predict_interval",
    "to_frame",
    "from_estimator",
    "from_path",
    "from_predictions",
    "plot",
    "proved_digits",
)


def test_public_names_are_all_here():
    assert {public.__name__ for public in PUBLIC if public.__module__ not in OWN} == (
        set(ladreg.__all__) - {"__version__"}
    )


def test_readme_example_prints_what_it_says():
    ((code, printed),) = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README, flags=re.S)
    assert len(code.split("\n\n", 1)[1].splitlines()) <= 8
    found = StringIO()
    with redirect_stdout(found):
        exec(code, {})

    def rounded(text):
        """Without the last digits and the gap, which are rounding and differ between machines."""
        return re.sub(r"(\d\.\d{9})\d+", r"\1", re.sub(r"gap .* relative\)", "gap", text))

    assert rounded(found.getvalue()) == rounded(printed)


def test_readme_has_two_shell_blocks_of_one_line():
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.S)
    assert [block.count("\n") for block in blocks] == [1, 1]


def test_readme_links_exist():
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


def test_inventory_of_scikit_learn_is_true():
    header, lines = (ROOT / "docs/sklearn.inv").read_text().split("# Version: stable\n")
    assert header == "# Sphinx inventory version 1\n# Project: scikit-learn\n"
    listed = [line.split() for line in lines.splitlines()]
    assert listed == sorted(listed)
    for name, kind, page in listed:
        module, _, short = name.rpartition(".")
        assert inspect.isclass(getattr(import_module(module), short)) == (kind == "class"), name
        assert page == f"modules/generated/{name}.html"


def test_a_table_of_the_benchmarks_is_replaced_by_its_name():
    text = PAGE.read_text()
    found = tables(text)
    assert len(found) == text.count("<!-- table: ") == text.count("|---|\n")
    assert replaced(text, found) == text
    printed = "machine\n<!-- table: growth -->\n| rows |\n|---|\n| 1 |\nanother failed\n"
    changed = tables(replaced(text, tables(printed)))
    assert changed == {**found, "growth": "| rows |\n|---|\n| 1 |\n"}


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == ladreg.__version__
    assert f"version: {ladreg.__version__}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {ladreg.__version__}" in (ROOT / "docs/changelog.md").read_text()
    assert {re.split(r"[<>=]", item)[0] for item in project["dependencies"]} == {
        "numpy",
        "scipy",
        "scikit-learn",
        "threadpoolctl",
    }
    recipe = ROOT / ".github/conda/recipe.yaml"
    if recipe.exists():  # the source archive is without it
        needed = [re.sub(r"^([\w-]+)", r"    - \1 ", item) + "\n" for item in project["dependencies"]]
        assert f'version: "{ladreg.__version__}"' in recipe.read_text()
        assert "    - python\n" + "".join(needed) in recipe.read_text()


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.__name__)
def test_docstrings_are_numpydoc(public):
    validate = pytest.importorskip("numpydoc.validate").validate
    names = [f"{public.__module__ if public.__module__ in OWN else 'ladreg'}.{public.__name__}"]
    names += [f"{names[0]}.{name}" for name in METHODS if hasattr(public, name)]
    for name in names:
        errors = [error for error in validate(name)["errors"] if error[0] not in IGNORED]
        assert not errors, f"{name}: {errors}"
