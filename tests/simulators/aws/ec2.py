"""EC2: networks. Instances are in instances.py, what can be looked up in catalog.py."""

import ipaddress
import time

from wire import Failure

# ---- Common to all of EC2 ----


def find(world, kind, identity, code):
    thing = world.kind(kind).get(identity)
    if not thing or not world.is_visible(identity):
        raise Failure(code, f"The {kind} ID '{identity}' does not exist")
    return thing


def tags_of(parameters, resource_type):
    """What TagSpecification.N says for one type of resource; another type is refused."""
    tags = {}
    for specification in parameters.get("TagSpecification", []):
        kinds = resource_type if isinstance(resource_type, tuple) else (resource_type,)
        if specification["ResourceType"] not in kinds:
            raise Failure("InvalidParameterValue", f"{specification['ResourceType']} is not a valid taggable resource type "
                          "for this operation.")
        if specification["ResourceType"] != kinds[0]:
            continue
        for tag in specification["Tag"]:
            if tag["Key"].startswith("aws:") or len(tag["Key"]) > 128 or len(tag.get("Value", "")) > 256:
                raise Failure("InvalidParameterValue", f"Tag key {tag['Key']} or its value is not allowed")
            tags[tag["Key"]] = tag.get("Value", "")
    if len(tags) > 50:
        raise Failure("TagLimitExceeded", "The maximum number of tags is 50")
    return tags


def tag_set(thing):
    return [{"key": key, "value": value} for key, value in sorted(thing["tags"].items())]


def select(parameters, things, view):
    """Those that all filters let through; a filter names a member of the view, dots between levels."""
    chosen = []
    for thing in things:
        seen = view(thing)
        if all(_passes(seen, thing, one["Name"], one["Value"]) for one in parameters.get("Filter", [])):
            chosen.append(thing)
    return chosen


FILTERS = {"vpc-id": "vpcId", "subnet-id": "subnetId", "instance-state-name": "instanceState.name", "state": "state",
           "attachment.vpc-id": "attachmentSet.vpcId", "group-name": "groupName", "group-id": "groupSet.groupId",
           "ip-permission.group-id": "ipPermissions.groups.groupId",
           "association.main": "associationSet.main", "instance-id": "instanceId", "cidr-block": "cidrBlock",
           "client-token": "clientToken", "private-ip-address": "privateIpAddress", "name": "name",
           "instance-type": "instanceType", "current-generation": "currentGeneration", "location": "location",
           "processor-info.supported-architecture": "processorInfo.supportedArchitectures", "bare-metal": "bareMetal",
           "vcpu-info.default-vcpus": "vCpuInfo.defaultVCpus", "zone-type": "zoneType", "region-name": "regionName",
           "opt-in-status": "optInStatus", "key": "key", "value": "value", "resource-type": "resourceType",
           "architecture": "architecture", "root-device-type": "rootDeviceType", "image-id": "imageId",
           "addresses.private-ip-address": "privateIpAddress", "attachment.instance-id": "attachment.instanceId"}


def _passes(seen, thing, name, wanted):
    if name.startswith("tag:"):
        return thing["tags"].get(name[4:]) in wanted
    if name == "tag-key":
        return any(key in thing["tags"] for key in wanted)
    if name not in FILTERS:
        raise Failure("InvalidParameterValue", f"The filter '{name}' is invalid")
    values = [seen]
    for part in FILTERS[name].split("."):
        inner = []
        for value in values:
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict) and one.get(part) is not None:
                    inner.append(one[part])
        values = inner
    flat = [str(one).lower() if isinstance(one, bool) else str(one)
            for value in values for one in (value if isinstance(value, list) else [value])]
    return any(value in wanted for value in flat)


def pages(world, parameters, items, name, most=None):
    """A page of a list and, when there is more, the token for the next one."""
    limit = min(int(parameters.get("MaxResults", most or world.settings["page_max"])), world.settings["page_max"])
    token = parameters.get("NextToken")
    if token:
        if token not in world.pages:
            raise Failure("InvalidParameterValue", "The token is not valid")
        items = world.pages[token]
    result = {name: items[:limit]}
    if items[limit:]:
        token = world.new_id("token")
        world.pages[token] = items[limit:]
        result["nextToken"] = token
    return result


def listed(world, parameters, kind, ids, code, view, name):
    """Answers a Describe call: by ids, which all must exist, or by filters."""
    things = [find(world, kind, identity, code) for identity in parameters.get(ids, [])]
    if ids not in parameters:
        things = [thing for thing in world.kind(kind).values() if world.is_visible(thing["id"])]
    return pages(world, parameters, [view(thing) for thing in select(parameters, things, view)], name)


def once(world, action, parameters, make, again):
    """Obeys ClientToken: the same token gives what the first call made, with other parameters it is refused."""
    token = parameters.get("ClientToken")
    if token is None:
        return make()
    if not 1 <= len(token) <= 64 or not token.isascii():
        raise Failure("InvalidParameterValue", "Invalid value for clientToken")
    fingerprint = repr(sorted((key, value) for key, value in parameters.items() if key != "ClientToken"))
    known = world.tokens.get((world.region, action, token))
    if known:
        if known[0] != fingerprint:
            raise Failure("IdempotentParameterMismatch", "The parameters differ from those of the earlier request with "
                          f"the client token {token}")
        return again(known[1])
    result, identity = make()
    world.tokens[(world.region, action, token)] = (fingerprint, identity)
    return result


def network_of(text, code="InvalidParameterValue"):
    try:
        return ipaddress.ip_network(text)
    except ValueError as problem:
        raise Failure(code, f"Value ({text}) for parameter cidrBlock is invalid: {problem}") from None


# ---- VPCs and subnets ----


def vpc_view(vpc):
    return {"vpcId": vpc["id"], "state": "available", "cidrBlock": vpc["cidr"], "isDefault": False,
            "tagSet": tag_set(vpc)}


def CreateVpc(world, parameters):
    cidr = network_of(parameters["CidrBlock"], "InvalidVpc.Range")
    if not 16 <= cidr.prefixlen <= 28:
        raise Failure("InvalidVpc.Range", f"The CIDR '{cidr}' is invalid.")
    if len(world.kind("vpc")) >= world.settings["vpc_limit"]:
        raise Failure("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
    vpc = world.add("vpc", "vpc", cidr=str(cidr))
    vpc["tags"] = tags_of(parameters, "vpc")
    world.add("routeTable", "rtb", vpc=vpc["id"], main=True, routes={str(cidr): {"gatewayId": "local"}}, subnets={})
    world.add("securityGroup", "sg", vpc=vpc["id"], name="default", description="default VPC security group", rules=[])
    return {"vpc": vpc_view(vpc)}


def DescribeVpcs(world, parameters):
    return listed(world, parameters, "vpc", "VpcId", "InvalidVpcID.NotFound", vpc_view, "vpcSet")


def DeleteVpc(world, parameters):
    vpc = find(world, "vpc", parameters["VpcId"], "InvalidVpcID.NotFound")
    for kind in ("subnet", "routeTable", "securityGroup", "internetGateway", "natGateway"):
        for thing in world.kind(kind).values():
            own = (thing.get("main") or thing.get("name") == "default" or
                   (kind == "natGateway" and nat_state(thing) == "deleted"))
            if thing.get("vpc") == vpc["id"] and not own:
                raise Failure("DependencyViolation", f"The vpc '{vpc['id']}' has dependencies and cannot be deleted.")
    for kind in ("routeTable", "securityGroup"):
        for thing in [one for one in world.kind(kind).values() if one["vpc"] == vpc["id"]]:
            del world.kind(kind)[thing["id"]]
    del world.kind("vpc")[vpc["id"]]
    return {"return": True}


def subnet_view(subnet):
    return {"subnetId": subnet["id"], "state": "available", "vpcId": subnet["vpc"], "cidrBlock": subnet["cidr"],
            "availabilityZone": subnet["zone"], "tagSet": tag_set(subnet), "availableIpAddressCount":
            network_of(subnet["cidr"]).num_addresses - 5, "mapPublicIpOnLaunch": False, "defaultForAz": False}


def CreateSubnet(world, parameters):
    vpc = find(world, "vpc", parameters["VpcId"], "InvalidVpcID.NotFound")
    cidr = network_of(parameters["CidrBlock"], "InvalidSubnet.Range")
    if not 16 <= cidr.prefixlen <= 28 or not cidr.subnet_of(network_of(vpc["cidr"])):
        raise Failure("InvalidSubnet.Range", f"The CIDR '{cidr}' is invalid.")
    zone = parameters.get("AvailabilityZone", world.zones()[0])
    if zone not in world.zones():
        raise Failure("InvalidParameterValue", f"Value ({zone}) for parameter availabilityZone is invalid.")
    for other in world.kind("subnet").values():
        if other["vpc"] == vpc["id"] and network_of(other["cidr"]).overlaps(cidr):
            raise Failure("InvalidSubnet.Conflict", f"The CIDR '{cidr}' conflicts with another subnet")
    subnet = world.add("subnet", "subnet", vpc=vpc["id"], cidr=str(cidr), zone=zone)
    subnet["tags"] = tags_of(parameters, "subnet")
    return {"subnet": subnet_view(subnet)}


def DescribeSubnets(world, parameters):
    return listed(world, parameters, "subnet", "SubnetId", "InvalidSubnetID.NotFound", subnet_view, "subnetSet")


def interfaces(world):
    """Those that hold something: an interface goes a while after its instance."""
    for interface in list(world.kind("networkInterface").values()):
        if interface["until"] and interface["until"] <= time.time():
            del world.kind("networkInterface")[interface["id"]]
    return list(world.kind("networkInterface").values())


def DeleteSubnet(world, parameters):
    subnet = find(world, "subnet", parameters["SubnetId"], "InvalidSubnetID.NotFound")
    nats = [nat for nat in world.kind("natGateway").values()
            if nat["subnet"] == subnet["id"] and nat_state(nat) != "deleted"]
    if nats or any(interface["subnet"] == subnet["id"] for interface in interfaces(world)):
        raise Failure("DependencyViolation", f"The subnet '{subnet['id']}' has dependencies and cannot be deleted.")
    for table in world.kind("routeTable").values():
        table["subnets"] = {key: one for key, one in table["subnets"].items() if one != subnet["id"]}
    del world.kind("subnet")[subnet["id"]]
    return {"return": True}


# ---- Gateways ----


def gateway_view(gateway):
    attachments = [{"vpcId": gateway["vpc"], "state": "available"}] if gateway["vpc"] else []
    return {"internetGatewayId": gateway["id"], "attachmentSet": attachments, "tagSet": tag_set(gateway)}


def CreateInternetGateway(world, parameters):
    gateway = world.add("internetGateway", "igw", vpc=None)
    gateway["tags"] = tags_of(parameters, "internet-gateway")
    return {"internetGateway": gateway_view(gateway)}


def DescribeInternetGateways(world, parameters):
    return listed(world, parameters, "internetGateway", "InternetGatewayId", "InvalidInternetGatewayID.NotFound",
                  gateway_view, "internetGatewaySet")


def AttachInternetGateway(world, parameters):
    gateway = find(world, "internetGateway", parameters["InternetGatewayId"], "InvalidInternetGatewayID.NotFound")
    vpc = find(world, "vpc", parameters["VpcId"], "InvalidVpcID.NotFound")
    if gateway["vpc"]:
        raise Failure("Resource.AlreadyAssociated", f"resource {gateway['id']} is already attached to network {vpc['id']}")
    if any(other["vpc"] == vpc["id"] for other in world.kind("internetGateway").values()):
        raise Failure("InvalidParameterValue", f"Network {vpc['id']} already has an internet gateway attached")
    gateway["vpc"] = vpc["id"]
    return {"return": True}


def DetachInternetGateway(world, parameters):
    gateway = find(world, "internetGateway", parameters["InternetGatewayId"], "InvalidInternetGatewayID.NotFound")
    if gateway["vpc"] != parameters["VpcId"]:
        raise Failure("Gateway.NotAttached", f"resource {gateway['id']} is not attached to network {parameters['VpcId']}")
    subnets = {subnet["id"] for subnet in world.kind("subnet").values() if subnet["vpc"] == gateway["vpc"]}
    if any(interface["public"] and interface["subnet"] in subnets for interface in interfaces(world)):
        raise Failure("DependencyViolation", f"Network {gateway['vpc']} has some mapped public address(es). Please unmap "
                      "those public address(es) before detaching the gateway.")
    gateway["vpc"] = None
    return {"return": True}


def DeleteInternetGateway(world, parameters):
    gateway = find(world, "internetGateway", parameters["InternetGatewayId"], "InvalidInternetGatewayID.NotFound")
    if gateway["vpc"]:
        raise Failure("DependencyViolation", f"The internetGateway '{gateway['id']}' has dependencies and cannot be deleted.")
    del world.kind("internetGateway")[gateway["id"]]
    return {"return": True}


def address_view(address):
    return {"allocationId": address["id"], "publicIp": address["ip"], "domain": "vpc", "tagSet": tag_set(address),
            "associationId": address["user"] and "eipassoc-" + address["id"][9:], "networkInterfaceId": None}


def AllocateAddress(world, parameters):
    address = world.add("address", "eipalloc", user=None)
    address["ip"] = f"203.0.113.{world.counter % 254 + 1}"
    address["tags"] = tags_of(parameters, "elastic-ip")
    return {"allocationId": address["id"], "publicIp": address["ip"], "domain": "vpc"}


def DescribeAddresses(world, parameters):
    result = listed(world, parameters, "address", "AllocationId", "InvalidAllocationID.NotFound", address_view,
                    "addressesSet")
    return {"addressesSet": result["addressesSet"]}


def ReleaseAddress(world, parameters):
    address = find(world, "address", parameters["AllocationId"], "InvalidAllocationID.NotFound")
    user = world.kind("natGateway").get(address["user"])
    if user and nat_state(user) != "deleted":
        raise Failure("InvalidIPAddress.InUse", f"Address {address['ip']} is in use.")
    del world.kind("address")[address["id"]]
    return {"return": True}


def nat_state(nat):
    if nat["deleted_at"]:
        return "deleted" if nat["deleted_at"] <= time.time() else "deleting"
    return "available" if nat["ready_at"] <= time.time() else "pending"


def nat_view(nat):
    return {"natGatewayId": nat["id"], "state": nat_state(nat), "subnetId": nat["subnet"], "vpcId": nat["vpc"],
            "natGatewayAddressSet": [{"allocationId": nat["allocation"]}], "tagSet": tag_set(nat)}


def CreateNatGateway(world, parameters):
    def make():
        subnet = find(world, "subnet", parameters["SubnetId"], "InvalidSubnetID.NotFound")
        address = find(world, "address", parameters["AllocationId"], "InvalidAllocationID.NotFound")
        if not any(gateway["vpc"] == subnet["vpc"] for gateway in world.kind("internetGateway").values()):
            raise Failure("Gateway.NotAttached", f"Network {subnet['vpc']} has no Internet gateway attached")
        if address["user"]:
            raise Failure("Resource.AlreadyAssociated", f"Elastic IP address {address['id']} is already associated")
        nat = world.add("natGateway", "nat", subnet=subnet["id"], vpc=subnet["vpc"], allocation=address["id"],
                        ready_at=world.after("nat_ms"), deleted_at=None)
        nat["tags"] = tags_of(parameters, "natgateway")
        address["user"] = nat["id"]
        return {"natGateway": nat_view(nat)}, nat["id"]

    return once(world, "CreateNatGateway", parameters, make,
                lambda identity: {"natGateway": nat_view(world.kind("natGateway")[identity])})


def DescribeNatGateways(world, parameters):
    return listed(world, parameters, "natGateway", "NatGatewayId", "NatGatewayNotFound", nat_view, "natGatewaySet")


def DeleteNatGateway(world, parameters):
    nat = find(world, "natGateway", parameters["NatGatewayId"], "NatGatewayNotFound")
    nat["deleted_at"] = nat["deleted_at"] or world.after("nat_ms")
    world.kind("address").get(nat["allocation"], {})["user"] = nat["id"]
    return {"natGatewayId": nat["id"]}


# ---- Route tables ----


def table_view(table):
    associations = [{"routeTableAssociationId": key, "routeTableId": table["id"], "subnetId": subnet, "main": False}
                    for key, subnet in table["subnets"].items()]
    if table["main"]:
        associations.append({"routeTableAssociationId": "rtbassoc-" + table["id"][4:], "routeTableId": table["id"],
                             "main": True})
    routes = [{"destinationCidrBlock": cidr, "state": "active", **target} for cidr, target in table["routes"].items()]
    return {"routeTableId": table["id"], "vpcId": table["vpc"], "routeSet": routes, "associationSet": associations,
            "tagSet": tag_set(table)}


def CreateRouteTable(world, parameters):
    def make():
        vpc = find(world, "vpc", parameters["VpcId"], "InvalidVpcID.NotFound")
        table = world.add("routeTable", "rtb", vpc=vpc["id"], main=False, subnets={},
                          routes={vpc["cidr"]: {"gatewayId": "local"}})
        table["tags"] = tags_of(parameters, "route-table")
        return {"routeTable": table_view(table)}, table["id"]

    return once(world, "CreateRouteTable", parameters, make,
                lambda identity: {"routeTable": table_view(world.kind("routeTable")[identity])})


def DescribeRouteTables(world, parameters):
    return listed(world, parameters, "routeTable", "RouteTableId", "InvalidRouteTableID.NotFound", table_view,
                  "routeTableSet")


def DeleteRouteTable(world, parameters):
    table = find(world, "routeTable", parameters["RouteTableId"], "InvalidRouteTableID.NotFound")
    if table["main"] or table["subnets"]:
        raise Failure("DependencyViolation", f"The routeTable '{table['id']}' has dependencies and cannot be deleted.")
    del world.kind("routeTable")[table["id"]]
    return {"return": True}


def CreateRoute(world, parameters):
    table = find(world, "routeTable", parameters["RouteTableId"], "InvalidRouteTableID.NotFound")
    cidr = str(network_of(parameters["DestinationCidrBlock"]))
    if cidr in table["routes"]:
        raise Failure("RouteAlreadyExists", f"The route identified by {cidr} already exists.")
    if "GatewayId" in parameters:
        gateway = find(world, "internetGateway", parameters["GatewayId"], "InvalidInternetGatewayID.NotFound")
        if gateway["vpc"] != table["vpc"]:
            raise Failure("InvalidParameterValue", f"route table {table['id']} and network gateway {gateway['id']} belong "
                          "to different networks")
        table["routes"][cidr] = {"gatewayId": gateway["id"]}
    else:
        nat = find(world, "natGateway", parameters["NatGatewayId"], "InvalidNatGatewayID.NotFound")
        table["routes"][cidr] = {"natGatewayId": nat["id"]}
    return {"return": True}


def DeleteRoute(world, parameters):
    table = find(world, "routeTable", parameters["RouteTableId"], "InvalidRouteTableID.NotFound")
    if parameters["DestinationCidrBlock"] not in table["routes"]:
        raise Failure("InvalidRoute.NotFound", f"no route with destination-cidr-block {parameters['DestinationCidrBlock']}")
    del table["routes"][parameters["DestinationCidrBlock"]]
    return {"return": True}


def AssociateRouteTable(world, parameters):
    table = find(world, "routeTable", parameters["RouteTableId"], "InvalidRouteTableID.NotFound")
    subnet = find(world, "subnet", parameters["SubnetId"], "InvalidSubnetID.NotFound")
    for other in world.kind("routeTable").values():
        if subnet["id"] in other["subnets"].values():
            if other is table:
                return {"associationId": next(key for key, one in table["subnets"].items() if one == subnet["id"])}
            raise Failure("Resource.AlreadyAssociated", f"the specified association for route table {table['id']} "
                          f"conflicts with an existing association")
    association = world.new_id("rtbassoc")
    table["subnets"][association] = subnet["id"]
    return {"associationId": association, "associationState": {"state": "associated"}}


def DisassociateRouteTable(world, parameters):
    for table in world.kind("routeTable").values():
        if table["subnets"].pop(parameters["AssociationId"], None):
            return {"return": True}
    raise Failure("InvalidAssociationID.NotFound", f"The association ID '{parameters['AssociationId']}' does not exist")


# ---- Security groups ----


def permission_of(rule):
    protocol, first, last, source = rule
    return {"ipProtocol": protocol, "fromPort": first, "toPort": last,
            "groups": [{"groupId": source}] if source.startswith("sg-") else [],
            "ipRanges": [] if source.startswith("sg-") or ":" in source else [{"cidrIp": source}],
            "ipv6Ranges": [{"cidrIpv6": source}] if ":" in source else []}


def group_view(group):
    return {"groupId": group["id"], "groupName": group["name"], "groupDescription": group["description"],
            "vpcId": group["vpc"], "ipPermissions": [permission_of(rule) for rule in group["rules"]],
            "ipPermissionsEgress": [permission_of(("-1", None, None, "0.0.0.0/0"))], "tagSet": tag_set(group)}


def CreateSecurityGroup(world, parameters):
    vpc = find(world, "vpc", parameters["VpcId"], "InvalidVpcID.NotFound")
    name = parameters["GroupName"]
    if name.startswith("sg-") or len(name) > 255 or len(parameters["GroupDescription"]) > 255:
        raise Failure("InvalidParameterValue", f"Invalid value '{name}' for groupName")
    if any(other["vpc"] == vpc["id"] and other["name"] == name for other in world.kind("securityGroup").values()):
        raise Failure("InvalidGroup.Duplicate", f"The security group '{name}' already exists for VPC '{vpc['id']}'")
    group = world.add("securityGroup", "sg", vpc=vpc["id"], name=name, description=parameters["GroupDescription"], rules=[])
    group["tags"] = tags_of(parameters, "security-group")
    return {"return": True, "groupId": group["id"]}


def DescribeSecurityGroups(world, parameters):
    return listed(world, parameters, "securityGroup", "GroupId", "InvalidGroup.NotFound", group_view, "securityGroupInfo")


def rules_of(world, parameters):
    rules = []
    for permission in parameters["IpPermissions"]:
        protocol = permission["IpProtocol"]
        first, last = permission.get("FromPort"), permission.get("ToPort")
        if protocol in ("tcp", "udp") and (first is None or last is None or int(first) > int(last)):
            raise Failure("InvalidParameterValue", f"Invalid ports {first} to {last} for {protocol}")
        if protocol == "-1":
            first = last = None
        sources = [one["CidrIp"] for one in permission.get("IpRanges", [])]
        sources += [one["CidrIpv6"] for one in permission.get("Ipv6Ranges", [])]
        for source in sources:
            network_of(source)
        for one in permission.get("Groups", []):
            find(world, "securityGroup", one["GroupId"], "InvalidGroup.NotFound")
            sources.append(one["GroupId"])
        if not sources:
            raise Failure("InvalidParameterValue", "a permission without a source")
        rules += [(protocol, first, last, source) for source in sources]
    return rules


def AuthorizeSecurityGroupIngress(world, parameters):
    group = find(world, "securityGroup", parameters["GroupId"], "InvalidGroup.NotFound")
    rules = rules_of(world, parameters)
    for index, rule in enumerate(rules):
        if rule in group["rules"] or rule in rules[:index]:
            raise Failure("InvalidPermission.Duplicate", f"the specified rule \"{rule}\" already exists")
    if len(group["rules"]) + len(rules) > 60:
        raise Failure("RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached.")
    group["rules"] += rules
    return {"return": True}


def RevokeSecurityGroupIngress(world, parameters):
    group = find(world, "securityGroup", parameters["GroupId"], "InvalidGroup.NotFound")
    rules = rules_of(world, parameters)
    for rule in rules:
        if rule not in group["rules"]:
            raise Failure("InvalidPermission.NotFound", f"The specified rule {rule} does not exist in this security group.")
    group["rules"] = [rule for rule in group["rules"] if rule not in rules]
    return {"return": True}


def DeleteSecurityGroup(world, parameters):
    group = find(world, "securityGroup", parameters["GroupId"], "InvalidGroup.NotFound")
    used = any(group["id"] in interface["groups"] for interface in interfaces(world))
    named = any(rule[3] == group["id"] for other in world.kind("securityGroup").values() if other is not group
                for rule in other["rules"])
    if used or named:
        raise Failure("DependencyViolation", f"resource {group['id']} has a dependent object")
    del world.kind("securityGroup")[group["id"]]
    return {"return": True, "groupId": group["id"]}


# ---- Tags ----

TAGGED = {"vpc": "vpc", "subnet": "subnet", "internetGateway": "internet-gateway", "routeTable": "route-table",
          "securityGroup": "security-group", "address": "elastic-ip", "natGateway": "natgateway", "instance": "instance",
          "volume": "volume"}


def DescribeTags(world, parameters):
    found = [{"resourceId": thing["id"], "resourceType": name, "key": key, "value": value, "tags": {}}
             for kind, name in TAGGED.items() for thing in world.kind(kind).values() if world.is_visible(thing["id"])
             for key, value in thing["tags"].items()]
    chosen = select(parameters, found, lambda tag: tag)
    for tag in chosen:
        del tag["tags"]
    return pages(world, parameters, chosen, "tagSet")


def CreateTags(world, parameters):
    for identity in parameters["ResourceId"]:
        thing = next((world.kind(kind)[identity] for kind in TAGGED if identity in world.kind(kind)), None)
        if not thing:
            raise Failure("InvalidID", f"The ID '{identity}' is not valid")
        thing["tags"].update({tag["Key"]: tag.get("Value", "") for tag in parameters["Tag"]})
    return {"return": True}


def DescribeNetworkInterfaces(world, parameters):
    def view(interface):
        return {"networkInterfaceId": interface["id"], "subnetId": interface["subnet"], "vpcId": interface["vpc"],
                "privateIpAddress": interface["address"], "status": "in-use", "description": interface.get("description", ""),
                "groupSet": [{"groupId": group} for group in interface["groups"]],
                "attachment": {"instanceId": interface["instance"], "status": "attached",
                               "instanceOwnerId": world.settings["account"] if interface["instance"] else "amazon-aws"}}

    things = interfaces(world)
    return pages(world, parameters, [view(one) for one in select(parameters, things, view)], "networkInterfaceSet")
