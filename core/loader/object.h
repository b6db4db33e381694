/* object.h - is a file a whole shared object for this machine? */
#ifndef CORE_LOADER_OBJECT_H
#define CORE_LOADER_OBJECT_H

#include <memories/memories.h>

/* Reads the ELF headers only. 0, or an error that says what is wrong with the file. */
int object_check(const char *path, memories_error **error);

#endif
