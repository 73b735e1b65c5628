"""The servers of OpenID Connect issuers, as learners look at them and change them."""

import json
import re
import socket
import ssl

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
    assert "configured thumbprint" in machine.sh(assume).err
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


def test_an_issuer_s_server_can_be_looked_at(machine):
    """The commands that are printed, with another client than openssl and curl."""
    url = "https://oidc.example.test/tenant"
    said = machine.stslab("sandbox", "issuer", url, "--serve")
    assert said.code == 0, said.err
    command = r"-servername oidc\.example\.test -showcerts -connect 127\.0\.0\.1:(\d+)"
    port = re.search(command, said.out)
    document = f"https://oidc.example.test:{port[1]}/tenant/.well-known/openid-configuration"
    assert f"--resolve oidc.example.test:{port[1]}:127.0.0.1 {document}" in said.out
    authority = machine.stslab("sandbox", "issuer", url, "--ca").out
    context = ssl.create_default_context(cadata=authority)
    with (
        socket.create_connection(("127.0.0.1", int(port[1])), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname="oidc.example.test") as connection,
    ):
        connection.sendall(
            b"GET /tenant/.well-known/openid-configuration HTTP/1.1\r\n"
            b"Host: oidc.example.test\r\n\r\n"
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["issuer"] == url
    again = json.loads(machine.stslab("sandbox", "issuer", url, "--serve", "--json").out)
    assert again["port"] == int(port[1])
    assert machine.stslab("sandbox", "stop").code == 0
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(port[1])), timeout=5)
