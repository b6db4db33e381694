/* service.h - the services that the provider speaks to, and where they are */
#ifndef AWS_SERVICE_H
#define AWS_SERVICE_H

#include <stdbool.h>

#include <memories/plugin.h>

#include "plugins/providers/aws/settings.h"

enum aws_protocol {
    AWS_PROTOCOL_EC2,   /* a form, lists as Name.1; XML */
    AWS_PROTOCOL_QUERY, /* a form, lists as Name.member.1; XML */
    AWS_PROTOCOL_JSON,  /* JSON, the action in X-Amz-Target */
};

struct aws_service {
    const char *name;   /* in settings: "ec2", "cloudwatch_logs" */
    const char *prefix; /* of the host's name */
    const char *signing_name;
    const char *version; /* of the API; forms name it */
    const char *target;  /* JSON: what stands before the action in X-Amz-Target */
    const char *content_type;
    enum aws_protocol protocol;
};

extern const struct aws_service aws_ec2, aws_sts, aws_iam, aws_cloudwatch, aws_logs, aws_ssm, aws_sns,
    aws_service_quotas, aws_sso, aws_sso_oidc;

/* A part of AWS with accounts and names of its own. */
struct aws_partition {
    const char *id; /* "aws", "aws-cn": the second word of ARNs */
    const char *region_prefix;
    const char *dns_suffix;
    const char *dual_stack_dns_suffix;
    const char *iam_region; /* where IAM, which has no region, is signed for, and */
    const char *iam_host;
    const char *iam_dual_stack_host;
    const char *iam_fips_host; /* NULL: none */
    bool has_fips_prefix;      /* hosts that meet FIPS 140 have "-fips" in their names */
};

/* By the beginning of the region's name; "aws" for one that begins like no other. */
const struct aws_partition *aws_partition_of(const char *region);

struct aws_endpoint {
    const char *url;       /* with the path */
    const char *authority; /* host, with the port if it is not the scheme's own: what the header Host says */
    const char *path;
    const char *signing_region;
};

/* Where `service` is for `region`: what AWS_ENDPOINT_URL[_SERVICE] or the profile say, or AWS's own. Failures are
 * reported. */
int32_t aws_endpoint_find(struct memories_call *call, const struct settings *settings,
                          const struct aws_service *service, const char *region, struct aws_endpoint *endpoint);

#endif
