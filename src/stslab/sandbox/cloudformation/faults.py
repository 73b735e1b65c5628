"""The faults that CloudFormation answers, by the code that each carries."""

from stslab.sandbox.api.model import ApiFault


def invalid(message: str) -> ApiFault:
    """A ``ValidationError``, CloudFormation's answer to most things that are wrong."""
    return ApiFault("ValidationError", message)


def require(holds: object, message: str) -> None:
    """Refuse with a ``ValidationError`` what does not hold."""
    if not holds:
        raise invalid(message)


def already_exists(what: str) -> ApiFault:
    """The answer to a name of a stack or change set that is in use."""
    return ApiFault("AlreadyExistsException", f"{what} already exists")
