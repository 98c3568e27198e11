"""Bad lines of JSON Lines: each is named with field, what is wrong and what was expected, and nothing is imported."""

from __future__ import annotations

import gzip
import json
import os

import pytest
import zstandard

from planner.errors import BadLog, InvalidInput
from planner.formats import import_logs
from planner.formats.limits import MAX_TEXT_BYTES


def changed(good, **changes):
    return {name: value for name, value in (good | changes).items() if value is not ...}


def sample(**changes):
    return [{"chain": 0, "attempt": 0, "answer": "4"} | changes]


CASES = [
    ({"generator": ...}, "generator: is missing, expected the generator's name"),
    ({"generator": ""}, "generator: is empty"),
    ({"generator": 5}, "generator: is 5, expected the generator's name"),
    ({"search": "magic"}, "search: 'magic' is no known search, expected one of sampling, cascade, beam_search"),
    ({"selection": "best"}, "selection: 'best' is no known selection, expected one of first, last, majority_vote"),
    ({"breadth": 0}, "breadth: is 0, expected a whole number in 1.."),
    ({"depth": 1.5}, "depth: is 1.5, expected a whole number"),
    ({"correct": 1.5}, "correct: is 1.5, expected a number in 0..1"),
    ({"correct": -0.1}, "correct: is -0.1, expected a number in 0..1"),
    ({"correct": "yes"}, "correct: is 'yes', expected a number in 0..1"),
    ({"completion_tokens": -3}, "completion_tokens: is -3, expected a whole number in 0..2,147,483,647"),
    ({"prompt_tokens": "12"}, "prompt_tokens: is '12', expected a whole number"),
    ({"prompt_tokens": True}, "prompt_tokens: is true, expected a whole number"),
    ({"verifier_tokens": 10**40}, "verifier_tokens: is a number of more than 30 digits"),
    ({"completion_tokens": 2**31}, "completion_tokens: is 2147483648, expected a whole number in 0..2,147,483,647"),
    ({"answer": 4.5}, "answer: is 4.5, expected text"),
    ({"answer": True}, "answer: is true, expected text"),
    ({"usd": -1}, "usd: is -1, expected a number of 0 or more"),
    ({"propensity": 0}, "propensity: is 0, expected a number above 0"),
    ({"status": "fine"}, "status: is 'fine', expected one of ok, truncated, error"),
    ({"started_at": "yesterday"}, "started_at: is 'yesterday', expected an ISO 8601 time with its zone"),
    ({"started_at": "2026-01-01T00:00:00"}, "names no zone, expected an ISO 8601 time with its zone"),
    ({"started_at": "0001-01-01T00:00:00+01:00"}, "lies outside the years 1 to 9999 in UTC, expected an ISO 8601"),
    ({"started_at": "9999-12-31T23:59:59-01:00"}, "lies outside the years 1 to 9999 in UTC, expected an ISO 8601"),
    ({"params": []}, "params: is [], expected a JSON object"),
    ({"metadata": "x"}, "metadata: is 'x', expected a JSON object"),
    ({"samples": {}}, "samples: is no array, expected an array of objects"),
    ({"samples": [7]}, "samples[0]: is no object"),
    ({"samples": sample(score="high")}, "samples[0].score: is 'high', expected a finite number"),
    ({"samples": sample(correct=2)}, "samples[0].correct: is 2, expected a number in 0..1"),
    ({"samples": sample(chain=-1)}, "samples[0].chain: is -1, expected a whole number in 0.."),
    ({"samples": sample(colour="red")}, "samples[0].colour: is no field of a sample, expected one of chain, attempt"),
    ({"samples": sample(step_scores=[0.5, None])}, "samples[0].step_scores: holds a null"),
    ({"samples": sample() + sample()}, "samples[1]: chain 0, attempt 0 stands here twice"),
    ({"colour": "red"}, "colour: is no field of a run, expected one of prompt_id, prompt"),
    ({"prompt": "a\0b"}, "prompt: holds a NUL character"),
    ({"prompt": "half \ud800 pair"}, "prompt: holds half of a surrogate pair"),
    ({"metadata": {"x": "a\0b"}}, "metadata: holds a NUL character"),
    ({"prompt": "x" * 10_000_000}, f"prompt: has 10,000,000 bytes, the limit is {MAX_TEXT_BYTES:,}, expected text"),
    ({"run_id": "x" * 501}, "run_id: has 501 bytes, the limit is 500"),
    ({"prompt": ..., "prompt_id": ...}, "prompt: neither prompt nor prompt_id stands here"),
    ({"prompt": ...}, "prompt: the text of prompt_id 'p1' is not known yet, expected the prompt's text"),
]


@pytest.mark.parametrize(("changes", "message"), CASES, ids=[message[:40] for _, message in CASES])
def test_a_wrong_field_is_named_with_what_was_expected(good, store, contents, write_lines, changes, message):
    before = contents()
    path = write_lines(changed(good, **changes))
    with pytest.raises(BadLog) as caught:
        import_logs(store, path)
    assert str(caught.value).startswith(f"{path}:1: ")
    assert message in str(caught.value)
    assert contents() == before


RAW = [
    (b"{", "line: is no valid JSON"),
    (b"[1]", "line: holds an array, expected one JSON object"),
    (b"7", "line: holds a number, expected one JSON object"),
    (
        b'{"generator": "cut',
        "line: is no valid JSON: Invalid control character at character 19, expected one JSON object",
    ),
    (b"null", "line: holds null, expected one JSON object"),
    (b'{"generator": "a\xff"}', "line: byte 17 is no valid UTF-8, expected text in UTF-8"),
    (b'{"generator": "a", "correct": NaN}', "correct: holds NaN, expected finite numbers, or null"),
    (b'{"generator": "a", "usd": -Infinity}', "usd: holds -Infinity, expected finite numbers"),
    (b'{"samples": [{"score": 1}, {"score": NaN, "score_min": NaN}]}', "samples[1].score: holds NaN, expected finite"),
    (b'{"metadata": {"a": {"b": [[0, Infinity]]}}}', "metadata.a.b[0][1]: holds Infinity, expected finite numbers"),
    (b'{"usd": NaN, "usd": 1}', "usd: stands twice in one object"),
    (b'{"usd": NaN, oops}', "line: is no valid JSON"),
    (b"NaN", "line: holds NaN, expected finite numbers"),
    (b'{"generator": "a", "prompt": "x", "usd": 1e999}', "usd: is inf"),
    (b'{"generator": "a", "generator": "b"}', "generator: stands twice in one object, expected each field once"),
    (b'{"generator": "a", "samples": [{"chain": 0, "chain": 1}]}', "chain: stands twice in one object"),
    (b"[" * 100_000, "line: "),
    (
        b'{"generator": "a", "usd": ' + b"9" * 5000 + b"}",
        "usd: holds a number of 5,000 digits, expected numbers of usual length",
    ),
    (b'{"samples": [{"chain": -' + b"9" * 5000 + b"}]}", "samples[0].chain: holds a number of 5,000 digits"),
    (b"\0\0\0", "line: is no valid JSON"),
]


@pytest.mark.parametrize(("line", "message"), RAW, ids=[message[:40] for _, message in RAW])
def test_a_line_that_is_no_record_is_named(good, store, contents, write_lines, line, message):
    before = contents()
    path = write_lines(good, line)
    with pytest.raises(BadLog) as caught:
        import_logs(store, path)
    assert str(caught.value).startswith(f"{path}:2: {message}")
    assert contents() == before


def test_the_first_twenty_bad_lines_are_named_and_the_rest_counted(good, store, write_lines):
    path = write_lines(good, *[good | {"run_id": f"b{i}", "correct": 2} for i in range(33)])
    with pytest.raises(BadLog) as caught:
        import_logs(store, path)
    lines = str(caught.value).splitlines()
    assert [line.split(":")[1] for line in lines[:20]] == [str(n) for n in range(2, 22)]
    assert lines[20] == "and 13 more bad lines"
    assert "--skip-bad" in lines[21]


def test_two_texts_of_one_prompt_id_are_refused_in_one_file(good, store, write_lines):
    path = write_lines(good, good | {"run_id": "r2", "prompt": "another text"})
    with pytest.raises(BadLog, match=r"runs.jsonl:2: prompt: prompt_id 'p1' stands for another text \(line 1\)"):
        import_logs(store, path)


def test_two_texts_of_one_prompt_id_are_refused_across_imports(good, store, contents, write_lines):
    import_logs(store, write_lines(good))
    before = contents()
    path = write_lines(good | {"run_id": "r2", "prompt": "another text"}, name="more.jsonl")
    with pytest.raises(BadLog, match=r"more.jsonl:1: prompt: prompt_id 'p1' stands for another text"):
        import_logs(store, path)
    assert contents() == before


def test_one_run_id_for_two_prompts_is_refused(good, store, write_lines):
    path = write_lines(good, good | {"prompt_id": "p2", "prompt": "another text"})
    with pytest.raises(BadLog, match="run_id: 'r1' stands for a run of another prompt or generator"):
        import_logs(store, path)


def test_a_file_of_blank_lines_is_empty(store, tmp_path):
    path = tmp_path / "blank.jsonl"
    path.write_text("\n  \n")
    with pytest.raises(BadLog, match="the file is empty"):
        import_logs(store, [path])


def test_an_empty_file_is_refused(store, tmp_path):
    for name in ("empty.jsonl", "empty.csv", "empty.parquet"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(BadLog, match=name):
            import_logs(store, tmp_path / name)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
@pytest.mark.parametrize(
    "spoil", [lambda data: data[: len(data) // 2], lambda data: data[:-3], lambda data: data + b"x"]
)
def test_a_packed_file_that_is_cut_off_or_spoilt_is_refused(good, store, contents, tmp_path, pack, spoil):
    before = contents()
    lines = b"\n".join(json.dumps(good | {"run_id": str(i)}).encode() for i in range(2000))
    (tmp_path / "cut.jsonl").write_bytes(spoil(pack(lines)))
    with pytest.raises(BadLog, match="cut off or damaged"):
        import_logs(store, tmp_path / "cut.jsonl", skip_bad=True, rejected_path=tmp_path / "rejected.jsonl")
    assert contents() == before
    assert not (tmp_path / "rejected.jsonl").exists()


def test_a_file_that_is_not_there_and_a_folder_are_refused(store, tmp_path):
    with pytest.raises(InvalidInput, match="there is no such file"):
        import_logs(store, tmp_path / "none.jsonl")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(InvalidInput, match="is a folder"):
        import_logs(store, tmp_path / "folder.jsonl")


def test_a_pipe_is_refused_since_it_can_be_read_but_once(store, tmp_path):
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(InvalidInput, match=r"pipe.jsonl can be read but once, .*: write it to a file first"):
        import_logs(store, tmp_path / "pipe.jsonl")


def test_a_name_that_tells_no_format_is_refused_with_the_option_that_helps(store, tmp_path):
    (tmp_path / "runs.log").write_text("{}")
    with pytest.raises(InvalidInput, match="--format"):
        import_logs(store, tmp_path / "runs.log")
    with pytest.raises(InvalidInput, match="auto, jsonl, parquet, csv"):
        import_logs(store, tmp_path / "runs.log", format="xml")


def test_bad_lines_are_skipped_where_asked_and_written_with_their_reasons(good, store, tmp_path, write_lines):
    path = write_lines(good, good | {"run_id": "r2", "correct": 7}, b"{oops", good | {"run_id": "r3"})
    rejected = tmp_path / "rejected.jsonl"
    report = import_logs(store, path, skip_bad=True, rejected_path=rejected)
    assert (report.n_runs, report.n_rejected, report.rejected_path) == (2, 2, str(rejected))
    written = [json.loads(line) for line in rejected.read_text().splitlines()]
    assert [one["reason"].split(": ")[1] for one in written] == ["correct", "line"]
    assert json.loads(written[0]["line"])["run_id"] == "r2"
    assert written[1]["line"].strip() == "{oops"


def test_no_file_of_rejected_lines_appears_where_all_are_good(good, store, tmp_path, write_lines):
    report = import_logs(store, write_lines(good), skip_bad=True, rejected_path=tmp_path / "rejected.jsonl")
    assert report.rejected_path is None
    assert sorted(path.name for path in tmp_path.iterdir() if "rejected" in path.name) == []
