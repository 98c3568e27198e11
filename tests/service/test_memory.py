from __future__ import annotations

import platform
import re
import subprocess
import sys

import pytest

ALLOCATES = """
import ctypes, sys, threading
from planner.service.memory import share_one_heap
if sys.argv[1] == "shared":
    share_one_heap()
there = threading.Barrier(8)
def allocate():
    mine = [bytes(50_000) for _ in range(20)]
    there.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
[one.start() for one in threads]
[one.join() for one in threads]
libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
told = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, told)
libc.fclose(told)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives threads heaps of their own")
@pytest.mark.parametrize(("how", "is_one"), [("shared", True), ("own", False)])
def test_threads_share_one_heap_where_it_is_said(how, is_one):
    done = subprocess.run([sys.executable, "-c", ALLOCATES, how], check=True, capture_output=True, text=True)
    assert (len(re.findall("<heap nr=", done.stdout)) == 1) == is_one


GIVES_BACK = """
from pathlib import Path
from planner.service.memory import give_back, share_one_heap
def pages():
    return int(Path("/proc/self/statm").read_text().split()[1])
share_one_heap()
before = pages()
kept = [bytes(20_000) for _ in range(4_000)][::20]
left = pages()
give_back()
assert pages() - before < (left - before) / 2, (before, left, pages())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="elsewhere nothing is given back")
def test_what_was_freed_between_objects_that_live_on_is_given_back():
    subprocess.run([sys.executable, "-c", GIVES_BACK], check=True)
