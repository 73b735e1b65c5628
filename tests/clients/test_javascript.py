"""The AWS SDK for JavaScript (v3) does the whole lab."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.clients.lab import POLICY, TEMPLATE
from tests.clients.providers import WAYS, Providers
from tests.sandbox.cases import Account

SCRIPT = Path(__file__).with_name("lab.mjs")
WHO = Path(__file__).with_name("who.mjs")
PACKAGES = (
    "client-cloudformation",
    "client-iam",
    "client-s3",
    "client-sts",
    "credential-providers",
    "s3-request-presigner",
)
SECONDS = 180
pytestmark = pytest.mark.needs("node", "npm")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("javascript")
    wanted = [f"@aws-sdk/{name}@3" for name in PACKAGES]
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--no-progress")
    done = subprocess.run(
        [str(shutil.which("npm")), "install", *options, *wanted],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode != 0:  # a machine that can't reach any packages can't run this
        pytest.skip(f"npm could not install the SDK: {done.stderr.strip().splitlines()[-1:]}")
    for script in (SCRIPT, WHO):
        shutil.copy(script, folder)
    return folder


def web_identity(account: Account, fresh: str) -> dict[str, str]:
    """A role that one workflow may take on; a token of that one, and of another."""
    issuer = f"https://js-{fresh}.example.com"
    iam = account.client("iam", "admin")
    provider = iam.create_open_id_connect_provider(Url=issuer, ClientIDList=["app"])
    host = issuer.removeprefix("https://")
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider["OpenIDConnectProviderArn"]},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{host}:aud": "app", f"{host}:sub": "one"}},
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    made = iam.create_role(RoleName=f"js-{fresh}", AssumeRolePolicyDocument=trust)["Role"]

    def token(subject: str) -> str:
        asked: dict[str, Any] = {"issuer": issuer, "claims": {"sub": subject, "aud": "app"}}
        return str(account.control("POST", "oidc/token", asked)["token"])

    return {"role": made["Arn"], "token": token("one"), "another": token("other")}


@pytest.mark.slow
def test_the_whole_lab(account: Account, packages: Path, fresh: str) -> None:
    keys = account.keys["admin"]
    given = {
        "endpoint": account.endpoint.url,
        "admin": {
            "accessKeyId": keys.access_key_id,
            "secretAccessKey": keys.secret_access_key,
        },
        "user": f"js-{fresh}",
        "stack": f"js-{fresh}",
        "bucket": f"js-{fresh}",
        "template": TEMPLATE,
        "policy": POLICY,
        "web": web_identity(account, fresh),
    }
    (packages / "given.json").write_text(json.dumps(given))
    done = subprocess.run(
        [str(shutil.which("node")), SCRIPT.name, "given.json"],
        cwd=packages,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done\n"), done.stderr


@pytest.mark.slow
def test_each_way_to_get_credentials(
    account: Account, packages: Path, tmp_path: Path, fresh: str
) -> None:
    providers = Providers.made(account, tmp_path, fresh)
    node, script = str(shutil.which("node")), str(packages / WHO.name)
    for way in WAYS:
        assert providers.run(node, script, profile=way).strip().endswith(providers.ways[way])
