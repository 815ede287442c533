#include "capture/source.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

static const ls_source_ops *const sources[] = {&ls_source_postgres, &ls_source_mysql};

const ls_source_ops *ls_source_find(const char *db_type) {
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        if (strcmp(sources[i]->db_type, db_type) == 0) return sources[i];
    return NULL;
}

/* Is a member's name this one? Without memory it is not known to be. */
static bool is_named(const ls_json_value *key, const char *name) {
    ls_buf text = {0};
    ls_error err;
    bool is = ls_json_unescape(key, &text, &err) == 0 && ls_buf_cstr(&text) && strcmp(text.data, name) == 0;
    ls_buf_free(&text);
    return is;
}

bool ls_source_knows(const char *known, const char *schema, const char *table) {
    char name[2 * LS_NAME_MAX];
    ls_json_value key, value;
    ls_error err;
    if (!known) return false;
    snprintf(name, sizeof name, "%s.%s", schema, table);
    ls_json j = ls_json_over(known, strlen(known));
    while (ls_json_member(&j, &key, &value, &err) == 1)
        if (is_named(&key, name)) return true;
    return false;
}

const char *ls_source_anew(const ls_source_conf *conf, bool slot, char out[LS_ANEW_MAX]) {
    snprintf(out, LS_ANEW_MAX, "to begin anew without what is missing run: list_sync position drop %s %s%s", conf->script ? conf->script : "SCRIPT",
             conf->name, slot ? " --slot" : "");
    return out;
}
