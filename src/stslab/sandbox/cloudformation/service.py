"""The CloudFormation service: its operations, and the permissions that requests need."""

import re
from collections.abc import Mapping
from urllib.parse import unquote

from msgspec.structs import replace

from stslab.policy import catalogue
from stslab.policy.request import account_of
from stslab.sandbox.api import model, operations
from stslab.sandbox.api.faults import fault, invalid, require
from stslab.sandbox.api.model import Answer, ApiRequest, Internal, Keys, Reads, Writes
from stslab.sandbox.cloudformation import lookups
from stslab.sandbox.cloudformation.operations import change_sets, reading, stacks
from stslab.sandbox.cloudformation.stacks.engine import SERVICE, Engine
from stslab.sandbox.cloudformation.template import template
from stslab.sandbox.state.buckets import Bucket
from stslab.sandbox.state.snapshot import View
from stslab.sandbox.state.state import State
from stslab.structures import beside, mapped

_MODULES = (reading, stacks, change_sets)
_READS: Reads = model.handlers(_MODULES, "view", "request")
_WRITES: Writes = model.handlers(_MODULES, "tx", "request")
_IN_NO_ROLE = frozenset({"DeleteChangeSet", "UpdateTerminationProtection"})
"""The writes that start no work on a stack, for which a service role would be assumed."""
URL_LIMIT = 1_000_000
"""The maximum size of a template in S3: 1 MB ("AWS CloudFormation quotas"), in AWS's message so."""
_URL = re.compile(
    r"https://([^/]+)\.s3[.-](?!website)[^/]*amazonaws\.com/(.+)"  # or a bucket in the path:
    r"|(?:https://s3(?!.website)[^/]*\.amazonaws\.com"
    r"|https?://(?:127\.0\.0\.1|localhost)(?::\d+)?)/([^/]+)/(.+)"
)
_REGION = re.compile(r"[.-]([a-z]+(?:-[a-z]+)+-\d)\.amazonaws\.com/")  # in a URL


class CloudFormation:
    """The service; the ``engine`` works on its stacks, ``call`` makes calls in a caller's name.

    A write may call other services, and starts a transaction only after that; so all operations
    are in ``reads``, which get none.
    """

    def __init__(self, state: State, call: Internal, engine: Engine) -> None:
        self.engine = engine
        self.needs = needs_of
        self.reads: Reads = dict.fromkeys([*_READS, *_WRITES], self._answer)
        self.writes: Writes = {}
        self._state, self._call = state, call

    def _answer(self, view: View, request: ApiRequest) -> Answer:
        operations.check(request.service, request.operation, request.params)
        stacks.check_supported(request.params)
        request = self._with_template(request)
        if request.operation in _READS:
            answer = _READS[request.operation](view, request)  # shown in ASCII
            return dict(mapped(answer, lambda text: text.encode("ascii", "replace").decode()))
        stack = lookups.addressed(view, request)
        role = request.params.get("RoleARN") or (stack.role_arn if stack and stack.exists else "")
        if role and request.operation not in _IN_NO_ROLE:
            self.engine.as_role(role)
        with self._state.writing(view, request.caller.access_key_id) as tx:
            return _WRITES[request.operation](tx, request) or {}

    def _with_template(self, request: ApiRequest) -> ApiRequest:
        """The request with its template, which a write parses here, before its transaction."""
        body, url = request.params.get("TemplateBody"), request.params.get("TemplateURL")
        if request.operation == "ValidateTemplate" and body:
            url = None  # "If both are passed, only TemplateBody is used"
        require(not (body and url), template.ANATOMY["body and URL"])
        previous = request.params.get("UsePreviousTemplate")
        require(not (previous and (body or url)), template.ANATOMY["previous and new"])
        if body:
            template.check_size(body)
        text = self._download(request, url) if url else body
        if text and request.operation in _WRITES:
            stacks.checked_template(text)
        return replace(request, params={**request.params, "TemplateBody": text})

    def _download(self, request: ApiRequest, url: str) -> str:
        scheme, _, host = url.partition("://")
        require(scheme != "s3", template.ANATOMY["S3 domain"].format(host.split("/")[0]))
        place, _, version = url.partition("?versionId=")
        match = _URL.fullmatch(place.partition("?")[0])
        if match is None:
            raise invalid("TemplateURL must be a supported URL.")
        bucket, key = filter(None, match.groups())
        where = {"Bucket": bucket, "Key": unquote(key), "VersionId": version or None}
        there, region = self._state.snapshot.get(Bucket, "", bucket), _REGION.search(place)
        try:
            if there and region and region[1] != there.region:
                raise fault("PermanentRedirect")
            body: bytes = self._call(request.caller, "s3", "GetObject", where, here=True)["Body"]
        except model.ApiFault as error:  # a denial has no details
            told = fault(error.code) if error.code == "AccessDenied" else error
            raise invalid(template.ANATOMY["S3 error"].format(told.message)) from None
        require(len(body) <= URL_LIMIT, f"Template may not exceed {URL_LIMIT} bytes in size.")
        return body.decode("utf-8", "replace")


# -- the permissions that each request needs ---------------------------------------------------
# Service Authorization Reference, "Actions, resources, and condition keys for AWS CloudFormation".

_PARAMETER_KEYS: Mapping[str, str] = beside(__file__, "needs.yaml")["keys"]


def needs_of(view: View, request: ApiRequest) -> model.Needs:
    """The action on the stack, iam:PassRole for a service role, and what lists all stacks."""
    params, account = request.params, request.account
    stack = lookups.addressed(view, request)
    keys: Keys = {key: params.get(name) or "" for name, key in _PARAMETER_KEYS.items()}
    change_set = str(params.get("ChangeSetName") or "")
    keys["cloudformation:ChangeSetName"] = change_set.split("/")[-2:][0]  # an ARN has it, too
    imported = params.get("ResourcesToImport") or ()
    keys["cloudformation:ImportResourceTypes"] = [one.get("ResourceType", "") for one in imported]
    action, arn = f"cloudformation:{request.operation}", "*"
    keys = {key: value for key, value in keys.items() if value and catalogue.may_have(key, action)}
    keys |= model.request_tags(params)
    new = model.tags_in(params.get("Tags")) if request.operation == "CreateStack" else {}
    keys |= model.resource_tags(stack.config.tags if stack else new)
    every = f"arn:aws:cloudformation:{request.region}:{account}:stack"
    name = str(params.get("StackName") or "")
    listing, owner = "cloudformation:ListStacks", account_of(name)
    require(owner in (None, account), stacks.SAYS["other account"].format(account, owner, name))
    if action == "cloudformation:DescribeEvents" and change_set.startswith("arn:"):
        arn = change_set
    elif stack is not None or name.startswith("arn:"):
        arn = stack.stack_id if stack else name
    elif name or action == listing:
        arn = f"{every}/{name or '*'}/*"
    need = model.Need(action, arn, keys, resource_account=account)
    if role := params.get("RoleARN"):
        require(role.startswith("arn:"), f"{role} is not a valid RoleARN")
        return need, model.pass_role(view, account, role, SERVICE, arn)
    if request.operation == "DescribeStacks" and arn == "*":
        return need, model.Need(listing, f"{every}/*/*", resource_account=account)
    return (need,)
