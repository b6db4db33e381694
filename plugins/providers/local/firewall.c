/* firewall.c - a network's firewall rules as an nft(8) ruleset for each node's namespace */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/json.h"
#include "plugins/providers/local/fabric.h"

/* Replaces whatever stood there, in one transaction. */
static const char fresh_table[] = "table inet memories\n"
                                  "delete table inet memories\n";

/* Before addresses are translated, so that ports which a container engine publishes for its containers are filtered as the
 * node's own are. What containers and the node itself send does not come in from the network. */
static const char head[] = "table inet memories {\n"
                           "    chain incoming {\n"
                           "        type filter hook prerouting priority mangle; policy drop;\n"
                           "        iifname != \"eth0\" accept\n"
                           "        ct state established,related accept\n"
                           "        meta l4proto { icmp, ipv6-icmp } accept\n";
static const char tail[] = "    }\n"
                           "}\n";

/* What the rule compares the packet's source with; "" for anywhere. */
static int32_t source_match(const char *range, const char *network_cidr, char match[80], struct problem *problem)
{
    if (!strcmp(range, "network"))
        range = network_cidr;
    char address[INET6_ADDRSTRLEN];
    size_t length = strcspn(range, "/");
    unsigned char parsed[16];
    char *end = NULL;
    unsigned long prefix = range[length] ? strtoul(range + length + 1, &end, 10) : 32;
    bool good = length < sizeof address && (!end || (*end == '\0' && end > range + length + 1));
    if (good) {
        memcpy(address, range, length);
        address[length] = '\0';
    }
    bool is_v4 = good && prefix <= 32 && inet_pton(AF_INET, address, parsed) == 1;
    bool is_v6 = good && prefix <= 128 && inet_pton(AF_INET6, address, parsed) == 1;
    if (!is_v4 && !is_v6)
        return problem_set(problem, MEMORIES_INVALID, "\"%s\" is not a range of addresses", range);
    if (is_v4 && prefix == 0)
        match[0] = '\0';
    else if (range[length])
        snprintf(match, 80, "%s saddr %s/%lu ", is_v4 ? "ip" : "ip6", address, prefix);
    else
        snprintf(match, 80, "%s saddr %s ", is_v4 ? "ip" : "ip6", address);
    return 0;
}

static int32_t port_match(const char *protocol, const char *ports, char match[80], struct problem *problem)
{
    unsigned first, last;
    int used = 0, fields = sscanf(ports, "%5u%n-%5u%n", &first, &used, &last, &used);
    if (fields == 1)
        last = first;
    if (fields < 1 || ports[used] || first > last || last > 65535)
        return problem_set(problem, MEMORIES_INVALID, "\"%s\" is no port and no range of ports", ports);
    bool is_all = !strcmp(protocol, "all");
    snprintf(match, 80, "%s dport %u-%u ", is_all ? "meta l4proto { tcp, udp } th" : protocol, first, last);
    if (first == last)
        snprintf(match, 80, "%s dport %u ", is_all ? "meta l4proto { tcp, udp } th" : protocol, first);
    return 0;
}

static const char *protocol_match(const char *protocol)
{
    if (!strcmp(protocol, "tcp"))
        return "meta l4proto tcp ";
    if (!strcmp(protocol, "udp"))
        return "meta l4proto udp ";
    if (!strcmp(protocol, "icmp"))
        return "meta l4proto { icmp, ipv6-icmp } ";
    return !strcmp(protocol, "all") ? "" : NULL;
}

/* A rule's name becomes a comment, with nothing in it that nft would read. */
static void write_comment(FILE *out, const char *name)
{
    if (!name || !*name)
        return;
    fputs(" comment \"", out);
    for (size_t i = 0; name[i] && i < 100; i++)
        fputc(strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.- ", name[i]) ? name[i] : '_',
              out);
    fputc('"', out);
}

static void write_one(FILE *out, const char *source, const char *what, const char *name)
{
    fprintf(out, "        %s%saccept", source, what);
    write_comment(out, name);
    fputc('\n', out);
}

/* One line for each source and port: sets of ranges that overlap are refused by nft. */
static int32_t write_source(FILE *out, json_object *rule, const char *source, struct problem *problem)
{
    const char *name = json_get_string(rule, "name");
    const char *protocol = json_get_string(rule, "protocol");
    const char *any_port = protocol_match(protocol ? protocol : "all");
    if (!any_port)
        return problem_set(problem, MEMORIES_INVALID, "\"%s\" is no protocol: tcp, udp, icmp and all are", protocol);
    json_object *ports = json_get_array(rule, "ports");
    if (!json_count(ports) || !strcmp(protocol ? protocol : "all", "icmp")) {
        write_one(out, source, any_port, name);
        return 0;
    }
    for (size_t i = 0; i < json_count(ports); i++) {
        char match[80];
        int32_t failed = port_match(protocol ? protocol : "all", json_object_get_string(json_at(ports, i)), match,
                                    problem);
        if (failed)
            return failed;
        write_one(out, source, match, name);
    }
    return 0;
}

static int32_t write_rule(FILE *out, json_object *rule, const char *network_cidr, struct problem *problem)
{
    json_object *sources = json_get_array(rule, "source_ranges");
    if (!json_count(sources))
        return write_source(out, rule, "", problem);
    for (size_t i = 0; i < json_count(sources); i++) {
        char match[80];
        int32_t failed = source_match(json_object_get_string(json_at(sources, i)), network_cidr, match, problem);
        if (!failed)
            failed = write_source(out, rule, match, problem);
        if (failed)
            return failed;
    }
    return 0;
}

int32_t firewall_write(FILE *out, json_object *firewall, const char *network_cidr, struct problem *problem)
{
    fputs(fresh_table, out);
    if (!firewall)
        return 0;
    fputs(head, out);
    json_object *rules = json_get_array(firewall, "rules");
    for (size_t i = 0; i < json_count(rules); i++) {
        json_object *rule = json_at(rules, i);
        int32_t failed = write_rule(out, rule, network_cidr, problem);
        if (failed) {
            const char *name = json_get_string(rule, "name");
            problem_where(problem, "firewall rule %s", name ? name : "without a name");
            return failed;
        }
    }
    fputs(tail, out);
    return 0;
}
