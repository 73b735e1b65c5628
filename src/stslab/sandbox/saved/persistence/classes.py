"""Which classes an account is made of: what is read from its file can be of no other."""

from __future__ import annotations

from collections.abc import Mapping

_WHOLE = frozenset(
    {
        "moto.iam.models",
        "moto.s3.models",
        "stslab.sandbox.cloudformation.stacks.state",
        "stslab.sandbox.iam.mfa.devices",
        "stslab.sandbox.federation.oidc.certificates",
        "stslab.sandbox.federation.oidc.issuers",
        "stslab.sandbox.federation.saml.identity_providers",
        "stslab.sandbox.sts.sessions",
        "stslab.sandbox.saved.tables",
    }
)
"""Modules of records: making one has no effect outside it. A backend is no record."""

_SOME: Mapping[str, frozenset[str]] = {
    "moto.utilities.utils": frozenset({"LowercaseDict"}),
    "requests.structures": frozenset({"CaseInsensitiveDict"}),
    "stslab.sandbox.saved.account": frozenset({"Account", "Header", "RootKey"}),
    "stslab.sandbox.saved.aws_policies": frozenset({"AwsPolicy"}),
    "stslab.sandbox.saved.moto_patches": frozenset(
        {"AwsGroup", "AwsInstanceProfile", "AwsManagedPolicy", "AwsUser"}
    ),
    "stslab.sandbox.federation.oidc.x509_making": frozenset({"Certified"}),
    "stslab.sandbox.rehearsal.rehearsal": frozenset({"Settings"}),
}


def is_known(module: str, name: str) -> bool:
    """Whether an account may have things of the class ``module.name`` in it."""
    if module in _WHOLE:
        return "." not in name and not name.endswith("Backend")
    return name in _SOME.get(module, ())
