#include "capture/binlog_map_parts.h"

#include <stdlib.h>
#include <string.h>

static int resolve_text(const ls_map_reader *r, ls_wire_column *c, ls_error *err) {
    c->type = LS_TYPE_BYTES;
    /* MariaDB's UUID and INET look like BINARY, its JSON like LONGTEXT COLLATE utf8mb4_bin */
    c->doubtful =
        r->conf->mariadb &&
        ((c->code == LS_WIRE_STRING && c->collation == LS_COLLATION_BINARY && (c->meta == 16 || c->meta == 4)) ||
         (c->code == LS_WIRE_BLOB && c->collation == 46 && c->meta == 4));
    if (c->collation == LS_COLLATION_BINARY) return 0;
    c->type = LS_TYPE_STRING;
    if (ls_map_charset(r, c->collation, &c->charset, err)) return -1;
    if (!c->charset) c->unsupported = "text in a character set that is not converted";
    return 0;
}

static int resolve_type(const ls_map_reader *r, ls_wire_column *c, ls_error *err) {
    switch (c->code) {
    case LS_WIRE_TINY:
    case LS_WIRE_SHORT:
    case LS_WIRE_INT24:
    case LS_WIRE_LONG:
    case LS_WIRE_LONGLONG:
    case LS_WIRE_YEAR:
        c->type = LS_TYPE_INTEGER;
        break;
    case LS_WIRE_FLOAT:
    case LS_WIRE_DOUBLE:
        c->type = LS_TYPE_FLOAT;
        break;
    case LS_WIRE_NEWDECIMAL:
        c->type = LS_TYPE_DECIMAL;
        break;
    case LS_WIRE_DATE:
    case LS_WIRE_NEWDATE:
        c->type = LS_TYPE_DATE;
        break;
    case LS_WIRE_TIME:
    case LS_WIRE_TIME2:
        c->type = LS_TYPE_TIME;
        break;
    case LS_WIRE_DATETIME:
    case LS_WIRE_DATETIME2:
        c->type = LS_TYPE_DATETIME;
        break;
    case LS_WIRE_TIMESTAMP:
    case LS_WIRE_TIMESTAMP2:
        c->type = LS_TYPE_TIMESTAMP;
        break;
    case LS_WIRE_STRING:
    case LS_WIRE_VARCHAR:
    case LS_WIRE_VAR_STRING:
    case LS_WIRE_BLOB:
    case LS_WIRE_BLOB_COMPRESSED:
    case LS_WIRE_VARCHAR_COMPRESSED:
        return resolve_text(r, c, err);
    case LS_WIRE_ENUM:
        c->type = LS_TYPE_STRING;
        break;
    case LS_WIRE_SET:
        c->type = LS_TYPE_SET;
        break;
    case LS_WIRE_BIT:
        c->type = LS_TYPE_BITS;
        break;
    case LS_WIRE_GEOMETRY:
        c->type = LS_TYPE_GEOMETRY;
        break;
    case LS_WIRE_JSON:
        c->type = LS_TYPE_JSON;
        break;
    case LS_WIRE_VECTOR:
        c->type = LS_TYPE_VECTOR;
        break;
    default:
        c->unsupported = ls_wire_unsupported(c->code);
        break;
    }
    /* the old temporal types carry no precision: with a fraction, their bytes are others */
    if (c->code == LS_WIRE_TIME || c->code == LS_WIRE_DATETIME || c->code == LS_WIRE_TIMESTAMP) c->doubtful = r->conf->mariadb;
    return 0;
}

int ls_map_resolve(const ls_map_reader *r, ls_map *map, ls_error *err) {
    for (uint32_t i = 0; i < map->ncols; i++) {
        if (resolve_type(r, &map->cols[i], err)) return ls_fail_in(err, "column %.*s", (int)map->cols[i].name_len, map->cols[i].name);
        map->doubtful |= map->cols[i].doubtful;
    }
    return 0;
}

static int refuse(const ls_map *map, const ls_wire_column *c, const char *type, ls_error *err) {
    return ls_fail(err, LS_FAIL,
                   "table %s.%s, column %.*s: its type (%s) cannot be captured; leave the table out of tables with "
                   "\"!%s.%s\", or drop or change the column",
                   map->schema_name, map->table_name, (int)c->name_len, c->name, type, map->schema_name,
                   map->table_name);
}

/* What the server says of a column that the log leaves in doubt. */
static int apply_asked(const ls_map *map, ls_wire_column *c, const ls_asked_column *a, ls_error *err) {
    enum { FRACTION_MAX = 6 };
    c->asked = (uint8_t)a->type;
    switch (c->code) {
    case LS_WIRE_TIME:
    case LS_WIRE_DATETIME:
    case LS_WIRE_TIMESTAMP:
        if (a->precision < 0 || a->precision > FRACTION_MAX)
            return ls_fail(err, LS_FAIL,
                           "table %s.%s, column %.*s: its values are in the format before MariaDB 10.1, and the server does not know how "
                           "many digits their fraction has (the column was changed since); leave the table out of tables with \"!%s.%s\"",
                           map->schema_name, map->table_name, (int)c->name_len, c->name, map->schema_name, map->table_name);
        c->meta = (uint16_t)a->precision;
        break;
    case LS_WIRE_BLOB:
        c->type = a->type == LS_ASKED_JSON ? LS_TYPE_JSON : LS_TYPE_STRING;
        break;
    default:
        c->type = a->type == LS_ASKED_PLAIN ? LS_TYPE_BYTES : a->type == LS_ASKED_UUID ? LS_TYPE_UUID : LS_TYPE_STRING;
        break;
    }
    return 0;
}

static int ask(const ls_map_reader *m, ls_map *map, ls_error *err) {
    int rc = -1;
    size_t n = 0;
    ls_asked_column *asked = calloc(map->ncols, sizeof *asked);
    if (!asked) return ls_fail_memory(err, "a question about columns");
    for (uint32_t i = 0; i < map->ncols; i++)
        if (map->cols[i].doubtful)
            asked[n++] =
                (ls_asked_column){.name = map->cols[i].name, .name_len = map->cols[i].name_len, .precision = -1};
    if (m->conf->ask.columns(m->conf->ask.ctx, map->schema_name, map->table_name, asked, n, err)) goto out;
    n = 0;
    for (uint32_t i = 0; i < map->ncols; i++)
        if (map->cols[i].doubtful && apply_asked(map, &map->cols[i], &asked[n++], err)) goto out;
    rc = 0;
out:
    free(asked);
    return rc;
}

static int refuse_versioned(const ls_map_reader *m, const ls_map *map, ls_error *err) {
    bool is = false;
    if (m->conf->ask.versioned(m->conf->ask.ctx, map->schema_name, map->table_name, &is, err)) return -1;
    if (!is) return 0;
    return ls_fail(err, LS_FAIL,
                   "table %s.%s is system-versioned: the log has its history as rows like the others, and cannot be captured; leave "
                   "the table out of tables with \"!%s.%s\", or ALTER TABLE ... DROP SYSTEM VERSIONING",
                   map->schema_name, map->table_name, map->schema_name, map->table_name);
}

/* Is the schema, if there is one, still what the columns are? */
static bool schema_fits(const ls_map *map) {
    if (!map->schema) return false;
    for (uint32_t i = 0; i < map->ncols; i++)
        if (!map->cols[i].hidden && map->schema->cols[map->cols[i].at].type != map->cols[i].type) return false;
    return true;
}

static int make_schema(const ls_map_reader *m, ls_map *map, ls_error *err) {
    ls_column_def *defs = calloc(map->ncols ? map->ncols : 1, sizeof *defs);
    if (!defs) return ls_fail_memory(err, "a schema");
    for (uint32_t i = 0; i < map->ncols; i++)
        defs[i] = (ls_column_def){map->cols[i].name, map->cols[i].name_len, map->cols[i].type};
    const ls_schema *s = ls_schema_new(m->conf->schemas, map->schema_name, strlen(map->schema_name), map->table_name,
                                       strlen(map->table_name), defs, map->nseen, map->key, map->nkey);
    free(defs);
    if (!s) return ls_fail_memory(err, "a schema");
    ls_schema_unref(map->schema);
    map->schema = s;
    return 0;
}

int ls_map_complete(const ls_map_reader *m, ls_map *map, ls_error *err) {
    if (map->maybe_versioned && refuse_versioned(m, map, err)) return -1;
    for (uint32_t i = 0; i < map->ncols; i++)
        if (map->cols[i].unsupported) return refuse(map, &map->cols[i], map->cols[i].unsupported, err);
    if (map->doubtful && ask(m, map, err)) return -1;
    return schema_fits(map) ? 0 : make_schema(m, map, err);
}
