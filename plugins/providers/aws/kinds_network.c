/* kinds_network.c - a deployment's own network: VPC, subnets, the ways out of it */
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"
#include "plugins/common/plugin.h"
#include "plugins/providers/aws/kinds.h"

/* ---- VPC ---- */

static int vpc_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    (void)objects;
    return kind_copy(parameters, "CidrBlock", object, "cidr");
}

static int vpc_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "VpcId", object_text(object, "id"));
}

static json_object *vpc_made(const struct object *object, json_object *reply)
{
    (void)object;
    return kind_made(reply, "vpc", "vpcId");
}

static void vpc_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    kind_look(snapshot, object, "vpcId", sight);
}

const struct kind kind_vpc = {
    .type = "aws.vpc",
    .tag_type = "vpc",
    .list = LIST_VPCS,
    .service = &aws_ec2,
    .create = "CreateVpc",
    .destroy = "DeleteVpc",
    .fill = vpc_fill,
    .fill_destroy = vpc_fill_destroy,
    .made = vpc_made,
    .made_state = MEMORIES_STATE_READY,
    .look = vpc_look,
};

/* ---- Internet gateway ---- */

static int gateway_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    (void)objects;
    (void)object;
    (void)parameters;
    return 0;
}

static int gateway_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "InternetGatewayId", object_text(object, "id"));
}

static json_object *gateway_made(const struct object *object, json_object *reply)
{
    (void)object;
    return kind_made(reply, "internetGateway", "internetGatewayId");
}

static void gateway_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    kind_look(snapshot, object, "internetGatewayId", sight);
}

const struct kind kind_internet_gateway = {
    .type = "aws.internet_gateway",
    .tag_type = "internet-gateway",
    .list = LIST_GATEWAYS,
    .service = &aws_ec2,
    .create = "CreateInternetGateway",
    .destroy = "DeleteInternetGateway",
    .fill = gateway_fill,
    .fill_destroy = gateway_fill_destroy,
    .made = gateway_made,
    .made_state = MEMORIES_STATE_READY,
    .look = gateway_look,
};

/* ---- Its attachment ---- */

static int attachment_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    (void)objects;
    return kind_copy(parameters, "InternetGatewayId", object, "gateway") |
           kind_copy(parameters, "VpcId", object, "vpc");
}

static int attachment_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "InternetGatewayId", object_text(object, "gateway")) |
           json_set_string(parameters, "VpcId", object_text(object, "vpc"));
}

static json_object *attachment_made(const struct object *object, json_object *reply)
{
    static const char *const members[] = { "gateway", "vpc" };
    (void)reply;
    return kind_tie(object, members, ARRAY_COUNT(members));
}

static void attachment_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    json_object *gateway = snapshot_find(snapshot, LIST_GATEWAYS, "internetGatewayId", object_text(object, "gateway"));
    json_object *attachments = json_get_array(gateway, "attachmentSet");
    const char *vpc = object_text(object, "vpc");
    for (size_t i = 0; vpc && i < json_count(attachments); i++) {
        const char *attached = json_get_string(json_at(attachments, i), "vpcId");
        if (!attached || strcmp(attached, vpc) != 0)
            continue;
        sight->state = MEMORIES_STATE_READY;
        sight->outputs = object->outputs ? NULL : attachment_made(object, NULL);
    }
}

const struct kind kind_internet_gateway_attachment = {
    .type = "aws.internet_gateway_attachment",
    .list = LIST_GATEWAYS,
    .service = &aws_ec2,
    .create = "AttachInternetGateway",
    .destroy = "DetachInternetGateway",
    .fill = attachment_fill,
    .fill_destroy = attachment_fill_destroy,
    .made = attachment_made,
    .made_state = MEMORIES_STATE_READY,
    .look = attachment_look,
};

/* ---- Subnet ---- */

static int subnet_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    (void)objects;
    return kind_copy(parameters, "VpcId", object, "vpc") | kind_copy(parameters, "CidrBlock", object, "cidr") |
           kind_copy(parameters, "AvailabilityZone", object, "zone");
}

static int subnet_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "SubnetId", object_text(object, "id"));
}

static json_object *subnet_made(const struct object *object, json_object *reply)
{
    (void)object;
    return kind_made(reply, "subnet", "subnetId");
}

static void subnet_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    kind_look(snapshot, object, "subnetId", sight);
}

const struct kind kind_subnet = {
    .type = "aws.subnet",
    .tag_type = "subnet",
    .list = LIST_SUBNETS,
    .service = &aws_ec2,
    .create = "CreateSubnet",
    .destroy = "DeleteSubnet",
    .fill = subnet_fill,
    .fill_destroy = subnet_fill_destroy,
    .made = subnet_made,
    .made_state = MEMORIES_STATE_READY,
    .look = subnet_look,
};

/* ---- Route tables ---- */

static int table_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    (void)objects;
    return kind_copy(parameters, "VpcId", object, "vpc");
}

static int table_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "RouteTableId", object_text(object, "id"));
}

static json_object *table_made(const struct object *object, json_object *reply)
{
    AUTO_JSON json_object *outputs = kind_made(reply, "routeTable", "routeTableId");
    return outputs && json_set_string(outputs, "vpc", object_text(object, "vpc")) == 0 ? STEAL(outputs) : NULL;
}

static void table_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    json_object *found = kind_seen(snapshot, object, "routeTableId");
    kind_look(snapshot, object, "routeTableId", sight);
    if (sight->outputs && json_set_string(sight->outputs, "vpc", json_get_string(found, "vpcId"))) {
        json_object_put(sight->outputs);
        sight->outputs = NULL;
    }
}

const struct kind kind_route_table = {
    .type = "aws.route_table",
    .tag_type = "route-table",
    .has_token = true,
    .list = LIST_TABLES,
    .service = &aws_ec2,
    .create = "CreateRouteTable",
    .destroy = "DeleteRouteTable",
    .fill = table_fill,
    .fill_destroy = table_fill_destroy,
    .made = table_made,
    .made_state = MEMORIES_STATE_READY,
    .look = table_look,
};

/* The table that comes with the VPC, and goes with it: it is found, not made. */
static int main_table_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    (void)objects;
    json_object *filters = json_set_new_array(parameters, "Filter");
    json_object *vpc = json_add_new_object(filters), *main_table = json_add_new_object(filters);
    return json_set_string(vpc, "Name", "vpc-id") |
           json_add_string(json_set_new_array(vpc, "Value"), object_text(object, "vpc")) |
           json_set_string(main_table, "Name", "association.main") |
           json_add_string(json_set_new_array(main_table, "Value"), "true");
}

static bool is_main(json_object *table)
{
    json_object *associations = json_get_array(table, "associationSet");
    for (size_t i = 0; i < json_count(associations); i++) {
        const char *main_table = json_get_string(json_at(associations, i), "main");
        if (main_table && !strcmp(main_table, "true"))
            return true;
    }
    return false;
}

/* NULL: it is not among them. */
static json_object *main_table_outputs(const struct object *object, json_object *tables)
{
    const char *vpc = object_text(object, "vpc");
    for (size_t i = 0; vpc && i < json_count(tables); i++) {
        const char *of = json_get_string(json_at(tables, i), "vpcId");
        if (!of || strcmp(of, vpc) != 0 || !is_main(json_at(tables, i)))
            continue;
        AUTO_JSON json_object *outputs = json_object_new_object();
        int failed = json_set_string(outputs, "id", json_get_string(json_at(tables, i), "routeTableId"));
        return failed | json_set_string(outputs, "vpc", vpc) ? NULL : STEAL(outputs);
    }
    return NULL;
}

static int32_t main_table_create(struct objects *objects)
{
    struct object *object = &objects->items[0]; /* a deployment has one */
    AUTO_JSON json_object *parameters = json_object_new_object();
    const struct aws_request request = { &aws_ec2, "DescribeRouteTables", parameters };
    struct aws_reply reply;
    if (!parameters || main_table_fill(objects, object, parameters))
        return plugin_no_memory(objects->call);
    int32_t code = aws_send(&objects->aws->client, objects->call, objects->region, &request, 1, &reply);
    json_object *outputs = code ? NULL : main_table_outputs(object, json_get_array(reply.document, "routeTableSet"));
    if (!code && reply.error.code)
        object_fail(objects, object, &reply.error);
    else if (!code && outputs)
        object_answer(objects, object, MEMORIES_STATE_READY, outputs, 0);
    else if (!code)
        object_fail_unsettled(
            objects, object,
            &(struct memories_error_detail){ .size = sizeof(struct memories_error_detail),
                                             .code = MEMORIES_TRANSIENT,
                                             .message = "the VPC's main route table is not shown yet" });
    aws_replies_clear(&reply, 1);
    return code;
}

static void main_table_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    AUTO_JSON json_object *outputs = main_table_outputs(object, snapshot->lists[LIST_TABLES].items);
    if (!outputs)
        return;
    sight->state = MEMORIES_STATE_READY;
    sight->outputs = object->outputs ? NULL : STEAL(outputs);
}

const struct kind kind_main_route_table = {
    .type = "aws.main_route_table",
    .list = LIST_TABLES,
    .look = main_table_look,
    .create_all = main_table_create,
};

/* ---- Routes ---- */

static int route_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    (void)objects;
    return kind_copy(parameters, "RouteTableId", object, "table") |
           kind_copy(parameters, "DestinationCidrBlock", object, "destination") |
           kind_copy(parameters, "GatewayId", object, "gateway") | kind_copy(parameters, "NatGatewayId", object, "nat");
}

static int route_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "RouteTableId", object_text(object, "table")) |
           json_set_string(parameters, "DestinationCidrBlock", object_text(object, "destination"));
}

static json_object *route_made(const struct object *object, json_object *reply)
{
    static const char *const members[] = { "vpc", "table", "destination" };
    (void)reply;
    return kind_tie(object, members, ARRAY_COUNT(members));
}

static void route_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    json_object *table = snapshot_find(snapshot, LIST_TABLES, "routeTableId", object_text(object, "table"));
    const char *wanted = object_text(object, "destination");
    json_object *routes = json_get_array(table, "routeSet");
    for (size_t i = 0; wanted && i < json_count(routes); i++) {
        const char *destination = json_get_string(json_at(routes, i), "destinationCidrBlock");
        if (!destination || strcmp(destination, wanted) != 0)
            continue;
        sight->state = MEMORIES_STATE_READY;
        sight->outputs = object->outputs ? NULL : route_made(object, NULL);
    }
}

const struct kind kind_route = {
    .type = "aws.route",
    .list = LIST_TABLES,
    .service = &aws_ec2,
    .create = "CreateRoute",
    .destroy = "DeleteRoute",
    .fill = route_fill,
    .fill_destroy = route_fill_destroy,
    .made = route_made,
    .made_state = MEMORIES_STATE_READY,
    .look = route_look,
};

/* ---- Subnets' ties to route tables ---- */

static int association_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    (void)objects;
    return kind_copy(parameters, "RouteTableId", object, "table") | kind_copy(parameters, "SubnetId", object, "subnet");
}

static int association_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "AssociationId", object_text(object, "id"));
}

static json_object *association_outputs(const struct object *object, const char *id)
{
    static const char *const members[] = { "vpc", "table", "subnet" };
    AUTO_JSON json_object *outputs = kind_tie(object, members, ARRAY_COUNT(members));
    return outputs && json_set_string(outputs, "id", id) == 0 ? STEAL(outputs) : NULL;
}

static json_object *association_made(const struct object *object, json_object *reply)
{
    return association_outputs(object, json_get_string(reply, "associationId"));
}

static void association_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    json_object *table = snapshot_find(snapshot, LIST_TABLES, "routeTableId", object_text(object, "table"));
    const char *wanted = object_text(object, "subnet");
    json_object *associations = json_get_array(table, "associationSet");
    for (size_t i = 0; wanted && i < json_count(associations); i++) {
        const char *subnet = json_get_string(json_at(associations, i), "subnetId");
        if (!subnet || strcmp(subnet, wanted) != 0)
            continue;
        sight->state = MEMORIES_STATE_READY;
        if (!object->outputs)
            sight->outputs =
                association_outputs(object, json_get_string(json_at(associations, i), "routeTableAssociationId"));
    }
}

const struct kind kind_route_table_association = {
    .type = "aws.route_table_association",
    .list = LIST_TABLES,
    .service = &aws_ec2,
    .create = "AssociateRouteTable",
    .destroy = "DisassociateRouteTable",
    .fill = association_fill,
    .fill_destroy = association_fill_destroy,
    .made = association_made,
    .made_state = MEMORIES_STATE_READY,
    .look = association_look,
};

/* ---- The way out of private subnets ---- */

static int address_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    (void)objects;
    (void)object;
    return json_set_string(parameters, "Domain", "vpc");
}

static int address_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "AllocationId", object_text(object, "id"));
}

static json_object *address_made(const struct object *object, json_object *reply)
{
    (void)object;
    return kind_made(reply, NULL, "allocationId");
}

static void address_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    kind_look(snapshot, object, "allocationId", sight);
}

const struct kind kind_elastic_ip = {
    .type = "aws.elastic_ip",
    .tag_type = "elastic-ip",
    .list = LIST_ADDRESSES,
    .service = &aws_ec2,
    .create = "AllocateAddress",
    .destroy = "ReleaseAddress",
    .fill = address_fill,
    .fill_destroy = address_fill_destroy,
    .made = address_made,
    .made_state = MEMORIES_STATE_READY,
    .look = address_look,
};

static int nat_fill(const struct objects *objects, const struct object *object, json_object *parameters)
{
    (void)objects;
    return kind_copy(parameters, "SubnetId", object, "subnet") |
           kind_copy(parameters, "AllocationId", object, "allocation");
}

static int nat_fill_destroy(const struct object *object, json_object *parameters)
{
    return json_set_string(parameters, "NatGatewayId", object_text(object, "id"));
}

static json_object *nat_made(const struct object *object, json_object *reply)
{
    (void)object;
    return kind_made(reply, "natGateway", "natGatewayId");
}

static void nat_look(const struct snapshot *snapshot, const struct object *object, struct sight *sight)
{
    json_object *nat = kind_seen(snapshot, object, "natGatewayId");
    const char *state = nat ? json_get_string(nat, "state") : NULL;
    if (state && !strcmp(state, "deleted"))
        sight->reason_code = state;
    if (!state || sight->reason_code)
        return;
    kind_look(snapshot, object, "natGatewayId", sight);
    if (!strcmp(state, "pending") || !strcmp(state, "deleting"))
        sight->state = MEMORIES_STATE_PENDING;
    else if (!strcmp(state, "failed"))
        sight->state = MEMORIES_STATE_BROKEN;
}

const struct kind kind_nat_gateway = {
    .type = "aws.nat_gateway",
    .tag_type = "natgateway",
    .has_token = true,
    .list = LIST_NATS,
    .service = &aws_ec2,
    .create = "CreateNatGateway",
    .destroy = "DeleteNatGateway",
    .fill = nat_fill,
    .fill_destroy = nat_fill_destroy,
    .made = nat_made,
    .made_state = MEMORIES_STATE_PENDING,
    .look = nat_look,
};
