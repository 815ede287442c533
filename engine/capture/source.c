#include "capture/source.h"

#include <string.h>

static const ls_source_ops *const sources[] = {&ls_source_postgres, &ls_source_mysql};

const ls_source_ops *ls_source_find(const char *db_type) {
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        if (strcmp(sources[i]->db_type, db_type) == 0) return sources[i];
    return NULL;
}
