/*
 * cloud_config.h - a node's bootstrap as "#cloud-config", what cloud-init makes of a cloud's machine
 *
 * On such a node %c is /etc/memories, %d /var/lib/memories, %l /var/log/memories. Files are written; then a unit of
 * systemd runs a script that installs the packages (again and again until the network is there), runs the commands, and
 * starts the services, which are units too. The next boots do it again with what the machine is told then, so that a
 * node can be given something else to run while it is switched off. It is JSON, which is YAML too, and reads the same
 * to cloud-init.
 */
#ifndef PLUGINS_COMMON_CLOUD_CONFIG_H
#define PLUGINS_COMMON_CLOUD_CONFIG_H

#include <json-c/json.h>

#include "plugins/common/plugin.h"
#include "plugins/common/text.h"

#define CLOUD_CONFIGURATION_DIRECTORY "/etc/memories"
#define CLOUD_DATA_DIRECTORY "/var/lib/memories"
#define CLOUD_LOG_DIRECTORY "/var/log/memories"

struct cloud_config {
    const char *hostname;
    /* Instead: machines that are all told the same. Which of these names is its own, a machine learns at its first boot
     * from the shell function find_place, which prints the place of the name among them, from 0. */
    const char *const *names;
    size_t name_count;
    const char *find_place;
    json_object *bootstrap; /* of the spec, addresses in it */
    /* Gives something as large in place of a secret, to see how large it all becomes; NULL: the secrets themselves. */
    const char *(*stand_in)(struct memories_call *call, const char *reference);
    int64_t swap_bytes;     /* 0: none */
    /* A shell function find_data_disk that prints the device of the data disk, which is formatted if it is blank and
     * mounted as the data directory; NULL: there is no such disk. */
    const char *find_data_disk;
    /* Shell commands for after the services' start; NULL: none. Their failure is not the node's. */
    const char *finally;
    const struct cloud_config_file {
        const char *path, *content, *mode;
    } * files; /* besides those of the bootstrap */
    size_t file_count;
};

/* In the call's memory, which is wiped: secrets have been put in. A missing secret is reported. */
int32_t cloud_config_render(struct memories_call *call, const struct cloud_config *config, const char **text);

/* Puts the secrets that a rendered text holds for this bootstrap into {reference: text}. Another text has none. 0, or
 * MEMORIES_NO_MEMORY. */
int cloud_config_secrets(struct memories_call *call, const char *text, json_object *bootstrap, json_object *secrets);

/* Whether the text brings this package along, as a file: no distribution has it. */
bool cloud_config_brings(const char *package);

/* What of it is large, for the message that it is too large: "/a (9000 bytes), /b (800 bytes)". NULL: no memory. */
const char *cloud_config_large_parts(struct memories_call *call, const struct cloud_config *config);

#endif
