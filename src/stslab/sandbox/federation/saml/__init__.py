"""SAML 2.0: reads metadata, verifies assertions, and simulates identity providers for labs.

Most modules need lxml and signxml: they are imported after :func:`installed` or :func:`require`.
"""

from stslab.sandbox.api.model import ApiFault

LACKING = "SAML needs the libraries signxml and lxml, which are not installed."
INSTALL = "pip install 'stslab[saml]'"


def installed() -> bool:
    try:
        import lxml  # noqa: F401
        import signxml  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


def require() -> None:
    if not installed():
        raise ApiFault("UnsupportedOperation", f"{LACKING} Install them: {INSTALL}")
