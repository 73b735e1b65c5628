"""Files that are not set-ups, however they are damaged, are refused at once and change nothing."""

import json
import random
import time
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from stslab.cli.account import handout
from stslab.errors import StslabError
from stslab.home import Home

SECONDS = 2
HEAD = {"format": "stslab set-up", "version": 1, "run": "abcd2345", "records": [], "profiles": {}}


def packed(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    held = {"account": b"x", "run.json": json.dumps(HEAD).encode()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in (held | files).items():
            archive.writestr(name, content)
    return path


def refused(path: Path) -> str:
    """Why the file is refused, as both commands that ask find it."""
    home, begin = Home(path.parent / "home"), time.process_time()
    handout.is_set_up(path)
    with pytest.raises(StslabError) as error:
        handout.put_in(home, path)
    assert time.process_time() - begin < SECONDS
    assert not home.root.exists()
    return error.value.message


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(b"[" * 200_000 + b"]" * 200_000, id="lists in lists"),
        pytest.param(b'{"a":' * 200_000 + b"1" + b"}" * 200_000, id="objects in objects"),
        pytest.param(json.dumps(HEAD | {"profiles": []}).encode(), id="a list for profiles"),
        pytest.param(json.dumps(HEAD | {"records": [[1]]}).encode(), id="a record of one part"),
        pytest.param(b"\xff", id="no text"),
    ],
)
def test_a_run_that_can_not_be_read(tmp_path: Path, written: bytes):
    assert "can't be used" in refused(packed(tmp_path / "x", {"run.json": written}))


def test_a_name_that_no_profile_can_have(tmp_path: Path):
    keys = {"access_key_id": "AKIA", "secret_access_key": "x"}
    written = json.dumps(HEAD | {"profiles": {"../x": keys}}).encode()
    wrong = "The set-up can't be used: '../x' can't be the name of a profile."
    assert refused(packed(tmp_path / "x", {"run.json": written})) == wrong


def test_a_run_without_records(tmp_path: Path):
    assert refused(packed(tmp_path / "x", {})) == "The journal in the set-up was changed."


def test_a_later_version_has_its_own_advice(tmp_path: Path):
    for version in (2, 10**30):
        later = json.dumps({"format": "stslab set-up", "version": version}).encode()
        assert f"has version {version}" in refused(packed(tmp_path / "x", {"run.json": later}))


@pytest.mark.parametrize("name", ["account", "run.json", "lab/x"])
def test_a_file_that_grows_when_it_is_unpacked(tmp_path: Path, name: str):
    path = packed(tmp_path / "x", {name: bytes(100 << 20)})
    assert path.stat().st_size < 200_000
    assert "larger than 64 MB" in refused(path)


def test_a_file_that_says_that_it_is_smaller(tmp_path: Path):
    path = packed(tmp_path / "x", {"lab/x": bytes(100 << 20)})
    size, told = (100 << 20).to_bytes(4, "little"), (100).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, told))
    tracemalloc.start()
    try:
        assert refused(path)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("names", [("lab/a", "lab/a/b"), ("lab/a/b", "lab/a"), ("lab/a", "lab/a/")])
def test_two_files_that_can_not_both_be_written(tmp_path: Path, names: tuple[str, str]):
    assert "in the place of another" in refused(packed(tmp_path / "x", dict.fromkeys(names, b"")))


def test_a_file_with_too_many_names_is_not_opened(tmp_path: Path):
    assert handout.is_set_up(
        packed(tmp_path / "few", {f"lab/{number}": b"" for number in range(9)})
    )
    many = packed(tmp_path / "many", {f"lab/{number}": b"" for number in range(2_000)})
    assert not handout.is_set_up(many)


def test_a_file_that_is_damaged_anywhere(tmp_path: Path):
    whole = packed(tmp_path / "whole", {"account": random.Random(1).randbytes(500)}).read_bytes()
    path = tmp_path / "x"
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        refused(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_file_that_is_packed_another_way_and_damaged(tmp_path: Path, method: int):
    whole = packed(tmp_path / "whole", {}, method).read_bytes()
    path = tmp_path / "x"
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        refused(path)
