#!/bin/sh
# aws_walk.sh - killed, or its replies lost, at every point: what follows ends with exactly what is wanted at AWS
. "${srcdir:-.}/tests/env.sh"
. "$srcdir/tests/aws.sh"
plain_build_only

clear_aws_environment
export AWS_REGION=us-west-2 AWS_ACCESS_KEY_ID=AKIASIMULATOR AWS_SECRET_ACCESS_KEY='simulated secret' test_dir
python3 "$srcdir/tests/end_to_end/aws_walk.py" "$builddir/tests/end_to_end/memories-crash" "$srcdir/tests/simulators/aws/simulator.py"
