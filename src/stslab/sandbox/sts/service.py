"""The whole Security Token Service, as a table of operations."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.saved.account import World
from stslab.sandbox.sts import faults
from stslab.sandbox.sts.assume_role import AssumeRole
from stslab.sandbox.sts.callers import SessionKeys
from stslab.sandbox.sts.federated.saml import AssumeRoleWithSaml
from stslab.sandbox.sts.identity import Identity
from stslab.sandbox.sts.ports import Judge
from stslab.sandbox.sts.sessions import SessionStore
from stslab.sandbox.sts.tokens import Tokens

Handler = Callable[[ApiRequest], Mapping[str, Any]]

UNSIGNED = frozenset({"AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"})
_FORBIDDEN = 403


class StsService:
    """Every operation of STS. Each decides for itself what its caller may do.

    ``handlers`` maps an operation's name to its function. ``keys`` knows the access keys of
    the sessions, for authentication.
    """

    def __init__(self, world: World, judge: Judge) -> None:
        store = world.part("sts", SessionStore)
        assume, tokens, identity = (
            AssumeRole(world, judge, store),
            Tokens(world, judge, store),
            Identity(judge),
        )
        self.keys = SessionKeys(world, store)
        operations: dict[str, Handler] = {
            "AssumeRole": assume,
            "AssumeRoleWithSAML": AssumeRoleWithSaml(world, assume),
            "AssumeRoleWithWebIdentity": functools.partial(_with_web_identity, world, assume),
            "AssumeRoot": _assume_root,
            "DecodeAuthorizationMessage": identity.decode_authorization_message,
            "GetAccessKeyInfo": identity.get_access_key_info,
            "GetCallerIdentity": identity.get_caller_identity,
            "GetDelegatedAccessToken": _not_offered,
            "GetFederationToken": tokens.get_federation_token,
            "GetScopedCredentials": _not_offered,
            "GetSessionToken": tokens.get_session_token,
            "GetWebIdentityToken": _outbound_federation_disabled,
        }
        self.handlers: Mapping[str, Handler] = operations


def _with_web_identity(world: World, assume: AssumeRole, request: ApiRequest) -> Mapping[str, Any]:
    """Few ask for it, and it needs certificates: its modules are imported when somebody does."""
    from stslab.sandbox.sts.federated.web_identity import AssumeRoleWithWebIdentity

    return AssumeRoleWithWebIdentity(world, assume)(request)


def _assume_root(request: ApiRequest) -> NoReturn:
    """Nobody can: neither account manages the other (STS API Reference, "AssumeRoot")."""
    raise faults.access_denied(
        f"User: {request.caller.principal.arn} is not authorized to perform: sts:AssumeRoot on "
        f"resource: {request.params['TargetPrincipal']}"
    )


def _outbound_federation_disabled(request: ApiRequest) -> NoReturn:
    raise ApiFault(
        "OutboundWebIdentityFederationDisabledException",
        f"Outbound web identity federation is not enabled for account {request.caller.account}.",
        _FORBIDDEN,
    )


def _not_offered(request: ApiRequest) -> NoReturn:
    raise faults.not_offered(request.operation)
