/*
 * channel.h - messages between the core and the process of an isolated plugin
 *
 * A message is a row of numbers and byte strings; both sides know what comes when. Each call has a socket of its own,
 * which is handed over through the process' first one: so that calls go on side by side, and each notices by itself
 * when the process is gone.
 */
#ifndef CORE_LOADER_CHANNEL_H
#define CORE_LOADER_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct message {
    char *bytes;
    size_t length;
    size_t capacity;
    size_t at;   /* reading: the next byte */
    bool failed; /* memory ran out while it was written, or it was read past its end */
};
void message_clear(struct message *message);
#define AUTO_MESSAGE __attribute__((cleanup(message_clear)))

void message_put_number(struct message *message, int64_t number);
/* NULL stays NULL. */
void message_put_bytes(struct message *message, const void *bytes, size_t count);
void message_put_text(struct message *message, const char *text);

/* What was put, in the same order. Strings live as long as the message, and are NUL-terminated behind their end. After
 * the end: 0 and NULL. */
int64_t message_number(struct message *message);
const char *message_bytes(struct message *message, size_t *count);
const char *message_text(struct message *message);

/* 0, or -1 when the other side is gone (or memory is). Receiving replaces what the message held. */
int channel_send(int fd, const struct message *message);
int channel_receive(int fd, struct message *message);

/* Hands over a descriptor; the receiver's is close-on-exec. 0 or -1; a descriptor or -1. */
int channel_send_descriptor(int fd, int descriptor);
int channel_receive_descriptor(int fd);

#endif
