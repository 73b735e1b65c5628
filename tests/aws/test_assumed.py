"""With keys in the environment and a named profile, the caller is the one botocore picks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

from stslab.aws.assumed import Assumed
from stslab.aws.profiles import ProfileFiles
from stslab.errors import CredentialsError
from stslab.runner.ports import Credentials

THEIRS, MINE = Credentials("AKIATHEIRS", "one"), Credentials("ASIAMINE", "two", "token")
FINDS = (
    "import botocore.session, sys;"
    "print(botocore.session.Session(profile=sys.argv[1] or None).get_credentials().access_key)"
)


def unasked(*_: object) -> NoReturn:
    raise AssertionError("nobody needs this")


def assumed(files: ProfileFiles) -> Assumed:
    """Without profiles of the learner's own, and without clients."""
    return Assumed(files, unasked, {}, unasked)


@pytest.fixture
def files(tmp_path: Path) -> ProfileFiles:
    made = ProfileFiles(tmp_path / "profiles", "us-east-1")
    made.save("theirs", THEIRS)
    made.save("mine", MINE)
    return made


def found_by_a_process(files: ProfileFiles, keys: Credentials, profile: str, option: str) -> str:
    environ = {
        "PATH": os.environ["PATH"],
        "AWS_CONFIG_FILE": str(files.config_file),
        "AWS_SHARED_CREDENTIALS_FILE": str(files.credentials_file),
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        **({"AWS_PROFILE": profile} if profile else {}),
    }
    command = [sys.executable, "-c", FINDS, option]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("named", "who"), [({"profile": "mine"}, "AKIATHEIRS"), ({"option": "mine"}, "ASIAMINE")]
)
def test_botocore_picks_the_same_credentials_as_a_process(
    files: ProfileFiles, monkeypatch: pytest.MonkeyPatch, named: dict[str, str], who: str
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOUTSIDE")
    files.configure("shell", {"environment": "theirs", **named})
    again = ProfileFiles(files.folder, "us-east-1")
    found = assumed(again).get("shell")
    assert found in (THEIRS, MINE)
    assert found.access_key_id == who
    told = found_by_a_process(files, THEIRS, named.get("profile", ""), named.get("option", ""))
    assert told == who


def test_without_the_keys_there_are_no_credentials(files: ProfileFiles) -> None:
    files.configure("shell", {"environment": "nobody", "profile": "mine"})
    assert assumed(files).get("shell") is None


@pytest.mark.parametrize(
    ("process", "told"),
    [
        ("some-program", "may only be: aws configure export-credentials --profile NAME"),
        ("aws configure export-credentials --profile", "There is no profile"),
        ("aws configure export-credentials --profile nobody", "There is no profile nobody"),
        (
            "aws configure export-credentials --profile changed",
            "The profile changed exports itself",
        ),
    ],
)
def test_no_process_is_run(files: ProfileFiles, process: str, told: str) -> None:
    files.configure("changed", {"credential_process": process})
    with pytest.raises(CredentialsError, match=told):
        assumed(files).get("changed")


def test_a_process_that_exports_a_profile_gives_its_credentials(files: ProfileFiles) -> None:
    process = "aws configure export-credentials --profile mine --format process"
    files.configure("exported", {"credential_process": process})
    assert assumed(files).get("exported") == MINE
