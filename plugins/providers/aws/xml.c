/* xml.c - the XML of the query protocols' replies, as JSON, see xml.h */
#include "plugins/providers/aws/xml.h"

#include <libxml/parser.h>
#include <limits.h>
#include <string.h>

#include "plugins/common/cleanup.h"
#include "plugins/common/json.h"

#define OPTIONS (XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA | XML_PARSE_COMPACT)

void xml_init(void)
{
    xmlInitParser();
}

static void free_document(xmlDoc **document)
{
    xmlFreeDoc(*document);
}

static json_object *convert(xmlNode *element);

static bool is_list(const xmlNode *element)
{
    return !strcmp((const char *)element->name, "item") || !strcmp((const char *)element->name, "member");
}

static json_object *convert_list(xmlNode *first)
{
    AUTO_JSON json_object *list = json_object_new_array();
    for (xmlNode *child = first; child; child = xmlNextElementSibling(child)) {
        json_object *value = convert(child);
        if (!value || json_add(list, value))
            return NULL;
    }
    return STEAL(list);
}

static json_object *convert_object(xmlNode *first)
{
    AUTO_JSON json_object *object = json_object_new_object();
    for (xmlNode *child = first; child; child = xmlNextElementSibling(child)) {
        json_object *value = convert(child);
        if (!value || json_set(object, (const char *)child->name, value))
            return NULL;
    }
    return STEAL(object);
}

/* libxml2 allows 256 levels, so recursion ends. */
static json_object *convert(xmlNode *element)
{
    xmlNode *first = xmlFirstElementChild(element);
    if (first)
        return is_list(first) ? convert_list(first) : convert_object(first);
    xmlChar *text = xmlNodeGetContent(element);
    json_object *string = text ? json_object_new_string((const char *)text) : NULL;
    xmlFree(text);
    return string;
}

json_object *xml_to_json(const char *text, size_t bytes, bool *no_memory)
{
    *no_memory = false;
    xmlDoc *document __attribute__((cleanup(free_document))) =
        bytes <= INT_MAX ? xmlReadMemory(text, (int)bytes, "reply", NULL, OPTIONS) : NULL;
    xmlNode *root = document && !document->intSubset ? xmlDocGetRootElement(document) : NULL;
    if (!root)
        return NULL;
    xmlNode *first = xmlFirstElementChild(root);
    json_object *object = first ? convert_object(first) : json_object_new_object();
    *no_memory = !object;
    return object;
}
