"""Encrypted assertions, and the private keys of the providers that take them."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lxml import etree
from tests.sandbox.cases import Account
from tests.sandbox.federation.saml import forging
from tests.sandbox.federation.saml.conftest import Federation

from stslab.errors import SandboxError
from stslab.sandbox.federation.saml import encryption, minting, names, xml
from stslab.sandbox.federation.saml.identity_providers import IdentityProvider

KEYS = [rsa.generate_private_key(65537, 2048) for _ in range(3)]
ALGORITHMS = [
    f"{encryption.XENC}aes128-cbc",
    f"{encryption.XENC}aes256-cbc",
    f"{encryption.XENC11}aes128-gcm",
    f"{encryption.XENC11}aes256-gcm",
]
NOT_OPENED = "can't be decrypted with a private key of the provider"


def pem(key: Any) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture
def federation(account: Account, idp: IdentityProvider) -> Iterator[Federation]:
    """A provider of its own, with the first key."""
    name = f"closed-{secrets.token_hex(4)}"
    iam = account.client("iam", "admin")
    provider = iam.create_saml_provider(
        Name=name, SAMLMetadataDocument=minting.metadata(idp), AddPrivateKey=pem(KEYS[0])
    )["SAMLProviderArn"]
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithSAML",
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": statement})
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    yield Federation(account, idp, provider, role)
    iam.delete_saml_provider(SAMLProviderArn=provider)


def closed(
    federation: Federation, key: Any = KEYS[0], cipher: str = encryption.AES_256_GCM, **how: Any
) -> Any:
    """A response with an encrypted assertion."""
    root = federation.response(**how)
    assertion = root.find("a:Assertion", forging.NS)
    root.replace(assertion, encryption.encrypt(assertion, key.public_key(), cipher))
    return root


def update(federation: Federation, **params: Any) -> None:
    iam = federation.account.client("iam", "admin")
    iam.update_saml_provider(SAMLProviderArn=federation.provider, **params)


def shown(federation: Federation) -> dict[str, Any]:
    iam = federation.account.client("iam", "admin")
    return dict(iam.get_saml_provider(SAMLProviderArn=federation.provider))


def refusal(federation: Federation, **params: Any) -> str:
    with pytest.raises(ClientError) as refused:
        update(federation, **params)
    error = refused.value.response["Error"]
    return f"{error['Code']}: {error['Message']}"


@pytest.mark.parametrize("cipher", ALGORITHMS)
def test_each_algorithm_that_aws_supports(federation: Federation, cipher: str) -> None:
    """Create a SAML identity provider in IAM."""
    answer = federation.assume(forging.written(closed(federation, cipher=cipher)))
    assert answer.get("Subject") == "ana", answer


def test_a_signed_response_with_an_assertion_that_is_encrypted(federation: Federation) -> None:
    root = closed(federation)
    assert federation.assume(forging.written(minting.signed(root, federation.idp)))["Subject"]
    other = IdentityProvider.new(forging.ISSUER, datetime.now(UTC))
    root = closed(federation)
    assert federation.refused(forging.written(minting.signed(root, other))).startswith("Response s")


def test_encrypting_is_no_signing(federation: Federation) -> None:
    """Anybody has the public key."""
    root = federation.response()
    assertion = root.find("a:Assertion", forging.NS)
    forging.remove_signature(assertion)
    root.replace(assertion, encryption.encrypt(assertion, KEYS[0].public_key()))
    assert federation.refused(forging.written(root)) == "Response signature invalid"
    assert federation.assume(
        forging.written(minting.signed(root, federation.idp))
    )["Subject"] == "ana"  # fmt: skip


@pytest.mark.parametrize("tamper", forging.WRAPPED, ids=lambda each: each.__name__)
def test_nothing_is_wrapped_inside(federation: Federation, tamper: forging.Tampering) -> None:
    root = tamper(federation.response())
    assertion = root.find("a:Assertion", forging.NS)
    for each in root.findall("a:Assertion", forging.NS)[1:]:
        assertion.append(each)
    for each in root.findall("p:Extensions", forging.NS):
        assertion.append(each)
    root.replace(assertion, encryption.encrypt(assertion, KEYS[0].public_key()))
    assert "Code" in federation.assume(forging.written(root))


def test_another_key_opens_nothing(federation: Federation) -> None:
    assert NOT_OPENED in federation.refused(forging.written(closed(federation, KEYS[1])))


def test_keys_are_rotated(federation: Federation) -> None:
    """Manage SAML encryption keys: of two, both open; then the old one is removed."""
    update(federation, AddPrivateKey=pem(KEYS[1]))
    for key in KEYS[:2]:
        assert federation.assume(forging.written(closed(federation, key)))["Subject"] == "ana"
    first, second = shown(federation)["PrivateKeyList"]
    assert first["Timestamp"] <= second["Timestamp"]
    update(federation, RemovePrivateKey=first["KeyId"])
    assert shown(federation)["PrivateKeyList"] == [second]
    assert NOT_OPENED in federation.refused(forging.written(closed(federation, KEYS[0])))
    assert federation.assume(forging.written(closed(federation, KEYS[1])))["Subject"] == "ana"


def test_required_encryption(federation: Federation) -> None:
    """Configure SAML assertions: then the Recipient has the provider's identifier, too."""
    update(federation, AssertionEncryptionMode="Required")
    provider = shown(federation)
    assert provider["AssertionEncryptionMode"] == "Required"
    assert "is not encrypted" in federation.refused(forging.written(federation.response()))
    assert "no AWS sign-in endpoint" in federation.refused(forging.written(closed(federation)))
    recipient = f"https://signin.aws.amazon.com/saml/acs/{provider['SAMLProviderUUID']}"
    wanted = minting.Wanted(
        "ana",
        federation.attributes,
        recipient=recipient,
        encrypt_for=KEYS[0]
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode(),
    )
    encoded = minting.response(federation.idp, wanted, federation.now())
    assert federation.assume(encoded)["Audience"] == recipient
    update(federation, AssertionEncryptionMode="Allowed")
    assert federation.assume(forging.written(federation.response()))["Subject"] == "ana"


def test_keys_that_are_not_taken(federation: Federation) -> None:
    locked = KEYS[1].private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"password"),
    )
    curve = pem(ec.generate_private_key(ec.SECP256R1()))
    for bad in ("no key", locked.decode(), curve, pem(KEYS[1])[:-100]):
        said = refusal(federation, AddPrivateKey=bad)
        assert said.startswith("InvalidInput: The private key can't be used: "), said
        assert bad not in said
    [key] = shown(federation)["PrivateKeyList"]
    both = {"AddPrivateKey": pem(KEYS[1]), "RemovePrivateKey": key["KeyId"]}
    assert refusal(federation, **both).startswith("InvalidInput: ")
    assert refusal(federation, RemovePrivateKey="A" * 22).startswith("NoSuchEntity: ")
    update(federation, AddPrivateKey=pem(KEYS[1]))
    said = refusal(federation, AddPrivateKey=pem(KEYS[2]))
    assert said == "LimitExceeded: Cannot exceed quota for PrivateKeysPerSamlProvider: 2"


def test_a_private_key_is_nowhere_to_be_read(federation: Federation) -> None:
    body = pem(KEYS[0]).splitlines()[5]
    assert body not in str(shown(federation))
    folder = federation.account.folder
    for path in folder.rglob("*"):
        if path.is_file() and "account.sqlite" not in path.name:
            assert body.encode() not in path.read_bytes(), path


OPENED_TAG = f"{{{names.ASSERTION}}}a"


def sealed() -> Any:
    return encryption.encrypt(etree.Element(OPENED_TAG), KEYS[0].public_key())


def method(root: Any, of: str) -> Any:
    return root.find(f".//{{{encryption.XENC}}}{of}/{{{encryption.XENC}}}EncryptionMethod")


def value(root: Any, of: str) -> Any:
    path = f".//{{{encryption.XENC}}}{of}/{{{encryption.XENC}}}CipherData/*"
    return root.find(path)


def flip(root: Any, of: str) -> None:
    data = bytearray(base64.b64decode(value(root, of).text))
    data[-1] ^= 1
    value(root, of).text = base64.b64encode(bytes(data)).decode()


def drop(root: Any, name: str) -> None:
    found = root.find(f".//{{{encryption.XENC}}}{name}")
    found.getparent().remove(found)


BROKEN = {
    "another content": lambda it: flip(it, "EncryptedData"),
    "another key": lambda it: flip(it, "EncryptedKey"),
    "no content": lambda it: drop(it, "EncryptedData"),
    "no key": lambda it: drop(it, "EncryptedKey"),
    "no value": lambda it: drop(it, "CipherValue"),
    "an empty value": lambda it: setattr(value(it, "EncryptedData"), "text", ""),
    "no base64": lambda it: setattr(value(it, "EncryptedData"), "text", "*"),
    "another cipher": lambda it: method(it, "EncryptedData").set("Algorithm", ALGORITHMS[0]),
    "an unknown cipher": lambda it: method(it, "EncryptedData").set("Algorithm", "rot13"),
    "PKCS 1.5": lambda it: method(it, "EncryptedKey").set("Algorithm", f"{encryption.XENC}rsa-1_5"),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_what_is_broken_is_not_opened(broken: forging.Tampering) -> None:
    root = sealed()
    assert encryption.decrypt(root, KEYS[:1]).tag == OPENED_TAG
    broken(root)
    with pytest.raises(encryption.Undecryptable):
        encryption.decrypt(root, KEYS)


@pytest.mark.parametrize("plain", [b"", b"x", b"<!DOCTYPE x><x/>", b"<x>&e;</x>"])
def test_what_is_inside_is_read_like_everything_else(
    plain: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xml, "alone", lambda _element: plain)
    root = sealed()
    with pytest.raises(encryption.Undecryptable):
        encryption.decrypt(root, KEYS[:1])


@pytest.mark.parametrize("digest", ["sha256", "sha512"])
def test_other_hashes_of_the_transport(digest: str) -> None:
    """RSA-OAEP as XML Encryption 1.1 has it, with a hash and a mask of their own."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    hashed = {"sha256": hashes.SHA256(), "sha512": hashes.SHA512()}[digest]
    root = sealed()
    secret = KEYS[0].decrypt(
        base64.b64decode(value(root, "EncryptedKey").text), encryption._scheme(None)
    )
    scheme = padding.OAEP(padding.MGF1(hashed), hashed, None)
    again = KEYS[0].public_key().encrypt(secret, scheme)
    value(root, "EncryptedKey").text = base64.b64encode(again).decode()
    how = method(root, "EncryptedKey")
    how.set("Algorithm", encryption.OAEP_11)
    etree.SubElement(how, f"{{{names.SIGNATURE}}}DigestMethod").set(
        "Algorithm", f"{encryption.XENC}{digest}"
    )
    etree.SubElement(how, f"{{{encryption.XENC11}}}MGF").set(
        "Algorithm", f"{encryption.XENC11}mgf1{digest}"
    )
    assert encryption.decrypt(root, KEYS[:1]).tag == OPENED_TAG


def test_a_key_to_encrypt_for_that_is_none(account: Account) -> None:
    asked = {"session_name": "ana", "encrypt_for": "no key"}
    with pytest.raises(SandboxError, match="no public key in a PEM file"):
        account.control("POST", "saml/assertion", asked)
