# The program `memories`. libcli.la holds it whole, so that tests can put another library in place of libmemories-core.
noinst_LTLIBRARIES += cli/libcli.la
cli_libcli_la_SOURCES = cli/main.c cli/command.h cli/commands.c cli/arguments.c cli/arguments.h cli/help.c cli/help.h \
	cli/complete.c cli/complete.h cli/configuration.c cli/configuration.h cli/report.c cli/report.h \
	cli/progress.c cli/progress.h cli/interrupt.c cli/interrupt.h cli/screen.c cli/screen.h cli/table.c cli/table.h \
	cli/plot.c cli/plot.h cli/when.c cli/when.h cli/work.c cli/work.h cli/background.c cli/background.h \
	cli/command_work.c cli/command_scale.c cli/command_autoscale.c cli/command_plan.c cli/command_look.c \
	cli/command_services.c cli/services.h cli/observe.c cli/observe.h cli/command_metrics.c cli/command_logs.c cli/command_plugins.c \
	cli/command_recover.c cli/command_doctor.c
cli_libcli_la_CFLAGS = $(AM_CFLAGS) $(JSON_C_CFLAGS)

bin_PROGRAMS += cli/memories
cli_memories_SOURCES =
cli_memories_LDADD = cli/libcli.la core/libmemories-core.la $(JSON_C_LIBS) -lpthread -lm

# One script a shell; each asks `memories __complete`, so that they say what the program says.
EXTRA_DIST += cli/completion/memories.bash cli/completion/memories.zsh cli/completion/memories.fish
install-data-local: install-completions
install-completions:
	$(MKDIR_P) $(DESTDIR)$(bashcompletiondir) $(DESTDIR)$(zshcompletiondir) $(DESTDIR)$(fishcompletiondir)
	$(INSTALL_DATA) $(srcdir)/cli/completion/memories.bash $(DESTDIR)$(bashcompletiondir)/memories
	$(INSTALL_DATA) $(srcdir)/cli/completion/memories.zsh $(DESTDIR)$(zshcompletiondir)/_memories
	$(INSTALL_DATA) $(srcdir)/cli/completion/memories.fish $(DESTDIR)$(fishcompletiondir)/memories.fish
uninstall-local: uninstall-completions
uninstall-completions:
	rm -f $(DESTDIR)$(bashcompletiondir)/memories $(DESTDIR)$(zshcompletiondir)/_memories \
	  $(DESTDIR)$(fishcompletiondir)/memories.fish
.PHONY: install-completions uninstall-completions
