"""IAM, as a table of operations; what is not in it is moto's."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.iam import account_wide, tagging
from stslab.sandbox.iam.identities import (
    access_keys,
    boundaries,
    passwords,
    providers,
    roles,
    saml_providers,
    users,
)
from stslab.sandbox.iam.mfa import operations as mfa
from stslab.sandbox.iam.policies import managed_policies, permissions, simulation
from stslab.sandbox.saved.account import World

Handler = Callable[[ApiRequest], Mapping[str, Any]]
Operation = Callable[[World, ApiRequest], Mapping[str, Any]]

OPERATIONS: Mapping[str, Operation] = {
    **access_keys.HANDLERS,
    **account_wide.HANDLERS,
    **boundaries.HANDLERS,
    **managed_policies.HANDLERS,
    **mfa.HANDLERS,
    **passwords.HANDLERS,
    **permissions.HANDLERS,
    **providers.HANDLERS,
    **roles.HANDLERS,
    **saml_providers.HANDLERS,
    **simulation.HANDLERS,
    **tagging.HANDLERS,
    **users.HANDLERS,
}


class IamService:
    """The operations of IAM that are the sandbox's own, on the world's accounts."""

    def __init__(self, world: World) -> None:
        self.handlers: Mapping[str, Handler] = {
            name: functools.partial(operation, world) for name, operation in OPERATIONS.items()
        }
