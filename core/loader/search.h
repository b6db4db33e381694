/* search.h - the path along which plugins are looked for */
#ifndef CORE_LOADER_SEARCH_H
#define CORE_LOADER_SEARCH_H

/* The path itself, or for NULL what stands in for it: MEMORIES_PLUGIN_PATH, else the compiled-in directory. */
const char *search_path_or_default(const char *search_path);
/* The next element of the path as a new string, *at moved behind it; NULL at the end or when memory ran out. Empty
 * elements are passed over. */
char *search_path_next(const char **at);

#endif
