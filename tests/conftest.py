import os

import hypothesis

# Tests that run side by side leave each other a processor; it must be said before NumPy is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A failure must be the same for everyone: examples are derived from the test alone.
hypothesis.settings.register_profile("gate", deadline=None, derandomize=True, max_examples=60, print_blob=True)
hypothesis.settings.register_profile("long", deadline=None, max_examples=2000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("LADREG_HYPOTHESIS", "gate"))


def pytest_collection_modifyitems(config, items):
    """Benchmarks compare against peers that may not be installed: they run when asked for by `-m benchmark`."""
    if "benchmark" in (config.option.markexpr or ""):
        return
    config.hook.pytest_deselected(items=[item for item in items if "benchmark" in item.keywords])
    items[:] = [item for item in items if "benchmark" not in item.keywords]
