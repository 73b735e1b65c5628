"""The errors of S3: each code with its HTTP status and what S3 says.

S3 API Reference, "Error responses", and the errors of each operation.
"""

from stslab.sandbox.api.model import ApiFault, Pairs

_FAULTS = """
400 AccessControlListNotSupported The bucket does not allow ACLs
403 AccessDenied Access Denied
400 AuthorizationHeaderMalformed The authorization header that you provided is not valid.
400 BadDigest The checksum you specified did not match the calculated checksum.
400 BadRequest Bad Request
409 BucketAlreadyExists The requested bucket name is not available. The bucket namespace is shared \
by all users of the system. Please select a different name and try again.
409 BucketAlreadyOwnedByYou Your previous request to create the named bucket succeeded and you \
already own it.
409 BucketNotEmpty The bucket you tried to delete is not empty
400 EntityTooSmall Your proposed upload is smaller than the minimum allowed size
400 IllegalLocationConstraintException The location constraint is incompatible for the region \
specific endpoint this request was sent to.
400 IllegalVersioningConfigurationException The Versioning element must be specified
400 InvalidArgument Invalid Argument
400 InvalidBucketAclWithObjectOwnership Bucket cannot have ACLs set with ObjectOwnership's \
BucketOwnerEnforced setting
400 InvalidBucketName The specified bucket is not valid.
400 InvalidLocationConstraint The specified location-constraint is not valid
403 InvalidObjectState The operation is not valid for the object's storage class
400 InvalidPart One or more of the specified parts could not be found.  The part may not have \
been uploaded, or the specified entity tag may not match the part's entity tag.
416 InvalidPartNumber The requested partnumber is not satisfiable
400 InvalidPartOrder The list of parts was not in ascending order. Parts must be ordered by part \
number.
416 InvalidRange The requested range is not satisfiable
400 InvalidRequest Invalid Request
400 InvalidStorageClass The storage class you specified is not valid
400 InvalidTag The tag provided was not a valid tag.
400 InvalidURI Couldn't parse the specified URI.
400 KeyTooLongError Your key is too long
400 MalformedACLError The ACL that you provided was not well formed or did not validate against \
our published schema.
400 MalformedPolicy Policies must be valid JSON and the first byte must be '{'
400 MalformedXML The XML you provided was not well-formed or did not validate against our \
published schema
400 MetadataTooLarge Your metadata headers exceed the maximum allowed metadata size
405 MethodNotAllowed The specified method is not allowed against this resource.
400 MissingRequestBodyError Request Body is empty
400 MissingSecurityHeader Your request was missing a required header
404 NoSuchBucket The specified bucket does not exist
404 NoSuchBucketPolicy The bucket policy does not exist
404 NoSuchCORSConfiguration The CORS configuration does not exist
404 NoSuchKey The specified key does not exist.
404 NoSuchLifecycleConfiguration The lifecycle configuration does not exist
404 NoSuchPublicAccessBlockConfiguration The public access block configuration was not found
404 NoSuchTagSet The TagSet does not exist
404 NoSuchUpload The specified upload does not exist. The upload ID may be invalid, or the upload \
may have been aborted or completed.
404 NoSuchVersion The specified version does not exist.
404 NoSuchWebsiteConfiguration The specified bucket does not have a website configuration
501 NotImplemented A header you provided implies functionality that is not implemented
304 NotModified Not Modified
404 OwnershipControlsNotFoundError The bucket ownership controls were not found
301 PermanentRedirect The bucket you are attempting to access must be addressed using the \
specified endpoint. Please send all future requests to this endpoint.
400 PolicyTooLarge The policy is larger than 20 KB.
412 PreconditionFailed At least one of the pre-conditions you specified did not hold
400 UnresolvableGrantByEmailAddress The e-mail address you provided does not match any account \
on record.
"""
_BY_CODE = {
    code: (int(status), message)
    for status, code, message in (line.split(" ", 2) for line in _FAULTS.strip().splitlines())
}


def fault(code: str, message: str = "", *, headers: Pairs = (), **extra: object) -> ApiFault:
    """The error of this code, with further elements as S3 names them (``Key``)."""
    status, said = _BY_CODE[code]
    return ApiFault(code, message or said, status, headers=headers, extra=extra)


def invalid_argument(message: str, name: str, value: object) -> ApiFault:
    """What S3 answers to an argument that it does not take."""
    return fault("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


def no_such_key(key: str, *, headers: Pairs = ()) -> ApiFault:
    """What S3 answers where there is no object of this key."""
    return fault("NoSuchKey", headers=headers, Key=key)
