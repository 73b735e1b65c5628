"""The condition keys that S3 adds to a request's context.

Service Authorization Reference, "Condition keys for Amazon S3"; S3 User Guide, "Amazon S3
condition key examples".
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from stslab.policy import catalogue
from stslab.sandbox.api.model import ApiRequest
from stslab.sandbox.api.need import Keys, iso

# Parameter of the request -> the condition key that has its value.
_OF_PARAMETERS: Mapping[str, str] = {
    "ACL": "s3:x-amz-acl",
    "BucketNamespace": "s3:x-amz-bucket-namespace",
    "CopySource": "s3:x-amz-copy-source",
    "GrantFullControl": "s3:x-amz-grant-full-control",
    "GrantRead": "s3:x-amz-grant-read",
    "GrantReadACP": "s3:x-amz-grant-read-acp",
    "GrantWrite": "s3:x-amz-grant-write",
    "GrantWriteACP": "s3:x-amz-grant-write-acp",
    "IfMatch": "s3:if-match",
    "IfNoneMatch": "s3:if-none-match",
    "MetadataDirective": "s3:x-amz-metadata-directive",
    "ObjectLockLegalHoldStatus": "s3:object-lock-legal-hold",
    "ObjectLockMode": "s3:object-lock-mode",
    "ObjectOwnership": "s3:x-amz-object-ownership",
    "SSECustomerAlgorithm": "s3:x-amz-server-side-encryption-customer-algorithm",
    "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption",
    "StorageClass": "s3:x-amz-storage-class",
    "VersionId": "s3:VersionId",
    "WebsiteRedirectLocation": "s3:x-amz-website-redirect-location",
}
# Only listing has these.
_OF_LISTING: Mapping[str, str] = {
    "Prefix": "s3:prefix",
    "Delimiter": "s3:delimiter",
    "MaxKeys": "s3:max-keys",
}
_EXISTING_TAG = "s3:existingobjecttag/<key>"
_TLS = "1.3"


def of_request(request: ApiRequest, owner: str) -> Keys:
    """The keys that every S3 request has, whatever its action."""
    keys: Keys = {"s3:ResourceAccount": owner, "s3:TlsVersion": _TLS, **_signing(request)}
    for parameter, key in _OF_PARAMETERS.items():
        value = request.params.get(parameter)
        if value is not None:
            keys[key] = str(value)
    until = request.params.get("ObjectLockRetainUntilDate")
    if until is not None:
        keys["s3:object-lock-retain-until-date"] = iso(until)
        keys["s3:object-lock-remaining-retention-days"] = str((until - request.now).days)
    return {**keys, **_location(request), **_new_tags(request)}


def listing(request: ApiRequest) -> Keys:
    """The keys of a request that lists a bucket."""
    return {
        key: str(request.params[parameter])
        for parameter, key in _OF_LISTING.items()
        if parameter in request.params
    }


def existing_tags(action: str, tags: Mapping[str, str]) -> Keys:
    """The keys of the tags that an object has, for the actions that know them."""
    if _EXISTING_TAG not in catalogue.condition_keys(action):
        return {}
    return {f"s3:ExistingObjectTag/{key}": value for key, value in tags.items()}


def _location(request: ApiRequest) -> Keys:
    configuration = request.params.get("CreateBucketConfiguration") or {}
    location = configuration.get("LocationConstraint")
    return {"s3:LocationConstraint": location} if location else {}


def _new_tags(request: ApiRequest) -> Keys:
    tagging = request.params.get("Tagging")
    if not tagging:
        return {}
    if isinstance(tagging, str):
        tags = dict(parse_qsl(tagging, keep_blank_values=True))
    else:
        tags = {tag.get("Key", ""): tag.get("Value", "") for tag in tagging.get("TagSet", [])}
    keys: Keys = {f"s3:RequestObjectTag/{key}": value for key, value in tags.items()}
    return {**keys, "s3:RequestObjectTagKeys": tuple(tags)}


def _signing(request: ApiRequest) -> Keys:
    proof = request.authenticated
    if proof is None or not proof.auth_type:
        return {}
    keys: Keys = {
        "s3:authType": proof.auth_type,
        "s3:signatureversion": proof.version,
        "s3:signatureAge": str(max(int(proof.age.total_seconds() * 1000), 0)),
    }
    return {**keys, "s3:x-amz-content-sha256": proof.payload_hash} if proof.payload_hash else keys
