#include "capture/postgres.h"

#include "capture/wal2json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PROBE_MS = 1000,       /* a probe that waits so long for open transactions has loaded the plugin */
    NAMED_MAX = 10,        /* tables or columns named in one line; the rest is counted */
    DROPPED_MAX = 64 * 1024 /* bytes of names of tables whose changes were dropped: beyond it they are not told apart */
};

#define NAME "wal2json"
/* What the decoder reads; format version 2 has types' oids since wal2json 2.5. */
static const char *const options[][2] = {
    {"format-version", "2"},    {"include-transaction", "true"}, {"include-xids", "true"}, {"include-timestamp", "true"},
    {"include-lsn", "true"},    {"include-pk", "true"},          {"include-types", "false"}, {"include-type-oids", "true"},
    {"include-column-positions", "true"}};
enum { NOPTIONS = sizeof options / sizeof *options };
#define QUOTED_NUMBERS "numeric-data-types-as-string" /* since 2.6: NaN and infinities too */

static void wal2json_options(const ls_pg *s, ls_buf *sql) {
    for (size_t i = 0; i < NOPTIONS; i++)
        ls_buf_fmt(sql, "%s\"%s\" '%s'", i ? ", " : "", options[i][0], options[i][1]);
    if (s->quoted_numbers) ls_buf_str(sql, ", \"" QUOTED_NUMBERS "\" 'true'");
}

/* An older version does not know the newest option, and is asked without it. */
static bool wal2json_again(ls_pg *s, const PGresult *res) {
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE), *said = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    bool again = s->quoted_numbers && state && strcmp(state, "22023") == 0 && said && strstr(said, QUOTED_NUMBERS);
    if (again) s->quoted_numbers = false;
    return again;
}

/* ---- the library: allowed, installed, new enough */

/* Is the name an element of the list, as output_plugin_libraries is shown? */
static bool listed(const char *list, const char *name) {
    size_t n = strlen(name);
    for (const char *p = list; *p;) {
        while (*p == ' ' || *p == ',') p++;
        bool quoted = *p == '"';
        const char *from = p + quoted;
        p = from + strcspn(from, quoted ? "\"" : ", ");
        if ((size_t)(p - from) == n && memcmp(from, name, n) == 0) return true;
        if (quoted && *p) p++;
    }
    return false;
}

/* Minor releases since 2026 load only the plugins that a setting names; earlier ones do not know it. */
static int check_allowed(ls_pg *s, ls_error *err) {
    PGresult *res = ls_pg_query(s, err, "reading output_plugin_libraries",
                                "SELECT coalesce(current_setting('output_plugin_libraries', true), 'none'),"
                                " current_setting('output_plugin_libraries', true) IS NULL",
                                0, NULL);
    if (!res) return -1;
    const char *list = PQgetvalue(res, 0, 0);
    int rc = 0;
    if (*PQgetvalue(res, 0, 1) != 't' && !listed(list, NAME))
        rc = ls_fail(err, LS_USAGE,
                     "the server does not allow the plugin " NAME " (output_plugin_libraries is %s); as an administrator run: "
                     "ALTER SYSTEM SET output_plugin_libraries = %s%s" NAME "; then SELECT pg_reload_conf()",
                     *list ? list : "empty", list, *list ? ", " : "");
    PQclear(res);
    return rc;
}

/* What a probe's failure means; 0: nothing bad. */
static int probe_failed(ls_pg *s, const PGresult *res, const char *doing, ls_error *err) {
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE), *said = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);
    if (state && strcmp(state, "57014") == 0) return 0; /* our own time limit: it waits, and so is loaded */
    ls_pg_failed(s->side, res, err, doing);
    if (state && (strcmp(state, "58P01") == 0 || (said && strstr(said, "could not access file"))))
        return ls_fail(err, LS_USAGE,
                       "the plugin " NAME " is not installed on the server (%s); install it there: apt-get install "
                       "postgresql-%d-" NAME ", or take plugin = \"pgoutput\", which every server has",
                       said ? said : "no such file", PQserverVersion(s->side) / 10000);
    if (state && strcmp(state, "22023") == 0)
        return ls_fail(err, LS_USAGE, "the server's " NAME " does not know what is asked of it (%s); version 2.5 or later is needed",
                       said ? said : "an option is unknown");
    return -1;
}

/* Makes a slot that goes with the connection, has the options read, and drops it. Gives the result of what failed, else of the
 * last of the three; NULL: memory. */
static PGresult *try_plugin(ls_pg *s) {
    char slot[LS_PG_NAME_MAX], sql[256];
    snprintf(slot, sizeof slot, "list_sync_probe_%d", PQbackendPID(s->side));
    snprintf(sql, sizeof sql, "SELECT pg_create_logical_replication_slot('%s', '" NAME "', true)", slot);
    PGresult *res = ls_pg_ask(s, s->side, sql, -1, NULL);
    if (PQresultStatus(res) != PGRES_TUPLES_OK) return res;
    PQclear(res);
    ls_buf peek = {0};
    ls_buf_fmt(&peek, "SELECT count(*) FROM pg_logical_slot_peek_changes('%s', NULL, 1", slot);
    for (size_t i = 0; i < NOPTIONS; i++) ls_buf_fmt(&peek, ", '%s', '%s'", options[i][0], options[i][1]);
    ls_buf_str(&peek, s->quoted_numbers ? ", '" QUOTED_NUMBERS "', 'true')" : ")");
    const char *text = ls_buf_cstr(&peek);
    res = text ? ls_pg_ask(s, s->side, text, -1, NULL) : NULL;
    ls_buf_free(&peek);
    if (PQresultStatus(res) != PGRES_TUPLES_OK) return res; /* after an error the server drops such slots by itself */
    PQclear(res);
    snprintf(sql, sizeof sql, "SELECT pg_drop_replication_slot('%s')", slot);
    return ls_pg_ask(s, s->side, sql, -1, NULL);
}

/* What is wrong with the plugin is known before the real slot is made. */
static int probe(ls_pg *s, ls_error *err) {
    static const char doing[] = "trying the plugin " NAME;
    char sql[64];
    snprintf(sql, sizeof sql, "SET statement_timeout = %d", PROBE_MS);
    if (ls_pg_run(s, err, doing, sql)) return -1;
    PGresult *res = try_plugin(s);
    if (res && PQresultStatus(res) != PGRES_TUPLES_OK && wal2json_again(s, res)) {
        PQclear(res);
        res = try_plugin(s);
    }
    int rc = !res                                       ? ls_fail_memory(err, doing)
             : PQresultStatus(res) != PGRES_TUPLES_OK ? probe_failed(s, res, doing, err)
                                                        : 0;
    PQclear(res);
    return rc ? rc : ls_pg_run(s, err, doing, "SET statement_timeout = 0");
}

/* The plugin prints in the database's encoding, and the replication protocol converts nothing of it. */
static int check_encoding(ls_pg *s, ls_error *err) {
    PGresult *res = ls_pg_query(s, err, "reading the database's encoding", "SELECT current_setting('server_encoding')", 0, NULL);
    if (!res) return -1;
    const char *name = PQgetvalue(res, 0, 0);
    int rc = 0;
    s->latin1 = strcmp(name, "LATIN1") == 0;
    if (!s->latin1 && strcmp(name, "UTF8") != 0 && strcmp(name, "SQL_ASCII") != 0)
        rc = ls_fail(err, LS_USAGE,
                     "database \"%s\" has the encoding %s, in which " NAME " sends, and which is not converted; take plugin = "
                     "\"pgoutput\"",
                     s->conf->database, name);
    PQclear(res);
    return rc;
}

/* ---- the tables */

static const char all_tables[] =
    "(SELECT c.oid, n.nspname AS shown_schema, c.relname AS shown_table FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence = 'p'"
    " AND n.nspname <> $1 AND n.nspname !~ '^pg_') p";

static void name_one(ls_buf *names, int *n, const char *schema, const char *table, const char *column) {
    if (++*n <= NAMED_MAX)
        ls_buf_fmt(names, "%s%s.%s%s%s", *n > 1 ? ", " : "", schema, table, *column ? "." : "", column);
}

static const char *named(ls_buf *names, int n) {
    if (n > NAMED_MAX) ls_buf_fmt(names, " and %d more", n - NAMED_MAX);
    const char *text = ls_buf_cstr(names);
    return text ? text : "";
}

/* Tables of which the plugin drops every UPDATE and DELETE, with a warning in the server's log only: refused before a first
 * start. At a later one they are new, or lost their identity: capture goes on, loudly. */
static int check_identity(ls_pg *s, bool checkpointed, ls_error *err) {
    PGresult *res = ls_pg_without_identity(s, err, all_tables, "information_schema");
    if (!res) return -1;
    ls_buf names = {0}, mends = {0};
    int n = 0, rc = 0;
    for (int i = 0; i < PQntuples(res); i++) {
        const char *schema = PQgetvalue(res, i, 2), *table = PQgetvalue(res, i, 3);
        if (!ls_tables_match(s->conf->tables, s->conf->ntables, schema, table)) continue;
        name_one(&names, &n, schema, table, "");
        if (n > NAMED_MAX) continue;
        ls_buf_str(&mends, " ALTER TABLE ");
        ls_pg_quote_table(&mends, schema, table);
        ls_buf_str(&mends, " REPLICA IDENTITY FULL;");
    }
    const char *name = named(&names, n), *mend = ls_buf_cstr(&mends);
    if (n && !checkpointed)
        rc = ls_fail(err, LS_USAGE,
                     "no primary key and no REPLICA IDENTITY that serves: %s. " NAME " drops their UPDATE and DELETE, with no more than "
                     "a warning; give them a primary key, or run:%s or leave them out of `tables`",
                     name, mend ? mend : "");
    else if (n)
        ls_log_line(&s->log, LS_WARN,
                    "no primary key and no REPLICA IDENTITY that serves: %s; " NAME " drops their UPDATE and DELETE; run:%s", name,
                    mend ? mend : "");
    ls_buf_free(&names);
    ls_buf_free(&mends);
    PQclear(res);
    return rc;
}

/* Columns of the captured tables that differ from what pgoutput sends, in one line for each reason. */
static int tell_limits(ls_pg *s, ls_error *err) {
    bool published = PQserverVersion(s->side) >= 180000; /* pgoutput sends them then */
    static const char *const why[] = {"NaN and infinities of these columns come as null, which is what " NAME " before 2.6 makes of them",
                                      "these generated columns are sent, as " NAME " does and pgoutput does not"};
    ls_buf names[2] = {{0}, {0}};
    int n[2] = {0, 0};
    PGresult *res = ls_pg_query(
        s, err, "looking up the columns",
        "SELECT n.nspname, c.relname, a.attname, a.attgenerated = 's' FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND a.attnum > 0"
        " AND NOT a.attisdropped AND (a.attgenerated = 's' OR a.attgenerated = '' AND a.atttypid IN (700, 701, 1700))"
        " AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY 1, 2, a.attnum",
        0, NULL);
    if (!res) return -1;
    for (int i = 0; i < PQntuples(res); i++) {
        const char *schema = PQgetvalue(res, i, 0), *table = PQgetvalue(res, i, 1);
        int k = *PQgetvalue(res, i, 3) == 't';
        if (ls_tables_match(s->conf->tables, s->conf->ntables, schema, table))
            name_one(&names[k], &n[k], schema, table, PQgetvalue(res, i, 2));
    }
    for (int k = 0; k < 2; k++) {
        if (n[k] && !(k == 0 ? s->quoted_numbers : published)) ls_log_line(&s->log, LS_INFO, "%s: %s", why[k], named(&names[k], n[k]));
        ls_buf_free(&names[k]);
    }
    PQclear(res);
    return 0;
}

static int wal2json_prepare(ls_pg *s, bool checkpointed, ls_error *err) {
    s->quoted_numbers = true;
    if (check_allowed(s, err) || check_encoding(s, err)) return -1;
    if (!checkpointed && probe(s, err)) return -1;
    if (check_identity(s, checkpointed, err)) return -1;
    if (checkpointed) return 0;
    if (s->conf->publication)
        ls_log_line(&s->log, LS_WARN, "publication \"%s\" is not used: " NAME " sends every table, and `tables` chooses",
                    s->conf->publication);
    return tell_limits(s, err);
}

/* ---- the decoder's questions */

static int wal_now(ls_pg *s, uint64_t *lsn, ls_error *err) {
    PGresult *res = ls_pg_query(s, err, "reading the WAL's end", "SELECT pg_current_wal_insert_lsn()", 0, NULL);
    if (!res) return -1;
    int rc = ls_pg_lsn(PQgetvalue(res, 0, 0), lsn);
    if (rc) ls_fail(err, LS_FAIL, "the WAL's end is no position: \"%s\"", PQgetvalue(res, 0, 0));
    PQclear(res);
    return rc;
}

static int copy_column(const PGresult *res, int row, ls_arena *arena, ls_wal2json_column *c, ls_error *err) {
    c->name = ls_arena_copy(arena, PQgetvalue(res, row, 3), (size_t)PQgetlength(res, row, 3));
    c->type = (uint32_t)strtoul(PQgetvalue(res, row, 4), NULL, 10);
    c->position = (int32_t)strtol(PQgetvalue(res, row, 5), NULL, 10);
    c->computed = *PQgetvalue(res, row, 9) == 't';
    c->dropped = c->computed || *PQgetvalue(res, row, 6) == 't';
    c->toastable = *PQgetvalue(res, row, 7) == 't';
    c->changed = c->computed ? 0 : (uint32_t)strtoul(PQgetvalue(res, row, 8), NULL, 10);
    return c->name ? 0 : ls_fail_memory(err, "reading a table's columns");
}

/* The WAL's end is read first: a change of the table that a message of a transaction below it is behind had ended, and is to
 * be seen, before that transaction's commit was written. */
static int table(void *ctx, const char *schema, const char *name, ls_arena *arena, ls_wal2json_facts *out, ls_error *err) {
    ls_pg *s = ctx;
    const char *params[] = {schema, name};
    *out = (ls_wal2json_facts){0};
    if (wal_now(s, &out->known_to, err)) return -1;
    PGresult *res = ls_pg_query(
        s, err, "reading a table's columns",
        "SELECT c.oid, c.relkind, c.relreplident, a.attname, a.atttypid, a.attnum, a.attisdropped, a.attlen = -1,"
        " CASE WHEN age(a.xmin) <= 1000000000 THEN a.xmin::text ELSE '0' END," /* older ones may have numbers of this turn */
        " a.attgenerated = 'v',"
        " EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND NOT i.indimmediate)"
        " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
        "WHERE n.nspname = $1 AND c.relname = $2 ORDER BY a.attnum",
        2, params);
    if (!res) return -1;
    int rows = PQntuples(res), rc = 0;
    out->cols = ls_arena_alloc(arena, (size_t)rows * sizeof *out->cols);
    if (!out->cols) rc = ls_fail_memory(err, "reading a table's columns");
    if (rc == 0 && rows) {
        out->oid = (uint32_t)strtoul(PQgetvalue(res, 0, 0), NULL, 10);
        out->kind = *PQgetvalue(res, 0, 1);
        out->identity = *PQgetvalue(res, 0, 2);
        out->deferrable = *PQgetvalue(res, 0, 10) == 't';
    }
    for (int i = 0; rc == 0 && i < rows && !PQgetisnull(res, i, 3); i++)
        rc = copy_column(res, i, arena, &out->cols[out->ncols++], err);
    PQclear(res);
    return rc;
}

static void no_identity(void *ctx, const char *schema, const char *name) {
    const ls_pg *s = ctx;
    ls_buf quoted = {0};
    ls_pg_quote_table(&quoted, schema, name);
    const char *text = ls_buf_cstr(&quoted);
    ls_log_line(&s->log, LS_WARN,
                "table %s.%s has no primary key and no REPLICA IDENTITY: " NAME " drops its UPDATE and DELETE; run: ALTER TABLE %s "
                "REPLICA IDENTITY FULL",
                schema, name, text ? text : name);
    ls_buf_free(&quoted);
}

/* ---- streaming */

static void *wal2json_decoder(ls_pg *s, const ls_resume *from) {
    ls_wal2json_conf conf = {.tables = s->conf->tables,
                             .ntables = s->conf->ntables,
                             .schemas = s->conf->schemas,
                             .delivered_pos = from->delivered_pos,
                             .delivered_seq = from->delivered_seq,
                             .on_invalid_text = s->conf->on_invalid_text,
                             .catalog = {.base = ls_pg_catalog_of(s), .table = table}};
    conf.catalog.base.no_identity = no_identity;
    return ls_wal2json_new(&conf);
}

/* LATIN1's bytes are Unicode's first 256 characters. NULL: memory. */
static const char *from_latin1(ls_arena *arena, const uint8_t *p, size_t *n) {
    char *out = ls_arena_alloc(arena, *n * 2), *at = out;
    for (size_t i = 0; out && i < *n; i++) {
        if (p[i] >= 0x80) *at++ = (char)(0xc0 | p[i] >> 6);
        *at++ = (char)(p[i] >= 0x80 ? 0x80 | (p[i] & 0x3f) : p[i]);
    }
    if (out) *n = (size_t)(at - out);
    return out;
}

static int wal2json_message(ls_pg *s, ls_work *w, const void *p, size_t n, ls_error *err) {
    if (s->latin1 && !(p = from_latin1(&w->arena, p, &n))) return ls_fail_memory(err, "converting a message");
    return ls_wal2json_message(s->decoder, w, p, n, err);
}

static bool wal2json_in_transaction(const ls_pg *s) {
    return ls_wal2json_in_transaction(s->decoder);
}

/* Copies the name behind `from`, up to the text `to`, into out; gives what follows, or NULL. */
static const char *quoted_part(const char *from, const char *to, char out[LS_PG_NAME_MAX]) {
    const char *end = from ? strstr(from, to) : NULL;
    if (!end || end - from >= LS_PG_NAME_MAX) return NULL;
    memcpy(out, from, (size_t)(end - from));
    out[end - from] = '\0';
    return end + strlen(to);
}

/* The server says on the stream that it dropped a change of a row that it cannot identify: said once a table and session. */
static void wal2json_notice(ls_pg *s, const char *state, const char *text) {
    static const char begins[] = "no tuple identifier for ";
    char what[LS_PG_NAME_MAX], schema[LS_PG_NAME_MAX], name[LS_PG_NAME_MAX], line[2 * LS_PG_NAME_MAX + 4];
    (void)state;
    if (strncmp(text, begins, sizeof begins - 1) != 0) return;
    const char *p = quoted_part(text + sizeof begins - 1, " in table \"", what);
    p = quoted_part(p, "\".\"", schema);
    size_t n = p ? strlen(p) : 0;
    if (!n || n > LS_PG_NAME_MAX || p[n - 1] != '"') return;
    snprintf(name, sizeof name, "%.*s", (int)n - 1, p);
    if (!ls_tables_match(s->conf->tables, s->conf->ntables, schema, name)) return;
    snprintf(line, sizeof line, "\n%s.%s\n", schema, name);
    const char *told = ls_buf_cstr(&s->dropped);
    if (s->dropped.len > DROPPED_MAX || (told && strstr(told, line))) return;
    ls_buf_str(&s->dropped, line);
    ls_log_line(&s->log, LS_WARN,
                NAME " dropped an %s of table %s.%s, which has no primary key and no REPLICA IDENTITY, and drops the next ones: they "
                "are lost; run: ALTER TABLE \"%s\".\"%s\" REPLICA IDENTITY FULL, or leave the table out of `tables`",
                what, schema, name, schema, name);
}

static void wal2json_free(void *decoder) {
    ls_wal2json_free(decoder);
}

const ls_pg_plugin ls_pg_plugin_wal2json = {
    .name = NAME,
    .prepare = wal2json_prepare,
    .options = wal2json_options,
    .again = wal2json_again,
    .decoder = wal2json_decoder,
    .message = wal2json_message,
    .in_transaction = wal2json_in_transaction,
    .notice = wal2json_notice,
    .free = wal2json_free,
};
