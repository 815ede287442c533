#include "capture/postgres.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SETTLE_MS = 10000,   /* longest wait for a transaction to be seen; the server must be answered meanwhile, by another session */
    SETTLE_LOOK_US = 2000 /* between two looks */
};

/* A 32-bit xid is the newest one with these bits that is not in the future. */
static int seen(ls_pg *s, const char *xid, bool *is, ls_error *err) {
    PGresult *res = ls_pg_query(
        s, err, "looking whether a transaction is to be seen",
        "SELECT pg_visible_in_snapshot((x - CASE WHEN x > m THEN 4294967296 ELSE 0 END)::text::xid8, now) FROM ("
        "SELECT now, pg_snapshot_xmax(now)::text::bigint m, (pg_snapshot_xmax(now)::text::bigint >> 32 << 32) + $1::bigint x"
        " FROM pg_current_snapshot() now) q",
        1, &xid);
    if (!res) return -1;
    *is = *PQgetvalue(res, 0, 0) == 't';
    PQclear(res);
    return 0;
}

static int settle(void *ctx, uint32_t xid, ls_error *err) {
    ls_pg *s = ctx;
    char text[16];
    bool is;
    snprintf(text, sizeof text, "%u", xid);
    for (int64_t until = ls_clock_ms() + SETTLE_MS;;) {
        if (seen(s, text, &is, err)) return -1;
        if (is) return 0;
        if (ls_clock_ms() >= until)
            return ls_fail(err, LS_AGAIN,
                           "transaction %u changed a table and is not to be seen by others yet: it waits for a synchronous standby "
                           "(synchronous_standby_names)", xid);
        usleep(SETTLE_LOOK_US);
    }
}

/* Copies the rows of one index: column 0 says which (primary, replica), column 1 the column's name, 2 whether it is generated. */
static int copy_index(const PGresult *res, const char *which, ls_arena *arena, ls_pg_index *out, ls_error *err) {
    int rows = PQntuples(res);
    out->cols = ls_arena_alloc(arena, (size_t)rows * sizeof *out->cols);
    if (!out->cols) return ls_fail_memory(err, "reading a table's keys");
    for (int i = 0; i < rows; i++) {
        if (strcmp(PQgetvalue(res, i, 0), which) != 0) continue;
        const char *name = ls_arena_copy(arena, PQgetvalue(res, i, 1), (size_t)PQgetlength(res, i, 1));
        if (!name) return ls_fail_memory(err, "reading a table's keys");
        if (*PQgetvalue(res, i, 2)) out->generated = name;
        out->cols[out->ncols++] = name;
    }
    return 0;
}

static int keys(void *ctx, uint32_t table, ls_arena *arena, ls_pg_keys *out, ls_error *err) {
    char oid[16];
    const char *param = oid;
    snprintf(oid, sizeof oid, "%u", table);
    PGresult *res = ls_pg_query(
        ctx, err, "reading a table's keys",
        "SELECT which, a.attname, a.attgenerated FROM pg_index i"
        " CROSS JOIN LATERAL (VALUES ('primary', i.indisprimary AND i.indimmediate), ('replica', i.indisreplident)) w(which, is_it)"
        " CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, at)"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum "
        "WHERE i.indrelid = $1::oid AND w.is_it AND k.at <= i.indnkeyatts ORDER BY i.indexrelid, k.at",
        1, &param);
    if (!res) return -1;
    int rc =
        copy_index(res, "primary", arena, &out->primary, err) || copy_index(res, "replica", arena, &out->replica, err)
            ? -1
            : 0;
    PQclear(res);
    return rc;
}

/* An array is what array_out writes: int2vector, too, has elements, and point, and their texts are their own. The delimiter is the
 * element's, since array_out takes it from there. */
static int type(void *ctx, uint32_t oid, ls_pg_type_info *out, ls_error *err) {
    char text[16];
    const char *param = text;
    snprintf(text, sizeof text, "%u", oid);
    PGresult *res = ls_pg_query(
        ctx, err, "reading a type",
        "WITH RECURSIVE up(oid, base) AS (SELECT oid, typbasetype FROM pg_type WHERE oid = $1::oid"
        " UNION ALL SELECT t.oid, t.typbasetype FROM up JOIN pg_type t ON t.oid = up.base) "
        "SELECT t.typtype, t.oid, n.nspname, t.typname, CASE WHEN t.typoutput = 'array_out'::regproc THEN e.oid END, e.typdelim,"
        " (SELECT x.extname FROM pg_depend d JOIN pg_extension x ON d.refclassid = 'pg_extension'::regclass AND x.oid = d.refobjid"
        " WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e') "
        "FROM up JOIN pg_type t ON t.oid = up.oid JOIN pg_namespace n ON n.oid = t.typnamespace"
        " LEFT JOIN pg_type e ON e.oid = t.typelem WHERE t.typtype <> 'd'",
        1, &param);
    if (!res) return -1;
    if (PQntuples(res) > 0) { /* NULL reads as "" */
        out->typtype = *PQgetvalue(res, 0, 0);
        out->oid = (uint32_t)strtoul(PQgetvalue(res, 0, 1), NULL, 10);
        snprintf(out->schema, sizeof out->schema, "%s", PQgetvalue(res, 0, 2));
        snprintf(out->name, sizeof out->name, "%s", PQgetvalue(res, 0, 3));
        out->element = (uint32_t)strtoul(PQgetvalue(res, 0, 4), NULL, 10);
        out->delimiter = *PQgetvalue(res, 0, 5);
        snprintf(out->extension, sizeof out->extension, "%s", PQgetvalue(res, 0, 6));
    }
    PQclear(res);
    return 0;
}

/* "table s.t <what>; run: ALTER TABLE ..." */
static void warn_of_identity(const ls_pg *s, const char *schema, const char *table, const char *what) {
    ls_buf name = {0};
    ls_pg_quote_table(&name, schema, table);
    const char *quoted = ls_buf_cstr(&name);
    ls_log_line(&s->log, LS_WARN, "table %s.%s %s; run: ALTER TABLE %s REPLICA IDENTITY FULL", schema, table, what, quoted ? quoted : table);
    ls_buf_free(&name);
}

static void no_identity(void *ctx, const char *schema, const char *table) {
    warn_of_identity(ctx, schema, table, "is published without a primary key or REPLICA IDENTITY: the server refuses its UPDATE and DELETE");
}

static void key_alone(void *ctx, const char *schema, const char *table) {
    const ls_schemas *all = ((const ls_pg *)ctx)->conf->schemas;
    if (ls_schemas_before(all, ls_schemas_rule(all, schema, table)) == LS_BEFORE_KEY) return;
    warn_of_identity(ctx, schema, table,
                     "has its key alone in rows before an UPDATE or DELETE, which identity = \"full\" or moves = \"split\" want whole: the server sends no more");
}

static void warn(void *ctx, const char *text) {
    const ls_pg *s = ctx;
    ls_log_line(&s->log, LS_WARN, "%s", text);
}

ls_pg_catalog ls_pg_catalog_of(ls_pg *s) {
    return (ls_pg_catalog){.ctx = s,
                           .settle = settle,
                           .keys = keys,
                           .type = type,
                           .no_identity = no_identity,
                           .key_alone = s->conf->whole_before ? key_alone : NULL,
                           .warn = warn};
}
