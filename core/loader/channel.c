/* channel.c - messages between the core and the process of an isolated plugin, see channel.h */
#include "core/loader/channel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* More than the largest document of a plugin. */
#define MESSAGE_BYTES_MAX (128u << 20)

/* ---- Messages ---------------------------------------------------------------------------------------------------- */

void message_clear(struct message *message)
{
    if (message->bytes)
        explicit_bzero(message->bytes, message->capacity); /* secrets pass through here */
    free(message->bytes);
    *message = (struct message){ 0 };
}

/* Room for `count` more bytes. Not realloc: it would leave a copy behind. */
static bool grow(struct message *message, size_t count)
{
    if (message->failed || count > MESSAGE_BYTES_MAX - message->length) {
        message->failed = true;
        return false;
    }
    if (message->length + count <= message->capacity)
        return true;
    size_t capacity = message->capacity ? message->capacity : 256;
    while (capacity < message->length + count)
        capacity *= 2;
    char *bytes = malloc(capacity);
    if (!bytes) {
        message->failed = true;
        return false;
    }
    if (message->bytes) {
        memcpy(bytes, message->bytes, message->length);
        explicit_bzero(message->bytes, message->capacity);
        free(message->bytes);
    }
    message->bytes = bytes;
    message->capacity = capacity;
    return true;
}

static void append(struct message *message, const void *bytes, size_t count)
{
    if (!grow(message, count))
        return;
    memcpy(message->bytes + message->length, bytes, count);
    message->length += count;
}

void message_put_number(struct message *message, int64_t number)
{
    append(message, &number, sizeof number);
}

void message_put_bytes(struct message *message, const void *bytes, size_t count)
{
    message_put_number(message, bytes ? (int64_t)count : -1);
    if (!bytes)
        return;
    append(message, bytes, count);
    append(message, "", 1);
}

void message_put_text(struct message *message, const char *text)
{
    message_put_bytes(message, text, text ? strlen(text) : 0);
}

int64_t message_number(struct message *message)
{
    int64_t number = 0;
    if (message->failed || message->length - message->at < sizeof number) {
        message->failed = true;
        return 0;
    }
    memcpy(&number, message->bytes + message->at, sizeof number);
    message->at += sizeof number;
    return number;
}

const char *message_bytes(struct message *message, size_t *count)
{
    int64_t length = message_number(message);
    *count = 0;
    if (message->failed || length < 0)
        return NULL;
    size_t left = message->length - message->at;
    if ((uint64_t)length >= left || message->bytes[message->at + (size_t)length]) {
        message->failed = true;
        return NULL;
    }
    const char *bytes = message->bytes + message->at;
    message->at += (size_t)length + 1;
    *count = (size_t)length;
    return bytes;
}

const char *message_text(struct message *message)
{
    size_t count;
    return message_bytes(message, &count);
}

/* ---- Sockets ----------------------------------------------------------------------------------------------------- */

static bool send_all(int fd, const void *bytes, size_t count)
{
    for (const char *at = bytes; count;) {
        ssize_t sent = send(fd, at, count, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false;
        at += sent;
        count -= (size_t)sent;
    }
    return true;
}

static bool receive_all(int fd, void *bytes, size_t count)
{
    for (char *at = bytes; count;) {
        ssize_t got = recv(fd, at, count, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        at += got;
        count -= (size_t)got;
    }
    return true;
}

int channel_send(int fd, const struct message *message)
{
    uint32_t header = (uint32_t)message->length;
    return !message->failed && send_all(fd, &header, sizeof header) && send_all(fd, message->bytes, message->length)
               ? 0
               : -1;
}

int channel_receive(int fd, struct message *message)
{
    uint32_t length;
    message_clear(message);
    if (!receive_all(fd, &length, sizeof length) || !grow(message, length))
        return -1;
    message->length = length;
    return receive_all(fd, message->bytes, length) ? 0 : -1;
}

/* Room for one descriptor, aligned for its header. */
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

int channel_send_descriptor(int fd, int descriptor)
{
    union control control = { 0 };
    char byte = 0;
    struct iovec part = { &byte, 1 };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    *header = (struct cmsghdr){ CMSG_LEN(sizeof descriptor), SOL_SOCKET, SCM_RIGHTS };
    memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == 1 ? 0 : -1;
}

int channel_receive_descriptor(int fd)
{
    union control control = { 0 };
    char byte;
    struct iovec part = { &byte, 1 };
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes
    };
    ssize_t got;
    do
        got = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    struct cmsghdr *header = got == 1 ? CMSG_FIRSTHDR(&message) : NULL;
    int descriptor;
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof descriptor))
        return -1;
    memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    return descriptor;
}
