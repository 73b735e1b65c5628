"""Encrypted assertions: AES in CBC or GCM, with a key that RSA-OAEP transports.

W3C, "XML Encryption Syntax and Processing Version 1.1"; IAM User Guide, "Create a SAML
identity provider in IAM" (which algorithms AWS supports, and that of two private keys the
newest is tried first).
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.padding import PKCS7
from lxml.builder import ElementMaker

from stslab.sandbox.federation.saml import names, xml

XENC = "http://www.w3.org/2001/04/xmlenc#"
XENC11 = "http://www.w3.org/2009/xmlenc11#"
OAEP = f"{XENC}rsa-oaep-mgf1p"
OAEP_11 = f"{XENC11}rsa-oaep"
AES_256_GCM = f"{XENC11}aes256-gcm"
_ELEMENT = f"{XENC}Element"
_NONCE, _BLOCK, _BITS = 12, 16, 128
_LEAST_BITS = 1024
# The algorithm's name -> the bytes of its key, and whether it is GCM.
_CIPHERS: Mapping[str, tuple[int, bool]] = {
    f"{XENC}aes128-cbc": (16, False),
    f"{XENC}aes256-cbc": (32, False),
    f"{XENC11}aes128-gcm": (16, True),
    AES_256_GCM: (32, True),
}
# OAEP's hash is no signature's: that it is SHA-1 by default harms nothing (RFC 8017, B.1).
_HASHES: Mapping[str, type[hashes.HashAlgorithm]] = {
    "http://www.w3.org/2000/09/xmldsig#sha1": hashes.SHA1,
    f"{XENC}sha256": hashes.SHA256,
    f"{XENC}sha512": hashes.SHA512,
    f"{XENC11}mgf1sha1": hashes.SHA1,
    f"{XENC11}mgf1sha256": hashes.SHA256,
    f"{XENC11}mgf1sha512": hashes.SHA512,
}
_MADE = ElementMaker(namespace=XENC, nsmap={"xenc": XENC})
_SIGNATURE = ElementMaker(namespace=names.SIGNATURE, nsmap={"ds": names.SIGNATURE})
_ASSERTION = ElementMaker(namespace=names.ASSERTION, nsmap={"saml": names.ASSERTION})


class Undecryptable(Exception):  # noqa: N818 - the name says what happened
    """What no private key of the provider opens. Why is not said: that would help to guess."""


class BadKey(Exception):  # noqa: N818 - the name says what happened
    """A text that is no key which can be used."""


def private_key(pem: str) -> rsa.RSAPrivateKey:
    """A private key to decrypt with.

    Raises:
        BadKey: it is no RSA key of at least 1024 bits in a PEM file without a password.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadKey("it is no private key in a PEM file without a password") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _LEAST_BITS:
        raise BadKey(f"it is no RSA key of at least {_LEAST_BITS} bits")
    return key


def public_key(pem: str) -> rsa.RSAPublicKey:
    """A public key to encrypt for.

    Raises:
        BadKey: it is no RSA key in a PEM file.
    """
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadKey("it is no public key in a PEM file") from error
    if not isinstance(key, rsa.RSAPublicKey):
        raise BadKey("it is no RSA key")
    return key


def decrypt(encrypted: xml.Element, keys: Sequence[rsa.RSAPrivateKey]) -> xml.Element:
    """The element in an ``EncryptedAssertion``; the keys are tried in their order.

    It is read in the namespaces that it is encrypted in.

    Raises:
        Undecryptable: none of the keys opens it, or it is encrypted in another way.
    """
    try:
        data = _required(encrypted, XENC, "EncryptedData")
        transported = _only(encrypted, "EncryptedKey")
        sealed = _value(transported)
        scheme = _scheme(_required(transported, XENC, "EncryptionMethod"))
        for key in keys:
            plain = _plain(key, sealed, scheme, data)
            if plain is not None:
                return xml.parse_within(plain, encrypted)
    except (xml.BadXml, KeyError, ValueError, binascii.Error) as error:
        raise Undecryptable from error
    raise Undecryptable


def encrypt(
    assertion: xml.Element, key: rsa.RSAPublicKey, cipher: str = AES_256_GCM
) -> xml.Element:
    """An ``EncryptedAssertion`` that the owner of ``key`` can open."""
    size, gcm = _CIPHERS[cipher]
    secret, nonce = os.urandom(size), os.urandom(_NONCE if gcm else _BLOCK)
    plain = xml.alone(assertion)
    if gcm:
        sealed = nonce + AESGCM(secret).encrypt(nonce, plain, None)
    else:
        padder = PKCS7(_BITS).padder()
        encryptor = Cipher(algorithms.AES(secret), modes.CBC(nonce)).encryptor()
        padded = padder.update(plain) + padder.finalize()
        sealed = nonce + encryptor.update(padded) + encryptor.finalize()
    transported = _MADE.EncryptedKey(
        _MADE.EncryptionMethod(Algorithm=OAEP), _cipher(key.encrypt(secret, _scheme(None)))
    )
    return _ASSERTION.EncryptedAssertion(
        _MADE.EncryptedData(
            _MADE.EncryptionMethod(Algorithm=cipher),
            _SIGNATURE.KeyInfo(transported),
            _cipher(sealed),
            Type=_ELEMENT,
        )
    )


def _cipher(data: bytes) -> xml.Element:
    return _MADE.CipherData(_MADE.CipherValue(base64.b64encode(data).decode()))


def _plain(
    key: rsa.RSAPrivateKey, sealed: bytes, scheme: padding.OAEP, data: xml.Element
) -> bytes | None:
    size, gcm = _CIPHERS[_required(data, XENC, "EncryptionMethod").get("Algorithm")]
    content = _value(data)
    try:
        secret = key.decrypt(sealed, scheme)
        if len(secret) != size:
            return None
        return _gcm(secret, content) if gcm else _cbc(secret, content)
    except (ValueError, InvalidTag):
        return None


def _gcm(secret: bytes, content: bytes) -> bytes:
    return AESGCM(secret).decrypt(content[:_NONCE], content[_NONCE:], None)


def _cbc(secret: bytes, content: bytes) -> bytes:
    """XML Encryption pads with anything, and says in the last byte how much it is."""
    decryptor = Cipher(algorithms.AES(secret), modes.CBC(content[:_BLOCK])).decryptor()
    padded = decryptor.update(content[_BLOCK:]) + decryptor.finalize()
    if not padded or not 1 <= padded[-1] <= _BLOCK:
        raise ValueError(len(padded))
    return padded[: -padded[-1]]


def _scheme(method: xml.Element | None) -> padding.OAEP:
    """OAEP as it is asked for: SHA-1 twice, where nothing else is said."""
    if method is None:
        return padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303
    algorithm = method.get("Algorithm")
    if algorithm not in (OAEP, OAEP_11) or xml.child(method, XENC, "OAEPparams") is not None:
        raise ValueError(algorithm)
    digest = xml.child(method, names.SIGNATURE, "DigestMethod")
    masked = xml.child(method, XENC11, "MGF") if algorithm == OAEP_11 else None
    hashed, mask = (
        hashes.SHA1 if each is None else _HASHES[each.get("Algorithm")] for each in (digest, masked)
    )
    return padding.OAEP(padding.MGF1(mask()), hashed(), None)


def _value(element: xml.Element) -> bytes:
    data = _required(element, XENC, "CipherData")
    text = xml.text(_required(data, XENC, "CipherValue"))
    return base64.b64decode("".join(text.split()), validate=True)


def _required(element: xml.Element, namespace: str, name: str) -> xml.Element:
    found = xml.child(element, namespace, name)
    if found is None:
        raise xml.BadXml(f"it has no {name}")
    return found


def _only(element: xml.Element, name: str) -> xml.Element:
    """The one element of this name below, wherever: the key may be beside the data or in it."""
    found = list(xml.everywhere(element, XENC, name))
    if len(found) != 1:
        raise xml.BadXml(f"it has not one {name}")
    return found[0]
