/* files.h - reading small files */
#ifndef AWS_FILES_H
#define AWS_FILES_H

/* The whole file with a NUL behind it, at most FILES_BYTES_MAX. 0 or an errno value (EFBIG: it is larger). free it. */
#define FILES_BYTES_MAX (1u << 20)
int files_read(const char *path, char **text);

#endif
