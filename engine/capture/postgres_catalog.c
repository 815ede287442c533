#include "capture/postgres.h"

#include "base/clock.h"

#include <stdio.h>
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
        " CROSS JOIN LATERAL (VALUES ('primary', i.indisprimary), ('replica', i.indisreplident)) w(which, is_it)"
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

static int type(void *ctx, uint32_t oid, char *typtype, char name[LS_PG_NAME_MAX], ls_error *err) {
    char text[16];
    const char *param = text;
    snprintf(text, sizeof text, "%u", oid);
    PGresult *res = ls_pg_query(
        ctx, err, "reading a type",
        "WITH RECURSIVE t(kind, name, base) AS (SELECT typtype, typname, typbasetype FROM pg_type WHERE oid = $1::oid"
        " UNION ALL SELECT typtype, typname, typbasetype FROM t JOIN pg_type ON oid = base WHERE kind = 'd') "
        "SELECT kind, name FROM t WHERE kind <> 'd'",
        1, &param);
    if (!res) return -1;
    bool found = PQntuples(res) > 0;
    *typtype = found ? *PQgetvalue(res, 0, 0) : '\0';
    snprintf(name, LS_PG_NAME_MAX, "%s", found ? PQgetvalue(res, 0, 1) : "");
    PQclear(res);
    return 0;
}

static void no_identity(void *ctx, const char *schema, const char *table) {
    const ls_pg *s = ctx;
    ls_buf name = {0};
    ls_pg_quote_table(&name, schema, table);
    const char *quoted = ls_buf_cstr(&name);
    ls_log_line(&s->log, LS_WARN,
                "table %s.%s is published without a primary key or REPLICA IDENTITY: the server refuses its UPDATE and "
                "DELETE; run: ALTER TABLE %s REPLICA IDENTITY FULL",
                schema, table, quoted ? quoted : table);
    ls_buf_free(&name);
}

ls_pg_catalog ls_pg_catalog_of(ls_pg *s) {
    return (ls_pg_catalog){.ctx = s, .settle = settle, .keys = keys, .type = type, .no_identity = no_identity};
}
