"""Operations that only the embedded account has (clock, tokens, MFA codes), as one service."""

import shlex
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from stslab.durations import parts
from stslab.errors import SandboxError
from stslab.runner.ports import Answer, Outcome, Refusal

SERVICE = "embedded"
_CLOCK = "stslab sandbox clock"


Control = Callable[..., Mapping[str, Any]]
"""The embedded account's control channel: a method, a verb (with a query string), a body."""


def call(control: Control | None, operation: str, params: Mapping[str, Any]) -> Outcome:
    if control is None:
        return Refusal("EmbeddedOnly", "Only the embedded account has this.")
    try:
        return Answer(_answer(control, operation, params))
    except SandboxError as error:
        return Refusal("ValidationError", error.message)


def _answer(control: Control, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
    if operation == "GetToken":
        issuer = {"issuer": params["Issuer"]} if "Issuer" in params else {}
        minted = control("POST", "oidc/token", {"claims": params["Claims"], **issuer})
        return {"Issuer": minted["issuer"], "Token": minted["token"]}
    if operation == "GetMfaCode":
        shown = control("GET", f"mfa/code?serial={quote(params['SerialNumber'], safe='')}")
        return {"Code": shown["codes"][0], "Next": shown["codes"][1]}
    if operation == "SetClock":
        clock = control("POST", "clock", {"offset": params["Offset"]})
    elif operation == "MoveClock":
        # ``From``, its offset before, makes a repeated call harmless.
        before = params["From"] if "From" in params else control("GET", "clock")["offset"]
        clock = control("POST", "clock", {"offset": before + params["By"]})
    else:  # GetClock
        clock = control("GET", "clock")
    return {"Now": clock["now"], "Offset": clock["offset"]}


def command(operation: str, params: Mapping[str, Any]) -> str:
    """The ``stslab`` command that does the same, for a shell."""
    if operation == "MoveClock":
        return f"{_CLOCK} {_span(params['By'])}"
    if operation == "SetClock":
        offset = params["Offset"]
        return f"{_CLOCK} real" + (f" && {_CLOCK} {_span(offset)}" if offset else "")
    claims = params["Claims"]
    words = ["stslab", "sandbox", "token", "--sub", claims["sub"], "--aud", claims["aud"]]
    words += ["--issuer", params["Issuer"]] if "Issuer" in params else []
    for name, value in claims.items():
        for item in value if isinstance(value, list) else [value]:
            words += [] if name in ("sub", "aud") else ["--claim", f"{name}={item}"]
    return shlex.join(words)


def _span(seconds: float) -> str:
    """Seconds as ``stslab sandbox clock`` takes them: ``+1h1m``."""
    written = "".join(f"{number}{unit[0]}" for number, unit in parts(abs(seconds)) if number)
    return ("-" if seconds < 0 else "+") + (written or "0s")
