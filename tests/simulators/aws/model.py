"""Holds requests against the vendor's own description of the API (botocore's service-2.json), where that is at hand."""

import json
import os
import re

from wire import Failure

FOLDERS = {"ec2": "ec2/2016-11-15", "sts": "sts/2011-06-15", "iam": "iam/2010-05-08",
           "monitoring": "cloudwatch/2010-08-01", "logs": "logs/2014-03-28", "sns": "sns/2010-03-31",
           "ssm": "ssm/2014-11-06", "servicequotas": "service-quotas/2019-06-24"}


class Models:
    def __init__(self, directory):
        self.services = {}
        for service, folder in FOLDERS.items():
            path = os.path.join(directory or "", folder, "service-2.json")
            if directory and os.path.exists(path):
                with open(path, encoding="utf-8") as file:
                    self.services[service] = json.load(file)

    def check(self, service, action, parameters, protocol):
        """A Failure for a parameter that the service does not know, lacks, or does not take so."""
        model = self.services.get(service)
        if not model:
            return
        operation = model["operations"].get(action)
        if not operation:
            raise Failure("InvalidAction", f"The action {action} is not valid for this web service.")
        shape = operation.get("input", {}).get("shape")
        if not shape and parameters:
            raise Failure("UnknownParameter", f"{action} takes no parameters")
        if shape:
            _Checker(model["shapes"], protocol).check(shape, parameters, action)


class _Checker:
    def __init__(self, shapes, protocol):
        self.shapes, self.protocol = shapes, protocol

    def wire_name(self, name, member):
        if self.protocol == "json":
            return name
        given = member.get("queryName")
        if given:
            return given
        given = member.get("locationName", name)
        return given[0].upper() + given[1:] if self.protocol == "ec2" else given

    def check(self, shape_name, value, path):
        shape = self.shapes[shape_name]
        # New instance types come every month: the service itself says which it has.
        if shape_name == "InstanceType":
            shape = {"type": "string"}
        getattr(self, "check_" + shape["type"])(shape, value, path)

    def check_structure(self, shape, value, path):
        if value == "" and self.protocol != "json":
            value = {}
        if not isinstance(value, dict):
            raise Failure("InvalidParameterValue", f"{path} is no structure")
        members = {self.wire_name(name, member): (name, member) for name, member in shape["members"].items()}
        for name, inner in value.items():
            if name not in members:
                raise Failure("UnknownParameter", f"The parameter {name} is not recognized (in {path})")
            self.check(members[name][1]["shape"], inner, f"{path}.{name}")
        for name in shape.get("required", []):
            if self.wire_name(name, shape["members"][name]) not in value:
                raise Failure("MissingParameter", f"The request must contain the parameter {name} (in {path})")

    def check_list(self, shape, value, path):
        if not isinstance(value, list):
            raise Failure("InvalidParameterValue", f"{path} is no list")
        self.check_range(shape, len(value), path)
        for index, inner in enumerate(value):
            self.check(shape["member"]["shape"], inner, f"{path}.{index + 1}")

    def check_map(self, shape, value, path):
        for key, inner in value.items():
            self.check(shape["key"]["shape"], key, path)
            self.check(shape["value"]["shape"], inner, f"{path}.{key}")

    def check_string(self, shape, value, path):
        if not isinstance(value, str):
            raise Failure("InvalidParameterValue", f"{path} is no string")
        if "enum" in shape and value not in shape["enum"]:
            raise Failure("InvalidParameterValue", f"{path}: {value} is none of {shape['enum'][:20]}")
        self.check_range(shape, len(value), path)
        # Patterns are Java's; those that Python can't read say nothing here.
        try:
            pattern = re.compile(shape.get("pattern", ""))
        except re.error:
            return
        if "pattern" in shape and not pattern.search(value):
            raise Failure("InvalidParameterValue", f"{path}: {value} does not match {shape['pattern']}")

    def check_range(self, shape, value, path):
        if value < shape.get("min", value) or value > shape.get("max", value):
            raise Failure("InvalidParameterValue",
                          f"{path}: {value} is not within {shape.get('min', '…')} and {shape.get('max', '…')}")

    def check_integer(self, shape, value, path):
        if self.protocol == "json" and (not isinstance(value, int) or isinstance(value, bool)):
            raise Failure("InvalidParameterValue", f"{path}: {value} is no integer")
        try:
            self.check_range(shape, int(value), path)
        except ValueError:
            raise Failure("InvalidParameterValue", f"{path}: {value} is no integer") from None

    check_long = check_integer

    def check_double(self, shape, value, path):
        try:
            self.check_range(shape, float(value), path)
        except (TypeError, ValueError):
            raise Failure("InvalidParameterValue", f"{path}: {value} is no number") from None

    check_float = check_double

    def check_boolean(self, _shape, value, path):
        allowed = (True, False) if self.protocol == "json" else ("true", "false")
        if value not in allowed or (self.protocol == "json" and not isinstance(value, bool)):
            raise Failure("InvalidParameterValue", f"{path}: {value} is no boolean")

    def check_timestamp(self, _shape, value, path):
        if self.protocol == "json" and not isinstance(value, (int, float)):
            raise Failure("InvalidParameterValue", f"{path}: {value} is no time")

    def check_blob(self, _shape, value, path):
        if not isinstance(value, str):
            raise Failure("InvalidParameterValue", f"{path} is no blob")
