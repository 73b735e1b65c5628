"""Whatever release of moto 5.2 is installed, from which AWS's own policies are read: a saved
account opens, S3 does as documented, and the lab passes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.lab import BotoLab
from tests.sandbox import cases

pytestmark = pytest.mark.soak
_READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


@pytest.fixture(scope="module", params=["5.2.0", "5.2.4", "5.2.5"])
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with this release of moto and nothing else."""
    folder: Path = tmp_path_factory.mktemp(f"moto-{request.param}")
    unpinned = {**os.environ, "PIP_CONSTRAINT": ""}
    command = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target")
    subprocess.run(
        [*command, str(folder), f"moto=={request.param}"], check=True, env=unpinned, timeout=300
    )
    assert f'"{request.param}"' in (folder / "moto" / "__init__.py").read_text()
    return folder


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an account that was started with the moto of this installation."""
    folder = tmp_path_factory.mktemp("account")
    account = cases.Account.start(folder)
    try:
        iam, s3 = account.client("iam", "admin"), account.client("s3", "admin")
        iam.create_user(UserName="reader")
        iam.attach_user_policy(UserName="reader", PolicyArn=_READ_ONLY)
        s3.create_bucket(Bucket="kept")
        s3.put_object(Bucket="kept", Key="k", Body=b"kept")
    finally:
        account.stop()
    return folder


@pytest.fixture(scope="module")
def account(release: Path, saved: Path) -> Iterator[cases.Account]:
    """The saved account, started with this release."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(release))
        found = subprocess.run(
            (sys.executable, "-c", "import importlib.util as u; print(u.find_spec('moto').origin)"),
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout.startswith(str(release))
        running = cases.Account.start(saved)
    yield running
    running.stop()


def test_it_has_what_was_saved(account: cases.Account) -> None:
    iam, s3 = account.client("iam", "admin"), account.client("s3", "admin")
    attached = iam.list_attached_user_policies(UserName="reader")["AttachedPolicies"]
    assert [one["PolicyArn"] for one in attached] == [_READ_ONLY]
    assert iam.get_policy(PolicyArn=_READ_ONLY)["Policy"]["PolicyName"] == "ReadOnlyAccess"
    assert s3.get_object(Bucket="kept", Key="k")["Body"].read() == b"kept"


def test_the_lab_passes(account: cases.Account, release: Path) -> None:
    BotoLab(account, release.name.replace(".", "-").lower()).run()


@pytest.mark.parametrize("case", cases.load("s3.yaml"))
def test_s3_does_as_documented(account: cases.Account, case: cases.Case) -> None:
    cases.run(account, case)
