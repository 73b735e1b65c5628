"""Operations that create, delete and list buckets.

S3 API Reference, "CreateBucket", "DeleteBucket" and "ListBuckets"; S3 User Guide, "General purpose
bucket naming rules" and "Default settings for new S3 buckets FAQ".
"""

import re

from msgspec.structs import replace

from stslab.sandbox.api import pages
from stslab.sandbox.api.faults import SAYS, fault, invalid_argument
from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.s3 import listing, lookups, settings
from stslab.sandbox.s3.access import acl
from stslab.sandbox.s3.requests.params import Document
from stslab.sandbox.signing.canonical import DEFAULT_REGIONS, REGIONS
from stslab.sandbox.state.buckets import Bucket, Object, PublicAccessBlock, Upload
from stslab.sandbox.state.snapshot import Transaction, View
from stslab.vocabulary import REGION

_NAME = re.compile(r"(?=.{3,63}\Z)[a-z0-9]+(?:(?:\.|-+)[a-z0-9]+)*")
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_RESERVED_PREFIXES = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_SUFFIXES = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")
_MOST_BUCKETS = 10_000
_LIMITS = frozenset({"BucketRegion", "ContinuationToken", "MaxBuckets", "Prefix"})
_ALL_BLOCKED = PublicAccessBlock(**dict.fromkeys(PublicAccessBlock.__struct_fields__, True))


def create_bucket(tx: Transaction, request: ApiRequest) -> Answer:
    """By default, a new bucket has public access blocked and ACLs disabled."""
    name: str = request.params["Bucket"]
    configuration: Document = request.params.get("CreateBucketConfiguration") or {}
    region = _region(request, configuration.get("LocationConstraint"))
    _check_name(name)
    _check_namespace(request, f"-{request.account}-{region}-an")
    if request.params.get("ObjectLockEnabledForBucket"):
        raise fault("NotImplemented", "The embedded account does not support Object Lock.")
    acl.check_creating(request, tx)
    tags = configuration.get("Tags") or ()
    if any(tag["Key"].startswith("aws:") for tag in tags):
        raise fault("InvalidTag", SAYS["system tags"])
    is_own = name.endswith("-an")  # in the account's own namespace
    location = f"/{name}" if is_own or region == REGION else f"http://{name}.s3.amazonaws.com/"
    bucket = Bucket(
        name=name,
        owner=request.account,
        region=region,
        place="EU" if configuration.get("LocationConstraint") == "EU" else "",
        created=request.now,
        public_access_block=_ALL_BLOCKED,
        ownership=request.params.get("ObjectOwnership", acl.ENFORCED),
        tags=settings.tags_of_set(tags),
    )
    existing = tx.get(Bucket, "", name)
    if existing is not None:
        if existing.owner != request.account:
            raise fault("BucketAlreadyExists", BucketName=name)
        # Of a global bucket in us-east-1, with the settings that it has, this resets the ACL.
        own = (REGION, REGION, existing.ownership or bucket.ownership)
        is_usual = existing.public_access_block in (None, _ALL_BLOCKED) and not is_own
        if own != (region, existing.region, bucket.ownership) or bucket.tags or not is_usual:
            raise fault("BucketAlreadyOwnedByYou", BucketName=name)
        bucket = existing
    elif sum(one.owner == request.account for one in tx.all(Bucket, "")) >= _MOST_BUCKETS:
        raise fault("TooManyBuckets")
    tx.put(replace(bucket, grants=acl.requested(tx, request, bucket, acl.owner_of(tx, bucket))))
    return {"Location": location, "BucketArn": bucket.arn}


def _check_name(name: str) -> None:
    begins = SAYS["reserved prefix"] if name.startswith(_RESERVED_PREFIXES) else ""
    is_reserved = begins or name.endswith(_RESERVED_SUFFIXES)
    if is_reserved or _ADDRESS.fullmatch(name) or not _NAME.fullmatch(name):
        raise fault("InvalidBucketName", begins, BucketName=name)


def _check_namespace(request: ApiRequest, suffix: str) -> None:
    """Only names in an account's namespace end in ``-an``, and in this one with ``suffix``."""
    name = request.params["Bucket"]
    is_marked = name.endswith("-an")
    if is_marked != (request.params.get("BucketNamespace") == "account-regional"):
        code = "MissingNamespaceHeader" if is_marked else "InvalidNamespaceHeader"
        raise fault(code, Header="x-amz-bucket-namespace")
    if is_marked and not name.endswith(suffix):
        raise fault("InvalidBucketNamespace", BucketNamespace=name)


def _region(request: ApiRequest, constraint: str | None) -> str:
    """The bucket's region. Only us-east-1 can create a bucket elsewhere, in an older region."""
    region = "eu-west-1" if constraint == "EU" else constraint or REGION
    newer = REGIONS - DEFAULT_REGIONS
    able = (region, constraint) if constraint in newer else (region, constraint, REGION)
    if request.region not in able:
        message = SAYS["location"].format(constraint or "unspecified")
        raise fault("IllegalLocationConstraintException", message)
    if constraint not in {None, "EU", *REGIONS} - {REGION}:
        raise fault("InvalidLocationConstraint", LocationConstraint=constraint)
    return region


def delete_bucket(tx: Transaction, request: ApiRequest) -> None:
    """Only a bucket without objects can be deleted. Its unfinished uploads are aborted."""
    bucket = lookups.bucket_of(tx, request)
    if any(one.bucket == bucket.name for one in tx.all(Object, bucket.owner)):
        more = ". You must delete all versions in the bucket." if bucket.versioning else ""
        message = f"The bucket you tried to delete is not empty{more}"
        raise fault("BucketNotEmpty", message, BucketName=bucket.name)
    for upload in [one for one in tx.all(Upload, bucket.owner) if one.bucket == bucket.name]:
        tx.delete(upload)
    tx.delete(bucket)


def list_buckets(view: View, request: ApiRequest) -> Answer:
    """The buckets of the caller's account, sorted by name."""
    params, owner = request.params, request.caller.account
    most = params.get("MaxBuckets", _MOST_BUCKETS)
    if not 0 < most <= _MOST_BUCKETS:
        raise invalid_argument(SAYS["buckets"], "max-buckets", most)
    given = params.get("BucketRegion", request.region)
    region = given.lower()
    if region not in (REGIONS if request.region == REGION else {request.region}):
        unknown = f"Argument value {given} is not a valid AWS Region"
        message = SAYS["region elsewhere"] if region in REGIONS else unknown
        raise invalid_argument(message, "bucket-region")
    prefix, everywhere = params.get("Prefix", ""), "BucketRegion" not in params
    after = listing.name_in_token(params.get("ContinuationToken") or None)
    own = (one for one in view.all(Bucket, "") if one.owner == owner)
    own = (one for one in own if everywhere or one.region == region)
    rest = [one for one in own if one.name > after and one.name.startswith(prefix)]
    rest.sort(key=lambda bucket: bucket.name)
    return {
        "Buckets": [
            {
                "Name": bucket.name,
                "CreationDate": bucket.created,
                "BucketRegion": bucket.region if _LIMITS & params.keys() else None,
                "BucketArn": bucket.arn,
            }
            for bucket in rest[:most]
        ],
        "Owner": {"ID": acl.canonical_id(view, owner)},
        "ContinuationToken": pages.token(rest[most - 1].name) if len(rest) > most else None,
        "Prefix": params.get("Prefix"),
    }


def head_bucket(view: View, request: ApiRequest) -> Answer:
    bucket = lookups.bucket_of(view, request)
    return {"BucketArn": bucket.arn, "BucketRegion": bucket.region, "AccessPointAlias": False}
