#!/bin/sh
# aws_simulator.sh - the simulator speaks as AWS does: AWS's own client works with it, and moto answers it alike
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"

start_aws --policy "" # AWS's client asks for more than the provider does
python3 -c 'import botocore' 2>/dev/null || skip "python3 has no botocore"
expect 0 python3 "$srcdir/tests/simulators/aws/check.py" "$aws_url"
echo "$out"
# Of what is simulated, everything was asked and answered.
aws_is 'sorted({tuple(one) for one in look("actions")} - {(one["service"], one["action"]) for one in look("calls") if one["result"] == "ok"})' '[]'
[ -n "$(shared_directory)" ] || echo "skipped: the vendor's models (shared/specs/aws) are not here"

# The same through the vendor's command line, which signs and parses by other ways than botocore's defaults.
if command -v aws >/dev/null; then
    expect 0 aws ec2 describe-availability-zones --query 'AvailabilityZones[0].ZoneName' --output text
    equal "$out" us-west-2a
    contains "$(AWS_SECRET_ACCESS_KEY=wrong aws sts get-caller-identity 2>&1)" SignatureDoesNotMatch
else
    echo "skipped: aws is not installed"
fi

if ! command -v moto_server >/dev/null; then
    echo "skipped: moto_server is not installed"
    exit 0
fi
start_moto
expect 0 python3 "$srcdir/tests/simulators/aws/check.py" "$aws_url" moto
echo "$out"
