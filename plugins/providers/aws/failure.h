/* failure.h - what went wrong with a request to AWS, in the words of the ABI */
#ifndef AWS_FAILURE_H
#define AWS_FAILURE_H

#include <stdbool.h>
#include <stdint.h>

#include <memories/plugin.h>

/* The return code for one of AWS's error codes. The code counts before the status: want of capacity, for one, comes
 * with a status that elsewhere means "try again". `code` NULL: the service named none. */
int32_t failure_code(const char *code, int32_t status);

/* The same for the reason of an instance's state ("Server.InsufficientInstanceCapacity"), of one that has ended before
 * it ran. What may pass is CAPACITY: the launch is over, and another one needs a token of its own. */
int32_t failure_of_reason(const char *reason);

/* Whether asking again may go better: THROTTLED or TRANSIENT. */
bool failure_may_pass(int32_t result);

/* What to do about it; NULL where AWS's own words say enough. */
const char *failure_hint(int32_t result, const char *code);

/* Questions that callers ask about AWS's error codes; `code` may be NULL. */
bool failure_is_not_found(const char *code);
bool failure_is_duplicate(const char *code);
bool failure_is_taken(const char *code);       /* the address is another's, or not free again yet */
bool failure_is_in_use(const char *code);      /* something else still needs what was to be deleted */
bool failure_is_clock(const char *code);       /* maybe: the clocks differ */
bool failure_is_credentials(const char *code); /* the credentials have expired, or are not known yet */

#endif
