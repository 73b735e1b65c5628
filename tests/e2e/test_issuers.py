"""The servers of OpenID Connect issuers, as learners look at them and change them."""

import json

import pytest

pytestmark = pytest.mark.slow
LEARNER = "111122223333"


def test_a_server_moves_to_another_authority(machine):
    """What a learner does when an identity provider's CA has changed, with the commands said."""
    issuer = "https://oidc.example.test"
    arn = f"arn:aws:iam::{LEARNER}:oidc-provider/oidc.example.test"
    trust = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow",
                "Principal": {"Federated": arn},
                "Action": "sts:AssumeRoleWithWebIdentity",
            },
        }
    )
    machine.sh(
        f"aws iam create-open-id-connect-provider --url {issuer} --client-id-list app; "
        f"aws iam create-role --role-name web --assume-role-policy-document '{trust}'"
    )
    wanted = ("--sub", "me", "--aud", "app", "--issuer", issuer)
    token = machine.stslab("sandbox", "token", *wanted).out.strip()
    assume = (
        f"aws sts assume-role-with-web-identity --role-arn arn:aws:iam::{LEARNER}:role/web"
        f" --role-session-name ss --web-identity-token {token} --query AssumedRoleUser.Arn"
    )
    assert machine.sh(assume).code == 0
    moved = machine.stslab("sandbox", "issuer", issuer, "--certificate", "new-ca")
    assert "AWS does not trust its CA" in moved.err
    assert "token provided could not be validated" in machine.sh(assume).err
    told = json.loads(machine.stslab("why", "--json").out)
    assert told["changes"][0]["layer"] == "identity provider"
    thumbprint = machine.stslab("sandbox", "issuer", issuer, "--thumbprint").out.strip()
    assert f"thumbprint    {thumbprint}\n" in moved.out
    changed = machine.sh(
        "aws iam update-open-id-connect-provider-thumbprint"
        f" --open-id-connect-provider-arn {arn} --thumbprint-list {thumbprint}"
    )
    assert changed.code == 0, changed.err
    assert machine.sh(assume).code == 0
    pem = machine.stslab("sandbox", "issuer", issuer, "--pem").out
    shown = json.loads(machine.stslab("sandbox", "issuer", issuer, "--json").out)
    assert pem == "".join(one["pem"] for one in shown["certificates"])
    assert "PRIVATE" not in json.dumps(shown)
    assert machine.stslab("sandbox", "issuer", "http://no.example").code == 1
    assert machine.stslab("sandbox", "issuer", "--pem", "--json").code == 2
