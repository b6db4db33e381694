EXTRA_DIST += CHANGELOG.md CONTRIBUTING.md HACKING.md SECURITY.md quickstart.sh run-tests.sh scripts/common.sh scripts/failed_tests.sh \
	docs/architecture.md docs/Doxyfile docs/doxygen.awk
dist_man_MANS += docs/man/memories.1 docs/man/memories.yaml.5 docs/man/memories-autoscale.1 docs/man/memories-delete.1 \
	docs/man/memories-deploy.1 docs/man/memories-doctor.1 docs/man/memories-heal.1 docs/man/memories-help.1 docs/man/memories-list.1 \
	docs/man/memories-logs.1 docs/man/memories-metrics.1 docs/man/memories-plan.1 docs/man/memories-plugins.1 docs/man/memories-recover.1 \
	docs/man/memories-resume.1 docs/man/memories-scale.1 docs/man/memories-schema.1 docs/man/memories-services.1 \
	docs/man/memories-show.1 docs/man/memories-start.1 docs/man/memories-status.1 docs/man/memories-stop.1 \
	docs/man/memories-update.1 docs/man/memories-validate.1 docs/man/memories-version.1

# The reference of the installed headers, in reference/html.
reference:
	mkdir -p reference
	srcdir='$(abs_srcdir)' builddir='$(abs_builddir)' output='$(abs_builddir)/reference' doxygen '$(srcdir)/docs/Doxyfile'
.PHONY: reference
