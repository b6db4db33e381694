/* xml.h - the XML of the query protocols' replies, as JSON */
#ifndef AWS_XML_H
#define AWS_XML_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

/* Once in the process, before other threads use libxml2. */
void xml_init(void);

/*
 * The children of the document's element: an element with text becomes a string, one with elements an object, one with
 * elements named `item` or `member` (how these protocols write lists) an array. Namespaces and attributes are left out.
 * A list without elements is "": json_count gives 0 for it.
 * NULL: it is no XML, or has a document type (no service sends one); *no_memory tells the third reason.
 */
json_object *xml_to_json(const char *text, size_t bytes, bool *no_memory);

#endif
