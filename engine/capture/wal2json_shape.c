#include "capture/wal2json_shape.h"

#include <stdlib.h>
#include <string.h>

/* ---- does it fit? */

static bool named(const ls_column *c, const ls_w2j_field *f) {
    return c->name_len == f->name_len && memcmp(c->name, f->name, f->name_len) == 0;
}

/* Is a the number of a later transaction than b? They come round. Transactions that change one table follow each other, as a
 * rule in the order of their numbers. */
static bool is_after(uint32_t a, uint32_t b) {
    return (int32_t)(a - b) > 0;
}

/* Are a message's columns, of transaction xid, those of the shape? Sets *lacking: some that an update may leave out are. */
static bool columns_fit(const ls_w2j_table *t, const ls_w2j_fields *row, bool may_lack, uint32_t xid, bool *lacking) {
    uint32_t at = 0;
    for (size_t i = 0; i <= row->n; i++) {
        const ls_w2j_field *f = i < row->n ? &row->at[i] : NULL;
        for (; at < t->schema->ncols && (!f || t->cols[at].position < f->position); at++) {
            const ls_w2j_column *c = &t->cols[at];
            if (!may_lack || !c->toastable || (c->ends && !is_after(c->ends, xid))) return false;
            *lacking = true;
        }
        if (!f) break;
        if (at == t->schema->ncols || t->cols[at].position != f->position || t->cols[at].type_oid != f->type ||
            !named(&t->schema->cols[at], f))
            return false;
        at++;
    }
    return true;
}

/* Are the listed columns these, in this order? */
static bool list_fits(const ls_w2j_table *t, const uint16_t *list, size_t n, const ls_w2j_fields *fields) {
    if (n != fields->n) return false;
    for (size_t i = 0; i < n; i++)
        if (t->cols[list[i]].type_oid != fields->at[i].type || !named(&t->schema->cols[list[i]], &fields->at[i])) return false;
    return true;
}

bool ls_w2j_shape_fits(const ls_w2j_table *t, const ls_w2j_message *m, const ls_pg_tx *tx) {
    bool lacking = false;
    if (!t->schema) return false;
    if (m->pk.given && !(t->has_pk && list_fits(t, t->pk, t->npk, &m->pk))) return false;
    if (m->identity.given && !(t->has_identity && list_fits(t, t->identity, t->nidentity, &m->identity))) return false;
    if (m->columns.given && !columns_fit(t, &m->columns, m->action == 'U', tx->xid, &lacking)) return false;
    return !lacking || tx->commit_lsn <= t->known_to;
}

/* ---- making one */

typedef struct draft_column {
    const char *name;
    size_t name_len;
    uint32_t type_oid;
    int32_t position;
    bool toastable;
} draft_column;

typedef struct draft {
    draft_column *cols;
    size_t n;
    uint16_t *pk, *identity, *key;
    size_t npk, nidentity, nkey;
} draft;

static const ls_wal2json_column *fact_at(const ls_wal2json_facts *facts, int32_t position) {
    for (size_t i = 0; i < facts->ncols; i++)
        if (facts->cols[i].position == position) return &facts->cols[i];
    return NULL;
}

static const ls_w2j_field *field_named(const ls_w2j_fields *fields, const char *name, size_t n) {
    for (size_t i = 0; i < fields->n; i++)
        if (fields->at[i].name_len == n && memcmp(fields->at[i].name, name, n) == 0) return &fields->at[i];
    return NULL;
}

static int draft_find(const draft *d, const char *name, size_t n) {
    for (size_t i = 0; i < d->n; i++)
        if (d->cols[i].name_len == n && memcmp(d->cols[i].name, name, n) == 0) return (int)i;
    return -1;
}

static void take_field(draft *d, const ls_w2j_field *f, const ls_wal2json_facts *facts) {
    const ls_wal2json_column *fact = fact_at(facts, f->position);
    bool toastable = !fact || fact->type != f->type || fact->toastable; /* of another type since: nobody tells */
    d->cols[d->n++] = (draft_column){f->name, f->name_len, f->type, f->position, toastable};
}

static void take_fact(draft *d, const ls_wal2json_column *c) {
    d->cols[d->n++] = (draft_column){c->name, strlen(c->name), c->type, c->position, c->toastable};
}

/* Did the column change after transaction xid? */
static bool is_later(const ls_wal2json_column *fact, uint32_t xid) {
    return fact && fact->changed && is_after(fact->changed, xid);
}

/* Is the column at this position, which an update of transaction xid leaves out, one whose value it did not change? `was`: its
 * number in the shape so far, or -1. last: the position of the last column that the update has. */
static bool is_unchanged(const ls_w2j_table *t, int was, const ls_wal2json_column *fact, int32_t last, uint32_t xid) {
    if (fact && !fact->toastable && !is_later(fact, xid)) return false; /* later its type may be another */
    if (fact && fact->dropped && (was < 0 || !is_later(fact, xid))) return false;
    if (was >= 0) return t->cols[was].toastable;
    return fact && (fact->position < last || !is_later(fact, xid)); /* older than a column that is there, or than the update */
}

static void take_old(draft *d, const ls_w2j_table *t, int was) {
    d->cols[d->n++] = (draft_column){t->schema->cols[was].name, t->schema->cols[was].name_len, t->cols[was].type_oid,
                                     t->cols[was].position, t->cols[was].toastable};
}

/* Is an update's identity the whole old row, so that what it lacks was no column of the table? A key of all the columns that were
 * sent looks the same. */
static bool is_whole(const ls_w2j_message *m, const ls_wal2json_facts *facts) {
    if (facts->identity != 'f' || !m->identity.given) return false;
    size_t keys = 0;
    for (size_t i = 0; i < m->pk.n; i++) keys += field_named(&m->identity, m->pk.at[i].name, m->pk.at[i].name_len) != NULL;
    if (keys == m->identity.n) return false;
    for (size_t i = 0; i < m->columns.n; i++)
        if (!field_named(&m->identity, m->columns.at[i].name, m->columns.at[i].name_len)) return false;
    return true;
}

/* Takes a column that an update left alone. What a savepoint of the same transaction changed before has a later number than the
 * transaction, as what changed since; the whole old row tells them apart. */
static void take_unchanged(const ls_w2j_table *t, const ls_w2j_message *m, int was, const ls_wal2json_column *fact, bool since,
                           bool whole, draft *d) {
    if (since && whole && !field_named(&m->identity, t->schema->cols[was].name, t->schema->cols[was].name_len)) {
        if (!fact || fact->dropped) return;
        since = false;
    }
    if (since)
        take_old(d, t, was);
    else
        take_fact(d, fact);
}

/* The columns of an update: those that it has, and those that it left alone. */
static void update_columns(const ls_w2j_table *t, const ls_w2j_message *m, uint32_t xid, const ls_wal2json_facts *facts,
                           draft *d) {
    uint32_t nold = t->schema ? t->schema->ncols : 0, old = 0;
    int32_t last = m->columns.n ? m->columns.at[m->columns.n - 1].position : 0;
    bool whole = is_whole(m, facts);
    size_t f = 0, k = 0;
    for (;;) {
        int32_t next = INT32_MAX;
        if (f < m->columns.n) next = m->columns.at[f].position;
        if (old < nold && t->cols[old].position < next) next = t->cols[old].position;
        if (k < facts->ncols && facts->cols[k].position < next) next = facts->cols[k].position;
        if (next == INT32_MAX) return;
        const ls_wal2json_column *fact = k < facts->ncols && facts->cols[k].position == next ? &facts->cols[k++] : NULL;
        int was = old < nold && t->cols[old].position == next ? (int)old++ : -1;
        if (f < m->columns.n && m->columns.at[f].position == next) {
            take_field(d, &m->columns.at[f++], facts);
        } else if (is_unchanged(t, was, fact, last, xid)) {
            bool since = was >= 0 && (!fact || is_later(fact, xid)); /* renamed, or dropped */
            take_unchanged(t, m, was, fact, since, whole, d);
        }
    }
}

/* Are all of the fields among the draft's columns? */
static bool has_all(const draft *d, const ls_w2j_fields *fields) {
    for (size_t i = 0; i < fields->n; i++)
        if (draft_find(d, fields->at[i].name, fields->at[i].name_len) < 0) return false;
    return true;
}

/* Takes out what a D's whole old row lacks, when all of that is dropped by now: a savepoint of its own transaction did it. */
static void leave_out_dropped(const ls_w2j_message *m, const ls_wal2json_facts *facts, draft *d) {
    if (facts->identity != 'f' || !m->identity.n) return;
    size_t kept = 0;
    for (size_t i = 0; i < d->n; i++) {
        const ls_wal2json_column *fact = fact_at(facts, d->cols[i].position);
        if (!(fact && fact->dropped) && !field_named(&m->identity, d->cols[i].name, d->cols[i].name_len)) return;
    }
    for (size_t i = 0; i < d->n; i++)
        if (field_named(&m->identity, d->cols[i].name, d->cols[i].name_len)) d->cols[kept++] = d->cols[i];
    d->n = kept;
}

/* The shape so far as transaction xid found it: without the columns that were dropped by then, and under the names of then. */
static void take_shape(const ls_w2j_table *t, uint32_t xid, const ls_wal2json_facts *facts, draft *d) {
    for (uint32_t i = 0; t->schema && i < t->schema->ncols; i++) {
        const ls_wal2json_column *fact = fact_at(facts, t->cols[i].position);
        if (!fact || is_later(fact, xid))
            take_old(d, t, (int)i);
        else if (!fact->dropped)
            take_fact(d, fact);
    }
}

/* The columns of a D, which has those of its identity, or of a T: the shape so far, or the catalog's, if the identity is in
 * it; else the identity alone. */
static void other_columns(const ls_w2j_table *t, const ls_w2j_message *m, uint32_t xid, const ls_wal2json_facts *facts, draft *d) {
    take_shape(t, xid, facts, d);
    leave_out_dropped(m, facts, d);
    if (!t->schema || !has_all(d, &m->identity)) {
        d->n = 0;
        for (size_t i = 0; i < facts->ncols; i++)
            if (!facts->cols[i].dropped) take_fact(d, &facts->cols[i]);
    }
    if (!has_all(d, &m->identity)) {
        d->n = 0;
        for (size_t i = 0; i < m->identity.n; i++) take_field(d, &m->identity.at[i], facts);
    }
    for (size_t i = 0; i < d->n; i++) { /* a type may have changed since */
        const ls_w2j_field *f = field_named(&m->identity, d->cols[i].name, d->cols[i].name_len);
        if (f) d->cols[i].type_oid = f->type;
    }
}

static bool in_list(const uint16_t *list, size_t n, int col) {
    for (size_t i = 0; i < n; i++)
        if (list[i] == col) return true;
    return false;
}

/* The fields as numbers of the draft's columns. */
static int take_list(const draft *d, const ls_w2j_message *m, const ls_w2j_fields *fields, const char *member, uint16_t *list,
                     size_t *n, ls_error *err) {
    *n = 0;
    for (size_t i = 0; i < fields->n; i++) {
        int col = draft_find(d, fields->at[i].name, fields->at[i].name_len);
        if (col < 0)
            return ls_fail(err, LS_FAIL, "wal2json %c message of table %s.%s: \"%s\" has \"%.*s\", which is none of its columns",
                           m->action, m->schema, m->table, member, (int)fields->at[i].name_len, fields->at[i].name);
        if (in_list(list, *n, col))
            return ls_fail(err, LS_FAIL, "wal2json %c message of table %s.%s: \"%s\" has \"%.*s\" twice", m->action, m->schema,
                           m->table, member, (int)fields->at[i].name_len, fields->at[i].name);
        list[(*n)++] = (uint16_t)col;
    }
    return 0;
}

/* ---- the key */

static bool all_in(const uint16_t *some, size_t nsome, const uint16_t *list, size_t n) {
    for (size_t i = 0; i < nsome; i++)
        if (!in_list(list, n, some[i])) return false;
    return true;
}

/* A column that the catalog calls so: by its position, since it may have had another name, or else by its name. */
static int draft_find_now(const draft *d, const ls_wal2json_facts *facts, const char *name) {
    for (size_t k = 0; k < facts->ncols; k++) {
        if (facts->cols[k].dropped || strcmp(facts->cols[k].name, name) != 0) continue;
        for (size_t i = 0; i < d->n; i++)
            if (d->cols[i].position == facts->cols[k].position) return (int)i;
    }
    return draft_find(d, name, strlen(name));
}

/* An index's columns as numbers of the draft's, in the index's order; 0 when the draft lacks one. */
static size_t index_columns(const draft *d, const ls_wal2json_facts *facts, const ls_pg_index *index, uint16_t *out) {
    for (size_t i = 0; i < index->ncols; i++) {
        int col = draft_find_now(d, facts, index->cols[i]);
        if (col < 0) return 0;
        out[i] = (uint16_t)col;
    }
    return index->ncols;
}

static void set_key(draft *d, const uint16_t *list, size_t n) {
    if (n) memcpy(d->key, list, n * sizeof *list);
    d->nkey = n;
}

/* The table's key, by the rules of pgoutput's reader: the message, which is of its time, says which columns are the primary
 * key and which identify a row; the catalog, which may be of later, says their order and what an insert does not tell. */
static void find_key(draft *d, const ls_wal2json_facts *facts, bool has_identity, const uint16_t *primary, size_t nprimary,
                     const uint16_t *replica, size_t nreplica) {
    /* the message's own primary key, in the catalog's order if that is the same one */
    bool same = nprimary == d->npk && all_in(d->pk, d->npk, primary, nprimary);
    const uint16_t *pk = same ? primary : d->pk;
    size_t npk = facts->deferrable ? 0 : d->npk;
    bool whole = has_identity ? d->nidentity == d->n : facts->identity == 'f' || facts->identity == 'n';
    if (whole && npk) {
        set_key(d, pk, npk);
    } else if (whole && facts->identity != 'i') {
        set_key(d, primary, nprimary);
    } else if (!has_identity) { /* an insert, or a T */
        bool by_index = facts->identity == 'i' && nreplica && !(npk && all_in(pk, npk, replica, nreplica));
        set_key(d, by_index ? replica : pk, by_index ? nreplica : npk);
    } else if (npk && all_in(pk, npk, d->identity, d->nidentity)) {
        set_key(d, pk, npk);
    } else if (nreplica == d->nidentity && all_in(d->identity, d->nidentity, replica, nreplica)) {
        set_key(d, replica, nreplica);
    } else {
        set_key(d, d->identity, d->nidentity);
    }
}

static int draft_key(ls_w2j_tables *r, const ls_wal2json_facts *facts, bool has_identity, draft *d, ls_error *err) {
    const ls_pg_catalog *catalog = &r->conf->catalog.base;
    ls_pg_keys keys = {0};
    if (facts->oid && catalog->keys(catalog->ctx, facts->oid, &r->scratch, &keys, err)) return -1;
    size_t room = keys.primary.ncols + keys.replica.ncols + d->n;
    uint16_t *primary = ls_arena_alloc(&r->scratch, keys.primary.ncols * sizeof *primary);
    uint16_t *replica = ls_arena_alloc(&r->scratch, keys.replica.ncols * sizeof *replica);
    d->key = ls_arena_alloc(&r->scratch, room * sizeof *d->key);
    if (!primary || !replica || !d->key) return ls_fail_memory(err, "noting a table");
    size_t nprimary = index_columns(d, facts, &keys.primary, primary);
    size_t nreplica = index_columns(d, facts, &keys.replica, replica);
    find_key(d, facts, has_identity, primary, nprimary, replica, nreplica);
    return 0;
}

/* ---- the shape */

static bool same_schema(const ls_schema *s, const draft *d, const ls_column_def *cols) {
    if (!s || s->ncols != d->n || s->nkey != d->nkey) return false;
    for (uint32_t i = 0; i < s->ncols; i++)
        if (s->cols[i].type != cols[i].type || s->cols[i].name_len != cols[i].name_len ||
            memcmp(s->cols[i].name, cols[i].name, cols[i].name_len) != 0)
            return false;
    return !d->nkey || memcmp(s->key, d->key, d->nkey * sizeof *d->key) == 0;
}

static uint16_t *copy_list(const uint16_t *list, size_t n) {
    uint16_t *copy = malloc((n ? n : 1) * sizeof *copy);
    if (copy && n) memcpy(copy, list, n * sizeof *copy);
    return copy;
}

/* The transaction, after xid, that dropped the column or gave it another name; 0: none. */
static uint32_t ends(const draft_column *c, const ls_wal2json_facts *facts, uint32_t xid) {
    const ls_wal2json_column *fact = fact_at(facts, c->position);
    if (!is_later(fact, xid)) return 0;
    bool same = !fact->dropped && strlen(fact->name) == c->name_len && memcmp(fact->name, c->name, c->name_len) == 0;
    return same ? 0 : fact->changed;
}

/* Puts the draft into the table. */
static int settle_shape(ls_w2j_tables *r, ls_w2j_table *t, const draft *d, const ls_w2j_message *m, uint32_t xid,
                        const ls_wal2json_facts *facts, ls_error *err) {
    ls_column_def *defs = ls_arena_alloc(&r->scratch, d->n * sizeof *defs);
    ls_w2j_column *cols = calloc(d->n ? d->n : 1, sizeof *cols);
    uint16_t *pk = copy_list(d->pk, d->npk), *identity = copy_list(d->identity, d->nidentity);
    const ls_schema *made = NULL;
    int rc = defs && cols && pk && identity ? 0 : ls_fail_memory(err, "noting a table");
    for (size_t i = 0; rc == 0 && i < d->n; i++) {
        const draft_column *c = &d->cols[i];
        cols[i] = (ls_w2j_column){c->position, c->type_oid, c->toastable, ends(c, facts, xid), NULL};
        rc = ls_pg_types_find(&r->types, c->type_oid, &cols[i].type, err);
        if (rc == 0) defs[i] = (ls_column_def){c->name, c->name_len, cols[i].type->type};
    }
    if (rc == 0) {
        made = same_schema(t->schema, d, defs)
                   ? ls_schema_ref(t->schema)
                   : ls_schema_new(r->conf->schemas, t->schema_name, strlen(t->schema_name), t->name, strlen(t->name), defs, d->n,
                                   d->key, d->nkey);
        if (!made) rc = ls_fail_memory(err, "noting a table");
    }
    if (rc) {
        free(cols);
        free(pk);
        free(identity);
        return rc;
    }
    ls_schema_unref(t->schema);
    free(t->cols);
    free(t->pk);
    free(t->identity);
    t->schema = made;
    t->cols = cols;
    t->pk = pk;
    t->npk = d->npk;
    t->has_pk = m->pk.given;
    t->identity = identity;
    t->nidentity = d->nidentity;
    t->has_identity = m->identity.given;
    return 0;
}

int ls_w2j_shape_make(ls_w2j_tables *r, ls_w2j_table *t, const ls_w2j_message *m, uint32_t xid, const ls_wal2json_facts *facts,
                      ls_error *err) {
    draft d = {0};
    size_t room = m->columns.n + m->identity.n + facts->ncols + (t->schema ? t->schema->ncols : 0);
    d.cols = ls_arena_alloc(&r->scratch, room * sizeof *d.cols);
    d.pk = ls_arena_alloc(&r->scratch, m->pk.n * sizeof *d.pk);
    d.identity = ls_arena_alloc(&r->scratch, m->identity.n * sizeof *d.identity);
    if (!d.cols || !d.pk || !d.identity) return ls_fail_memory(err, "noting a table");
    if (m->action == 'I') {
        for (size_t i = 0; i < m->columns.n; i++) take_field(&d, &m->columns.at[i], facts);
    } else if (m->action == 'U') {
        update_columns(t, m, xid, facts, &d);
    } else {
        other_columns(t, m, xid, facts, &d);
    }
    if (take_list(&d, m, &m->pk, "pk", d.pk, &d.npk, err) ||
        take_list(&d, m, &m->identity, "identity", d.identity, &d.nidentity, err) ||
        draft_key(r, facts, m->identity.given, &d, err))
        return -1;
    return settle_shape(r, t, &d, m, xid, facts, err);
}
