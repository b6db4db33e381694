# Configurations and a program that run as they stand; tests/unit/test_config_check.c holds them against the guide's keys.
exampledir = $(docdir)/examples
example_configs = \
	examples/standalone.yaml \
	examples/consensus.yaml \
	examples/swarmed.yaml \
	examples/custom-hardware.yaml \
	examples/custom-network.yaml \
	examples/monitoring.yaml
dist_example_DATA = $(example_configs) examples/deploy.c
