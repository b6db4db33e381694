#!/bin/sh
# plan.sh - memories finds the plugin, and plans the example with it
tools=$(dirname "${MEMORIES_PLUGIN_TOOL:-memories-plugin}")
PATH=$tools:$PATH
command -v memories >/dev/null || { echo "skipped: memories is not installed"; exit 77; }
set -e
# Our own directory first, then those in which memories looks anyway.
path=$(dirname "$PLUGIN"):${MEMORIES_PLUGIN_PATH:-$(pkg-config --variable=plugindir memories-core)}
memories --plugin-path "$path" validate "${srcdir:-.}/example.yaml"
memories --plugin-path "$path" plan "${srcdir:-.}/example.yaml"
