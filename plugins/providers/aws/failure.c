/* failure.c - what went wrong with a request to AWS, in the words of the ABI, see failure.h */
#include "plugins/providers/aws/failure.h"

#include <stddef.h>
#include <string.h>

#include "plugins/common/cleanup.h"

static const char *const throttled[] = {
    "RequestLimitExceeded",
    "EC2ThrottledException",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "BandwidthLimitExceeded",
    "SlowDown",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
};
static const char *const transient[] = {
    "InternalError",
    "InternalFailure",
    "InternalServiceError",
    "InternalServiceFault",
    "ServiceUnavailable",
    "Unavailable",
    "RequestTimeout",
    "RequestTimeoutException",
    "OperationAbortedException",
    "ServiceUnavailableException",
    "ServiceException",
    "IDPCommunicationError",
    /* Something is on its way to a state that allows it. */
    "DependencyViolation",
    "IncorrectInstanceState",
    "IncorrectState",
    "DeleteConflict",
    "ConcurrentModification",
    "ConcurrentModificationException",
    "EntityTemporarilyUnmodifiable",
    "ResourceInUse",
};
static const char *const capacity[] = {
    "InsufficientInstanceCapacity",
    "InsufficientHostCapacity",
    "InsufficientCapacity",
    "InsufficientReservedInstanceCapacity",
    "InsufficientAddressCapacity",
    "InsufficientVolumeCapacity",
    "InsufficientFreeAddressesInSubnet",
    "Unsupported",
};
static const char *const quota[] = {
    "VcpuLimitExceeded",
    "InstanceLimitExceeded",
    "MaxSpotInstanceCountExceeded",
    "VolumeLimitExceeded",
    "MaxIOPSLimitExceeded",
    "AddressLimitExceeded",
    "VpcLimitExceeded",
    "SubnetLimitExceeded",
    "InternetGatewayLimitExceeded",
    "NatGatewayLimitExceeded",
    "RouteTableLimitExceeded",
    "RouteLimitExceeded",
    "SecurityGroupLimitExceeded",
    "RulesPerSecurityGroupLimitExceeded",
    "SecurityGroupsPerInterfaceLimitExceeded",
    "AttachmentLimitExceeded",
    "TagLimitExceeded",
    "ResourceLimitExceeded",
    "LimitExceeded",
    "LimitExceededException",
    "PendingVerification",
};
static const char *const duplicate[] = {
    "InvalidGroup.Duplicate",     "InvalidPermission.Duplicate",    "InvalidKeyPair.Duplicate",    "RouteAlreadyExists",
    "Resource.AlreadyAssociated", "InvalidSubnet.Conflict",         "InvalidIPAddress.InUse",      "VolumeInUse",
    "EntityAlreadyExists",        "ResourceAlreadyExistsException", "IdempotentParameterMismatch",
};
static const char *const denied[] = {
    "UnauthorizedOperation",
    "AccessDenied",
    "AccessDeniedException",
    "OptInRequired",
    "AuthFailure",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "IncompleteSignature",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "RequestInTheFuture",
    "InvalidIdentityToken",
    "OperationNotPermitted",
};

static bool is_one_of(const char *code, const char *const *list, size_t count)
{
    for (size_t i = 0; code && i < count; i++)
        if (!strcmp(code, list[i]))
            return true;
    return false;
}
#define IS_ONE_OF(code, list) is_one_of(code, list, ARRAY_COUNT(list))

static bool ends_with(const char *text, const char *end)
{
    size_t length = strlen(text), end_length = strlen(end);
    return length >= end_length && !strcmp(text + length - end_length, end);
}

bool failure_is_not_found(const char *code)
{
    static const char *const others[] = {
        "NatGatewayNotFound", "NoSuchEntity",        "ResourceNotFoundException", "ResourceNotFound",
        "NotFound",           "Gateway.NotAttached", "ParameterNotFound",         "NoSuchResourceException"
    };
    return code && (ends_with(code, ".NotFound") || IS_ONE_OF(code, others));
}

bool failure_is_duplicate(const char *code)
{
    return IS_ONE_OF(code, duplicate);
}

bool failure_is_taken(const char *code)
{
    return code && !strcmp(code, "InvalidIPAddress.InUse");
}

bool failure_is_in_use(const char *code)
{
    static const char *const codes[] = { "DependencyViolation", "InvalidIPAddress.InUse", "DeleteConflict",
                                         "InvalidGroup.InUse" };
    return IS_ONE_OF(code, codes);
}

bool failure_is_clock(const char *code)
{
    static const char *const codes[] = { "RequestTimeTooSkewed",      "RequestExpired",
                                         "RequestInTheFuture",        "AuthFailure",
                                         "InvalidSignatureException", "SignatureDoesNotMatch" };
    return IS_ONE_OF(code, codes);
}

bool failure_is_credentials(const char *code)
{
    static const char *const codes[] = { "ExpiredToken", "ExpiredTokenException",       "RequestExpired",
                                         "AuthFailure",  "UnrecognizedClientException", "InvalidClientTokenId" };
    return IS_ONE_OF(code, codes);
}

int32_t failure_code(const char *code, int32_t status)
{
    if (IS_ONE_OF(code, throttled))
        return MEMORIES_THROTTLED;
    if (IS_ONE_OF(code, capacity))
        return MEMORIES_CAPACITY;
    if (IS_ONE_OF(code, quota))
        return MEMORIES_QUOTA;
    if (IS_ONE_OF(code, denied))
        return MEMORIES_DENIED;
    if (IS_ONE_OF(code, transient))
        return MEMORIES_TRANSIENT;
    if (failure_is_not_found(code))
        return MEMORIES_NOT_FOUND;
    if (IS_ONE_OF(code, duplicate))
        return MEMORIES_CONFLICT;
    if (status == 429)
        return MEMORIES_THROTTLED;
    if (status >= 500)
        return MEMORIES_TRANSIENT;
    return status == 401 || status == 403 ? MEMORIES_DENIED : MEMORIES_INVALID;
}

int32_t failure_of_reason(const char *reason)
{
    const char *dot = strchr(reason, '.');
    int32_t code = failure_code(dot ? dot + 1 : reason, 400);
    switch (code) {
    case MEMORIES_THROTTLED:
    case MEMORIES_TRANSIENT:
        return MEMORIES_CAPACITY;
    case MEMORIES_INVALID:
        return MEMORIES_FAILED;
    default:
        return code;
    }
}

bool failure_may_pass(int32_t result)
{
    return result == MEMORIES_THROTTLED || result == MEMORIES_TRANSIENT;
}

const char *failure_hint(int32_t result, const char *code)
{
    if (failure_is_credentials(code))
        return "look at the credentials with: memories doctor aws";
    switch (result) {
    case MEMORIES_DENIED:
        return "docs/providers/aws.md lists the permissions that are needed; who is asking: memories doctor aws";
    case MEMORIES_QUOTA:
        return "delete what is not needed, or ask AWS for a higher quota (Service Quotas)";
    case MEMORIES_CAPACITY:
        return "try again later, or choose another zone or instance_type";
    default:
        return NULL;
    }
}
