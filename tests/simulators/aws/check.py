#!/usr/bin/env python3
"""Holds the simulator to the vendor's wire format: the vendor's own client (botocore) works with it.

    check.py URL [moto]

The same questions can be put to moto, an emulator that others wrote: what both answer is likely to be what AWS answers."""

import base64
import datetime
import sys

import botocore.exceptions
import botocore.session
from botocore.config import Config

URL, IS_MOTO = sys.argv[1], "moto" in sys.argv[2:]
ZONE = "us-west-2a"
session = botocore.session.Session()
session.set_credentials("AKIASIMULATOR", "simulated secret")


def client(service):
    region = "us-east-1" if service == "iam" else "us-west-2"
    return session.create_client(service, region_name=region, endpoint_url=URL,
                                 config=Config(retries={"total_max_attempts": 1}))


ec2, iam, sts, ssm, logs, cloudwatch, sns, quotas = map(
    client, ("ec2", "iam", "sts", "ssm", "logs", "cloudwatch", "sns", "service-quotas"))


def tagged(kind, key="k"):
    return [{"ResourceType": kind, "Tags": [{"Key": "memories-deployment", "Value": "d"}, {"Key": "memories-key", "Value": key}]}]


BY_TAG = [{"Name": "tag:memories-deployment", "Values": ["d"]}]


def refused(code, function, *arguments, **parameters):
    try:
        function(*arguments, **parameters)
    except botocore.exceptions.ClientError as problem:
        assert problem.response["Error"]["Code"] == code, f"{problem} instead of {code}"
        return
    raise AssertionError(f"{function} was not refused with {code}")


def network():
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tagged("vpc"))["Vpc"]["VpcId"]
    assert [one["VpcId"] for one in ec2.describe_vpcs(Filters=BY_TAG)["Vpcs"]] == [vpc]
    gateway = ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway"))["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    seen = ec2.describe_internet_gateways(Filters=BY_TAG)["InternetGateways"][0]
    assert (seen["InternetGatewayId"], seen["Attachments"][0]["VpcId"]) == (gateway, vpc)
    refused("Resource.AlreadyAssociated", ec2.attach_internet_gateway, InternetGatewayId=gateway, VpcId=vpc)
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone=ZONE,
                               TagSpecifications=tagged("subnet"))["Subnet"]["SubnetId"]
    refused("InvalidSubnet.Conflict", ec2.create_subnet, VpcId=vpc, CidrBlock="10.0.0.128/25", AvailabilityZone=ZONE)
    refused("InvalidSubnet.Range", ec2.create_subnet, VpcId=vpc, CidrBlock="10.1.0.0/24", AvailabilityZone=ZONE)
    seen = ec2.describe_subnets(Filters=BY_TAG)["Subnets"][0]
    assert (seen["SubnetId"], seen["CidrBlock"], seen["AvailabilityZone"]) == (subnet, "10.0.0.0/24", ZONE)
    main = ec2.describe_route_tables(Filters=[{"Name": "vpc-id", "Values": [vpc]},
                                              {"Name": "association.main", "Values": ["true"]}])["RouteTables"]
    assert len(main) == 1 and main[0]["Associations"][0]["Main"]
    ec2.create_route(RouteTableId=main[0]["RouteTableId"], DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    refused("RouteAlreadyExists", ec2.create_route, RouteTableId=main[0]["RouteTableId"], DestinationCidrBlock="0.0.0.0/0",
            GatewayId=gateway)
    ec2.delete_route(RouteTableId=main[0]["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")
    refused("InvalidRoute.NotFound", ec2.delete_route, RouteTableId=main[0]["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")
    ec2.create_tags(Resources=[main[0]["RouteTableId"]], Tags=[{"Key": "memories-key", "Value": "main"}])
    seen = ec2.describe_route_tables(RouteTableIds=[main[0]["RouteTableId"]])["RouteTables"][0]
    assert {"Key": "memories-key", "Value": "main"} in seen["Tags"]
    token = {"VpcId": vpc, "ClientToken": "a-token", "TagSpecifications": tagged("route-table")}
    table = ec2.create_route_table(**token)["RouteTable"]["RouteTableId"]
    if not IS_MOTO:  # moto knows no tokens for route tables
        assert ec2.create_route_table(**token)["RouteTable"]["RouteTableId"] == table
    association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)["AssociationId"]
    group = ec2.create_security_group(GroupName="g", Description="d", VpcId=vpc,
                                      TagSpecifications=tagged("security-group"))["GroupId"]
    refused("InvalidGroup.Duplicate", ec2.create_security_group, GroupName="g", Description="d", VpcId=vpc)
    permission = [{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
                  {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "10.0.0.0/16"}]}]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=permission)
    refused("InvalidPermission.Duplicate", ec2.authorize_security_group_ingress, GroupId=group, IpPermissions=permission[:1])
    seen = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    assert sorted(one["IpProtocol"] for one in seen) == ["-1", "tcp"]
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=permission[:1])
    seen = ec2.describe_security_groups(Filters=BY_TAG)["SecurityGroups"][0]["IpPermissions"]
    assert [one["IpProtocol"] for one in seen] == ["-1"]
    address = ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip"))["AllocationId"]
    assert ec2.describe_addresses(Filters=BY_TAG)["Addresses"][0]["AllocationId"] == address
    nat = ec2.create_nat_gateway(SubnetId=subnet, AllocationId=address, ClientToken="nat",
                                 TagSpecifications=tagged("natgateway"))["NatGateway"]["NatGatewayId"]
    assert ec2.describe_nat_gateways(Filter=BY_TAG)["NatGateways"][0]["NatGatewayId"] == nat
    tags = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["memories-deployment"]}, {"Name": "value", "Values": ["d"]}])
    assert {one["ResourceType"] for one in tags["Tags"]} >= {"vpc", "subnet", "internet-gateway", "security-group"}
    return {"vpc": vpc, "gateway": gateway, "subnet": subnet, "table": table, "association": association, "group": group,
            "address": address, "nat": nat}


def launch(made, image, **more):
    return dict(ImageId=image, InstanceType="t3.medium", MinCount=1, MaxCount=1, UserData="#cloud-config\n{}",
                BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"Encrypted": True, "VolumeType": "gp3", "VolumeSize": 20}}],
                NetworkInterfaces=[{"DeviceIndex": 0, "SubnetId": made["subnet"], "Groups": [made["group"]],
                                    "AssociatePublicIpAddress": True, "PrivateIpAddress": "10.0.0.11"}],
                MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
                TagSpecifications=tagged("instance") + tagged("volume"), **more)


def machines(made):
    image = ec2.describe_images()["Images"][0]["ImageId"]
    if not IS_MOTO:
        refused("InvalidAMIID.NotFound", ec2.run_instances, **launch(made, "ami-0000000000000dead"))
    first = ec2.run_instances(**launch(made, image, ClientToken="node"))["Instances"][0]
    assert first["PrivateIpAddress"] == "10.0.0.11" and first["State"]["Name"] == "pending"
    if not IS_MOTO:  # moto fails on the same token again, and looks neither at addresses nor at sizes
        again = ec2.run_instances(**launch(made, image, ClientToken="node"))["Instances"][0]
        assert again["InstanceId"] == first["InstanceId"]
        refused("IdempotentParameterMismatch", ec2.run_instances, **dict(launch(made, image, ClientToken="node"), MaxCount=2))
        refused("InvalidIPAddress.InUse", ec2.run_instances, **launch(made, image, ClientToken="other"))
        refused("InvalidParameterValue", ec2.run_instances, **dict(launch(made, image), UserData="x" * 16385))
    seen = ec2.describe_instances(Filters=BY_TAG)["Reservations"][0]["Instances"][0]
    assert seen["State"]["Name"] == "running" and seen["PublicIpAddress"] and seen["AmiLaunchIndex"] == 0, seen
    identity = first["InstanceId"]
    held = ec2.describe_network_interfaces(Filters=[{"Name": "subnet-id", "Values": [made["subnet"]]}])["NetworkInterfaces"]
    assert identity in [one.get("Attachment", {}).get("InstanceId") for one in held]
    ec2.stop_instances(InstanceIds=[identity])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[identity])
    if not IS_MOTO:  # moto wants the form's blob encoded once more
        ec2.modify_instance_attribute(InstanceId=identity, UserData={"Value": b"#cloud-config\n{}\n"})
        data = ec2.describe_instance_attribute(InstanceId=identity, Attribute="userData")["UserData"]["Value"]
        assert base64.b64decode(data) == b"#cloud-config\n{}\n"
    ec2.start_instances(InstanceIds=[identity])
    ec2.get_waiter("instance_running").wait(InstanceIds=[identity])
    if not IS_MOTO:
        refused("DependencyViolation", ec2.delete_security_group, GroupId=made["group"])
        refused("DependencyViolation", ec2.detach_internet_gateway, InternetGatewayId=made["gateway"], VpcId=made["vpc"])
    refused("InvalidInstanceID.NotFound", ec2.terminate_instances, InstanceIds=["i-0123456789abcdef0"])
    ec2.terminate_instances(InstanceIds=[identity])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[identity])


def catalog():
    kinds = ec2.describe_instance_types(InstanceTypes=["g4dn.xlarge"])["InstanceTypes"][0]
    assert kinds["GpuInfo"]["Gpus"][0]["Name"] == "T4" and kinds["MemoryInfo"]["SizeInMiB"] == 16384
    refused("InvalidInstanceType", ec2.describe_instance_types, InstanceTypes=["q1.none"])
    zones = ec2.describe_availability_zones()["AvailabilityZones"]
    assert ZONE in [one["ZoneName"] for one in zones]
    offered = ec2.describe_instance_type_offerings(LocationType="availability-zone", Filters=[
        {"Name": "instance-type", "Values": ["t3.medium"]}])["InstanceTypeOfferings"]
    assert ZONE in [one["Location"] for one in offered]
    assert sts.get_caller_identity()["Account"] == "123456789012"
    keys = sts.assume_role(RoleArn="arn:aws:iam::123456789012:role/x", RoleSessionName="session")["Credentials"]
    assert keys["AccessKeyId"].startswith("ASIA") and keys["Expiration"].tzinfo
    keys = sts.assume_role_with_web_identity(RoleArn="arn:aws:iam::123456789012:role/x", RoleSessionName="session",
                                             WebIdentityToken="simulated.web.token")["Credentials"]
    assert keys["SessionToken"]
    name = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
    answer = ssm.get_parameters(Names=[name, "/nothing"])
    assert answer["InvalidParameters"][-1] == "/nothing"
    if not IS_MOTO:
        assert quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]["Value"] > 0


def observation():
    iam.create_role(RoleName="r", Path="/memories/", AssumeRolePolicyDocument='{"Version": "2012-10-17", "Statement": []}',
                    Tags=[{"Key": "memories-deployment", "Value": "d"}])
    refused("EntityAlreadyExists", iam.create_role, RoleName="r", AssumeRolePolicyDocument="{}")
    arn = "arn:aws:iam::aws:policy/CloudWatchAgentServerPolicy"
    assert iam.get_role(RoleName="r")["Role"]["Tags"] == [{"Key": "memories-deployment", "Value": "d"}]
    iam.attach_role_policy(RoleName="r", PolicyArn=arn)
    assert iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"][0]["PolicyArn"] == arn
    iam.create_instance_profile(InstanceProfileName="p", Path="/memories/")
    iam.add_role_to_instance_profile(InstanceProfileName="p", RoleName="r")
    assert iam.get_instance_profile(InstanceProfileName="p")["InstanceProfile"]["Roles"][0]["RoleName"] == "r"
    profiles = iam.list_instance_profiles(PathPrefix="/memories/")["InstanceProfiles"]
    assert [one["InstanceProfileName"] for one in profiles] == ["p"]
    assert [one["RoleName"] for one in iam.list_roles(PathPrefix="/memories/")["Roles"]] == ["r"]
    refused("DeleteConflict", iam.delete_role, RoleName="r")
    iam.remove_role_from_instance_profile(InstanceProfileName="p", RoleName="r")
    iam.delete_instance_profile(InstanceProfileName="p")
    iam.detach_role_policy(RoleName="r", PolicyArn=arn)
    iam.delete_role(RoleName="r")
    refused("NoSuchEntity", iam.get_role, RoleName="r")

    logs.create_log_group(logGroupName="/memories/x", tags={"memories-deployment": "d"})
    refused("ResourceAlreadyExistsException", logs.create_log_group, logGroupName="/memories/x")
    logs.put_retention_policy(logGroupName="/memories/x", retentionInDays=30)
    arn = logs.describe_log_groups(logGroupNamePrefix="/memories/x")["logGroups"][0]["logGroupArn"]
    logs.tag_resource(resourceArn=arn, tags={"memories-user:d": "logs"})
    logs.untag_resource(resourceArn=arn, tagKeys=["memories-user:d"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"memories-deployment": "d"}
    assert logs.describe_log_groups(logGroupNamePrefix="/memories/")["logGroups"][0]["retentionInDays"] == 30
    if not IS_MOTO:  # moto wants the stream to be made first
        logs.put_log_events(logGroupName="/memories/x", logStreamName="s",
                            logEvents=[{"timestamp": 1000, "message": "one"}, {"timestamp": 2000, "message": "two"}])
        events = logs.filter_log_events(logGroupName="/memories/x", startTime=1500)["events"]
        assert [one["message"] for one in events] == ["two"]
    logs.delete_log_group(logGroupName="/memories/x")
    refused("ResourceNotFoundException", logs.delete_log_group, logGroupName="/memories/x")

    topic = sns.create_topic(Name="t", Tags=[{"Key": "a", "Value": "b"}])["TopicArn"]
    assert sns.create_topic(Name="t", Tags=[{"Key": "a", "Value": "b"}])["TopicArn"] == topic
    assert sns.get_topic_attributes(TopicArn=topic)["Attributes"]["TopicArn"] == topic
    assert sns.list_tags_for_resource(ResourceArn=topic)["Tags"] == [{"Key": "a", "Value": "b"}]
    assert [one["TopicArn"] for one in sns.list_topics()["Topics"]] == [topic]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="a@example.com")
    assert sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"][0]["Endpoint"] == "a@example.com"
    sns.delete_topic(TopicArn=topic)

    cloudwatch.put_metric_alarm(AlarmName="memories-d-a", Namespace="AWS/EC2", MetricName="CPUUtilization", Statistic="Average",
                                Dimensions=[{"Name": "InstanceId", "Value": "i-1"}], Period=60, EvaluationPeriods=5,
                                Threshold=80, ComparisonOperator="GreaterThanThreshold")
    assert cloudwatch.describe_alarms(AlarmNamePrefix="memories-d-")["MetricAlarms"][0]["Threshold"] == 80
    cloudwatch.delete_alarms(AlarmNames=["memories-d-a"])
    now = datetime.datetime.now(datetime.timezone.utc)
    cloudwatch.put_metric_data(Namespace="CWAgent", MetricData=[
        {"MetricName": "mem_used", "Dimensions": [{"Name": "InstanceId", "Value": "i-1"}], "Timestamp": now, "Value": 5}])
    query = {"Id": "one", "MetricStat": {"Period": 60, "Stat": "Average", "Metric": {
        "Namespace": "CWAgent", "MetricName": "mem_used", "Dimensions": [{"Name": "InstanceId", "Value": "i-1"}]}}}
    hour = datetime.timedelta(hours=1)
    seen = cloudwatch.get_metric_data(MetricDataQueries=[query], StartTime=now - hour, EndTime=now + hour)["MetricDataResults"]
    assert [one["Values"] for one in seen] == [[5]], seen
    assert not cloudwatch.describe_alarms(AlarmNamePrefix="memories-d-")["MetricAlarms"]


def clean(made):
    ec2.delete_nat_gateway(NatGatewayId=made["nat"])
    if not IS_MOTO:
        refused("DependencyViolation", ec2.delete_vpc, VpcId=made["vpc"])
    ec2.release_address(AllocationId=made["address"])
    ec2.delete_security_group(GroupId=made["group"])
    ec2.disassociate_route_table(AssociationId=made["association"])
    ec2.delete_route_table(RouteTableId=made["table"])
    ec2.delete_subnet(SubnetId=made["subnet"])
    ec2.detach_internet_gateway(InternetGatewayId=made["gateway"], VpcId=made["vpc"])
    ec2.delete_internet_gateway(InternetGatewayId=made["gateway"])
    ec2.delete_vpc(VpcId=made["vpc"])
    refused("InvalidVpcID.NotFound", ec2.describe_vpcs, VpcIds=[made["vpc"]])


parts = network()
catalog()
machines(parts)
observation()
clean(parts)
print(f"{URL}: what botocore {botocore.__version__} asked was answered")
