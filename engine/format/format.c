/* format.c - the formats by name. */
#include "format/format.h"

#include <string.h>

const ls_format_ops *ls_format_find(const char *name) {
    static const ls_format_ops *const all[] = {&ls_format_list_sync, &ls_format_debezium, &ls_format_maxwell, &ls_format_flat, &ls_format_protobuf};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i]->name, name) == 0) return all[i];
    return NULL;
}
