#include "capture/pgrelation.h"

#include "base/text.h"
#include "capture/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLAG_IDENTITY = 1 }; /* of a column in a Relation message */

static void relation_free(ls_pg_relation *t) {
    if (!t) return;
    ls_schema_unref(t->schema);
    free(t->types);
    free(t->identity);
    free(t);
}

void ls_pg_relations_free(ls_pg_relations *r) {
    for (size_t i = 0; i < r->ntables; i++) relation_free(r->tables[i]);
    free(r->tables);
    ls_pg_types_free(&r->types);
    ls_arena_free(&r->scratch);
}

/* Where a table of that oid stands, or would stand. */
static size_t table_at(const ls_pg_relations *r, uint32_t oid) {
    size_t low = 0, high = r->ntables;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (r->tables[mid]->oid < oid)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

ls_pg_relation *ls_pg_relations_find(ls_pg_relations *r, uint32_t oid) {
    if (r->last && r->last->oid == oid) return r->last;
    size_t at = table_at(r, oid);
    if (at == r->ntables || r->tables[at]->oid != oid) return NULL;
    return r->last = r->tables[at];
}

/* Puts t in the place of the table with its oid, which is freed, or among the others. Owns t, also on -1. */
static int put_table(ls_pg_relations *r, ls_pg_relation *t, ls_error *err) {
    size_t at = table_at(r, t->oid);
    r->last = NULL;
    if (at < r->ntables && r->tables[at]->oid == t->oid) {
        relation_free(r->tables[at]);
        r->tables[at] = t;
        return 0;
    }
    if (r->ntables == r->cap_tables) {
        size_t cap = r->cap_tables ? r->cap_tables * 2 : 16;
        ls_pg_relation **more = realloc(r->tables, cap * sizeof *more);
        if (!more) {
            relation_free(t);
            return ls_fail_memory(err, "noting a table");
        }
        r->tables = more;
        r->cap_tables = cap;
    }
    memmove(r->tables + at + 1, r->tables + at, (r->ntables - at) * sizeof *r->tables);
    r->tables[at] = t;
    r->ntables++;
    return 0;
}

int ls_pg_relations_type(ls_pg_relations *r, ls_cursor *c, ls_error *err) {
    uint32_t oid = (uint32_t)ls_cursor_be(c, 4);
    size_t n;
    const char *schema = ls_cursor_cstr(c, &n);
    const char *name = ls_cursor_cstr(c, &n);
    if (c->failed) return 0;
    if (!ls_utf8_valid(schema, strlen(schema)) || !ls_utf8_valid(name, n))
        return ls_fail(err, LS_FAIL, "pgoutput Type message: the name of type %u is not valid UTF-8", oid);
    return ls_pg_types_announce(&r->types, oid, schema, name, err);
}

/* A Relation message as it stands on the wire. */
typedef struct wire_column {
    const char *name;
    size_t name_len;
    uint32_t type;
    bool identity;
} wire_column;

typedef struct wire_relation {
    uint32_t oid;
    const char *schema, *table;
    char identity; /* pg_class.relreplident */
    uint32_t ncols;
    wire_column *cols; /* in the scratch arena */
} wire_relation;

static int read_relation(ls_pg_relations *r, ls_cursor *c, wire_relation *m, ls_error *err) {
    size_t schema_len, table_len;
    *m = (wire_relation){.oid = (uint32_t)ls_cursor_be(c, 4)};
    m->schema = ls_cursor_cstr(c, &schema_len);
    m->table = ls_cursor_cstr(c, &table_len);
    m->identity = (char)ls_cursor_u8(c);
    m->ncols = (uint32_t)ls_cursor_be(c, 2);
    if (c->failed) return 0;
    if (!schema_len) m->schema = "pg_catalog";
    m->cols = ls_arena_zalloc(&r->scratch, m->ncols * sizeof *m->cols);
    if (!m->cols) return ls_fail_memory(err, "noting a table");
    bool valid = ls_utf8_valid(m->schema, strlen(m->schema)) && ls_utf8_valid(m->table, table_len);
    for (uint32_t i = 0; i < m->ncols && !c->failed; i++) {
        wire_column *col = &m->cols[i];
        col->identity = ls_cursor_u8(c) & FLAG_IDENTITY;
        col->name = ls_cursor_cstr(c, &col->name_len);
        col->type = (uint32_t)ls_cursor_be(c, 4);
        ls_cursor_be(c, 4); /* the type's modifier */
        valid = valid && (c->failed || ls_utf8_valid(col->name, col->name_len));
    }
    if (!c->failed && !valid)
        return ls_fail(err, LS_FAIL, "pgoutput Relation message: a name of table %u is not valid UTF-8", m->oid);
    return 0;
}

static int column_named(const wire_relation *m, const char *name) {
    size_t n = strlen(name);
    for (uint32_t i = 0; i < m->ncols; i++)
        if (m->cols[i].name_len == n && memcmp(m->cols[i].name, name, n) == 0) return (int)i;
    return -1;
}

/* The index's columns as numbers of the message's columns, in the index's order. False when it has none, or one that
 * the message lacks, or (flagged_only) one outside the replica identity. */
static bool index_columns(const wire_relation *m, const ls_pg_index *index, bool flagged_only, uint16_t *key) {
    for (size_t i = 0; i < index->ncols; i++) {
        int col = column_named(m, index->cols[i]);
        if (col < 0 || (flagged_only && !m->cols[col].identity)) return false;
        key[i] = (uint16_t)col;
    }
    return index->ncols > 0;
}

/* The table's key. The message, which is of its time, says which columns the server identifies a row by; the catalog,
 * which may be of later, says their order and which of them are the primary key. Gives the number of columns. */
static size_t find_key(const wire_relation *m, const ls_pg_keys *keys, uint16_t *key) {
    size_t flagged = 0;
    for (uint32_t i = 0; i < m->ncols; i++) flagged += m->cols[i].identity;
    if (m->identity == 'f' || m->identity == 'n') /* all columns, or none, are flagged */
        return index_columns(m, &keys->primary, false, key) ? keys->primary.ncols : 0;
    if (m->identity == 'i' && index_columns(m, &keys->primary, true, key)) return keys->primary.ncols;
    const ls_pg_index *index = m->identity == 'i' ? &keys->replica : &keys->primary;
    if (index->ncols == flagged && index_columns(m, index, true, key)) return flagged;
    flagged = 0;
    for (uint32_t i = 0; i < m->ncols; i++)
        if (m->cols[i].identity) key[flagged++] = (uint16_t)i;
    return flagged;
}

/* A key of which the server does not send a part identifies no row. */
static int check_generated(const wire_relation *m, const ls_pg_keys *keys, ls_error *err) {
    const ls_pg_index *index = m->identity == 'i' ? &keys->replica : &keys->primary;
    if (m->identity == 'f' || !index->generated || column_named(m, index->generated) >= 0) return 0;
    return ls_fail(err, LS_FAIL,
                   "table %s.%s: column \"%s\" of its key is a generated one, which the server does not send; run: ALTER TABLE ... "
                   "REPLICA IDENTITY USING INDEX with a unique index of other columns, or REPLICA IDENTITY FULL, or leave the table "
                   "out of `tables` with \"!%s.%s\"",
                   m->schema, m->table, index->generated, m->schema, m->table);
}

static bool same_schema(const ls_schema *s, const wire_relation *m, const ls_column_def *cols, const uint16_t *key,
                        size_t nkey) {
    if (s->ncols != m->ncols || s->nkey != nkey || strcmp(s->schema, m->schema) != 0 || strcmp(s->table, m->table) != 0)
        return false;
    for (uint32_t i = 0; i < s->ncols; i++)
        if (s->cols[i].type != cols[i].type || s->cols[i].name_len != cols[i].name_len ||
            memcmp(s->cols[i].name, cols[i].name, cols[i].name_len) != 0)
            return false;
    return nkey == 0 || memcmp(s->key, key, nkey * sizeof *key) == 0;
}

/* The table's shape: the one it had, if nothing in it changed, else a new one. A reference; NULL with *err. */
static const ls_schema *make_schema(ls_pg_relations *r, const wire_relation *m, const ls_pg_type *const *types,
                                    ls_error *err) {
    const ls_pg_catalog *catalog = &r->conf->catalog;
    ls_pg_keys keys = {0};
    if (catalog->keys(catalog->ctx, m->oid, &r->scratch, &keys, err) || check_generated(m, &keys, err)) return NULL;
    size_t room = m->ncols + keys.primary.ncols + keys.replica.ncols;
    uint16_t *key = ls_arena_alloc(&r->scratch, room * sizeof *key);
    ls_column_def *cols = ls_arena_alloc(&r->scratch, m->ncols * sizeof *cols);
    const ls_schema *made = NULL;
    if (key && cols) {
        for (uint32_t i = 0; i < m->ncols; i++)
            cols[i] = (ls_column_def){m->cols[i].name, m->cols[i].name_len, types[i]->type};
        size_t nkey = find_key(m, &keys, key);
        const ls_pg_relation *was = ls_pg_relations_find(r, m->oid);
        if (was && was->schema && same_schema(was->schema, m, cols, key, nkey)) return ls_schema_ref(was->schema);
        made = ls_schema_new(r->conf->schemas, m->schema, strlen(m->schema), m->table, strlen(m->table), cols, m->ncols,
                             key, nkey);
    }
    if (!made) ls_fail_memory(err, "noting a table");
    return made;
}

/* Fills t from the message, for a table that is captured. */
static int describe(ls_pg_relations *r, const wire_relation *m, ls_pg_relation *t, ls_error *err) {
    bool any_identity = m->identity == 'f';
    t->types = calloc(m->ncols ? m->ncols : 1, sizeof *t->types);
    t->identity = calloc(m->ncols ? m->ncols : 1, sizeof *t->identity);
    if (!t->types || !t->identity) return ls_fail_memory(err, "noting a table");
    if (r->conf->catalog.settle(r->conf->catalog.ctx, r->xid, err)) return -1;
    for (uint32_t i = 0; i < m->ncols; i++) {
        t->identity[i] = m->cols[i].identity;
        any_identity = any_identity || t->identity[i];
        if (ls_pg_types_find(&r->types, m->cols[i].type, &t->types[i], err)) return -1;
    }
    if (!(t->schema = make_schema(r, m, t->types, err))) return -1;
    const ls_pg_relation *was = ls_pg_relations_find(r, m->oid);
    t->warned = was && was->warned;
    t->invalid_said = was && was->invalid_said;
    if (t->warned || m->identity == 'f') return 0;
    const ls_pg_catalog *catalog = &r->conf->catalog;
    void (*warn)(void *, const char *, const char *) = any_identity ? catalog->key_alone : catalog->no_identity;
    t->warned = warn != NULL;
    if (warn) warn(catalog->ctx, m->schema, m->table);
    return 0;
}

int ls_pg_relations_relation(ls_pg_relations *r, ls_cursor *c, ls_error *err) {
    wire_relation m;
    int rc = read_relation(r, c, &m, err);
    if (rc == 0 && !c->failed) {
        ls_pg_relation *t = calloc(1, sizeof *t);
        if (t) {
            *t = (ls_pg_relation){.oid = m.oid, .ncols = m.ncols};
            t->captured = ls_tables_match(r->conf->tables, r->conf->ntables, m.schema, m.table);
            rc = t->captured ? describe(r, &m, t, err) : 0;
            if (rc)
                relation_free(t);
            else
                rc = put_table(r, t, err);
        } else {
            rc = ls_fail_memory(err, "noting a table");
        }
    }
    ls_arena_reset(&r->scratch);
    return rc;
}
