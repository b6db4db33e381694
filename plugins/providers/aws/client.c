/* client.c - how the provider's slots speak to AWS, see client.h */
#include "plugins/providers/aws/client.h"

#include <stdlib.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/failure.h"

/* Before their end by this much credentials are renewed, so that none expires in the middle of a round of requests. */
#define RENEW_MS (10 * 60 * 1000)
/* AWS accepts signatures that are up to five minutes off. */
#define SKEW_MS (4 * 60 * 1000)

int aws_client_init(struct aws_client *client, const char *profile)
{
    *client = (struct aws_client){ .profile = profile ? strdup(profile) : NULL };
    if (profile && !client->profile)
        return MEMORIES_NO_MEMORY;
    return pthread_mutex_init(&client->lock, NULL) ? MEMORIES_NO_MEMORY : MEMORIES_OK;
}

static void wipe(char **text)
{
    if (*text)
        explicit_bzero(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

static void forget_credentials(struct aws_client *client)
{
    wipe(&client->access_key_id);
    wipe(&client->secret_access_key);
    wipe(&client->session_token);
    wipe(&client->source);
    client->expires_ms = 0;
}

void aws_client_clear(struct aws_client *client)
{
    forget_credentials(client);
    settings_clear(&client->settings);
    free(client->profile);
    pthread_mutex_destroy(&client->lock);
}

/* ---- Settings and credentials; these hold the lock ---- */

static int32_t load_settings(struct aws_client *client, struct memories_call *call)
{
    if (client->loaded)
        return MEMORIES_OK;
    int32_t code = settings_load(&client->settings, call, client->profile);
    if (code)
        settings_clear(&client->settings);
    client->loaded = !code;
    return code;
}

static int32_t keep_credentials(struct aws_client *client, struct memories_call *call, const struct credentials *found)
{
    const struct aws_identity *identity = &found->identity;
    forget_credentials(client);
    client->access_key_id = strdup(identity->access_key_id);
    client->secret_access_key = strdup(identity->secret_access_key);
    client->session_token = identity->session_token ? strdup(identity->session_token) : NULL;
    client->source = strdup(found->source);
    client->expires_ms = found->expires_ms;
    if (client->access_key_id && client->secret_access_key && client->source &&
        !client->session_token == !identity->session_token)
        return MEMORIES_OK;
    forget_credentials(client);
    return plugin_no_memory(call);
}

static int32_t find_credentials(struct aws_client *client, struct memories_call *call, const char *region)
{
    const struct aws_setting setting = { .settings = &client->settings,
                                         .region = region,
                                         .clock_offset_ms = client->clock_offset_ms };
    struct credentials found;
    int32_t code = credentials_find(call, &setting, &found);
    if (code)
        return code;
    if (found.expires_ms && found.expires_ms <= plugin_host->now_ms(call))
        return plugin_fail(call, MEMORIES_DENIED, "AWS credentials", "get new ones where these came from",
                           "the AWS credentials have expired: %s", found.source);
    return keep_credentials(client, call, &found);
}

static int32_t have_credentials(struct aws_client *client, struct memories_call *call, const char *region)
{
    int32_t code = load_settings(client, call);
    bool lasts =
        client->access_key_id && (!client->expires_ms || client->expires_ms - plugin_host->now_ms(call) > RENEW_MS);
    return code || lasts ? code : find_credentials(client, call, region);
}

/* ---- What a call takes with it ---- */

static const char *copy(struct memories_call *call, const char *text)
{
    return text ? plugin_format(call, "%s", text) : NULL;
}

struct ticket {
    struct aws_setting setting;
    struct aws_identity identity;
};

/* A copy, so that another thread may renew what the client has. */
static int32_t take_ticket(struct aws_client *client, struct memories_call *call, const char *region,
                           struct ticket *ticket)
{
    pthread_mutex_lock(&client->lock);
    int32_t code = have_credentials(client, call, region);
    ticket->identity = (struct aws_identity){ copy(call, client->access_key_id), copy(call, client->secret_access_key),
                                              copy(call, client->session_token) };
    ticket->setting = (struct aws_setting){ &client->settings, region, client->clock_offset_ms, &ticket->identity };
    pthread_mutex_unlock(&client->lock);
    if (!code && (!ticket->identity.access_key_id || !ticket->identity.secret_access_key))
        return plugin_no_memory(call);
    return code;
}

const struct settings *aws_client_settings(struct aws_client *client, struct memories_call *call)
{
    pthread_mutex_lock(&client->lock);
    int32_t code = load_settings(client, call);
    pthread_mutex_unlock(&client->lock);
    return code ? NULL : &client->settings;
}

const char *aws_client_source(struct aws_client *client, struct memories_call *call, const char *region)
{
    pthread_mutex_lock(&client->lock);
    int32_t code = have_credentials(client, call, region);
    const char *source = code ? NULL : copy(call, client->source);
    pthread_mutex_unlock(&client->lock);
    if (!code && !source)
        plugin_no_memory(call);
    return source;
}

/* ---- Putting right ---- */

/* Sets our clock by the service's; false when it is right, or was set by another thread already to what it is. */
static bool correct_clock(struct aws_client *client, struct memories_call *call, const struct ticket *ticket,
                          const struct aws_reply *reply)
{
    if (!failure_is_clock(reply->code) || !reply->date_ms)
        return false;
    int64_t offset_ms = reply->date_ms - plugin_host->now_ms(call);
    int64_t change_ms = offset_ms - ticket->setting.clock_offset_ms;
    if (change_ms > -SKEW_MS && change_ms < SKEW_MS)
        return false;
    pthread_mutex_lock(&client->lock);
    client->clock_offset_ms = offset_ms;
    pthread_mutex_unlock(&client->lock);
    plugin_log(call, MEMORIES_LOG_WARNING, "this machine's clock is %lld s off; requests to AWS are dated by AWS's",
               (long long)(-offset_ms / 1000));
    return true;
}

/* Gets new credentials in place of those that AWS refused, if they may be others. A failure is reported. */
static int32_t renew_credentials(struct aws_client *client, struct memories_call *call, const struct ticket *ticket,
                                 const struct aws_reply *reply, bool *renewed)
{
    if (!failure_is_credentials(reply->code))
        return MEMORIES_OK;
    pthread_mutex_lock(&client->lock);
    bool same = client->access_key_id && !strcmp(client->access_key_id, ticket->identity.access_key_id);
    int32_t code = MEMORIES_OK;
    *renewed = !same || client->expires_ms;
    if (same && client->expires_ms) {
        forget_credentials(client);
        code = find_credentials(client, call, ticket->setting.region);
    }
    pthread_mutex_unlock(&client->lock);
    return code;
}

/* Sends again those that were refused for a reason that is gone now. None of them had any effect. */
static int32_t send_refused_again(struct aws_client *client, struct memories_call *call, const char *region,
                                  const struct aws_request *requests, size_t count, struct aws_reply *replies)
{
    struct aws_request *again = plugin_host->allocate(call, count * sizeof *again);
    struct aws_reply *answers = plugin_host->allocate(call, count * sizeof *answers);
    size_t *positions = plugin_host->allocate(call, count * sizeof *positions);
    struct ticket ticket;
    size_t chosen = 0;
    if (!again || !answers || !positions)
        return plugin_no_memory(call);
    for (size_t i = 0; i < count; i++) {
        if (!failure_is_clock(replies[i].code) && !failure_is_credentials(replies[i].code))
            continue;
        again[chosen] = requests[i];
        positions[chosen++] = i;
    }
    int32_t code = take_ticket(client, call, region, &ticket);
    if (!code)
        code = aws_exchange(call, &ticket.setting, again, chosen, answers);
    for (size_t i = 0; !code && i < chosen; i++)
        replies[positions[i]] = answers[i];
    return code;
}

int32_t aws_send(struct aws_client *client, struct memories_call *call, const char *region,
                 const struct aws_request *requests, size_t count, struct aws_reply *replies)
{
    struct ticket ticket;
    memset(replies, 0, count * sizeof *replies);
    int32_t code = take_ticket(client, call, region, &ticket);
    if (!code)
        code = aws_exchange(call, &ticket.setting, requests, count, replies);
    bool corrected = false;
    for (size_t i = 0; !code && !corrected && i < count; i++) {
        corrected = correct_clock(client, call, &ticket, &replies[i]);
        if (!corrected)
            code = renew_credentials(client, call, &ticket, &replies[i], &corrected);
    }
    return corrected && !code ? send_refused_again(client, call, region, requests, count, replies) : code;
}

/* ---- Lists ---- */

static bool out_of_memory(struct aws_list *list)
{
    list->error = (struct memories_error_detail){ .size = sizeof list->error,
                                                  .code = MEMORIES_NO_MEMORY,
                                                  .message = "memory ran out" };
    return false;
}

/* Takes what a page holds; true when there is another one. */
static bool take_page(struct aws_list *list, struct aws_reply *reply)
{
    const char *token = json_get_string(reply->document, list->token_member);
    json_object *page = list->member ? json_get_array(reply->document, list->member) : NULL;
    int failed = 0;
    list->code = reply->code;
    list->error = reply->error;
    if (!list->member && reply->document)
        return json_add(list->items, json_ref(reply->document)) && out_of_memory(list);
    for (size_t i = 0; i < json_count(page); i++)
        failed |= json_add(list->items, json_ref(json_at(page, i)));
    if (!list->error.code && token && *token) {
        if (!list->parameters)
            list->parameters = json_object_new_object();
        failed |= json_set_string(list->parameters, list->token_parameter, token);
    }
    if (failed)
        list->error = (struct memories_error_detail){ .size = sizeof list->error,
                                                      .code = MEMORIES_NO_MEMORY,
                                                      .message = "memory ran out" };
    return !list->error.code && token && *token;
}

int32_t aws_collect(struct aws_client *client, struct memories_call *call, const char *region, struct aws_list *lists,
                    size_t count)
{
    struct aws_request *requests = plugin_host->allocate(call, (count + 1) * sizeof *requests);
    struct aws_reply *replies = plugin_host->allocate(call, (count + 1) * sizeof *replies);
    size_t *open = plugin_host->allocate(call, (count + 1) * sizeof *open), open_count = 0;
    if (!requests || !replies || !open)
        return plugin_no_memory(call);
    for (size_t i = 0; i < count; i++) {
        lists[i].items = json_object_new_array();
        open[open_count++] = i;
    }
    int32_t code = MEMORIES_OK;
    while (!code && open_count) {
        for (size_t i = 0; i < open_count; i++)
            requests[i] =
                (struct aws_request){ lists[open[i]].service, lists[open[i]].action, lists[open[i]].parameters };
        code = aws_send(client, call, region, requests, open_count, replies);
        for (size_t i = 0; i < open_count; i++)
            lists[open[i]].pages++;
        size_t left = 0;
        for (size_t i = 0; !code && i < open_count; i++)
            if (take_page(&lists[open[i]], &replies[i]))
                open[left++] = open[i];
        aws_replies_clear(replies, open_count);
        open_count = left;
    }
    for (size_t i = 0; i < count; i++) {
        if (!code && !lists[i].error.code)
            continue;
        json_object_put(lists[i].items);
        lists[i].items = NULL;
    }
    return code;
}

void aws_lists_clear(struct aws_list *lists, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        json_object_put(lists[i].items);
        json_object_put(lists[i].parameters);
        lists[i].items = lists[i].parameters = NULL;
    }
}
