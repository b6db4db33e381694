#!/bin/sh
# check.sh - the plugin keeps the rules of memories/plugin.h; see memories-plugin(1)
: "${MEMORIES_PLUGIN_TOOL:=memories-plugin}"
command -v "$MEMORIES_PLUGIN_TOOL" >/dev/null || { echo "skipped: memories-plugin is not installed"; exit 77; }
exec "$MEMORIES_PLUGIN_TOOL" check "$PLUGIN"
