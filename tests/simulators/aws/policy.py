"""What a policy document of IAM lets its holder do, as far as the one in docs/providers needs it: actions, resources by pattern, and
the condition ArnEquals.

What a call needs is more than its own action: tags at creation, and handing a role to an instance, have actions of their own.
"""

import fnmatch
import json

from wire import Failure
from world import ACCOUNT

PREFIXES = {"monitoring": "cloudwatch"}
# Who one is may be asked by everybody; the two others are the role's to allow.
FREE = {"sts:GetCallerIdentity", "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity"}
DENIED = {"ec2": "UnauthorizedOperation", "iam": "AccessDenied", "sns": "AuthorizationError"}
TAGGING = {"CreateRole": "iam:TagRole", "CreateInstanceProfile": "iam:TagInstanceProfile", "CreateLogGroup": "logs:TagResource",
           "PutMetricAlarm": "cloudwatch:TagResource", "CreateTopic": "sns:TagResource"}


class Policy:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.statements = json.load(file)["Statement"]

    def check(self, world, service, action, parameters):
        """The actions that the call needs; a Failure when one is not allowed."""
        needed = [need for need in _needs(world, service, action, parameters) if need[0] not in FREE]
        for need in needed:
            if not any(_allows(statement, *need) for statement in self.statements):
                raise Failure(DENIED.get(service, "AccessDeniedException"), f"User: {world.caller['arn']} is not authorized to "
                              f"perform: {need[0]} on resource: {need[1]}", 403)
        return {need[0] for need in needed}


def _list(value):
    return value if isinstance(value, list) else [value]


def _allows(statement, action, resource, keys):
    conditions = statement.get("Condition", {})
    if set(conditions) - {"ArnEquals"}:
        raise ValueError(f"not simulated: {conditions}")
    return (statement["Effect"] == "Allow" and action in _list(statement["Action"])
            and any(fnmatch.fnmatchcase(resource, pattern) for pattern in _list(statement["Resource"]))
            and all(keys.get(key) in _list(values) for key, values in conditions.get("ArnEquals", {}).items()))


def _ec2_needs(world, action, parameters):
    yield f"ec2:{action}", "*", {}
    if "TagSpecification" in parameters:
        yield "ec2:CreateTags", "*", {}
    profile = parameters.get("IamInstanceProfile", {}).get("Name") if action == "RunInstances" else None
    region, world.region = world.region, "global"
    for name in world.kind("instanceProfile").get(profile, {}).get("roles", []):
        yield "iam:PassRole", world.kind("role")[name]["arn"], {}
    world.region = region


def _arn(world, kind, name, path="/"):
    """With its path when there is such a thing: IAM knows no other."""
    thing = world.kind("role" if kind == "role" else "instanceProfile").get(name)
    return thing["arn"] if thing else f"arn:aws:iam::{ACCOUNT}:{kind}{path}{name}"


def _iam_needs(world, action, parameters):
    kind = "instance-profile" if "InstanceProfileName" in parameters else "role"
    name = parameters.get("InstanceProfileName", parameters.get("RoleName"))
    arn = _arn(world, kind, name, parameters.get("Path", "/")) if name else "*"
    keys = {"iam:PolicyARN": parameters["PolicyArn"]} if "PolicyArn" in parameters else {}
    yield f"iam:{action}", arn, keys
    if parameters.get("Tags"):
        yield TAGGING[action], arn, {}
    if action == "AddRoleToInstanceProfile":
        yield "iam:PassRole", _arn(world, "role", parameters["RoleName"]), {}


def _needs(world, service, action, parameters):
    """(action, resource, keys of the context)"""
    if service == "ec2":
        yield from _ec2_needs(world, action, parameters)
    elif service == "iam":
        yield from _iam_needs(world, action, parameters)
    else:
        yield f"{PREFIXES.get(service, service)}:{action}", "*", {}
        if parameters.get("tags") or parameters.get("Tags"):
            yield TAGGING.get(action, f"{service}:TagResource"), "*", {}
