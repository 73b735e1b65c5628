"""Metadata documents, good and bad, as CreateSAMLProvider and UpdateSAMLProvider take them."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec.structs import replace
from tests.sandbox.cases import Account
from tests.sandbox.federation.saml import forging
from tests.sandbox.federation.saml.conftest import Federation

from stslab.sandbox.federation.saml import minting, names

HEAD = f'xmlns="{names.METADATA}" xmlns:ds="{names.SIGNATURE}"'
SPEAKS = f'protocolSupportEnumeration="{names.PROTOCOL}"'
PADDING = f"<!-- {'.' * 1000} -->"
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def certificate(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, *extensions: str, until: datetime = NOW
) -> bytes:
    """A certificate as DER; ``extensions`` are object ids."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp")])
    builder = (
        x509.CertificateBuilder(name, name, key.public_key())
        .serial_number(1)
        .not_valid_before(until - timedelta(days=9))
        .not_valid_after(until)
    )
    for extension in extensions:
        value = x509.UnrecognizedExtension(x509.ObjectIdentifier(extension), b"\x05\x00")
        builder = builder.add_extension(value, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def key_descriptor(der: bytes | str, use: str = ' use="signing"') -> str:
    encoded = der if isinstance(der, str) else base64.encodebytes(der).decode()
    return (
        f"<KeyDescriptor{use}><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{encoded}"
        "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>"
    )


def entity(*keys: str, entity_id: str = forging.ISSUER, speaks: str = SPEAKS) -> str:
    return (
        f'<EntityDescriptor {HEAD} entityID="{entity_id}"><IDPSSODescriptor {speaks}>'
        f"{''.join(keys)}</IDPSSODescriptor></EntityDescriptor>"
    )


def entities(*each: str) -> str:
    return f"<EntitiesDescriptor {HEAD}>{''.join(each)}</EntitiesDescriptor>"


RSA = rsa.generate_private_key(65537, 2048)
LEAST = rsa.generate_private_key(65537, 1024)  # noqa: S505 - the least that IAM takes
GOOD = certificate(RSA)
# The second of two extensions is given the object id of the first: no builder makes this.
TWICE = certificate(RSA, "1.2.3.4.5.1", "1.2.3.4.5.2").replace(
    bytes.fromhex("06052a03040502"), bytes.fromhex("06052a03040501")
)
# Of 768 bits, which no library makes any more.
SHORT = (
    "MIIBrzCCATmgAwIBAgIUJzfj3gvdvZQH2JVSkEXzWhq9gLQwDQYJKoZIhvcNAQELBQAwDDEKMAgGA1UE"
    "AwwBeDAeFw0yNjExMjQxODAyNDBaFw0zNjExMjExODAyNDBaMAwxCjAIBgNVBAMMAXgwfDANBgkqhkiG"
    "9w0BAQEFAANrADBoAmEAnRcTVzsMF1SExG8hYl6PDKUcvcgP/Ld0W4RYjXKeNVzeMcVcWsNgL4qvWj8t"
    "Yrv/2itL4w/4PHiiQsxxQ+L/wvlvLo6l+eMarHn0F70PHEy7TiQ0h/U2gwbPTj9GsJf1AgMBAAGjUzBR"
    "MB0GA1UdDgQWBBS+JH7UwxCzl0mRDSyl9LyR1gWngzAfBgNVHSMEGDAWgBS+JH7UwxCzl0mRDSyl9LyR"
    "1gWngzAPBgNVHRMBAf8EBTADAQH/MA0GCSqGSIb3DQEBCwUAA2EAhcAsAT5mzS1lZCbNHbuObqt/9NDW"
    "S707lMZZzRqPxe/od8xrvNbXnpcKEmbXgjgQXD93Vz+Q0+nPW8LyeDNeIRSY6v5jLSygCzxSo1EhpOsy"
    "aIzIKQ81iiOADqWfwV9d"
)
NOT_PARSED, UNABLE = "Could not parse metadata", "Unable to parse metadata"
BAD = {
    "no XML": (NOT_PARSED, "<EntityDescriptor"),
    "another root": (NOT_PARSED, f"<Entity {HEAD}/>"),
    "another namespace": (NOT_PARSED, "<EntityDescriptor xmlns='urn:x' entityID='https://x'/>"),
    "no entity id": (NOT_PARSED, entity(key_descriptor(GOOD), entity_id="")),
    "a long entity id": (NOT_PARSED, entity(key_descriptor(GOOD), entity_id="x" * 1025)),
    "twice the same entity id": (NOT_PARSED, entities(*[entity(key_descriptor(GOOD))] * 2)),
    "SAML 1.1": (
        NOT_PARSED,
        entity(
            key_descriptor(GOOD),
            speaks='protocolSupportEnumeration="urn:oasis:names:tc:SAML:1.1:protocol"',
        ),
    ),
    "no certificate": (NOT_PARSED, entity()),
    "text that is not a certificate": (UNABLE, entity(key_descriptor("bm90IGFueQ=="))),
    "a certificate that is not base64": (UNABLE, entity(key_descriptor("*"))),
    "a certificate with elements": (NOT_PARSED, entity(key_descriptor("<a/>"))),
    "a key of less than 1024 bits": (UNABLE, entity(key_descriptor(SHORT))),
    "an extension twice": (UNABLE, entity(key_descriptor(TWICE))),
    "an elliptic curve": (
        UNABLE,
        entity(key_descriptor(certificate(ec.generate_private_key(ec.SECP256R1())))),
    ),
    "a byte order mark": (NOT_PARSED, "\ufeff" + entity(key_descriptor(GOOD))),
    "a document type": (NOT_PARSED, "<!DOCTYPE x>" + entity(key_descriptor(GOOD))),
    "an outer entity": (
        NOT_PARSED,
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]>'
        + entity(key_descriptor(GOOD), entity_id="https://&e;"),
    ),
    "an entity that nobody declared": (NOT_PARSED, entity(key_descriptor("&e;"))),
    "very deep": (NOT_PARSED, "<a>" * 5000 + "</a>" * 5000),
}
FINE = {
    "as it is": entity(key_descriptor(GOOD)),
    "a use for all": entity(key_descriptor(GOOD, "")),
    # By a public record of AWS's answer (radkawar/stackd, testdata/federation/saml-validation.json).
    "a certificate for encryption alone": entity(key_descriptor(GOOD, ' use="encryption"')),
    "two certificates": entity(key_descriptor(GOOD), key_descriptor(GOOD)),
    "one of several": entities(
        entity(key_descriptor(GOOD)), f'<EntityDescriptor {HEAD} entityID="https://sp"/>'
    ),
    "an expired certificate": entity(
        key_descriptor(certificate(RSA, until=datetime(2020, 1, 1, tzinfo=UTC)))
    ),
    "metadata that has expired": entity(key_descriptor(GOOD)).replace(
        "entityID", 'validUntil="2001-01-01T00:00:00Z" entityID'
    ),
    "1024 bits": entity(key_descriptor(certificate(LEAST))),
    "another encoding's name": '<?xml version="1.0" encoding="utf-16"?>'
    + entity(key_descriptor(GOOD)),
}


def create(account: Account, document: str) -> str:
    """The code and message of the error; empty if there is none."""
    name = secrets.token_hex(6)
    iam = account.client("iam", "admin")
    try:
        made = iam.create_saml_provider(Name=name, SAMLMetadataDocument=document)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    iam.delete_saml_provider(SAMLProviderArn=made["SAMLProviderArn"])
    return ""


@pytest.mark.parametrize(("said", "document"), BAD.values(), ids=BAD)
def test_bad_metadata(account: Account, said: str, document: str) -> None:
    """Troubleshoot SAML federation with IAM: Could not parse metadata."""
    assert create(account, document + PADDING).startswith(f"InvalidInput: {said}: ")


def test_metadata_without_an_identity_provider(account: Account) -> None:
    """The message by a public record of AWS's answer (radkawar/stackd, saml-validation.json)."""
    said = create(account, f'<EntityDescriptor {HEAD} entityID="https://x"/>{PADDING}')
    assert said == "InvalidInput: SAML Providers must reference at least one SAML assertion issuer."


@pytest.mark.parametrize("document", FINE.values(), ids=FINE)
def test_good_metadata(account: Account, document: str) -> None:
    assert create(account, document + PADDING) == ""


@pytest.mark.parametrize(
    ("make", "quota"),
    [
        (lambda n: entity(*[key_descriptor(GOOD)] * n), "KeysPerSamlProvider: 10"),
        (
            lambda n: entities(
                *(entity(key_descriptor(GOOD), entity_id=f"https://{i}") for i in range(n))
            ),
            "IdpsPerSamlProvider: 10",
        ),
    ],
    ids=["keys", "issuers"],
)
def test_quotas(account: Account, make: Callable[[int], str], quota: str) -> None:
    """IAM and AWS STS quotas."""
    assert create(account, make(10)) == ""
    assert create(account, make(11)) == f"LimitExceeded: Cannot exceed quota for {quota}"


def test_more_than_ten_million_characters(account: Account) -> None:
    document = entity(key_descriptor(GOOD)) + f"<!--{'.' * 10_000_000}-->"
    said = create(account, document)
    assert said.startswith("ValidationError: ")
    assert "length less than or equal to 10000000" in said


def test_bad_metadata_replaces_nothing(federation: Federation) -> None:
    iam = federation.account.client("iam", "admin")
    with pytest.raises(iam.exceptions.InvalidInputException):
        iam.update_saml_provider(SAMLProviderArn=federation.provider, SAMLMetadataDocument=PADDING)
    shown = iam.get_saml_provider(SAMLProviderArn=federation.provider)
    assert shown["SAMLMetadataDocument"] == minting.metadata(federation.idp)


def test_each_of_two_keys_signs(federation: Federation) -> None:
    """During the rotation of a certificate the metadata has both, and either is valid."""
    iam = federation.account.client("iam", "admin")
    other = minting.new(forging.ISSUER, datetime.now(UTC))
    ders = [
        x509.load_pem_x509_certificate(each.certificate).public_bytes(serialization.Encoding.DER)
        for each in (federation.idp, other)
    ]
    both = entity(*map(key_descriptor, ders))
    iam.update_saml_provider(SAMLProviderArn=federation.provider, SAMLMetadataDocument=both)
    try:
        for signer in (federation.idp, other):
            root = forging.response(signer, federation.now(), federation.attributes)
            assert federation.assume(forging.written(root))["Subject"] == "ana"
    finally:
        iam.update_saml_provider(
            SAMLProviderArn=federation.provider,
            SAMLMetadataDocument=minting.metadata(federation.idp),
        )


def test_one_issuers_key_does_not_sign_for_another(federation: Federation) -> None:
    """If a document describes several providers, each has its own keys."""
    iam = federation.account.client("iam", "admin")
    other = minting.new("https://other.example.com", datetime.now(UTC))
    parts = [minting.metadata(each).split("?>", 1)[1] for each in (federation.idp, other)]
    iam.update_saml_provider(
        SAMLProviderArn=federation.provider, SAMLMetadataDocument=entities(*parts)
    )
    try:
        posing = replace(other, entity_id=forging.ISSUER)
        root = forging.response(posing, federation.now(), federation.attributes)
        assert federation.refused(forging.written(root)) == "Response signature invalid"
        root = forging.response(other, federation.now(), federation.attributes)
        assert federation.assume(forging.written(root))["Issuer"] == other.entity_id
    finally:
        iam.update_saml_provider(
            SAMLProviderArn=federation.provider,
            SAMLMetadataDocument=minting.metadata(federation.idp),
        )


def test_the_times_of_one_provider_are_to_the_millisecond(federation: Federation) -> None:
    """And those of a list to the second: cloud-custodian, tests/data/placebo/test_saml_provider."""
    bodies: list[str] = []
    iam = federation.account.client("iam", "admin")
    iam.meta.events.register(
        "after-call.iam", lambda http_response, **_: bodies.append(http_response.text)
    )
    url = "https://millisecond.example.com"
    made = iam.create_open_id_connect_provider(Url=url, ThumbprintList=["a" * 40])
    iam.get_open_id_connect_provider(OpenIDConnectProviderArn=made["OpenIDConnectProviderArn"])
    iam.get_saml_provider(SAMLProviderArn=federation.provider)
    times = re.findall(r"<(?:CreateDate|ValidUntil)>([^<]*)<", "".join(bodies))
    assert len(times) == 3
    assert all(re.fullmatch(r"[0-9T:-]{19}\.[0-9]{3}Z", time) for time in times)
    bodies.clear()
    iam.list_saml_providers()
    assert re.search(r"<ValidUntil>[0-9T:-]{19}Z</ValidUntil>", bodies[0])
