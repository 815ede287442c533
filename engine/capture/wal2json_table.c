#include "capture/wal2json_table.h"

#include "capture/source.h"
#include "capture/wal2json_shape.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void table_free(ls_w2j_table *t) {
    if (!t) return;
    ls_schema_unref(t->schema);
    free(t->schema_name);
    free(t->name);
    free(t->cols);
    free(t->pk);
    free(t->identity);
    free(t->computed);
    free(t);
}

void ls_w2j_tables_free(ls_w2j_tables *r) {
    for (size_t i = 0; i < r->ntables; i++) table_free(r->tables[i]);
    free(r->tables);
    ls_pg_types_free(&r->types);
    ls_arena_free(&r->scratch);
}

static int cmp_names(const ls_w2j_table *t, const char *schema, const char *table) {
    int cmp = strcmp(t->name, table);
    return cmp ? cmp : strcmp(t->schema_name, schema);
}

/* Where a table of that name stands, or would stand. */
static size_t table_at(const ls_w2j_tables *r, const char *schema, const char *table) {
    size_t low = 0, high = r->ntables;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (cmp_names(r->tables[mid], schema, table) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* A table without a shape, put among the others at `at`. NULL: memory. */
static ls_w2j_table *add_table(ls_w2j_tables *r, size_t at, const char *schema, const char *table) {
    if (r->ntables == r->cap_tables) {
        size_t cap = r->cap_tables ? r->cap_tables * 2 : 16;
        ls_w2j_table **more = realloc(r->tables, cap * sizeof *more);
        if (!more) return NULL;
        r->tables = more;
        r->cap_tables = cap;
    }
    ls_w2j_table *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->schema_name = strdup(schema);
    t->name = strdup(table);
    if (!t->schema_name || !t->name) {
        table_free(t);
        return NULL;
    }
    memmove(r->tables + at + 1, r->tables + at, (r->ntables - at) * sizeof *r->tables);
    r->tables[at] = t;
    r->ntables++;
    return t;
}

/* A message of a table that the catalog has no more is a table's: only those of materialized views, and the roots of
 * partitions, which a TRUNCATE names beside them, are none. */
static bool is_table(const ls_wal2json_facts *facts) {
    return !facts->oid || facts->kind == 'r';
}

/* The server drops the UPDATE and DELETE of a table without an identity, and sends the key alone of one that has it: said once. */
static void warn_without_identity(ls_w2j_tables *r, ls_w2j_table *t, const ls_w2j_message *m, const ls_wal2json_facts *facts) {
    bool none = facts->identity == 'n' || (facts->identity == 'd' && (facts->deferrable || (m->pk.given && !m->pk.n)));
    const ls_pg_catalog *catalog = &r->conf->catalog.base;
    void (*warn)(void *, const char *, const char *) = none ? catalog->no_identity : catalog->key_alone;
    if (t->warned || !facts->oid || facts->identity == 'f' || !warn) return;
    t->warned = true;
    warn(catalog->ctx, t->schema_name, t->name);
}

/* Takes the virtual generated columns, by position or else by name, out of a message's list. */
static void leave_out_computed(const ls_w2j_table *t, ls_w2j_fields *fields) {
    size_t kept = 0;
    for (size_t i = 0; t->ncomputed && i < fields->n; i++) {
        const ls_w2j_field *f = &fields->at[i];
        bool out = false;
        for (size_t k = 0; k < t->ncomputed && !out; k++) {
            const ls_w2j_computed *c = &t->computed[k];
            out = f->position ? f->position == c->position
                              : strlen(c->name) == f->name_len && memcmp(c->name, f->name, f->name_len) == 0;
        }
        if (!out) fields->at[kept++] = *f;
    }
    if (t->ncomputed) fields->n = kept;
}

static int note_computed(ls_w2j_table *t, const ls_wal2json_facts *facts, ls_error *err) {
    size_t n = 0;
    for (size_t i = 0; i < facts->ncols; i++) n += facts->cols[i].computed;
    free(t->computed);
    t->computed = n ? calloc(n, sizeof *t->computed) : NULL;
    t->ncomputed = 0;
    if (n && !t->computed) return ls_fail_memory(err, "noting a table");
    for (size_t i = 0; i < facts->ncols; i++) {
        if (!facts->cols[i].computed) continue;
        ls_w2j_computed *c = &t->computed[t->ncomputed++];
        c->position = facts->cols[i].position;
        snprintf(c->name, sizeof c->name, "%s", facts->cols[i].name);
    }
    return 0;
}

/* Asks the catalog about t and gives it a shape that fits m. */
static int look(ls_w2j_tables *r, const ls_pg_tx *tx, ls_w2j_table *t, ls_w2j_message *m, ls_error *err) {
    const ls_wal2json_catalog *catalog = &r->conf->catalog;
    ls_wal2json_facts facts = {0};
    int rc = catalog->base.settle(catalog->base.ctx, tx->xid, err) ||
                     catalog->table(catalog->base.ctx, t->schema_name, t->name, &r->scratch, &facts, err)
                 ? -1
                 : 0;
    if (rc == 0) {
        t->known_to = facts.known_to;
        t->captured = is_table(&facts);
        if (t->captured) {
            warn_without_identity(r, t, m, &facts);
            rc = note_computed(t, &facts, err);
            leave_out_computed(t, &m->columns);
            leave_out_computed(t, &m->identity);
            if (rc == 0) rc = ls_w2j_shape_make(r, t, m, tx->xid, &facts, err);
        }
    }
    ls_arena_reset(&r->scratch);
    return rc;
}

int ls_w2j_tables_find(ls_w2j_tables *r, const ls_pg_tx *tx, ls_w2j_message *m, ls_w2j_table **out, ls_error *err) {
    ls_w2j_table *t = r->last;
    if (!t || cmp_names(t, m->schema, m->table) != 0) {
        size_t at = table_at(r, m->schema, m->table);
        t = at < r->ntables ? r->tables[at] : NULL;
        if (!t || cmp_names(t, m->schema, m->table) != 0) {
            t = add_table(r, at, m->schema, m->table);
            if (!t) return ls_fail_memory(err, "noting a table");
        }
        r->last = t;
    }
    *out = t;
    leave_out_computed(t, &m->columns);
    leave_out_computed(t, &m->identity);
    if (t->captured && ls_w2j_shape_fits(t, m, tx)) return 0;
    if (!t->captured && t->known_to >= tx->commit_lsn) return 0; /* it is what it was when the catalog was asked */
    if (!t->captured && !ls_tables_match(r->conf->tables, r->conf->ntables, m->schema, m->table)) {
        t->known_to = UINT64_MAX; /* the patterns do not change */
        return 0;
    }
    return look(r, tx, t, m, err);
}
