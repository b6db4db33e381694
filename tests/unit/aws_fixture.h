/*
 * aws_fixture.h - tests of the AWS provider's parts: a home directory of their own, and AWS as a script of answers
 *
 * A test says which requests it expects and how each is answered, in order; a request that differs fails the test.
 */
#ifndef TESTS_UNIT_AWS_FIXTURE_H
#define TESTS_UNIT_AWS_FIXTURE_H

#include <check.h>
#include <stdbool.h>

#include "plugins/common/plugin.h"
#include "tests/unit/fake_host.h"

#define AWS_TEST_NOW_MS 1772022896000 /* 2026-02-25T12:34:56Z */

extern struct memories_call *call;

/* Of each test: HOME is an empty directory, no variable AWS_* is set, the clock stands at AWS_TEST_NOW_MS. */
void aws_set_up(void);
void aws_tear_down(void);

/* Writes HOME/NAME, with the directories above it. */
void aws_write(const char *name, const char *text);
/* Its text; NULL when it is not there. In the call's memory. */
char *aws_read(const char *name);

struct aws_step {
    const char *url; /* what the URL begins with */
    const char
        *wants; /* stands in method, URL, headers or body ("GET URL\nHeader: value\n…\n\nBODY"); NULL: anything */
    const char *lacks; /* does not stand there */
    int status;        /* 0: no answer comes */
    const char *body;
    const char *headers[3];
};
/* `count` steps, kept by the caller. aws_script_done fails the test unless all were taken. */
void aws_script(const struct aws_step *steps, size_t count);
void aws_script_done(void);

/* The error told; fails the test when there was none. */
const struct memories_error_detail *aws_error(void);

#endif
