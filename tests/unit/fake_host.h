/*
 * fake_host.h - a host table for driving a plugin's slots directly, without the core
 *
 * It keeps what the plugin said (result, first error, answers of a batch, log) and answers HTTP from a script. It uses
 * installed headers and json-c only, like the plugins it hosts. One call is one struct memories_call:
 *
 *     struct memories_call *call = fake_call_new();
 *     ck_assert_int_eq(ops->plan(call, request), 0);
 *     … fake_call_result(call) …
 *     fake_call_free(call);
 */
#ifndef TESTS_UNIT_FAKE_HOST_H
#define TESTS_UNIT_FAKE_HOST_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include <memories/plugin.h>

const struct memories_host *fake_host(void);

struct memories_call *fake_call_new(void);
void fake_call_free(struct memories_call *call);

/* The parsed result, borrowed; NULL when the slot gave none. A result that is no JSON fails the test. */
json_object *fake_call_result(const struct memories_call *call);
/* Its text as the plugin gave it. */
const char *fake_call_result_text(const struct memories_call *call);

/* The first error told through fail; NULL when none was. */
const struct memories_error_detail *fake_call_error(const struct memories_call *call);

/* The answer for operations[index] of a batch; NULL while there is none. */
struct fake_answer {
    bool answered;
    uint32_t state;
    uint32_t poll_after_ms;
    json_object *outputs;
    struct memories_error_detail error; /* code 0: none */
};
#define FAKE_ANSWERS_MAX 1024
const struct fake_answer *fake_call_answer(const struct memories_call *call, size_t index);

/* Everything logged and streamed, one line each. */
const char *fake_call_log(const struct memories_call *call);
const char *fake_call_stream(const struct memories_call *call); /* when nothing sends any more */
bool fake_call_streamed(struct memories_call *call, const char *text);

/* From now on `cancelled` answers 1. */
void fake_call_cancel(struct memories_call *call);
/* The clock of all calls; it stands still until set again. Both clocks give it. */
void fake_host_set_now(int64_t now_ms);

/* Secrets: reference to text; NULL for one that is not there. Default: "fake REFERENCE". */
typedef const char *fake_secret_fn(const char *reference, void *user_data);
void fake_host_set_secrets(fake_secret_fn *secrets, void *user_data);

/* One answer to a request. body NULL: "". status 0: no answer, for the reason in error. */
struct fake_response {
    int status;
    const char *body;
    int error_code;
    const char *error;
};
/* Called for each request of a batch, in order. Default: nothing can be reached. */
typedef struct fake_response fake_http_fn(const struct memories_http_request *request, void *user_data);
void fake_host_set_http(fake_http_fn *http, void *user_data);
/* The headers of all answers from now on: "name: value", last element NULL; NULL: none. The function above may set them
 * for each answer that it gives. */
void fake_host_set_headers(const char *const *headers);
/* How many batches were sent since the last fake_host_reset. */
size_t fake_host_http_batches(void);
/* How many bytes were allocated since then, for all calls. */
size_t fake_host_allocated_bytes(void);

/* The nth allocation from now on, counted from 1, gives NULL; 0: none. Returns whether the one ordered before failed.
 */
bool fake_host_fail_allocation(size_t nth);

/* Clock, secrets, HTTP, allocations as at the beginning. */
void fake_host_reset(void);

#endif
