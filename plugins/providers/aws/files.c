/* files.c - reading small files, see files.h */
#include "plugins/providers/aws/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "plugins/common/cleanup.h"

int files_read(const char *path, char **text)
{
    *text = NULL;
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    size_t length = 0;
    AUTO_FREE char *bytes = malloc(FILES_BYTES_MAX + 1);
    if (!bytes)
        return ENOMEM;
    for (ssize_t got; (got = read(fd, bytes + length, FILES_BYTES_MAX + 1 - length)) != 0;) {
        if (got < 0 && errno != EINTR)
            return errno;
        length += got > 0 ? (size_t)got : 0;
        if (length > FILES_BYTES_MAX)
            return EFBIG;
    }
    bytes[length] = '\0';
    char *fitted = realloc(bytes, length + 1);
    *text = fitted ? fitted : bytes;
    bytes = NULL;
    return 0;
}
