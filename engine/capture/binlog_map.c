#include "capture/binlog_map.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ID_SLOTS = 4 * LS_MAPS_MAX,   /* of the table from ids to maps: at most half are used */
    HASH_SLOTS = LS_MAPS_MAX * 2, /* chains of maps by their bytes */
    BARE_MAX = 256                /* schemas without columns */
};

typedef struct id_slot {
    uint64_t id;
    ls_map *map; /* NULL: free */
} id_slot;

struct ls_maps {
    const ls_binlog_conf *conf;
    id_slot *ids;
    size_t nids;
    ls_map **chains;
    size_t nmaps;
    const ls_schema *bare[BARE_MAX];
    size_t nbare;
};

uint64_t ls_lenenc(ls_cursor *c) {
    uint8_t first = ls_cursor_u8(c);
    if (first < 251) return first;
    if (first == 252) return ls_cursor_le(c, 2);
    if (first == 253) return ls_cursor_le(c, 3);
    if (first == 254) return ls_cursor_le(c, 8);
    ls_cursor_take(c, SIZE_MAX); /* NULL and error marks are no length */
    return 0;
}

int ls_fail_cut(ls_error *err, const ls_cursor *c) {
    if (c->fail_wanted == SIZE_MAX)
        return ls_fail(err, LS_FAIL, "at byte %zu of the event there is no length, %zu bytes remain", c->fail_offset,
                       c->fail_remaining);
    return ls_fail(err, LS_FAIL, "at byte %zu of the event %zu bytes are wanted, %zu remain", c->fail_offset,
                   c->fail_wanted, c->fail_remaining);
}

int ls_maps_new(ls_maps **out, const ls_binlog_conf *conf, ls_error *err) {
    ls_maps *m = calloc(1, sizeof *m);
    *out = m;
    if (!m) return ls_fail_memory(err, "the table maps");
    m->conf = conf;
    m->ids = calloc(ID_SLOTS, sizeof *m->ids);
    m->chains = calloc(HASH_SLOTS, sizeof *m->chains);
    return m->ids && m->chains ? 0 : ls_fail_memory(err, "the table maps");
}

static void free_map(ls_map *map) {
    if (!map) return;
    ls_schema_unref(map->schema);
    free(map->cols);
    free(map->bytes);
    free(map);
}

static void forget_all(ls_maps *m) {
    ls_maps_forget_ids(m);
    for (size_t i = 0; i < HASH_SLOTS; i++) {
        for (ls_map *map = m->chains[i], *next; map; map = next) {
            next = map->same_hash;
            free_map(map);
        }
        m->chains[i] = NULL;
    }
    m->nmaps = 0;
}

void ls_maps_free(ls_maps *m) {
    if (!m) return;
    if (m->ids && m->chains) forget_all(m);
    for (size_t i = 0; i < m->nbare; i++) ls_schema_unref(m->bare[i]);
    free(m->ids);
    free(m->chains);
    free(m);
}

void ls_maps_forget_ids(ls_maps *m) {
    if (m->nids) memset(m->ids, 0, ID_SLOTS * sizeof *m->ids);
    m->nids = 0;
    for (size_t i = 0; i < HASH_SLOTS; i++)
        for (ls_map *map = m->chains[i]; map; map = map->same_hash) map->ready = map->ready && !map->doubtful && !map->maybe_versioned;
}

static id_slot *slot_of(const ls_maps *m, uint64_t id) {
    for (size_t i = (id * UINT64_C(0x9e3779b97f4a7c15)) >> 40;; i++) {
        id_slot *s = &m->ids[i % ID_SLOTS];
        if (!s->map || s->id == id) return s;
    }
}

ls_map *ls_maps_find(const ls_maps *m, uint64_t id) {
    return slot_of(m, id)->map;
}

/* Optional metadata of one table map while it is read. */
typedef struct options {
    ls_cursor signs, default_collation, collations, names, key, key_with_prefix;
    bool has_names;
} options;

static void read_options(ls_cursor *c, options *o) {
    while (ls_cursor_left(c)) {
        uint8_t field = ls_cursor_u8(c);
        size_t n = (size_t)ls_lenenc(c);
        const uint8_t *p = ls_cursor_take(c, n);
        if (!p) return;
        ls_cursor in = ls_cursor_over(p, n);
        switch (field) {
        case 1:
            o->signs = in;
            break;
        case 2:
            o->default_collation = in;
            break;
        case 3:
            o->collations = in;
            break;
        case 4:
            o->names = in;
            o->has_names = true;
            break;
        case 8:
            o->key = in;
            break;
        case 9:
            o->key_with_prefix = in;
            break;
        default:
            break; /* labels, geometry types, visibility ...: of types that are not decoded */
        }
    }
}

static void apply_signs(ls_map *m, ls_cursor *in) {
    size_t n = ls_cursor_left(in), bit = 0;
    for (uint32_t i = 0; i < m->ncols; i++) {
        if (!ls_wire_is_numeric(m->cols[i].code)) continue;
        m->cols[i].is_unsigned =
            (bit / 8 < n && in->at[bit / 8] & (0x80 >> bit % 8)) || m->cols[i].code == LS_WIRE_YEAR;
        bit++;
    }
}

static ls_wire_column *collated(ls_map *m, uint64_t nth, bool mariadb) {
    for (uint32_t i = 0; i < m->ncols; i++)
        if (ls_wire_has_collation(&m->cols[i], mariadb) && nth-- == 0) return &m->cols[i];
    return NULL;
}

/* -1: the fields do not fit the columns. */
static int apply_collations(ls_map *m, options *o, bool mariadb) {
    ls_cursor *in = &o->default_collation;
    uint32_t usual = ls_cursor_left(in) ? (uint32_t)ls_lenenc(in) : 0;
    for (uint32_t i = 0; i < m->ncols; i++) {
        if (!ls_wire_has_collation(&m->cols[i], mariadb)) continue;
        m->cols[i].collation = ls_cursor_left(&o->collations) ? (uint32_t)ls_lenenc(&o->collations) : usual;
    }
    while (ls_cursor_left(in)) {
        ls_wire_column *c = collated(m, ls_lenenc(in), mariadb);
        uint32_t collation = (uint32_t)ls_lenenc(in);
        if (!c) return -1;
        c->collation = collation;
    }
    return in->failed || o->collations.failed ? -1 : 0;
}

static int apply_names(ls_map *m, ls_cursor *in) {
    for (uint32_t i = 0; i < m->ncols; i++) {
        size_t n = (size_t)ls_lenenc(in);
        const uint8_t *p = ls_cursor_take(in, n);
        if (!p || n > UINT32_MAX || !ls_utf8_valid((const char *)p, n)) return -1;
        m->cols[i].name = (const char *)p;
        m->cols[i].name_len = (uint32_t)n;
    }
    return 0;
}

/* DB_ROW_HASH_1, a BIGINT UNSIGNED behind the others: where MariaDB keeps the hash of a UNIQUE of long columns. */
static bool is_row_hash(const ls_wire_column *c) {
    static const char name[] = "DB_ROW_HASH_";
    size_t n = sizeof name - 1;
    if (c->code != LS_WIRE_LONGLONG || !c->is_unsigned || c->name_len <= n || memcmp(c->name, name, n) != 0) return false;
    for (; n < c->name_len; n++)
        if (c->name[n] < '0' || c->name[n] > '9') return false;
    return true;
}

/* Gives the columns their numbers in the schema. Gives how many there are. */
static uint32_t number_columns(ls_map *m, bool mariadb) {
    uint32_t n = m->ncols;
    while (mariadb && n && is_row_hash(&m->cols[n - 1])) m->cols[--n].hidden = true;
    for (uint32_t i = 0; i < n; i++) m->cols[i].at = i;
    return n;
}

/* A sequence is logged as a table of one row with these columns. */
static bool is_sequence(const ls_map *m) {
    static const char *const names[] = {"next_not_cached_value", "minimum_value", "maximum_value", "start_value",
                                        "increment", "cache_size", "cycle_option", "cycle_count"};
    if (m->ncols != sizeof names / sizeof *names) return false;
    for (uint32_t i = 0; i < m->ncols; i++)
        if (strlen(names[i]) != m->cols[i].name_len || memcmp(names[i], m->cols[i].name, m->cols[i].name_len) != 0) return false;
    return true;
}

/* A system-versioned table has a column for the row's begin and one for its end: TIMESTAMP(6), or transaction numbers. */
static bool looks_versioned(const ls_map *m) {
    uint32_t times = 0, numbers = 0;
    for (uint32_t i = 0; i < m->ncols; i++) {
        times += m->cols[i].code == LS_WIRE_TIMESTAMP2 && m->cols[i].meta == 6;
        numbers += m->cols[i].code == LS_WIRE_LONGLONG && m->cols[i].is_unsigned;
    }
    return times > 1 || numbers > 1;
}

/* Column numbers of the key into *key (room for ncols); gives how many, or -1. */
static int64_t read_key(ls_map *m, options *o, uint16_t *key) {
    bool prefixes = ls_cursor_left(&o->key_with_prefix) > 0;
    ls_cursor *in = prefixes ? &o->key_with_prefix : &o->key;
    int64_t n = 0;
    while (ls_cursor_left(in)) {
        uint64_t col = ls_lenenc(in);
        if (prefixes) ls_lenenc(in); /* the prefix only concerns the index: the column is the key's */
        if (in->failed || col >= m->ncols || m->cols[col].is_key || m->cols[col].hidden) return -1;
        m->cols[col].is_key = true;
        key[n++] = (uint16_t)m->cols[col].at;
    }
    return n;
}

static void resolve_text(const ls_maps *m, ls_wire_column *c) {
    c->type = LS_TYPE_BYTES;
    /* MariaDB's UUID and INET look like BINARY, its JSON like LONGTEXT COLLATE utf8mb4_bin */
    c->doubtful =
        m->conf->mariadb &&
        ((c->code == LS_WIRE_STRING && c->collation == LS_COLLATION_BINARY && (c->meta == 16 || c->meta == 4)) ||
         (c->code == LS_WIRE_BLOB && c->collation == 46 && c->meta == 4));
    if (c->collation == LS_COLLATION_BINARY) return;
    c->type = LS_TYPE_STRING;
    const char *charset = m->conf->ask.charset(m->conf->ask.ctx, c->collation);
    c->charset = charset ? ls_charset_find(charset) : NULL;
    if (!c->charset) c->unsupported = "text in a character set that is not converted";
}

static void resolve_type(const ls_maps *m, ls_wire_column *c) {
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
        resolve_text(m, c);
        break;
    default:
        c->unsupported = ls_wire_unsupported(c->code);
        break;
    }
    /* the old temporal types carry no precision: with a fraction, their bytes are others */
    if (c->code == LS_WIRE_TIME || c->code == LS_WIRE_DATETIME || c->code == LS_WIRE_TIMESTAMP) c->doubtful = true;
}

static int make_schema(const ls_maps *m, ls_map *map, options *o, ls_error *err) {
    int rc = -1;
    size_t n = map->ncols ? map->ncols : 1;
    ls_column_def *defs = calloc(n, sizeof *defs);
    uint16_t *key = calloc(n, sizeof *key);
    if (!defs || !key) {
        ls_fail_memory(err, "a table map");
        goto out;
    }
    uint32_t ncols = number_columns(map, m->conf->mariadb);
    int64_t nkey = read_key(map, o, key);
    if (nkey < 0) {
        ls_fail(err, LS_FAIL, "its key does not fit its columns");
        goto out;
    }
    for (uint32_t i = 0; i < map->ncols; i++) {
        resolve_type(m, &map->cols[i]);
        map->doubtful |= map->cols[i].doubtful;
        defs[i] = (ls_column_def){map->cols[i].name, map->cols[i].name_len, map->cols[i].type};
    }
    map->schema = ls_schema_new(m->conf->schemas, map->schema_name, strlen(map->schema_name), map->table_name,
                                strlen(map->table_name), defs, ncols, key, (size_t)nkey);
    rc = map->schema ? 0 : ls_fail_memory(err, "a schema");
out:
    free(defs);
    free(key);
    return rc;
}

/* The columns of a captured table; c stands behind its name. */
static int read_columns(const ls_maps *m, ls_map *map, ls_cursor *c, ls_error *err) {
    options o = {0};
    uint64_t ncols = ls_lenenc(c);
    const uint8_t *codes = ls_cursor_take(c, (size_t)ncols);
    size_t nmeta = (size_t)ls_lenenc(c);
    const uint8_t *meta_bytes = ls_cursor_take(c, nmeta);
    ls_cursor_take(c, (size_t)(ncols + 7) / 8); /* which columns may be NULL: each row says it again */
    if (c->failed) return ls_fail_cut(err, c);
    if (ncols > LS_COLUMNS_MAX) return ls_fail(err, LS_FAIL, "%" PRIu64 " columns, %d at most", ncols, LS_COLUMNS_MAX);
    ls_cursor meta = ls_cursor_over(meta_bytes, nmeta);
    map->ncols = (uint32_t)ncols;
    map->cols = calloc(ncols ? ncols : 1, sizeof *map->cols);
    if (!map->cols) return ls_fail_memory(err, "a table map");
    for (uint32_t i = 0; i < map->ncols; i++) {
        map->cols[i].code = codes[i];
        if (!ls_wire_meta(&map->cols[i], &meta))
            return ls_fail(err, LS_FAIL, "column %" PRIu32 " has type %u, metadata %u, which is no type known", i + 1,
                           codes[i], map->cols[i].meta);
    }
    read_options(c, &o);
    if (c->failed) return ls_fail_cut(err, c);
    if (!o.has_names)
        return ls_fail(err, LS_FAIL,
                       "the log holds no column names: SET GLOBAL binlog_row_metadata = 'FULL'; what was "
                       "written before that cannot be captured");
    apply_signs(map, &o.signs);
    if (apply_names(map, &o.names)) return ls_fail(err, LS_FAIL, "its column names do not fit its columns");
    if (apply_collations(map, &o, m->conf->mariadb))
        return ls_fail(err, LS_FAIL, "its character sets do not fit its columns");
    if (m->conf->mariadb && is_sequence(map)) {
        map->captured = false; /* its values are no rows of anybody's */
        return 0;
    }
    map->maybe_versioned = m->conf->mariadb && looks_versioned(map);
    return make_schema(m, map, &o, err);
}

static bool read_name(ls_cursor *c, char out[LS_NAME_MAX], size_t n) {
    const uint8_t *p = ls_cursor_take(c, n);
    ls_cursor_take(c, 1); /* a NUL */
    if (c->failed || n >= LS_NAME_MAX || memchr(p, 0, n) || !ls_utf8_valid((const char *)p, n)) return false;
    memcpy(out, p, n);
    out[n] = '\0';
    return true;
}

/* -1: *err is filled but for the place. */
static int parse(const ls_maps *m, ls_map *map, size_t before, ls_error *err) {
    ls_cursor c = ls_cursor_over(map->bytes, map->nbytes);
    bool named =
        read_name(&c, map->schema_name, ls_cursor_u8(&c)) && read_name(&c, map->table_name, (size_t)ls_lenenc(&c));
    if (!named && !c.failed) return ls_fail(err, LS_FAIL, "a table's name is not valid");
    if (named) {
        map->captured = ls_tables_match_binlog(m->conf->tables, m->conf->ntables, map->schema_name, map->table_name);
        if (!map->captured || !read_columns(m, map, &c, err)) return 0;
        if (!c.failed) return ls_fail_in(err, "table %s.%s", map->schema_name, map->table_name);
    }
    c.fail_offset += before;
    return ls_fail_cut(err, &c);
}

static uint64_t hash_of(const uint8_t *p, size_t n) { /* FNV-1a */
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++) h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static bool same(const ls_map *map, const uint8_t *body, size_t n) {
    return map->nbytes == n && memcmp(map->bytes, body, n) == 0;
}

/* The map with these bytes, made if it is new. */
static ls_map *obtain(ls_maps *m, const uint8_t *body, size_t n, ls_error *err) {
    enum { BEFORE = 27 }; /* header, table id, flags */
    uint64_t hash = hash_of(body, n);
    ls_map **chain = &m->chains[hash % HASH_SLOTS];
    for (ls_map *map = *chain; map; map = map->same_hash)
        if (map->hash == hash && same(map, body, n)) return map;
    ls_map *map = calloc(1, sizeof *map);
    if (map) map->bytes = malloc(n ? n : 1);
    if (!map || !map->bytes) {
        free_map(map);
        ls_fail_memory(err, "a table map");
        return NULL;
    }
    if (n) memcpy(map->bytes, body, n);
    map->nbytes = n;
    map->hash = hash;
    if (parse(m, map, BEFORE, err)) {
        free_map(map);
        return NULL;
    }
    map->same_hash = *chain;
    *chain = map;
    m->nmaps++;
    return map;
}

int ls_maps_put(ls_maps *m, uint64_t id, const uint8_t *body, size_t n, bool statement_begins, ls_error *err) {
    id_slot *s = slot_of(m, id);
    if (s->map && same(s->map, body, n)) return 0; /* what nearly all statements bring */
    if (m->nmaps >= LS_MAPS_MAX || m->nids >= ID_SLOTS / 2) {
        if (statement_begins)
            forget_all(m);
        else if (m->nmaps >= 2 * LS_MAPS_MAX || m->nids >= ID_SLOTS - 1)
            return ls_fail(err, LS_FAIL, "one statement names more than %d tables", LS_MAPS_MAX);
    }
    ls_map *map = obtain(m, body, n, err);
    if (!map) return -1;
    s = slot_of(m, id);
    if (!s->map) m->nids++;
    *s = (id_slot){id, map};
    return 0;
}

static int refuse(const ls_map *map, const ls_wire_column *c, const char *type, ls_error *err) {
    return ls_fail(err, LS_FAIL,
                   "table %s.%s, column %.*s: its type (%s) cannot be captured; leave the table out of tables with "
                   "\"!%s.%s\", or drop or change the column",
                   map->schema_name, map->table_name, (int)c->name_len, c->name, type, map->schema_name,
                   map->table_name);
}

static int check_asked(const ls_map *map, const ls_wire_column *c, const ls_asked_column *a, ls_error *err) {
    static const char *const names[] = {NULL, "UUID", "INET4", "INET6", "JSON"};
    bool old = c->type == LS_TYPE_TIME || c->type == LS_TYPE_DATETIME || c->type == LS_TYPE_TIMESTAMP;
    if (a->type != LS_ASKED_PLAIN) return refuse(map, c, names[a->type], err);
    if (old && a->precision != 0)
        return refuse(
            map, c, "a fraction of a second in the format before MariaDB 10.1; ALTER TABLE ... FORCE converts it", err);
    return 0;
}

static int ask(const ls_maps *m, ls_map *map, ls_error *err) {
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
        if (map->cols[i].doubtful && check_asked(map, &map->cols[i], &asked[n++], err)) goto out;
    rc = 0;
out:
    free(asked);
    return rc;
}

static int refuse_versioned(const ls_maps *m, const ls_map *map, ls_error *err) {
    bool is = false;
    if (m->conf->ask.versioned(m->conf->ask.ctx, map->schema_name, map->table_name, &is, err)) return -1;
    if (!is) return 0;
    return ls_fail(err, LS_FAIL,
                   "table %s.%s is system-versioned: the log has its history as rows like the others, and cannot be captured; leave "
                   "the table out of tables with \"!%s.%s\", or ALTER TABLE ... DROP SYSTEM VERSIONING",
                   map->schema_name, map->table_name, map->schema_name, map->table_name);
}

int ls_map_prepare(ls_maps *m, ls_map *map, uint64_t id, ls_error *err) {
    bool doubtful = map->doubtful || map->maybe_versioned;
    if (map->ready && (!doubtful || map->asked_id == id)) return 0;
    if (map->maybe_versioned && refuse_versioned(m, map, err)) return -1;
    for (uint32_t i = 0; i < map->ncols; i++)
        if (map->cols[i].unsupported) return refuse(map, &map->cols[i], map->cols[i].unsupported, err);
    if (map->doubtful && ask(m, map, err)) return -1;
    map->asked_id = id;
    map->ready = true;
    return 0;
}

const ls_schema *ls_maps_bare(ls_maps *m, const char *schema, const char *table) {
    for (size_t i = 0; i < m->nbare; i++)
        if (strcmp(m->bare[i]->schema, schema) == 0 && strcmp(m->bare[i]->table, table) == 0) return m->bare[i];
    if (m->nbare == BARE_MAX) ls_schema_unref(m->bare[--m->nbare]);
    const ls_schema *s =
        ls_schema_new(m->conf->schemas, schema, strlen(schema), table, strlen(table), NULL, 0, NULL, 0);
    if (s) m->bare[m->nbare++] = s;
    return s;
}
