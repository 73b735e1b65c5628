"""Whether a user or a role may do what a policy would allow it, in whatever form it was allowed."""

import json
from collections.abc import Callable, Mapping

from stslab.lab.model import Step
from stslab.lesson.evidence import statements_of
from stslab.runner.ports import Answer, Call, Data, Outcome

_OWNERS: Mapping[str, tuple[str, str]] = {
    "iam.PutRolePolicy": ("role", "RoleName"),
    "iam.PutUserPolicy": ("user", "UserName"),
}


def behaves(step: Step, params: Data, account: str, ask: Callable[[Call], Outcome]) -> bool:
    """Whether the user or role that a step gives a policy may do all that the policy allows.

    It is in ``account``. Not known of a policy that denies, has conditions, or allows actions by a
    pattern.
    """
    kind, name = _OWNERS.get(step.call, ("", ""))
    if not params.keys() >= {name, "PolicyDocument"}:
        return False
    owner = f"arn:aws:iam::{account}:{kind}/{params[name]}"
    statements = statements_of(json.loads(str(params["PolicyDocument"])))
    return all(
        one["Effect"] == "Allow"
        and one.keys() >= {"Action", "Resource"}
        and "Condition" not in one
        and "*" not in str(one["Action"])
        and _may(step.identity, owner, one, ask)
        for one in statements
    )


def _may(who: str, owner: str, statement: Data, ask: Callable[[Call], Outcome]) -> bool:
    actions, resources = (
        [one] if isinstance(one, str) else one
        for one in (statement["Action"], statement["Resource"])
    )
    asked = {"PolicySourceArn": owner, "ActionNames": actions, "ResourceArns": resources}
    told = ask(Call(who, "iam", "SimulatePrincipalPolicy", asked))
    results = told.data.get("EvaluationResults", ()) if isinstance(told, Answer) else ()
    return bool(results) and all(one["EvalDecision"] == "allowed" for one in results)
