# The simulator of AWS, and the scripts that use the provider against it.
aws_tests = tests/end_to_end/aws_booted.sh tests/end_to_end/aws_calls.sh tests/end_to_end/aws_capacity.sh \
	tests/end_to_end/aws_doctor.sh tests/end_to_end/aws_fault.sh tests/end_to_end/aws_kit.sh \
	tests/end_to_end/aws_life.sh tests/end_to_end/aws_moto.sh tests/end_to_end/aws_plan.sh \
	tests/end_to_end/aws_policy.sh tests/end_to_end/aws_recover.sh tests/end_to_end/aws_recover_swarmed.sh tests/end_to_end/aws_schema.sh \
	tests/end_to_end/aws_simulator.sh tests/end_to_end/aws_swarmed.sh tests/end_to_end/aws_walk.sh
TESTS += $(aws_tests)
EXTRA_DIST += $(aws_tests) tests/aws.sh tests/end_to_end/aws_walk.py
EXTRA_DIST += tests/simulators/aws/catalog.py tests/simulators/aws/check.py tests/simulators/aws/ec2.py \
	tests/simulators/aws/elsewhere.py tests/simulators/aws/faults.py tests/simulators/aws/host.py \
	tests/simulators/aws/instances.py tests/simulators/aws/machine.py tests/simulators/aws/machines.py \
	tests/simulators/aws/metadata.py tests/simulators/aws/model.py tests/simulators/aws/nspawn_machine.py \
	tests/simulators/aws/policy.py tests/simulators/aws/services.py tests/simulators/aws/signature.py \
	tests/simulators/aws/simulator.py \
	tests/simulators/aws/wire.py tests/simulators/aws/world.py
