"""Multipart uploads are of one key: the one that the caller was allowed to write."""

from __future__ import annotations

from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.saved import moto_backends

_NOT_FOUND = 404
_ON_UPLOADS = frozenset(
    {
        "AbortMultipartUpload",
        "CompleteMultipartUpload",
        "ListParts",
        "UploadPart",
        "UploadPartCopy",
    }
)


def check(request: ApiRequest) -> None:
    """Refuse an upload's id that is not one of this bucket and key.

    Raises:
        ApiFault: NoSuchUpload.
    """
    bucket = moto_backends.bucket(request.params.get("Bucket", ""))
    if request.operation not in _ON_UPLOADS or bucket is None:
        return
    key, upload_id = request.params["Key"], request.params["UploadId"]
    upload = bucket.multiparts.get(upload_id)
    if upload is None and request.operation == "CompleteMultipartUpload":
        # Completing again what is complete succeeds.
        upload = getattr(bucket.keys.get(key), "multipart", None)
        upload = upload if upload is not None and upload.id == upload_id else None
    if upload is None or upload.key_name != key:
        raise ApiFault(
            "NoSuchUpload",
            "The specified upload does not exist. The upload ID may be invalid, or the upload "
            "may have been aborted or completed.",
            _NOT_FOUND,
            extra={"UploadId": upload_id},
        )
