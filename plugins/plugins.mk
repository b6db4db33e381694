# In-tree plugins use installed headers only. common/ is what they share with each other.
plugin_ldflags = $(AM_LDFLAGS) -module -avoid-version -shared -export-symbols-regex '_LTX_memories_plugin_query$$' \
	-Wl,-z,defs -Wl,-z,now -Wl,-z,nodelete
plugin_cflags = $(AM_CFLAGS) $(JSON_C_CFLAGS)

include plugins/common/common.mk
include plugins/providers/local/local.mk
include plugins/topologies/standalone/standalone.mk
include plugins/topologies/consensus/consensus.mk
