"""EC2: what can be looked up, and what this account may have: zones, instance types, images, quotas."""

from ec2 import find, pages, select, tag_set
from wire import Failure


def _type(vcpus, gib, architecture="x86_64", gpu=None, zones="abcd", burstable=False, storage=0, current=True):
    return {"vcpus": vcpus, "mib": int(gib * 1024), "architecture": architecture, "gpu": gpu, "zones": zones,
            "burstable": burstable, "storage": storage, "current": current}


T4 = {"name": "T4", "manufacturer": "NVIDIA", "count": 1, "mib": 16384}

TYPES = {
    "t2.micro": _type(1, 1, burstable=True), "t3.micro": _type(2, 1, burstable=True),
    "t3.medium": _type(2, 4, burstable=True), "t3.large": _type(2, 8, burstable=True),
    "t3.xlarge": _type(4, 16, burstable=True), "t4g.medium": _type(2, 4, "arm64", burstable=True),
    "m4.large": _type(2, 8, current=False), "c5.large": _type(2, 4), "c5.xlarge": _type(4, 8),
    "m5.large": _type(2, 8), "m5.xlarge": _type(4, 16), "m5d.xlarge": _type(4, 16, storage=150),
    "m6i.large": _type(2, 8), "m6i.xlarge": _type(4, 16), "m7i.large": _type(2, 8), "m7i.xlarge": _type(4, 16),
    "m7i.2xlarge": _type(8, 32), "m7g.large": _type(2, 8, "arm64"), "m7g.xlarge": _type(4, 16, "arm64"),
    "r7i.large": _type(2, 16), "r7i.xlarge": _type(4, 32), "x1e.xlarge": _type(4, 122),
    "c7i.large": _type(2, 4), "c7i.xlarge": _type(4, 8), "c7i.4xlarge": _type(16, 32),
    "g4dn.xlarge": _type(4, 16, gpu=T4, zones="abc", storage=125),
    "g4dn.2xlarge": _type(8, 32, gpu=T4, zones="abc", storage=225),
    "p3.2xlarge": _type(8, 61, gpu={"name": "V100", "manufacturer": "NVIDIA", "count": 1, "mib": 16384}, zones="b"),
    "z9.large": _type(2, 8, zones=""),  # sold nowhere any more
}

CANONICAL = "/aws/service/canonical/ubuntu/server/24.04/stable/current/{}/hvm/ebs-gp3/ami-id"
IMAGES = {"ami-0a64000000000001": "x86_64", "ami-0a64000000000002": "arm64", "ami-0123456789abcdef0": "x86_64"}
PARAMETERS = {CANONICAL.format("amd64"): "ami-0a64000000000001", CANONICAL.format("arm64"): "ami-0a64000000000002"}

QUOTAS = {"L-1216C47A": "standard", "L-DB2E81BA": "G", "L-417A185B": "P"}


def quota_class(kind):
    return {"g": "G", "p": "P", "x": "X"}.get(kind[0], "standard")


def offered(world, kind, zone):
    return zone[len(world.region):] in TYPES[kind]["zones"] and zone in world.zones()


def fill(world):
    """The images are there from the beginning, in each region."""
    for identity, architecture in IMAGES.items():
        if identity not in world.kind("image"):
            world.add("image", "ami", id=identity, architecture=architecture)


def DescribeAvailabilityZones(world, parameters):
    def view(zone):
        return {"zoneName": zone["id"], "zoneState": "available", "regionName": world.region, "zoneId": zone["id"] + "-id",
                "optInStatus": "opt-in-not-required", "zoneType": "availability-zone"}

    zones = [{"id": zone, "tags": {}} for zone in world.zones()]
    chosen = select(parameters, zones, lambda zone: {**view(zone), "state": "available"})
    return {"availabilityZoneInfo": [view(zone) for zone in chosen]}


def type_view(name):
    kind = TYPES[name]
    view = {"instanceType": name, "currentGeneration": kind["current"], "bareMetal": False, "hypervisor": "nitro",
            "burstablePerformanceSupported": kind["burstable"], "instanceStorageSupported": kind["storage"] > 0,
            "processorInfo": {"supportedArchitectures": [kind["architecture"]]},
            "vCpuInfo": {"defaultVCpus": kind["vcpus"]}, "memoryInfo": {"sizeInMiB": kind["mib"]},
            "supportedUsageClasses": ["on-demand", "spot"], "supportedRootDeviceTypes": ["ebs"]}
    if kind["gpu"]:
        gpu = kind["gpu"]
        view["gpuInfo"] = {"gpus": [{"name": gpu["name"], "manufacturer": gpu["manufacturer"], "count": gpu["count"],
                                     "memoryInfo": {"sizeInMiB": gpu["mib"]}}],
                           "totalGpuMemoryInMiB": gpu["mib"] * gpu["count"]}
    return view


def DescribeInstanceTypes(world, parameters):
    names = parameters.get("InstanceType", list(TYPES))
    wrong = [name for name in names if name not in TYPES]
    if wrong:
        raise Failure("InvalidInstanceType", f"The following supplied instance types do not exist: [{', '.join(wrong)}]")
    things = [{"id": name, "tags": {}} for name in names]
    chosen = [type_view(thing["id"]) for thing in select(parameters, things, lambda thing: type_view(thing["id"]))]
    return pages(world, parameters, chosen, "instanceTypeSet", 100)


def DescribeInstanceTypeOfferings(world, parameters):
    if parameters.get("LocationType", "region") != "availability-zone":
        raise Failure("InvalidParameterValue", "only offerings by availability zone are simulated")
    things = [{"id": name, "zone": zone, "tags": {}} for name in TYPES for zone in world.zones()
              if offered(world, name, zone)]

    def view(thing):
        return {"instanceType": thing["id"], "locationType": "availability-zone", "location": thing["zone"]}

    return pages(world, parameters, [view(thing) for thing in select(parameters, things, view)],
                 "instanceTypeOfferingSet")


def DescribeImages(world, parameters):
    def view(image):
        return {"imageId": image["id"], "imageState": "available", "architecture": image["architecture"],
                "rootDeviceName": "/dev/sda1", "rootDeviceType": "ebs", "tagSet": tag_set(image),
                "blockDeviceMapping": [{"deviceName": "/dev/sda1", "ebs": {"volumeSize": 8, "snapshotId": "snap-1"}}]}

    things = [find(world, "image", identity, "InvalidAMIID.NotFound") for identity in parameters.get("ImageId", [])]
    if "ImageId" not in parameters:
        things = list(world.kind("image").values())
    return pages(world, parameters, [view(one) for one in select(parameters, things, view)], "imagesSet")
