/* adopt.h - what is there of resources that nobody has a record of */
#ifndef CORE_ENGINE_ADOPT_H
#define CORE_ENGINE_ADOPT_H

#include <json-c/json.h>

#include "core/engine/engine.h"

/* Those of `desired` (as lowered) that are there, as the store keeps resources. `discovered` (an array of the
 * provider's discover) names most of them with their outputs; what it does not name is looked for by the provider's
 * read, with its inputs and an empty token. What was discovered and is not desired comes behind them, with empty
 * inputs. Inputs are those that the desired ones would have been given. Writes nothing. New reference. */
json_object *engine_adopt(struct engine *engine, json_object *desired, json_object *discovered, memories_error **error);

#endif
