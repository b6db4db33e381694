/* format.c - the values of JSON Schema's `format` keyword that memories knows */
#include "core/config/format.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/cleanup.h"
#include "core/base/text.h"
#include "core/config/address.h"

/* ---- Addresses --------------------------------------------------------------------------------------------------- */

static bool fits_cidr(const char *text)
{
    struct address_block block;
    return address_parse(text, &block) == ADDRESS_OK;
}

static char *advise_cidr(const char *text)
{
    struct address_block block;
    char whole[ADDRESS_TEXT_BYTES];
    switch (address_parse(text, &block)) {
    case ADDRESS_NO_PREFIX:
        return text_format("say how many addresses are meant: %s/%s for this one alone", text,
                           block.family == AF_INET ? "32" : "128");
    case ADDRESS_BAD_PREFIX:
        return text_format("the number behind the slash is 0 to %s", block.family == AF_INET ? "32" : "128");
    case ADDRESS_HOST_BITS:
        address_text(&block, whole);
        return text_format("a block begins at its first address: %s", whole);
    default:
        return NULL;
    }
}

static bool fits_ipv4(const char *text)
{
    unsigned char bytes[4];
    return inet_pton(AF_INET, text, bytes) == 1;
}

static bool fits_ipv6(const char *text)
{
    unsigned char bytes[16];
    return inet_pton(AF_INET6, text, bytes) == 1;
}

/* RFC 1123: labels of 1 to 63 letters, digits and hyphens, no hyphen at either end. */
static bool fits_hostname(const char *text)
{
    if (strlen(text) > 253)
        return false;
    for (;;) {
        size_t length = strcspn(text, ".");
        if (!length || length > 63 || text[0] == '-' || text[length - 1] == '-')
            return false;
        for (size_t i = 0; i < length; i++)
            if (!isascii((unsigned char)text[i]) || !(isalnum((unsigned char)text[i]) || text[i] == '-'))
                return false;
        if (!text[length])
            return true;
        text += length + 1;
    }
}

/* ---- Ports ------------------------------------------------------------------------------------------------------- */

/* Reads "8000" and moves on; -1 when there is no port. */
static long parse_port(const char **at)
{
    size_t digits = strspn(*at, "0123456789");
    if (!digits || digits > 5 || (**at == '0' && digits > 1))
        return -1;
    long port = strtol(*at, NULL, 10);
    *at += digits;
    return port <= 65535 ? port : -1;
}

static bool parse_ports(const char *text, long *first, long *last)
{
    *first = parse_port(&text);
    *last = *first;
    if (*first >= 0 && *text == '-') {
        text++;
        *last = parse_port(&text);
    }
    return *first >= 0 && *last >= 0 && !*text;
}

static bool fits_ports(const char *text)
{
    long first, last;
    return parse_ports(text, &first, &last) && first <= last;
}

static char *advise_ports(const char *text)
{
    long first, last;
    return parse_ports(text, &first, &last) ? text_format("the lower port comes first: \"%ld-%ld\"", last, first)
                                            : NULL;
}

/* ---- Times (RFC 3339) -------------------------------------------------------------------------------------------- */

/* Reads exactly `digits` digits; -1 when there are others. */
static int parse_digits(const char **at, int digits)
{
    int number = 0;
    for (int i = 0; i < digits; i++, ++*at) {
        if (**at < '0' || **at > '9')
            return -1;
        number = number * 10 + (**at - '0');
    }
    return number;
}

static bool skip(const char **at, char expected)
{
    if (toupper((unsigned char)**at) != expected)
        return false;
    ++*at;
    return true;
}

static bool parse_date(const char **at)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int year = parse_digits(at, 4);
    if (year < 0 || !skip(at, '-'))
        return false;
    int month = parse_digits(at, 2);
    if (month < 1 || month > 12 || !skip(at, '-'))
        return false;
    int day = parse_digits(at, 2);
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

/* "12:34" as minutes of the day, -1 when it is none. */
static int parse_minutes(const char **at)
{
    int hour = parse_digits(at, 2);
    if (hour < 0 || hour > 23 || !skip(at, ':'))
        return -1;
    int minute = parse_digits(at, 2);
    return minute < 0 || minute > 59 ? -1 : hour * 60 + minute;
}

/* "Z" or "+01:30" as minutes east. */
static bool parse_zone(const char **at, int *east)
{
    *east = 0;
    if (skip(at, 'Z'))
        return true;
    int sign = **at == '-' ? -1 : 1;
    if (!skip(at, '-') && !skip(at, '+'))
        return false;
    *east = parse_minutes(at);
    bool fits = *east >= 0;
    *east *= sign;
    return fits;
}

static bool parse_time(const char **at)
{
    int minutes = parse_minutes(at), east;
    if (minutes < 0 || !skip(at, ':'))
        return false;
    int second = parse_digits(at, 2);
    if (second < 0 || second > 60)
        return false;
    if (skip(at, '.')) {
        size_t fraction = strspn(*at, "0123456789");
        if (!fraction)
            return false;
        *at += fraction;
    }
    if (!parse_zone(at, &east))
        return false;
    /* A leap second is the last of a UTC day. */
    return second < 60 || (minutes - east + 2 * 1440) % 1440 == 1439;
}

static bool fits_date_time(const char *text)
{
    return parse_date(&text) && skip(&text, 'T') && parse_time(&text) && !*text;
}

/* ---- All --------------------------------------------------------------------------------------------------------- */

static const struct format formats[] = {
    { "cidr", "a CIDR block", "such a block looks like 10.0.0.0/16", fits_cidr, advise_cidr },
    { "date-time", "a time", "a time looks like 2026-02-25T12:34:56Z", fits_date_time, NULL },
    { "hostname", "a host name", "a host name looks like node1.example.org", fits_hostname, NULL },
    { "ipv4", "an IPv4 address", "such an address looks like 10.0.0.1", fits_ipv4, NULL },
    { "ipv6", "an IPv6 address", "such an address looks like fd00::1", fits_ipv6, NULL },
    { "port-range", "a port or a range of ports", "write \"22\" or \"8000-8010\"; ports go up to 65535", fits_ports,
      advise_ports },
};

const struct format *format_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(formats); i++)
        if (!strcmp(formats[i].name, name))
            return &formats[i];
    return NULL;
}

const char *format_names(void)
{
    return "cidr, date-time, hostname, ipv4, ipv6, port-range";
}
