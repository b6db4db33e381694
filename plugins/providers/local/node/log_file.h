/* log_file.h - a file that only grows, kept in a few pieces of limited size: NAME, NAME.1, NAME.2 … */
#ifndef LOCAL_NODE_LOG_FILE_H
#define LOCAL_NODE_LOG_FILE_H

#include <stddef.h>
#include <stdint.h>

struct log_file {
    int directory;  /* borrowed */
    char name[160]; /* within the directory; "" until log_file_open */
    int fd;         /* -1 while it can't be opened: each write tries again */
    int64_t size;
    int64_t bytes_max;  /* 0: no limit */
    uint32_t files;     /* pieces kept, the present one among them */
    const char *header; /* the first line of each piece, or NULL; borrowed */
};

/* Goes on with the file if it exists. Neither this nor writing ever fails for the caller: a full disk loses lines, and
 * nothing else. */
void log_file_open(struct log_file *log, int directory, const char *name, int64_t bytes_max, uint32_t files,
                   const char *header);
/* Pieces end with whole lines, unless a line is longer than `count` bytes. */
void log_file_write(struct log_file *log, const char *bytes, size_t count);
/* One line, behind the time: "2026-02-25T12:34:56.789Z text". */
void log_file_printf(struct log_file *log, const char *format, ...) __attribute__((format(printf, 2, 3)));
void log_file_close(struct log_file *log);

#endif
