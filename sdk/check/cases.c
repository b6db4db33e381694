/* cases.c - the table of the conformance suite; docs/man/memories-plugin.1 lists the same */
#include "core/base/cleanup.h"
#include "sdk/check/check.h"

#define PROVIDER MEMORIES_PLUGIN_PROVIDER
#define TOPOLOGY MEMORIES_PLUGIN_TOPOLOGY
#define BOTH 0

/* In the order in which they run: what later ones lean on comes first. */
const struct check_case check_cases[] = {
    { "metadata", "the file tells without running what its code says", BOTH, false, NULL, case_metadata },
    { "linking", "it is linked so that mistakes show at once, and shows its entry point only", BOTH, true, NULL,
      case_linking },
    { "describe", "its description is the same each time, and its schema joins with the core's", BOTH, false, NULL,
      case_describe },
    { "old-core", "it runs on the oldest core that it says it runs on", BOTH, false, setup_old_core, case_old_core },
    { "versions", "a document of a later version is refused, not misread", BOTH, false, NULL, case_versions },
    { "bad-requests", "documents that make no sense are refused with a complete error", BOTH, false, NULL,
      case_bad_requests },
    { "instances", "several instances live at the same time; one without a deployment can be opened", PROVIDER, false,
      NULL, case_instances },
    { "prepare", "every node gets an address, and keeps the one that it has; nothing is made", PROVIDER, false, NULL,
      case_prepare },
    { "lower", "the spec becomes resources that can be made, one node each", PROVIDER, false, NULL, case_lower },
    { "plan", "the configuration becomes a spec that every provider understands", TOPOLOGY, false, NULL, case_plan },
    { "pure", "the same question gets the same answer, and nothing outside is looked at", BOTH, false, NULL,
      case_pure },
    { "read-unknown", "what was never made is absent, and no error", PROVIDER, false, NULL, case_read_unknown },
    { "create", "each operation of a batch is answered, becomes ready, and says what it is", PROVIDER, false, NULL,
      case_create },
    { "create-again", "the same token again gives the same object", PROVIDER, false, NULL, case_create_again },
    { "found-again", "what was made is found by deployment, key and token, without its outputs", PROVIDER, false, NULL,
      case_found_again },
    { "update", "a change in place keeps the object", PROVIDER, false, NULL, case_update },
    { "power", "switching off and on keeps the object; doing it twice is no error", PROVIDER, false, NULL, case_power },
    { "destroy", "what is deleted is gone; deleting it again, or what never was, is no error", PROVIDER, false, NULL,
      case_destroy },
    { "discover", "everything of a deployment is found without any record, and nothing else", PROVIDER, false, NULL,
      case_discover },
    { "apart", "deployments don't touch each other", PROVIDER, false, NULL, case_apart },
    { "metrics", "points lie on the asked grid, for the deployment's nodes", PROVIDER, false, NULL, case_metrics },
    { "logs", "log text comes for the asked nodes, and ends when nobody listens", PROVIDER, false, NULL, case_logs },
    { "converge", "whatever state the nodes are in, it answers", TOPOLOGY, false, NULL, case_converge },
    { "status", "it tells of each node, and calls nothing running that isn't", TOPOLOGY, false, NULL, case_status },
    { "release", "whatever state nodes that go are in, it names those that may be destroyed, or says why not", TOPOLOGY,
      false, NULL, case_release },
    { "http", "nodes that can't be reached or talk rubbish are no reason to fail", TOPOLOGY, false, NULL, case_http },
    { "borrowed", "nothing that a call lent is used after it", BOTH, false, NULL, case_borrowed },
    { "no-memory", "when the host has no memory, it says so and does nothing by halves", BOTH, false, NULL,
      case_no_memory },
    { "cancel", "asked to stop, it stops or finishes, and works afterwards", BOTH, false, NULL, case_cancel },
    { "threads", "it keeps to the thread model that it declares", BOTH, false, NULL, case_threads },
};
const size_t check_case_count = ARRAY_COUNT(check_cases);
