/* record.c - a node's lock file: who runs the node, who changes it, and what must be swept */
#include "plugins/providers/local/node/record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "plugins/providers/local/node/base.h"

int node_lock_open(int directory)
{
    return openat(directory, NODE_LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

int node_lock_take(int fd, enum node_lock_byte byte, bool wait)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1 };
    int result;
    do
        result = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &lock);
    while (result && errno == EINTR);
    return result;
}

bool node_lock_held(int fd, enum node_lock_byte byte)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)byte, .l_len = 1 };
    return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

bool node_record_read(int fd, struct node_record *record)
{
    char line[NODE_CGROUP_LENGTH_MAX + 64];
    ssize_t count = pread(fd, line, sizeof line - 1, 0);
    if (count <= 0)
        return false;
    line[count] = '\0';
    memset(record, 0, sizeof *record);
    return sscanf(line, "%d %" SCNu64 " %1000s", &record->pid, &record->start_time, record->cgroup) == 3;
}

int node_record_write(int fd, const struct node_record *record)
{
    char line[NODE_CGROUP_LENGTH_MAX + 64];
    int length = snprintf(line, sizeof line, "%d %" PRIu64 " %s\n", record->pid, record->start_time,
                          *record->cgroup ? record->cgroup : "-");
    ssize_t written = pwrite(fd, line, (size_t)length, 0);
    if (written != length) {
        errno = written < 0 ? errno : ENOSPC;
        return -1;
    }
    return ftruncate(fd, length);
}

int node_record_clear(int fd)
{
    return ftruncate(fd, 0);
}

bool node_record_hold(const struct node_record *record, struct process *process)
{
    return process_hold(process, record->pid, record->start_time);
}
