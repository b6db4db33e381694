EXTRA_DIST += CHANGELOG.md CONTRIBUTING.md HACKING.md SECURITY.md quickstart.sh run-tests.sh scripts/common.sh \
	docs/architecture.md docs/documents.md docs/schema.md
