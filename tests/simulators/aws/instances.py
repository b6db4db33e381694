"""EC2: instances and their volumes and interfaces."""

import base64
import ipaddress
import time

from catalog import TYPES, offered, quota_class
from ec2 import find, interfaces, network_of, once, pages, select, tag_set, tags_of
from wire import Failure

VOLUMES = {"gp3": (1, 65536), "gp2": (1, 16384), "io1": (4, 16384), "io2": (4, 65536), "st1": (125, 16384),
           "sc1": (125, 16384), "standard": (1, 1024)}
RUNNING = ("pending", "running")


def release_interface(world, instance, after_ms):
    for interface in world.kind("networkInterface").values():
        if interface["instance"] == instance["id"] and not interface["until"]:
            interface.update(until=instance["ready_at"] + after_ms / 1000, public=False)


def settle(world, instance):
    """Takes the steps that are due by now."""
    for state, at, then in (("pending", "ready_at", "running"), ("stopping", "ready_at", "stopped"),
                            ("shutting-down", "ready_at", "terminated")):
        still = state == "stopping" and world.machines and world.machines.is_up(instance)
        if instance["state"] == state and instance[at] <= time.time() and not still:
            instance["state"] = instance.pop("fate", None) or then
            if instance["state"] == "terminated":
                release_interface(world, instance, 0)
            if instance["state"] == "running" and world.machines:
                world.machines.start(instance)
    return instance["state"]


def instance_view(world, instance, state=None):
    state = state or settle(world, instance)
    gone = state in ("terminated", "shutting-down")
    view = {"instanceId": instance["id"], "imageId": instance["image"], "instanceState": {"name": state},
            "instanceType": instance["type"], "amiLaunchIndex": instance["index"], "clientToken": instance["token"],
            "launchTime": instance["launched"], "placement": {"availabilityZone": instance["zone"]},
            "architecture": TYPES[instance["type"]]["architecture"], "tagSet": tag_set(instance),
            "stateReason": instance["reason"] or None, "keyName": instance["key"],
            "cpuOptions": {"coreCount": TYPES[instance["type"]]["vcpus"], "threadsPerCore": 1}}
    if not gone:
        view.update(privateIpAddress=instance["address"], subnetId=instance["subnet"], vpcId=instance["vpc"],
                    ipAddress=instance["public"], groupSet=[{"groupId": group} for group in instance["groups"]])
    return view


def reservation(world, made, state=None):
    return {"reservationId": made[0]["reservation"], "ownerId": "123456789012",
            "instancesSet": [instance_view(world, instance, state) for instance in made]}


def _check_volume(mapping):
    ebs = mapping.get("Ebs", {})
    kind = ebs.get("VolumeType", "gp2")
    least, most = VOLUMES[kind]
    if "VolumeSize" in ebs and not least <= int(ebs["VolumeSize"]) <= most:
        raise Failure("InvalidParameterValue", f"Volume of {ebs['VolumeSize']}GiB is not allowed for {kind}")
    if "Throughput" in ebs and kind != "gp3":
        raise Failure("InvalidParameterCombination", f"The parameter Throughput is not supported for {kind} volumes.")
    if "Iops" in ebs and kind not in ("gp3", "io1", "io2"):
        raise Failure("InvalidParameterCombination", f"The parameter iops is not supported for {kind} volumes.")
    if "Iops" not in ebs and kind in ("io1", "io2"):
        raise Failure("MissingParameter", f"The parameter iops must be specified for {kind} volumes.")
    if kind == "gp3" and not 3000 <= int(ebs.get("Iops", 3000)) <= 80000:
        raise Failure("InvalidParameterValue", f"Volume iops of {ebs['Iops']} is not allowed")
    if kind == "gp3" and not 125 <= int(ebs.get("Throughput", 125)) <= 2000:
        raise Failure("InvalidParameterValue", f"Throughput of {ebs['Throughput']} is not allowed")


def _free_address(world, subnet):
    taken = {one["address"] for one in interfaces(world) if one["subnet"] == subnet["id"]}
    block = network_of(subnet["cidr"])
    for number in range(4, block.num_addresses - 1):
        if str(block[number]) not in taken:
            return str(block[number])
    raise Failure("InsufficientFreeAddressesInSubnet", f"There are not enough free addresses in subnet '{subnet['id']}'")


def _given_address(world, subnet, text, count):
    address, cidr = ipaddress.ip_address(text), network_of(subnet["cidr"])
    if count != 1:
        raise Failure("InvalidParameterCombination", "The parameter PrivateIpAddress can't be used with several instances")
    if address not in cidr or int(address) - int(cidr[0]) < 4 or address == cidr[-1]:
        raise Failure("InvalidParameterValue", f"Address {text} does not fall within the subnet's address range")
    if any(one["subnet"] == subnet["id"] and one["address"] == text for one in interfaces(world)):
        raise Failure("InvalidIPAddress.InUse", f"Address {text} is in use.")
    return text


def vcpus_in_use(world, kind):
    return sum(TYPES[one["type"]]["vcpus"] for one in world.kind("instance").values()
               if settle(world, one) in RUNNING and quota_class(one["type"]) == kind)


def _check_limits(world, kind, count):
    need, limit = TYPES[kind]["vcpus"] * count, world.settings["vcpu_limit"]
    if vcpus_in_use(world, quota_class(kind)) + need > limit:
        raise Failure("VcpuLimitExceeded", f"You have requested more vCPU capacity than your current vCPU limit of {limit} "
                      "allows for the instance bucket that the specified instance type belongs to.")


def _profile(world, given):
    if not given:
        return None
    region, world.region = world.region, "global"
    profile = world.kind("instanceProfile").get(given.get("Name"))
    world.region = region
    if not profile or profile["known_at"] > time.time():
        raise Failure("InvalidParameterValue", f"Value ({given.get('Name')}) for parameter iamInstanceProfile.name is "
                      "invalid. Invalid IAM Instance Profile name")
    return given["Name"]


def launch_time(world):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(world.now()))


def RunInstances(world, parameters):
    def make():
        count = int(parameters["MaxCount"])
        if count != int(parameters["MinCount"]) and int(parameters["MinCount"]) > count:
            raise Failure("InvalidParameterValue", "MinCount is larger than MaxCount")
        kind = parameters["InstanceType"]
        if kind not in TYPES:
            raise Failure("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
        image = find(world, "image", parameters["ImageId"], "InvalidAMIID.NotFound")
        if image["architecture"] != TYPES[kind]["architecture"]:
            raise Failure("InvalidParameterValue", f"The architecture of the image does not match that of {kind}")
        data = base64.b64decode(parameters.get("UserData", ""), validate=True)
        if len(data) > 16384:
            raise Failure("InvalidParameterValue", "User data is limited to 16384 bytes")
        for mapping in parameters.get("BlockDeviceMapping", []):
            _check_volume(mapping)
        if "NetworkInterface" in parameters and {"SubnetId", "SecurityGroupId", "PrivateIpAddress"} & set(parameters):
            raise Failure("InvalidParameterCombination", "Network interfaces and an instance-level subnet ID may not be "
                          "specified on the same request")
        interface = parameters["NetworkInterface"][0]
        subnet = find(world, "subnet", interface["SubnetId"], "InvalidSubnetID.NotFound")
        groups = interface.get("SecurityGroupId", [])
        for group in groups:
            if find(world, "securityGroup", group, "InvalidGroup.NotFound")["vpc"] != subnet["vpc"]:
                raise Failure("InvalidParameter", f"Security group {group} and subnet {subnet['id']} belong to different networks.")
        if not offered(world, kind, subnet["zone"]):
            raise Failure("Unsupported", f"Your requested instance type ({kind}) is not supported in your requested "
                          f"Availability Zone ({subnet['zone']}).")
        _check_limits(world, kind, count)
        profile = _profile(world, parameters.get("IamInstanceProfile"))
        tags = tags_of(parameters, ("instance", "volume", "network-interface"))
        made, number = [], world.new_id("r")
        for index in range(count):
            address = (_given_address(world, subnet, interface["PrivateIpAddress"], count)
                       if "PrivateIpAddress" in interface else _free_address(world, subnet))
            instance = world.add("instance", "i", type=kind, image=image["id"], state="pending", index=index,
                                 token=parameters.get("ClientToken", ""), reservation=number, subnet=subnet["id"],
                                 vpc=subnet["vpc"], zone=subnet["zone"], address=address, groups=groups, data=data,
                                 wants_public=interface.get("AssociatePublicIpAddress") == "true", public=None,
                                 ready_at=world.after("launch_ms"), reason=None, profile=profile,
                                 key=parameters.get("KeyName"), metadata=parameters.get("MetadataOptions", {}),
                                 volumes=parameters.get("BlockDeviceMapping", []),
                                 launched=launch_time(world))
            instance["tags"] = dict(tags)
            if instance["wants_public"]:
                instance["public"] = public_address(world, instance)
            world.add("networkInterface", "eni", subnet=subnet["id"], vpc=subnet["vpc"], address=address, groups=groups,
                      instance=instance["id"], public=instance["wants_public"], until=None)
            late = world.take_late_failure(subnet["zone"])
            if late:
                instance.update(fate="terminated", reason={"code": late, "message": f"{late}: it failed to launch"})
            made.append(instance)
        return reservation(world, made, "pending"), number

    def again(number):
        return reservation(world, [one for one in world.kind("instance").values() if one["reservation"] == number])

    return once(world, "RunInstances", parameters, make, again)


def public_address(world, instance):
    if world.machines:
        return world.machines.public_address()
    return f"198.51.100.{int(instance['id'][2:6], 16) % 254 + 1}"


def DescribeInstances(world, parameters):
    if "InstanceId" in parameters and "MaxResults" in parameters:
        raise Failure("InvalidParameterCombination", "The parameter instancesSet cannot be used with the parameter maxResults")
    things = [find(world, "instance", identity, "InvalidInstanceID.NotFound")
              for identity in parameters.get("InstanceId", [])]
    if "InstanceId" not in parameters:
        things = [one for one in world.kind("instance").values() if world.is_visible(one["id"])]
    chosen = select(parameters, things, lambda one: instance_view(world, one))
    numbers = list(dict.fromkeys(one["reservation"] for one in chosen))
    items = [{"reservationId": number, "instancesSet": [instance_view(world, one) for one in chosen
                                                        if one["reservation"] == number]} for number in numbers]
    return pages(world, parameters, items, "reservationSet")


def _change(world, parameters, allowed, then, setting):
    """Brings all named instances on their way to another state, or none when one can't."""
    things = [find(world, "instance", identity, "InvalidInstanceID.NotFound") for identity in parameters["InstanceId"]]
    for instance in things:
        if settle(world, instance) not in allowed:
            raise Failure("IncorrectInstanceState", f"The instance '{instance['id']}' is not in a state from which it can be "
                          f"changed: {instance['state']}")
    answer = []
    for instance in things:
        before = instance["state"]
        if before != then and before != {"stopping": "stopped", "shutting-down": "terminated",
                                         "pending": "running"}.get(then):
            instance.update(state=then, ready_at=world.after(setting))
        answer.append({"instanceId": instance["id"], "currentState": {"name": instance["state"]},
                       "previousState": {"name": before}})
    return things, {"instancesSet": answer}


def StopInstances(world, parameters):
    things, answer = _change(world, parameters, ("pending", "running", "stopping", "stopped"), "stopping", "stop_ms")
    for instance in things:
        instance["public"] = None
        for interface in world.kind("networkInterface").values():
            if interface["instance"] == instance["id"]:
                interface["public"] = False
        if world.machines:
            world.machines.stop(instance)
    return answer


def StartInstances(world, parameters):
    things, answer = _change(world, parameters, ("stopped", "pending", "running"), "pending", "launch_ms")
    for instance in things:
        instance["launched"] = launch_time(world)
        if instance["wants_public"] and not instance["public"]:
            instance["public"] = public_address(world, instance)
            for interface in world.kind("networkInterface").values():
                if interface["instance"] == instance["id"]:
                    interface["public"] = True
    return answer


def TerminateInstances(world, parameters):
    things, answer = _change(world, parameters,
                             ("pending", "running", "stopping", "stopped", "shutting-down", "terminated"),
                             "shutting-down", "terminate_ms")
    for instance in things:
        release_interface(world, instance, world.settings["interface_ms"])
        if world.machines:
            world.machines.remove(instance)
    return answer


def ModifyInstanceAttribute(world, parameters):
    instance = find(world, "instance", parameters["InstanceId"], "InvalidInstanceID.NotFound")
    if settle(world, instance) != "stopped":
        raise Failure("IncorrectInstanceState", f"The instance '{instance['id']}' is not in the 'stopped' state.")
    if "UserData" in parameters:
        data = base64.b64decode(parameters["UserData"]["Value"], validate=True)
        if len(data) > 16384:
            raise Failure("InvalidParameterValue", "User data is limited to 16384 bytes")
        instance["data"] = data
    if "InstanceType" in parameters:
        kind = parameters["InstanceType"]["Value"]
        if kind not in TYPES or TYPES[kind]["architecture"] != TYPES[instance["type"]]["architecture"]:
            raise Failure("InvalidInstanceAttributeValue", f"The instance type '{kind}' can't be set")
        instance["type"] = kind
    return {"return": True}


def DescribeInstanceAttribute(world, parameters):
    instance = find(world, "instance", parameters["InstanceId"], "InvalidInstanceID.NotFound")
    if parameters["Attribute"] != "userData":
        raise Failure("InvalidParameterValue", "only userData is simulated")
    return {"instanceId": instance["id"], "userData": {"value": base64.b64encode(instance["data"]).decode()}}
