"""What is written whole, what is written directly, and what is never written over."""

from __future__ import annotations

import os
import threading

import pytest

from planner.core.whole_file import STDIN, is_among, whole_file
from planner.errors import InvalidInput

OLD, NEW = "old\n", "new\n"


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.txt"
    path.write_text(OLD)
    return path


def write(path, **options):
    with whole_file(path, **options) as file:
        file.write(NEW)


def test_a_file_is_replaced_when_all_is_written(old):
    with whole_file(old) as file:
        file.write(NEW)
        file.flush()
        assert old.read_text() == OLD
    assert old.read_text() == NEW
    assert [path.name for path in old.parent.iterdir()] == ["old.txt"]


def test_an_exception_leaves_what_was_there(old):
    with pytest.raises(TypeError), whole_file(old) as file:
        file.writelines([NEW, None])
    assert old.read_text() == OLD
    assert [path.name for path in old.parent.iterdir()] == ["old.txt"]


def test_two_writers_at_once_do_not_meet(old):
    with whole_file(old) as first, whole_file(old) as second:
        first.write("first\n")
        second.write("second\n")
    assert old.read_text() == "first\n"
    assert [path.name for path in old.parent.iterdir()] == ["old.txt"]


def test_a_long_name_is_written(tmp_path):
    path = tmp_path / ("ä" * 125)
    write(path)
    assert path.read_text() == NEW


def test_nothing_written_is_an_empty_file_unless_that_is_not_wanted(old):
    with whole_file(old, even_empty=False):
        pass
    assert old.read_text() == OLD
    with whole_file(old):
        pass
    assert old.read_text() == ""


def test_a_symbolic_link_is_followed(old):
    link, dangling = old.parent / "link", old.parent / "dangling"
    link.symlink_to(old)
    dangling.symlink_to(old.parent / "made.txt")
    write(link)
    write(dangling)
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert old.read_text() == (old.parent / "made.txt").read_text() == NEW


def test_links_in_a_circle_and_folders_cannot_be_written(tmp_path):
    circle = tmp_path / "circle"
    circle.symlink_to(circle)
    for path in (circle, tmp_path, tmp_path / "nowhere" / "x"):
        with pytest.raises(InvalidInput, match="cannot be written"):
            write(path)


def test_a_pipe_is_written_to(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write(pipe)
    reader.join(timeout=10)
    assert read == [NEW]
    assert pipe.is_fifo()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no such device here")  # noqa: PTH110
def test_a_full_device_stays_one_and_is_named(tmp_path):
    link = tmp_path / "full"
    link.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as raised:
        write(link)
    assert raised.value.filename == str(link)
    assert link.is_char_device()


def test_what_is_read_is_not_written_over(old):
    link, twin = old.parent / "link", old.parent / "twin"
    link.symlink_to(old)
    twin.hardlink_to(old)
    for path in (old, link, twin):
        with pytest.raises(InvalidInput, match="read here too"):
            write(path, reads=[old])
    assert old.read_text() == OLD


def test_standard_input_is_known_by_its_descriptor(old, tmp_path):
    kept = os.dup(STDIN)
    try:
        with old.open() as file:
            os.dup2(file.fileno(), STDIN)
            assert is_among(old, [STDIN])
            assert not is_among(tmp_path / "other", [STDIN])
    finally:
        os.dup2(kept, STDIN)
        os.close(kept)
