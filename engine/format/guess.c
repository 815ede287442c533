/* guess.c - what a message that is not list_sync's may be instead, for the error about it. */
#include "format/format.h"

#include "base/json.h"

/* Members that tell. */
enum { OP = 1, IMAGE = 2, TYPE = 4, DATABASE = 8, TABLE = 16, ACTION = 32, SCHEMA = 64, PAYLOAD = 128 };

static unsigned told_by(const ls_json_value *name) {
    static const struct { const char *name; unsigned bit; } all[] = {
        {"op", OP},       {"before", IMAGE},     {"after", IMAGE}, {"type", TYPE},     {"database", DATABASE},
        {"table", TABLE}, {"_action", ACTION}, {"schema", SCHEMA}, {"payload", PAYLOAD}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (ls_json_is(name, all[i].name)) return all[i].bit;
    return 0;
}

static bool has(unsigned seen, unsigned wanted) { return (seen & wanted) == wanted; }

const char *ls_format_guess(const char *p, size_t n) {
    ls_json j = ls_json_over(p, n);
    ls_json_value name, value;
    ls_error err;
    bool first = true;
    unsigned seen = 0;
    if (ls_json_open(&j, '{', &err)) return NULL;
    while (ls_json_more(&j, '}', &first, &err) == 1 && ls_json_name(&j, &name, &err) == 0) {
        seen |= told_by(&name);
        if (ls_json_read(&j, &value, &err)) break;
    }
    if (has(seen, ACTION)) return "flat";
    if (has(seen, OP | IMAGE) || has(seen, SCHEMA | PAYLOAD)) return "debezium"; /* the latter with its schemas on */
    return has(seen, TYPE | DATABASE | TABLE) ? "maxwell" : NULL;
}
