#include "capture/binlog_map_parts.h"

#include "base/hash.h"
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
    ls_map_reader reader;
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
    m->reader = (ls_map_reader){conf, ls_charsets_new()};
    m->ids = calloc(ID_SLOTS, sizeof *m->ids);
    m->chains = calloc(HASH_SLOTS, sizeof *m->chains);
    return m->ids && m->chains && m->reader.charsets ? 0 : ls_fail_memory(err, "the table maps");
}

static void free_map(ls_map *map) {
    if (!map) return;
    ls_schema_unref(map->schema);
    for (uint32_t i = 0; map->cols && i < map->ncols; i++) ls_labels_free(map->cols[i].labels);
    free(map->cols);
    free(map->key);
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
    ls_charsets_free(m->reader.charsets);
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

int ls_map_charset(const ls_map_reader *r, uint32_t collation, const ls_charset **out, ls_error *err) {
    const char *name = r->conf->ask.charset(r->conf->ask.ctx, collation);
    *out = NULL;
    return name ? ls_charsets_find(r->charsets, name, out, err) : 0;
}

int ls_maps_charset(const ls_maps *m, uint32_t collation, const ls_charset **out, ls_error *err) {
    return ls_map_charset(&m->reader, collation, out, err);
}

/* The columns of a captured table; c stands behind its name. */
static int read_columns(const ls_maps *m, ls_map *map, ls_cursor *c, ls_error *err) {
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
    if (ls_map_metadata(&m->reader, map, c, err)) return -1;
    return map->captured ? ls_map_resolve(&m->reader, map, err) : 0;
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
        map->captured = ls_tables_match_binlog(m->reader.conf->tables, m->reader.conf->ntables, map->schema_name, map->table_name);
        if (!map->captured || !read_columns(m, map, &c, err)) return 0;
        if (!c.failed) return ls_fail_in(err, "table %s.%s", map->schema_name, map->table_name);
    }
    c.fail_offset += before;
    return ls_fail_cut(err, &c);
}

static bool same(const ls_map *map, const uint8_t *body, size_t n) {
    return map->nbytes == n && memcmp(map->bytes, body, n) == 0;
}

/* The map with these bytes, made if it is new. */
static ls_map *obtain(ls_maps *m, const uint8_t *body, size_t n, ls_error *err) {
    enum { BEFORE = 27 }; /* header, table id, flags */
    uint64_t hash = ls_hash(LS_HASH_START, body, n);
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

int ls_map_prepare(ls_maps *m, ls_map *map, uint64_t id, ls_error *err) {
    bool doubtful = map->doubtful || map->maybe_versioned;
    if (map->ready && (!doubtful || map->asked_id == id)) return 0;
    if (ls_map_complete(&m->reader, map, err)) return -1;
    map->asked_id = id;
    map->ready = true;
    return 0;
}

const ls_schema *ls_maps_bare(ls_maps *m, const char *schema, const char *table) {
    for (size_t i = 0; i < m->nbare; i++)
        if (strcmp(m->bare[i]->schema, schema) == 0 && strcmp(m->bare[i]->table, table) == 0) return m->bare[i];
    if (m->nbare == BARE_MAX) ls_schema_unref(m->bare[--m->nbare]);
    const ls_schema *s =
        ls_schema_new(m->reader.conf->schemas, schema, strlen(schema), table, strlen(table), NULL, 0, NULL, 0);
    if (s) m->bare[m->nbare++] = s;
    return s;
}
