/* postgres_tables.c - the captured tables as they are now: what the catalog says is put into the Relation messages that the server would
 * send, so that capture itself makes the schemas. */
#include "capture/postgres.h"

#include "capture/pgrelation.h"

#include <stdlib.h>
#include <string.h>

/* Columns of the answer. */
enum { OID, SCHEMA, TABLE, IDENTITY, NAME, TYPE, IS_IDENTITY, NULLABLE, LARGE, BASE, LENGTH, LABEL };

/* The tables whose changes come, under the names that they come under, and the columns that come of them. $1: the publication; NULL: wal2json,
 * which knows no publications and sends partitions. */
static const char question[] =
    "SELECT c.oid, n.nspname, c.relname, c.relreplident, a.attname, a.atttypid,"
    " c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND a.attnum = ANY(i.indkey)"
    "  AND CASE c.relreplident WHEN 'i' THEN i.indisreplident WHEN 'd' THEN i.indisprimary AND i.indimmediate ELSE false END),"
    " NOT a.attnotnull, a.attlen = -1 AND a.attstorage <> 'p' AND c.relreplident <> 'f', coalesce(nullif(t.typbasetype, 0), t.oid),"
    " CASE WHEN b.typname IN ('varchar', 'bpchar') THEN m.typmod - 4 WHEN b.typname IN ('bit', 'varbit') THEN m.typmod ELSE 0 END,"
    " (SELECT enumlabel FROM pg_enum e WHERE e.enumtypid = b.oid ORDER BY enumsortorder LIMIT 1) "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_publication_tables p ON p.pubname = $1 AND p.schemaname = n.nspname AND p.tablename = c.relname"
    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " JOIN pg_type t ON t.oid = a.atttypid JOIN pg_type b ON b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)"
    " CROSS JOIN LATERAL (SELECT CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END typmod) m "
    "WHERE CASE WHEN $1 IS NULL THEN c.relkind = 'r' AND c.relpersistence = 'p' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'"
    "  AND a.attgenerated <> 'v'"
    " ELSE p.tablename IS NOT NULL AND (to_jsonb(p)->'attnames' IS NULL OR to_jsonb(p)->'attnames' ? a.attname)"
    "  AND (a.attgenerated = '' OR current_setting('server_version_num')::int >= 180000) END "
    "ORDER BY 2, 3, a.attnum";

/* ---- a Relation message */

static void put_be(ls_buf *out, uint64_t v, int bytes) {
    while (bytes-- > 0) ls_buf_char(out, (char)(v >> 8 * bytes));
}

static void put_text(ls_buf *out, const char *text) { ls_buf_add(out, text, strlen(text) + 1); }

static bool is_true(const PGresult *res, int row, int col) { return *PQgetvalue(res, row, col) == 't'; }

static uint32_t number(const PGresult *res, int row, int col) { return (uint32_t)strtoul(PQgetvalue(res, row, col), NULL, 10); }

/* Of rows [first, end) of the answer. */
static void put_relation(ls_buf *out, const PGresult *res, int first, int end) {
    put_be(out, number(res, first, OID), 4);
    put_text(out, PQgetvalue(res, first, SCHEMA));
    put_text(out, PQgetvalue(res, first, TABLE));
    ls_buf_char(out, *PQgetvalue(res, first, IDENTITY));
    put_be(out, (uint64_t)(end - first), 2);
    for (int i = first; i < end; i++) {
        ls_buf_char(out, is_true(res, i, IS_IDENTITY) ? 1 : 0);
        put_text(out, PQgetvalue(res, i, NAME));
        put_be(out, number(res, i, TYPE), 4);
        put_be(out, UINT32_MAX, 4);
    }
}

/* ---- what the types alone do not say */

static void set_range(ls_madeup_column *c, uint32_t base) {
    enum { INT8 = 20, INT2 = 21, INT4 = 23, OID_TYPE = 26 };
    if (base == INT8 || (base != INT2 && base != INT4 && base != OID_TYPE)) return;
    c->least = base == INT2 ? INT16_MIN : base == INT4 ? INT32_MIN : 0;
    c->most = base == INT2 ? INT16_MAX : base == INT4 ? INT32_MAX : UINT32_MAX;
}

static void describe(const ls_schema *s, const PGresult *res, int first, ls_madeup_column *cols) {
    ls_madeup_columns(s, cols);
    for (uint32_t i = 0; i < s->ncols; i++) {
        int row = first + (int)i;
        long length = strtol(PQgetvalue(res, row, LENGTH), NULL, 10);
        cols[i].nullable = is_true(res, row, NULLABLE);
        cols[i].large = is_true(res, row, LARGE);
        cols[i].chars = length > 0 ? (uint32_t)length : 0;
        if (!PQgetisnull(res, row, LABEL)) cols[i].text = PQgetvalue(res, row, LABEL);
        set_range(&cols[i], number(res, row, BASE));
    }
}

/* ---- the walk */

/* No transaction's changes are waited for, and what a table lacks was said when the source was opened. */
static int nothing_to_wait_for(void *ctx, uint32_t xid, ls_error *err) {
    (void)ctx, (void)xid, (void)err;
    return 0;
}

static void said_before(void *ctx, const char *schema, const char *table) { (void)ctx, (void)schema, (void)table; }

typedef struct walk {
    ls_pg_relations relations;
    ls_buf message;
    const PGresult *res;
    int (*each)(void *ctx, const ls_source_table *t, ls_error *err);
    void *ctx;
} walk;

static int visit(walk *w, int first, int end, ls_error *err) {
    const ls_source_conf *o = ((const ls_pg *)w->relations.conf->catalog.ctx)->conf;
    if (!ls_tables_match(o->tables, o->ntables, PQgetvalue(w->res, first, SCHEMA), PQgetvalue(w->res, first, TABLE))) return 0;
    ls_buf_clear(&w->message);
    put_relation(&w->message, w->res, first, end);
    if (w->message.failed) return ls_fail_memory(err, "reading the tables");
    ls_cursor c = ls_cursor_over(w->message.data, w->message.len);
    if (ls_pg_relations_relation(&w->relations, &c, err)) return -1;
    const ls_pg_relation *r = ls_pg_relations_find(&w->relations, number(w->res, first, OID));
    ls_madeup_column *cols = calloc((size_t)(end - first), sizeof *cols);
    if (!cols) return ls_fail_memory(err, "reading the tables");
    describe(r->schema, w->res, first, cols);
    int rc = w->each(w->ctx, &(ls_source_table){r->schema, cols}, err);
    free(cols);
    return rc;
}

int ls_pg_tables(ls_source *source, int (*each)(void *, const ls_source_table *, ls_error *), void *ctx, ls_error *err) {
    ls_pg *s = (ls_pg *)source;
    const char *publication = s->plugin->published ? s->publication : NULL;
    ls_pgoutput_conf conf = {.tables = s->conf->tables, .ntables = s->conf->ntables, .schemas = s->conf->schemas, .catalog = ls_pg_catalog_of(s)};
    conf.catalog.settle = nothing_to_wait_for;
    conf.catalog.no_identity = said_before;
    conf.catalog.key_alone = NULL;
    PGresult *res = ls_pg_query(s, err, "reading the tables", question, 1, &publication);
    if (!res) return -1;
    walk w = {.relations = {.conf = &conf, .types.catalog = &conf.catalog}, .res = res, .each = each, .ctx = ctx};
    int rc = 0, end;
    for (int first = 0; rc == 0 && first < PQntuples(res); first = end) {
        for (end = first + 1; end < PQntuples(res) && number(res, end, OID) == number(res, first, OID);) end++;
        rc = visit(&w, first, end, err);
    }
    ls_pg_relations_free(&w.relations);
    ls_buf_free(&w.message);
    PQclear(res);
    return rc;
}
