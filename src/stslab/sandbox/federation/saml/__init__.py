"""SAML 2.0: metadata and assertions read and verified, and the providers that a lab can have.

What reads or writes XML imports lxml and signxml, which the extra ``stslab[saml]`` installs. It
is imported only where that is asked for, after :func:`installed` or :func:`require`.
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
    """Refuse a request that needs the libraries where they are not installed."""
    if not installed():
        raise ApiFault("UnsupportedOperation", f"{LACKING} Install them: {INSTALL}")
