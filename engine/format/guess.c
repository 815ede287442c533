/* guess.c - what a message may be that is not what was wanted, for the error about it. */
#include "format/format.h"

#include "base/json.h"

/* Members that tell. */
enum { OP = 1, IMAGE = 2, TYPE = 4, DATABASE = 8, TABLE = 16, ACTION = 32, SCHEMA = 64, PAYLOAD = 128, OURS = 256 };

enum { ACTIONS = 7 }; /* that change.proto knows */

static unsigned told_by(const ls_json_value *name) {
    static const struct { const char *name; unsigned bit; } all[] = {
        {"op", OP},       {"before", IMAGE},     {"after", IMAGE}, {"type", TYPE},     {"database", DATABASE},
        {"table", TABLE}, {"_action", ACTION}, {"schema", SCHEMA}, {"payload", PAYLOAD}, {"action", OURS}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (ls_json_is(name, all[i].name)) return all[i].bit;
    return 0;
}

static bool has(unsigned seen, unsigned wanted) { return (seen & wanted) == wanted; }

/* No JSON text begins so: the first field of a Change, which is never left out, and one of its values. */
static bool is_protobuf(const char *p, size_t n) { return n > 1 && p[0] == 1 << 3 && p[1] > 0 && p[1] <= ACTIONS; }

const char *ls_format_guess(const char *p, size_t n) {
    ls_json j = ls_json_over(p, n);
    ls_json_value name, value;
    ls_error err;
    bool first = true;
    unsigned seen = 0;
    if (is_protobuf(p, n)) return "protobuf";
    if (ls_json_open(&j, '{', &err)) return NULL;
    while (ls_json_more(&j, '}', &first, &err) == 1 && ls_json_name(&j, &name, &err) == 0) {
        seen |= told_by(&name);
        if (ls_json_read(&j, &value, &err)) break;
    }
    if (has(seen, ACTION)) return "flat";
    if (has(seen, OP | IMAGE) || has(seen, SCHEMA | PAYLOAD)) return "debezium"; /* the latter with its schemas on */
    if (has(seen, TYPE | DATABASE | TABLE)) return "maxwell";
    return has(seen, OURS | SCHEMA) ? "list_sync" : NULL;
}
