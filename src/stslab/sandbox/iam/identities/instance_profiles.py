"""Instance profiles, which hand a role to EC2."""

from collections.abc import Sequence

from msgspec.structs import replace

from stslab.sandbox.api import identifiers
from stslab.sandbox.api.model import Answer, ApiRequest
from stslab.sandbox.api.services import Reads, Writes
from stslab.sandbox.iam import faults, lookups, paging, shapes, tagging
from stslab.sandbox.iam.identities import roles
from stslab.sandbox.state.identities import InstanceProfile, Role
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.transaction import Transaction

_INSTANCE_PROFILES = 1000


def create_instance_profile(tx: Transaction, request: ApiRequest) -> Answer:
    """CreateInstanceProfile."""
    account, params = request.account, request.params
    name = params["InstanceProfileName"]
    if tx.get(InstanceProfile, account, name.lower()) is not None:
        raise faults.exists(f"Instance Profile {name} already exists.")
    there_are = tx.count(InstanceProfile, account)
    faults.check_quota("InstanceProfilesPerAccount", _INSTANCE_PROFILES, there_are)
    profile = InstanceProfile(
        account=account,
        name=name,
        path=params.get("Path", "/"),
        unique_id=identifiers.unique_id("AIPA", account),
        created=request.now,
        tags=tagging.checked(params.get("Tags", ())),
    )
    tx.put(profile)
    return {"InstanceProfile": shapes.instance_profile(tx, profile)}


def get_instance_profile(view: View, request: ApiRequest) -> Answer:
    """GetInstanceProfile."""
    profile = lookups.named(view, InstanceProfile, request)
    return {"InstanceProfile": shapes.instance_profile(view, profile)}


def list_instance_profiles(view: View, request: ApiRequest) -> Answer:
    """ListInstanceProfiles."""
    profiles, prefix = view.all(InstanceProfile, request.account), request.params.get("PathPrefix")
    return _page(view, request, shapes.by_name(profiles, prefix))


def list_instance_profiles_for_role(view: View, request: ApiRequest) -> Answer:
    """ListInstanceProfilesForRole."""
    return _page(view, request, roles.profiles_with(view, lookups.named(view, Role, request)))


def _page(view: View, request: ApiRequest, found: Sequence[InstanceProfile]) -> Answer:
    def show(profile: InstanceProfile) -> shapes.Members:
        return shapes.instance_profile(view, profile, whole=False)

    return paging.page("InstanceProfiles", found, request.params, show)


def add_role_to_instance_profile(tx: Transaction, request: ApiRequest) -> Answer:
    """AddRoleToInstanceProfile: one role at most."""
    profile = lookups.named(tx, InstanceProfile, request)
    role = lookups.named(tx, Role, request)
    faults.check_quota("InstanceSessionsPerInstanceProfile", 1, 1 if profile.role else 0)
    tx.put(replace(profile, role=role.key))
    return {}


def remove_role_from_instance_profile(tx: Transaction, request: ApiRequest) -> Answer:
    """RemoveRoleFromInstanceProfile."""
    profile = lookups.named(tx, InstanceProfile, request)
    role = lookups.named(tx, Role, request)
    if profile.role != role.key:
        raise faults.no_such(f"The role with name {role.name} cannot be found.")
    tx.put(replace(profile, role=""))
    return {}


def delete_instance_profile(tx: Transaction, request: ApiRequest) -> Answer:
    """DeleteInstanceProfile, once it has no role."""
    profile = lookups.named(tx, InstanceProfile, request)
    faults.refuse_if_held((profile.role, "remove roles from instance profile"))
    tx.delete(profile)
    return {}


READS: Reads = {
    "GetInstanceProfile": get_instance_profile,
    "ListInstanceProfiles": list_instance_profiles,
    "ListInstanceProfilesForRole": list_instance_profiles_for_role,
}
WRITES: Writes = {
    "AddRoleToInstanceProfile": add_role_to_instance_profile,
    "CreateInstanceProfile": create_instance_profile,
    "DeleteInstanceProfile": delete_instance_profile,
    "RemoveRoleFromInstanceProfile": remove_role_from_instance_profile,
}
