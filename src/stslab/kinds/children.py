"""What must go before a thing can: the rows of :class:`stslab.kinds.kind.Child`."""

from stslab.kinds.kind import Child, Remove

_IAM_PAGES = {"Marker": "Marker"}


def _child(what: str, parent: str, listing: str, each: str, *removals: Remove) -> Child:
    return Child(what, listing, (parent,), each, removals, _IAM_PAGES)


def _inline(owner: str) -> Child:
    name = f"{owner}Name"
    return _child(
        "its inline policy {PolicyName}",
        name,
        f"List{owner}Policies",
        "PolicyNames[].{PolicyName: @}",
        Remove(f"Delete{owner}Policy", (name, "PolicyName")),
    )


def _attached(owner: str) -> Child:
    name = f"{owner}Name"
    return _child(
        "the attachment of {PolicyArn} to it",
        name,
        f"ListAttached{owner}Policies",
        "AttachedPolicies[].{PolicyArn: PolicyArn}",
        Remove(f"Detach{owner}Policy", (name, "PolicyArn")),
    )


# IAM User Guide, "Removing or deactivating an IAM user": what DeleteUser wants gone first.
USER = (
    _child(
        "its access key {AccessKeyId}",
        "UserName",
        "ListAccessKeys",
        "AccessKeyMetadata[].{AccessKeyId: AccessKeyId}",
        Remove("DeleteAccessKey", ("UserName", "AccessKeyId")),
    ),
    _inline("User"),
    _attached("User"),
    _child(
        "its membership of group {GroupName}",
        "UserName",
        "ListGroupsForUser",
        "Groups[].{GroupName: GroupName}",
        Remove("RemoveUserFromGroup", ("UserName", "GroupName")),
    ),
    _child(
        "its password",
        "UserName",
        "GetLoginProfile",
        "[LoginProfile.{UserName: UserName}]",
        Remove("DeleteLoginProfile", ("UserName",)),
    ),
    _child(
        "its MFA device {SerialNumber}",
        "UserName",
        "ListMFADevices",
        "MFADevices[].{SerialNumber: SerialNumber}",
        Remove("DeactivateMFADevice", ("UserName", "SerialNumber")),
        Remove("DeleteVirtualMFADevice", ("SerialNumber",)),
    ),
    _child(
        "its SSH key {SSHPublicKeyId}",
        "UserName",
        "ListSSHPublicKeys",
        "SSHPublicKeys[].{SSHPublicKeyId: SSHPublicKeyId}",
        Remove("DeleteSSHPublicKey", ("UserName", "SSHPublicKeyId")),
    ),
    _child(
        "its signing certificate {CertificateId}",
        "UserName",
        "ListSigningCertificates",
        "Certificates[].{CertificateId: CertificateId}",
        Remove("DeleteSigningCertificate", ("UserName", "CertificateId")),
    ),
    _child(
        "its service credential {ServiceSpecificCredentialId}",
        "UserName",
        "ListServiceSpecificCredentials",
        "ServiceSpecificCredentials[].{ServiceSpecificCredentialId: ServiceSpecificCredentialId}",
        Remove("DeleteServiceSpecificCredential", ("UserName", "ServiceSpecificCredentialId")),
    ),
)
ROLE = (
    _inline("Role"),
    _attached("Role"),
    _child(
        "its place in instance profile {InstanceProfileName}",
        "RoleName",
        "ListInstanceProfilesForRole",
        "InstanceProfiles[].{InstanceProfileName: InstanceProfileName}",
        Remove("RemoveRoleFromInstanceProfile", ("InstanceProfileName", "RoleName")),
    ),
)
GROUP = (
    _child(
        "the membership of user {UserName} in it",
        "GroupName",
        "GetGroup",
        "Users[].{UserName: UserName}",
        Remove("RemoveUserFromGroup", ("UserName", "GroupName")),
    ),
    _inline("Group"),
    _attached("Group"),
)
POLICY = (
    *(
        _child(
            f"its attachment to {owner.lower()} {{{owner}Name}}",
            "PolicyArn",
            "ListEntitiesForPolicy",
            f"Policy{owner}s[].{{{owner}Name: {owner}Name}}",
            Remove(f"Detach{owner}Policy", (f"{owner}Name", "PolicyArn")),
        )
        for owner in ("User", "Role", "Group")
    ),
    _child(
        "its version {VersionId}",
        "PolicyArn",
        "ListPolicyVersions",
        "Versions[?!IsDefaultVersion].{VersionId: VersionId}",
        Remove("DeletePolicyVersion", ("PolicyArn", "VersionId")),
    ),
)
# Amazon S3 User Guide, "Emptying a bucket": versions, delete markers and unfinished uploads.
# A page has at most 1,000 of them, which is what DeleteObjects takes at once.
BUCKET = (
    Child(
        "its objects, with all their versions",
        "ListObjectVersions",
        ("Bucket",),
        "[{Delete: {Quiet: `true`, Objects: [Versions, DeleteMarkers][]"
        ".{Key: Key, VersionId: VersionId}}}][?Delete.Objects]",
        (Remove("DeleteObjects", ("Bucket", "Delete")),),
        {"NextKeyMarker": "KeyMarker", "NextVersionIdMarker": "VersionIdMarker"},
        count="length(Delete.Objects)",
    ),
    Child(
        "its unfinished upload of {Key}",
        "ListMultipartUploads",
        ("Bucket",),
        "Uploads[].{Key: Key, UploadId: UploadId}",
        (Remove("AbortMultipartUpload", ("Bucket", "Key", "UploadId")),),
        {"NextKeyMarker": "KeyMarker", "NextUploadIdMarker": "UploadIdMarker"},
    ),
)
INSTANCE_PROFILE = (
    _child(
        "the role {RoleName} in it",
        "InstanceProfileName",
        "GetInstanceProfile",
        "InstanceProfile.Roles[].{RoleName: RoleName}",
        Remove("RemoveRoleFromInstanceProfile", ("InstanceProfileName", "RoleName")),
    ),
)
# IAM API Reference, DeleteVirtualMFADevice: "You must deactivate a user's virtual MFA device
# before you can delete it."
MFA_DEVICE = (
    Child(
        "its use by user {UserName}",
        "ListVirtualMFADevices",
        (),
        "VirtualMFADevices[?SerialNumber == <SerialNumber> && User.UserName]"
        ".{UserName: User.UserName}",
        (Remove("DeactivateMFADevice", ("UserName", "SerialNumber")),),
        _IAM_PAGES,
    ),
)
