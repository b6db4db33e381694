/* update.h - memories_scale for callers inside of another call: it does not begin a call of its own */
#ifndef CORE_API_UPDATE_H
#define CORE_API_UPDATE_H

#include <memories/memories.h>

memories_deployment *update_scale(memories_context *context, const char *id, const struct memories_group_size *sizes,
                                  size_t count, uint32_t flags, memories_error **error);

#endif
