"""A fit gives the same bytes whether it is the first of its process or not, and however many cores there are."""

from __future__ import annotations

import json
import os
import subprocess
import sys

CODE = """
import json
from threadpoolctl import threadpool_info
from planner.policy.one_thread import one_thread
with one_thread():
    import lightgbm, scipy.linalg, sklearn.utils.extmath
    print(json.dumps([pool["num_threads"] for pool in threadpool_info()]))
"""


def test_libraries_that_are_loaded_on_the_way_use_one_thread_too():
    many = os.environ | dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "4")
    done = subprocess.run([sys.executable, "-c", CODE], env=many, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) == {1}
