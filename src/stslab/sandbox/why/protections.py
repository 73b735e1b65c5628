"""What a condition protects, said before it is shown how to relax it."""

from collections.abc import Mapping

# What a condition on each key keeps out (IAM User Guide, "AWS global condition context keys", "IAM
# and AWS STS condition context keys", "The confused deputy problem").
_PROTECTS: Mapping[str, str] = {
    "sts:externalid": "It keeps out other customers of the same vendor: without it they could have "
    "the vendor use this role for them (the confused deputy).",
    "aws:multifactorauthpresent": "It keeps out who has nothing but a stolen key.",
    "aws:multifactorauthage": "It keeps out who has nothing but a stolen session.",
    "aws:principalarn": "It keeps out all others of the account that the statement names.",
    "aws:principalorgid": "It keeps out other organizations.",
    "aws:sourceip": "It keeps out a key that was carried elsewhere.",
    "aws:sourcevpc": "It keeps out a key that was carried elsewhere.",
    "aws:sourcevpce": "It keeps out a key that was carried elsewhere.",
    "aws:securetransport": "It keeps out what others on the way could read.",
    "aws:currenttime": "It keeps the door shut at other times.",
    "aws:tokenissuetime": "It keeps out sessions that were revoked.",
    "aws:sourceaccount": "It keeps out other accounts' use of the same service (the confused "
    "deputy).",
    "aws:sourcearn": "It keeps out other resources' use of the same service (the confused deputy).",
    "aws:requestedregion": "It keeps out what would be made in other regions.",
    "sts:rolesessionname": "It keeps out sessions by whose name nobody knows who is behind them.",
    "sts:sourceidentity": "It keeps out sessions of which nobody knows who is behind them.",
    "s3:prefix": "It keeps out the rest of the bucket.",
    "s3:x-amz-server-side-encryption": "It keeps out what is not encrypted.",
    "s3:x-amz-acl": "It keeps out objects that would be open to others.",
    "iam:passedtoservice": "It keeps the role from other services.",
    "iam:permissionsboundary": "It keeps out new identities without that boundary.",
}
_TAG_KEYS = ("principaltag/", "requesttag/", "resourcetag/")
_CLAIMS: Mapping[str, str] = {
    "sub": "It keeps out everybody else whom the identity provider vouches for: with GitHub, all "
    "other repositories.",
    "aud": "It keeps out tokens that were issued for other applications.",
}


def protects(key: str) -> str:
    """What a condition on the key keeps out, in a sentence."""
    lower = key.lower()
    if any(part in lower for part in _TAG_KEYS):
        return "It keeps out what has not that tag."
    claim = _CLAIMS.get(lower.rpartition(":")[2], "It keeps out all requests that do not meet it.")
    return _PROTECTS.get(lower, claim)
