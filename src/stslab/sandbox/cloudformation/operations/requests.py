"""What the operations have in common: finding stacks, reading templates, turning pages."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from stslab.sandbox.api.model import ApiFault, ApiRequest
from stslab.sandbox.cloudformation import faults, names
from stslab.sandbox.cloudformation.faults import invalid
from stslab.sandbox.cloudformation.stacks.engine import SERVICE, Engine
from stslab.sandbox.cloudformation.stacks.exports import importer
from stslab.sandbox.cloudformation.stacks.state import Config, Stack, Stacks
from stslab.sandbox.cloudformation.template import parameters, source, validation
from stslab.sandbox.cloudformation.template.blueprint import Blueprint
from stslab.sandbox.cloudformation.template.template import Template, parse

PAGE = 100
URL_LIMIT = 1_048_576
"""How long a template in S3 may be, in bytes ("AWS CloudFormation quotas")."""

VIRTUAL_HOST = re.compile(r"(?P<bucket>[^/]+)\.s3[.-][^/]*amazonaws\.com")
PATH_HOST = re.compile(r"s3[^/]*\.amazonaws\.com|127\.0\.0\.1|localhost")
UNSUPPORTED = (
    "NotificationARNs", "ResourcesToImport", "StackPolicyBody", "StackPolicyDuringUpdateBody",
    "StackPolicyDuringUpdateURL", "StackPolicyURL",
)  # fmt: skip
Item = TypeVar("Item")


@dataclass
class Desk:
    """Where requests are taken: the stacks, and the engine that works on them."""

    stacks: Stacks
    engine: Engine

    def find(self, request: ApiRequest, name: str) -> Stack | None:
        """The stack of this name or id, deleted ones by id only."""
        names.check_reference(name)
        return self.stacks.find(request.account, request.region, name)

    def stack(self, request: ApiRequest) -> Stack:
        """The stack that the request's ``StackName`` names.

        Raises:
            ApiFault: ``ValidationError``, "Stack with id … does not exist".
        """
        name = request.params["StackName"]
        found = self.find(request, name)
        if found is None:
            raise faults.no_such_stack(name)
        return found

    def living(self, request: ApiRequest) -> Stack:
        """The same, in the words of the operations that change a stack."""
        name = request.params["StackName"]
        found = self.find(request, name)
        if found is None:
            raise faults.no_such_stack_here(name)
        return found

    def template_text(self, request: ApiRequest, stack: Stack | None = None) -> str:
        """The template that the request brings, or the stack's where it says to use that."""
        params = request.params
        if params.get("TemplateBody") and params.get("TemplateURL"):
            raise invalid("Either Template URL or Template Body must be specified, not both.")
        if params.get("UsePreviousTemplate") and stack is not None:
            return stack.config.template
        if params.get("TemplateURL"):
            return self._download(request, params["TemplateURL"])
        text = str(params.get("TemplateBody") or "")
        if not text:
            raise invalid("Either Template URL or Template Body must be specified.")
        source.check_size(text)
        return text

    def template(self, text: str) -> Template:
        """The template, checked as a whole."""
        template = parse(text)
        validation.check(template)
        return template

    def config(self, request: ApiRequest, stack: Stack | None = None) -> Config:
        """What the request wants a stack to be, checked but for its capabilities."""
        refuse_unsupported(request)
        params = request.params
        text = self.template_text(request, stack)
        template = self.template(text)
        _check_resource_types(template, params.get("ResourceTypes"))
        old = stack.config if stack else None
        tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags") or ()}
        _check_tags(tags)
        values = parameters.settle(
            template.parameters,
            params.get("Parameters") or (),
            old.parameters if old else None,
        )
        return Config(
            text,
            values,
            dict(old.tags) if old and "Tags" not in params else tags,
            list(params.get("Capabilities") or ()),
        )

    def blueprint(self, stack: Stack, config: Config) -> Blueprint:
        """What a configuration makes of a stack, with its references checked."""
        plan = Blueprint(stack, config, importer(self.stacks, stack))
        plan.check_references()
        return plan

    def _download(self, request: ApiRequest, url: str) -> str:
        bucket, key = _place(url)
        try:
            found = self.engine.around.call(
                request.caller, "s3", "GetObject", {"Bucket": bucket, "Key": key}, (SERVICE,)
            )
        except ApiFault as fault:
            raise invalid(f"S3 error: {fault.message}") from None
        body = found["Body"]
        text = body if isinstance(body, str) else bytes(body).decode("utf-8", "replace")
        if len(text) > URL_LIMIT:
            raise invalid(f"Template may not exceed {URL_LIMIT} bytes in size.")
        return text


def _place(url: str) -> tuple[str, str]:
    """The bucket and the key that a template's URL names."""
    try:
        parts = urlsplit(url)
        host, path = parts.hostname or "", unquote(parts.path.lstrip("/"))
    except ValueError:
        raise _unsupported_url() from None
    if parts.scheme == "s3":
        raise invalid(f"S3 error: Domain name specified in {host} is not a valid S3 domain")
    virtual = VIRTUAL_HOST.fullmatch(host)
    if virtual and path:
        return virtual["bucket"], path
    bucket, _, key = path.partition("/")
    if PATH_HOST.fullmatch(host) and bucket and key:
        return bucket, key
    raise _unsupported_url()


def _unsupported_url() -> ApiFault:
    return invalid("TemplateURL must be a supported URL.")


def refuse_unsupported(request: ApiRequest) -> None:
    """Refuse what the sandbox would otherwise have to ignore silently."""
    for name in UNSUPPORTED:
        if request.params.get(name):
            raise invalid(f"{name} is not supported by the sandbox")
    if (request.params.get("RollbackConfiguration") or {}).get("RollbackTriggers"):
        raise invalid("Rollback triggers are not supported by the sandbox")


def _check_resource_types(template: Template, allowed: Sequence[str] | None) -> None:
    if not allowed:
        return
    patterns = [re.escape(entry).replace(r"\*", ".*") for entry in allowed]
    for declared in template.resources.values():
        if not any(re.fullmatch(pattern, declared.type) for pattern in patterns):
            raise invalid(
                f"Resource type {declared.type} is not allowed by parameter ResourceTypes "
                f"[{', '.join(allowed)}]"
            )


def _check_tags(tags: dict[str, str]) -> None:
    for key in tags:
        if key.lower().startswith("aws:"):
            raise invalid("aws: prefixed tag key names are not allowed for external use.")


def page(
    items: Sequence[Item], token: str | None, member: str, shown: Any, size: int = PAGE
) -> dict[str, Any]:
    """One page of a list as ``member``, with the ``NextToken`` of the next one."""
    start = _offset(token)
    result: dict[str, Any] = {member: [shown(item) for item in items[start : start + size]]}
    if start + size < len(items):
        result["NextToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return result


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return max(0, int(base64.urlsafe_b64decode(token.encode())))
    except ValueError:
        raise invalid("Invalid NextToken") from None
