/* port.h - is a TCP port free on a loopback address, and who has it if not */
#ifndef LOCAL_PORT_H
#define LOCAL_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plugins/providers/local/problem.h"

enum port_state {
    PORT_FREE,
    PORT_TAKEN,            /* by a socket on this very address: another address will do */
    PORT_TAKEN_EVERYWHERE, /* by a socket on 0.0.0.0 or ::, so on every address */
    PORT_DENIED,           /* below ip_unprivileged_port_start */
};

enum port_state port_state(uint32_t address, uint16_t port);

/* Fills `problem` with why TCP `port` can't be had, and which process has it. */
int32_t port_problem(struct problem *problem, enum port_state state, uint16_t port);

#endif
