"""The services besides EC2: STS, IAM, SSM, Service Quotas, CloudWatch, CloudWatch Logs, SNS."""

import json
import math
import time

from catalog import PARAMETERS, QUOTAS
from wire import Failure
from world import ACCOUNT

# ---- STS ----


def sts_GetCallerIdentity(world, _parameters):
    return {"UserId": "AIDASIMULATED", "Account": world.settings["account"], "Arn": world.caller["arn"]}


def _session(world, role, name, seconds):
    world.counter += 1
    key = f"ASIA{world.counter:016d}"
    world.keys[key] = {"secret": f"secret of {key}", "token": f"token of {key}", "expires": world.now() + (world.settings["session_ms"] / 1000 or seconds),
                       "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.split('/')[-1]}/{name}"}
    expiration = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(world.now() + seconds))
    return {"Credentials": {"AccessKeyId": key, "SecretAccessKey": world.keys[key]["secret"],
                            "SessionToken": world.keys[key]["token"], "Expiration": expiration},
            "AssumedRoleUser": {"AssumedRoleId": f"AROA:{name}", "Arn": world.keys[key]["arn"]}}


def sts_AssumeRole(world, parameters):
    if "forbidden" in parameters["RoleArn"]:
        raise Failure("AccessDenied", f"User: {world.caller['arn']} is not authorized to perform: sts:AssumeRole on "
                      f"resource: {parameters['RoleArn']}", 403)
    return _session(world, parameters["RoleArn"], parameters["RoleSessionName"],
                    int(parameters.get("DurationSeconds", 3600)))


def sts_AssumeRoleWithWebIdentity(world, parameters):
    if parameters["WebIdentityToken"] != "simulated.web.token":
        raise Failure("InvalidIdentityToken", "Couldn't retrieve verification key from your identity provider")
    return _session(world, parameters["RoleArn"], parameters["RoleSessionName"], 3600)


# ---- IAM ----


def _entity(world, kind, name):
    thing = world.kind(kind).get(name)
    if not thing:
        raise Failure("NoSuchEntity", f"The {kind} with name {name} cannot be found.", 404)
    return thing


def _tags(parameters):
    return {tag["Key"]: tag["Value"] for tag in parameters.get("Tags", [])}


def _role_view(role):
    return {"Path": role["path"], "RoleName": role["id"], "RoleId": "AROA" + role["id"].upper(), "Arn": role["arn"],
            "CreateDate": "2026-01-01T00:00:00Z",
            "Tags": [{"Key": key, "Value": value} for key, value in role["tags"].items()]}


def iam_CreateRole(world, parameters):
    name, path = parameters["RoleName"], parameters.get("Path", "/")
    if name in world.kind("role"):
        raise Failure("EntityAlreadyExists", f"Role with name {name} already exists.", 409)
    if len(name) > 64:
        raise Failure("ValidationError", "roleName is longer than 64 characters")
    json.loads(parameters["AssumeRolePolicyDocument"])
    role = world.add("role", "role", id=name, path=path, arn=f"arn:aws:iam::{ACCOUNT}:role{path}{name}", policies=[])
    role["tags"] = _tags(parameters)
    return {"Role": _role_view(role)}


def iam_GetRole(world, parameters):
    return {"Role": _role_view(_entity(world, "role", parameters["RoleName"]))}


def iam_ListRoles(world, parameters):
    prefix = parameters.get("PathPrefix", "/")
    roles = [_role_view(role) for role in world.kind("role").values() if role["path"].startswith(prefix)]
    return {"Roles": roles, "IsTruncated": False}


def iam_DeleteRole(world, parameters):
    role = _entity(world, "role", parameters["RoleName"])
    if role["policies"] or any(role["id"] in profile["roles"] for profile in world.kind("instanceProfile").values()):
        raise Failure("DeleteConflict", "Cannot delete entity, must detach all policies first.", 409)
    del world.kind("role")[role["id"]]
    return {}


def iam_AttachRolePolicy(world, parameters):
    role = _entity(world, "role", parameters["RoleName"])
    if parameters["PolicyArn"] not in role["policies"]:
        role["policies"].append(parameters["PolicyArn"])
    return {}


def iam_DetachRolePolicy(world, parameters):
    role = _entity(world, "role", parameters["RoleName"])
    if parameters["PolicyArn"] not in role["policies"]:
        raise Failure("NoSuchEntity", f"Policy {parameters['PolicyArn']} was not found.", 404)
    role["policies"].remove(parameters["PolicyArn"])
    return {}


def iam_ListAttachedRolePolicies(world, parameters):
    role = _entity(world, "role", parameters["RoleName"])
    return {"AttachedPolicies": [{"PolicyName": arn.split("/")[-1], "PolicyArn": arn} for arn in role["policies"]],
            "IsTruncated": False}


def _profile_view(world, profile):
    return {"Path": profile["path"], "InstanceProfileName": profile["id"], "InstanceProfileId": "AIPA" + profile["id"],
            "Arn": profile["arn"], "CreateDate": "2026-01-01T00:00:00Z",
            "Roles": [_role_view(world.kind("role")[name]) for name in profile["roles"]],
            "Tags": [{"Key": key, "Value": value} for key, value in profile["tags"].items()]}


def iam_CreateInstanceProfile(world, parameters):
    name, path = parameters["InstanceProfileName"], parameters.get("Path", "/")
    if name in world.kind("instanceProfile"):
        raise Failure("EntityAlreadyExists", f"Instance Profile {name} already exists.", 409)
    profile = world.add("instanceProfile", "profile", id=name, path=path, roles=[], known_at=world.after("profile_ms"),
                        arn=f"arn:aws:iam::{ACCOUNT}:instance-profile{path}{name}")
    profile["tags"] = _tags(parameters)
    return {"InstanceProfile": _profile_view(world, profile)}


def iam_GetInstanceProfile(world, parameters):
    return {"InstanceProfile": _profile_view(world, _entity(world, "instanceProfile", parameters["InstanceProfileName"]))}


def iam_ListInstanceProfiles(world, parameters):
    prefix = parameters.get("PathPrefix", "/")
    profiles = [_profile_view(world, one) for one in world.kind("instanceProfile").values()
                if one["path"].startswith(prefix)]
    return {"InstanceProfiles": profiles, "IsTruncated": False}


def iam_AddRoleToInstanceProfile(world, parameters):
    profile = _entity(world, "instanceProfile", parameters["InstanceProfileName"])
    role = _entity(world, "role", parameters["RoleName"])
    if role["id"] in profile["roles"]:
        raise Failure("LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1", 409)
    if profile["roles"]:
        raise Failure("LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1", 409)
    profile["roles"].append(role["id"])
    return {}


def iam_RemoveRoleFromInstanceProfile(world, parameters):
    profile = _entity(world, "instanceProfile", parameters["InstanceProfileName"])
    if parameters["RoleName"] not in profile["roles"]:
        raise Failure("NoSuchEntity", f"The role {parameters['RoleName']} is not in the profile.", 404)
    profile["roles"].remove(parameters["RoleName"])
    return {}


def iam_DeleteInstanceProfile(world, parameters):
    profile = _entity(world, "instanceProfile", parameters["InstanceProfileName"])
    if profile["roles"]:
        raise Failure("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.", 409)
    del world.kind("instanceProfile")[profile["id"]]
    return {}


# ---- SSM, Service Quotas ----


def ssm_GetParameters(world, parameters):
    if len(parameters["Names"]) > 10:
        raise Failure("ValidationException", "at most 10 names")
    found = [{"Name": name, "Type": "String", "Value": PARAMETERS[name], "Version": 1}
             for name in parameters["Names"] if name in PARAMETERS]
    return {"Parameters": found, "InvalidParameters": [name for name in parameters["Names"] if name not in PARAMETERS]}


def servicequotas_GetServiceQuota(world, parameters):
    if parameters["ServiceCode"] != "ec2" or parameters["QuotaCode"] not in QUOTAS:
        raise Failure("NoSuchResourceException", "The request failed because the specified quota does not exist.")
    return {"Quota": {"ServiceCode": "ec2", "QuotaCode": parameters["QuotaCode"], "Value": world.settings["vcpu_limit"]}}


# ---- CloudWatch ----


def monitoring_PutMetricAlarm(world, parameters):
    if parameters["EvaluationPeriods"] * parameters.get("Period", 60) > 86400:
        raise Failure("ValidationError", "EvaluationPeriods times Period may not exceed a day")
    if ("MetricName" in parameters) == ("Metrics" in parameters):
        raise Failure("ValidationError", "exactly one of MetricName and Metrics is needed")
    name = parameters["AlarmName"]
    alarm = world.kind("alarm").get(name) or world.add("alarm", "alarm", id=name)
    if not alarm["tags"]:
        alarm["tags"] = _tags(parameters)
    alarm["definition"] = {key: value for key, value in parameters.items() if key != "Tags"}
    return {}


def monitoring_DescribeAlarms(world, parameters):
    prefix, names = parameters.get("AlarmNamePrefix", ""), parameters.get("AlarmNames")
    found = [{**alarm["definition"], "AlarmArn": f"arn:aws:cloudwatch:{world.region}:{ACCOUNT}:alarm:{alarm['id']}",
              "StateValue": "INSUFFICIENT_DATA"} for alarm in world.kind("alarm").values()
             if (alarm["id"] in names if names else alarm["id"].startswith(prefix)) and world.is_visible(alarm["id"])]
    start = int(parameters.get("NextToken", 0))
    most = min(parameters.get("MaxRecords", 50), 100, world.settings["page_max"])
    result = {"MetricAlarms": found[start:start + most], "CompositeAlarms": []}
    if found[start + most:]:
        result["NextToken"] = str(start + most)
    return result


def monitoring_DeleteAlarms(world, parameters):
    if len(parameters["AlarmNames"]) > 100:
        raise Failure("ValidationError", "at most 100 alarms")
    missing = [name for name in parameters["AlarmNames"] if name not in world.kind("alarm")]
    if missing and len(parameters["AlarmNames"]) == 1:
        raise Failure("ResourceNotFound", f"alarm {missing[0]} does not exist", 404)
    for name in parameters["AlarmNames"]:
        world.kind("alarm").pop(name, None)
    return {}


def _dimensions(given):
    return tuple(sorted((one["Name"], one["Value"]) for one in given))


def monitoring_PutMetricData(world, parameters):
    for datum in parameters["MetricData"]:
        world.metrics.append((parameters["Namespace"], datum["MetricName"], _dimensions(datum.get("Dimensions", [])),
                              datum.get("Timestamp", world.now()), datum["Value"]))
    return {}


def _statistic(values, name):
    return {"Sum": math.fsum(values), "Average": math.fsum(values) / len(values), "Maximum": max(values),
            "Minimum": min(values), "SampleCount": len(values)}[name]


def monitoring_GetMetricData(world, parameters):
    if len(parameters["MetricDataQueries"]) > 500:
        raise Failure("ValidationError", "at most 500 queries")
    results = []
    for query in parameters["MetricDataQueries"]:
        stat = query["MetricStat"]
        metric, period = stat["Metric"], stat["Period"]
        wanted = (metric["Namespace"], metric["MetricName"], _dimensions(metric.get("Dimensions", [])))
        buckets = {}
        for namespace, name, dimensions, when, value in world.metrics:
            if (namespace, name, dimensions) == wanted and parameters["StartTime"] <= when < parameters["EndTime"]:
                buckets.setdefault(when - when % period, []).append(value)
        times = sorted(buckets, reverse=parameters.get("ScanBy") != "TimestampAscending")
        results.append({"Id": query["Id"], "Label": metric["MetricName"], "StatusCode": "Complete", "Timestamps": times,
                        "Values": [_statistic(buckets[when], stat["Stat"]) for when in times]})
    # A page is so many results; the real service cuts by data points, which reads the same.
    start, most = int(parameters.get("NextToken", 0)), world.settings["page_max"]
    page = {"MetricDataResults": results[start:start + most], "Messages": []}
    if results[start + most:]:
        page["NextToken"] = str(start + most)
    return page


# ---- CloudWatch Logs ----

RETENTIONS = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]


def _group(world, name):
    group = world.kind("logGroup").get(name)
    if not group:
        raise Failure("ResourceNotFoundException", "The specified log group does not exist.")
    return group


def logs_CreateLogGroup(world, parameters):
    name = parameters["logGroupName"]
    if name in world.kind("logGroup"):
        raise Failure("ResourceAlreadyExistsException", "The specified log group already exists")
    group = world.add("logGroup", "log", id=name, retention=None, events=[])
    group["tags"] = dict(parameters.get("tags", {}))
    return {}


def logs_DescribeLogGroups(world, parameters):
    prefix = parameters.get("logGroupNamePrefix", "")
    groups = [{"logGroupName": one["id"], "retentionInDays": one["retention"],
               "logGroupArn": f"arn:aws:logs:{world.region}:{ACCOUNT}:log-group:{one['id']}"}
              for one in world.kind("logGroup").values() if one["id"].startswith(prefix)]
    return {"logGroups": [{key: value for key, value in group.items() if value is not None} for group in groups]}


def logs_ListTagsForResource(world, parameters):
    return {"tags": _group(world, parameters["resourceArn"].split(":log-group:")[1])["tags"]}


def logs_TagResource(world, parameters):
    _group(world, parameters["resourceArn"].split(":log-group:")[1])["tags"].update(parameters["tags"])
    return {}


def logs_UntagResource(world, parameters):
    tags = _group(world, parameters["resourceArn"].split(":log-group:")[1])["tags"]
    for key in parameters["tagKeys"]:
        tags.pop(key, None)
    return {}


def logs_PutRetentionPolicy(world, parameters):
    if parameters["retentionInDays"] not in RETENTIONS:
        raise Failure("InvalidParameterException", f"retentionInDays must be one of {RETENTIONS}")
    _group(world, parameters["logGroupName"])["retention"] = parameters["retentionInDays"]
    return {}


def logs_DeleteLogGroup(world, parameters):
    _group(world, parameters["logGroupName"])
    del world.kind("logGroup")[parameters["logGroupName"]]
    return {}


def logs_PutLogEvents(world, parameters):
    group = _group(world, parameters["logGroupName"])
    for event in parameters["logEvents"]:
        group["events"].append({"logStreamName": parameters["logStreamName"], "timestamp": event["timestamp"],
                                "message": event["message"], "eventId": f"{len(group['events']):056d}",
                                "ingestionTime": event["timestamp"]})
    return {}


def logs_FilterLogEvents(world, parameters):
    streams, begins = parameters.get("logStreamNames"), parameters.get("startTime", 0)
    prefix = parameters.get("logStreamNamePrefix", "")
    events = sorted((event for event in _group(world, parameters["logGroupName"])["events"]
                     if event["timestamp"] >= begins and event["logStreamName"].startswith(prefix)
                     and (not streams or event["logStreamName"] in streams)), key=lambda event: event["timestamp"])
    start = int(parameters.get("nextToken", 0))
    most = min(parameters.get("limit", 10000), world.settings["page_max"])
    result = {"events": events[start:start + most], "searchedLogStreams": []}
    if events[start + most:]:
        result["nextToken"] = str(start + most)
    return result


# ---- SNS ----


def _topic(world, arn):
    topic = world.kind("topic").get(arn)
    if not topic:
        raise Failure("NotFound", "Topic does not exist", 404)
    return topic


def sns_CreateTopic(world, parameters):
    arn, tags = f"arn:aws:sns:{world.region}:{ACCOUNT}:{parameters['Name']}", _tags(parameters)
    topic = world.kind("topic").get(arn)
    if topic and topic["tags"] != tags:
        raise Failure("InvalidParameter", "Invalid parameter: Tags Reason: Topic already exists with different tags")
    if not topic:
        topic = world.add("topic", "topic", id=arn, subscriptions=[])
        topic["tags"] = tags
    return {"TopicArn": arn}


def sns_GetTopicAttributes(world, parameters):
    topic = _topic(world, parameters["TopicArn"])
    return {"Attributes": {"entry": {"key": "TopicArn", "value": topic["id"]}}}


def sns_ListTopics(world, parameters):
    return {"Topics": [{"TopicArn": arn} for arn in world.kind("topic")]}


def sns_ListTagsForResource(world, parameters):
    topic = _topic(world, parameters["ResourceArn"])
    return {"Tags": [{"Key": key, "Value": value} for key, value in topic["tags"].items()]}


def sns_Subscribe(world, parameters):
    topic = _topic(world, parameters["TopicArn"])
    if parameters["Endpoint"] not in topic["subscriptions"]:
        topic["subscriptions"].append(parameters["Endpoint"])
    return {"SubscriptionArn": "pending confirmation"}


def sns_ListSubscriptionsByTopic(world, parameters):
    topic = _topic(world, parameters["TopicArn"])
    return {"Subscriptions": [{"SubscriptionArn": "PendingConfirmation", "Owner": ACCOUNT, "Protocol": "email",
                               "Endpoint": endpoint, "TopicArn": topic["id"]} for endpoint in topic["subscriptions"]]}


def sns_DeleteTopic(world, parameters):
    world.kind("topic").pop(parameters["TopicArn"], None)
    return {}
