"""The steps of AWS's page on thumbprints, with OpenSSL."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tests.sandbox.cases import Account
from tests.sandbox.federation.oidc.test_servers import assume, refusal, trusted_role


@pytest.mark.needs("openssl")
def test_openssl_gives_the_thumbprint_that_works(
    account: Account, fresh: str, tmp_path: Path
) -> None:
    """As in "Obtain the thumbprint for an OpenID Connect identity provider", step by step."""
    host = f"keys-{fresh}.example.com"
    url = f"https://{host}"
    token = account.control(
        "POST", "oidc/token", {"issuer": url, "claims": {"sub": "a", "aud": "app"}}
    )["token"]
    iam, anyone = account.client("iam", "admin"), account.client("sts", "anonymous")
    made = iam.create_open_id_connect_provider(
        Url=url, ClientIDList=["app"], ThumbprintList=["0" * 40]
    )
    role = trusted_role(iam, f"openssl-{fresh}", url)
    assert "token provided could not be validated" in refusal(anyone, role, token)
    shown = account.control("POST", "oidc/issuer", {"issuer": url})["certificates"]
    leaf, top = tmp_path / "server.crt", tmp_path / "certificate.crt"
    leaf.write_text(shown[0]["pem"])
    top.write_text(shown[-1]["pem"])
    told = run(["openssl", "x509", "-in", str(top), "-fingerprint", "-sha1", "-noout"])
    thumbprint = told.strip().partition("=")[2].replace(":", "")
    assert re.fullmatch("[0-9A-F]{40}", thumbprint)
    iam.update_open_id_connect_provider_thumbprint(
        OpenIDConnectProviderArn=made["OpenIDConnectProviderArn"], ThumbprintList=[thumbprint]
    )
    assert assume(anyone, role, token)["Audience"] == "app"
    assert "OK" in run(
        ["openssl", "verify", "-CAfile", str(top), "-purpose", "sslserver",
         "-verify_hostname", host, "-x509_strict", str(leaf)]
    )  # fmt: skip


def run(words: list[str]) -> str:
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
