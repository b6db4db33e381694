/* fault.h - calls of a plugin that are made to fail */
#ifndef CORE_LOADER_FAULT_H
#define CORE_LOADER_FAULT_H

#include <stdbool.h>

#include <memories/memories.h>

/*
 * "PLUGIN:SLOT:N:ERROR": the Nth call of a slot (from 1, in this process) fails with a code of memories/plugin.h
 * ("transient"), without the plugin being called. "PLUGIN:SLOT:N:ERROR:after", for batches: the plugin does its work,
 * and its answers are lost. PLUGIN: as for loader_decorate.
 */
struct fault_request {
    char *plugin;
    char *slot;
    unsigned long number;
    int32_t code;
    bool after;
    char *text; /* as it was asked for */
};
/* NULL after an error that names the part that is wrong. Lives as long as the process once given to fault_plugin. */
struct fault_request *fault_parse(const char *text, memories_error **error);
void fault_request_free(struct fault_request *request);

int fault_plugin(struct fault_request *request, memories_error **error);

#endif
