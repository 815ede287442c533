#include "write/csv_route.h"

#include "write/csv_io.h"
#include "write/path.h"

#include <stdlib.h>
#include <string.h>

enum { HOUR_US = 3600000000 };

/* filename_consumer, and its kind of rows. */
static int open_named(ls_csv_routes *r, const char *kind, ls_csv_files **out, ls_error *err) {
    ls_buf base = {0};
    ls_buf_str(&base, r->conf->filename);
    ls_buf_char(&base, '_');
    ls_path_escape(&base, r->conf->consumer);
    ls_buf_str(&base, kind);
    const char *path = ls_buf_cstr(&base);
    int rc = path ? ls_csv_files_of(r->disk, r->conf, path, out, err) : ls_fail_memory(err, "opening CSV files");
    ls_buf_free(&base);
    return rc;
}

/* What stands in front of the template's first brace: its folder is looked at before the first row comes. */
static int look_at_folder(const char *filename, ls_error *err) {
    char *fixed = strndup(filename, strcspn(filename, "{"));
    int rc = fixed ? ls_csv_make_folders(fixed, err) : ls_fail_memory(err, "opening CSV files");
    free(fixed);
    return rc;
}

int ls_csv_routes_open(ls_csv_routes *r, ls_csv_disk *d, const ls_csv_conf *conf, ls_error *err) {
    *r = (ls_csv_routes){.disk = d, .conf = conf};
    return (r->uses = ls_path_uses(conf->filename, err)) < 0 ? -1 : ls_csv_routes_again(r, err);
}

int ls_csv_routes_again(ls_csv_routes *r, ls_error *err) {
    const ls_csv_conf *conf = r->conf;
    memset(r->recent, 0, sizeof r->recent);
    if (r->uses) return look_at_folder(conf->filename, err);
    if (open_named(r, conf->split_files ? "_insert" : "", &r->always.inserts, err)) return -1;
    r->always.deletes = r->always.inserts;
    return conf->split_files ? open_named(r, "_delete", &r->always.deletes, err) : 0;
}

static int fill_in(const ls_csv_routes *r, const ls_change *c, const char *kind, ls_csv_files **out, ls_error *err) {
    const ls_path_values v = {.schema = c->schema->schema,
                              .table = c->schema->table,
                              .topic = c->origin ? c->origin->topic : "",
                              .partition = c->origin ? c->origin->partition : 0,
                              .consumer = r->conf->consumer,
                              .kind = kind,
                              .ts = c->tx->ts};
    ls_buf base = {0};
    ls_path_expand(&base, r->conf->filename, &v);
    const char *path = ls_buf_cstr(&base);
    int rc = path ? ls_csv_files_of(r->disk, r->conf, path, out, err) : ls_fail_memory(err, "opening CSV files");
    ls_buf_free(&base);
    return rc;
}

/* One and the same pointer for each name; NULL: memory. */
static const char *topic_of(ls_csv_routes *r, const ls_change *c) {
    const char *name = c->origin ? c->origin->topic : "";
    for (size_t i = 0; i < r->ntopics; i++)
        if (strcmp(r->topics[i], name) == 0) return r->topics[i];
    char **all = realloc(r->topics, (r->ntopics + 1) * sizeof *all);
    if (all) r->topics = all;
    char *copy = all ? strdup(name) : NULL;
    if (copy) r->topics[r->ntopics++] = copy;
    return copy;
}

int ls_csv_routes_find(ls_csv_routes *r, const ls_change *c, ls_csv_route *out, ls_error *err) {
    *out = r->always;
    if (!r->uses) return 0;
    const char *topic = r->uses & LS_PATH_TOPIC ? topic_of(r, c) : NULL;
    int32_t partition = r->uses & LS_PATH_PARTITION && c->origin ? c->origin->partition : 0;
    int64_t ts = c->tx->ts, hour = r->uses & LS_PATH_TIME ? ts / HOUR_US - (ts % HOUR_US < 0) : 0;
    size_t at = (c->schema->id + 31 * (size_t)(uint32_t)partition + 7 * (size_t)hour) % LS_CSV_ROUTES;
    if (!topic && r->uses & LS_PATH_TOPIC) return ls_fail_memory(err, "opening CSV files");
    if (r->recent[at].schema == c->schema->id && r->recent[at].partition == partition && r->recent[at].topic == topic && r->recent[at].hour == hour) {
        *out = r->recent[at].route;
        return 0;
    }
    if (fill_in(r, c, r->conf->split_files ? "insert" : "rows", &out->inserts, err)) return -1;
    out->deletes = out->inserts;
    if (r->conf->split_files && fill_in(r, c, "delete", &out->deletes, err)) return -1;
    r->recent[at].schema = c->schema->id;
    r->recent[at].partition = partition;
    r->recent[at].topic = topic;
    r->recent[at].hour = hour;
    r->recent[at].route = *out;
    return 0;
}

void ls_csv_routes_close(ls_csv_routes *r) {
    for (size_t i = 0; i < r->ntopics; i++) free(r->topics[i]);
    free(r->topics);
}
