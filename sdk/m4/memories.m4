# memories.m4 - for plugins of memories that are built with autoconf, automake and libtool      -*- autoconf -*-
#
# serial 1

# MEMORIES_PLUGIN_INIT([MINOR])
# -----------------------------
# What a plugin needs to be built, out of memories-core.pc. MINOR: the oldest plugin ABI 1.MINOR whose headers will do
# (default: 0). Sets and substitutes
#
#   MEMORIES_CFLAGS          where the headers are
#   MEMORIES_PLUGIN_CFLAGS   keeps the plugin's symbols its own
#   MEMORIES_PLUGIN_LDFLAGS  for libtool: a module, with its entry point visible, that is whole when it is linked
#   MEMORIES_PLUGIN_TOOL     the program memories-plugin, or ":" where there is none
#   plugindir                where plugins are installed: --with-plugindir=DIR, else where memories looks for them
#
# and calls automake's primary by it: plugin_LTLIBRARIES = provider-NAME.la
AC_DEFUN([MEMORIES_PLUGIN_INIT], [
AC_REQUIRE([PKG_PROG_PKG_CONFIG])
PKG_CHECK_MODULES([MEMORIES], [memories-core], [],
    [AC_MSG_ERROR([memories-core.pc not found: install memories, or set PKG_CONFIG_PATH to the directory that has it])])
memories_abi_major=`$PKG_CONFIG --variable=abi_major memories-core`
memories_abi_minor=`$PKG_CONFIG --variable=abi_minor memories-core`
AC_MSG_CHECKING([for plugin ABI 1.]m4_default([$1], [0])[ or later])
AS_IF([test "x$memories_abi_major" = x1 && test "$memories_abi_minor" -ge m4_default([$1], [0])],
    [AC_MSG_RESULT([$memories_abi_major.$memories_abi_minor])],
    [AC_MSG_ERROR([memories-core has plugin ABI $memories_abi_major.$memories_abi_minor: install a later memories])])
AC_SUBST([MEMORIES_PLUGIN_CFLAGS], [-fvisibility=hidden])
AC_SUBST([MEMORIES_PLUGIN_LDFLAGS], ["-module -avoid-version -shared -export-symbols-regex memories_plugin_query\$\$ -Wl,-z,defs -Wl,-z,now -Wl,-z,nodelete"])
AC_ARG_WITH([plugindir], [AS_HELP_STRING([--with-plugindir=DIR],
    [where the plugin is installed (default: where memories looks for plugins)])],
    [], [with_plugindir=`$PKG_CONFIG --variable=plugindir memories-core`])
AC_SUBST([plugindir], [$with_plugindir])
AC_ARG_VAR([MEMORIES_PLUGIN_TOOL], [the program memories-plugin, which checks plugins])
memories_tooldir=`$PKG_CONFIG --variable=tooldir memories-core`
AC_PATH_PROG([MEMORIES_PLUGIN_TOOL], [memories-plugin], [:], [$memories_tooldir$PATH_SEPARATOR$PATH])
])
