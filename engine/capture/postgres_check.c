#include "capture/postgres.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

/* ---- settings */

static int check_server(ls_pg *s, ls_error *err) {
    static const char doing[] = "reading the server's settings";
    PGresult *res = ls_pg_query(s, err, doing, "SELECT current_setting('wal_level'), pg_is_in_recovery(), (extract(epoch FROM clock_timestamp()) * 1000000)::int8", 0, NULL);
    if (!res) return -1;
    int rc = 0;
    s->source.ahead = strtoll(PQgetvalue(res, 0, 2), NULL, 10) - ls_clock_wall_us();
    if (strcmp(PQgetvalue(res, 0, 1), "t") == 0)
        rc = ls_fail(err, LS_AGAIN,
                     "PostgreSQL at %s port %d is a standby (in recovery): changes are read from the primary",
                     s->conf->host, s->conf->port);
    else if (strcmp(PQgetvalue(res, 0, 0), "logical") != 0)
        rc = ls_fail(err, LS_USAGE,
                     "wal_level is %s, and must be logical; as an administrator run: ALTER SYSTEM SET wal_level = "
                     "logical; then restart PostgreSQL",
                     PQgetvalue(res, 0, 0));
    PQclear(res);
    return rc;
}

static int check_conf(const ls_pg *s, ls_error *err) {
    const ls_source_conf *o = s->conf;
    char schema[LS_NAME_MAX], table[LS_NAME_MAX];
    if (strcmp(o->start, "earliest") == 0)
        return ls_fail(err, LS_USAGE, "start = \"earliest\" is not for PostgreSQL, whose log goes back no further than its slots: take \"now\", \"slot\" or a position");
    for (size_t i = 0; i < o->ntables; i++) {
        const char *p = o->tables[i];
        if (ls_pattern_is_exact(p) && ls_pattern_split(p, schema, table))
            return ls_fail(err, LS_USAGE, "table \"%s\": write schema.table, such as \"public.%s\"", p, p);
    }
    return 0;
}

/* ---- the tables of exact names */

/* Looks one up: 1 and *t filled, 0 when there is none. */
static int find_table(ls_pg *s, const char *schema, const char *table, ls_pg_table *t, ls_error *err) {
    const char *params[] = {schema, table};
    PGresult *res = ls_pg_query(
        s, err, "looking up the tables",
        "SELECT c.oid, c.relkind, c.relpersistence FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = $1 AND c.relname = $2",
        2, params);
    if (!res) return -1;
    int rc = PQntuples(res);
    char kind = rc ? *PQgetvalue(res, 0, 1) : 'r';
    if (kind != 'r' && kind != 'p') {
        rc = ls_fail(err, LS_USAGE, "%s.%s is no table: only tables have changes that can be captured", schema, table);
    } else if (rc && *PQgetvalue(res, 0, 2) != 'p') {
        rc = ls_fail(err, LS_USAGE,
                     "table %s.%s is unlogged or temporary: its changes are not in the WAL; run: ALTER TABLE %s.%s SET "
                     "LOGGED, or leave it out of `tables`",
                     schema, table, schema, table);
    } else if (rc && kind == 'p' && !s->conf->partition_root) {
        rc = ls_fail(err, LS_USAGE, "table %s.%s is partitioned: with %s name its partitions%s", schema, table,
                     s->plugin->published ? "partition_root = false" : "plugin = \"wal2json\", which knows them only,",
                     s->plugin->published ? "" : ", or take plugin = \"pgoutput\"");
    } else if (rc) {
        *t = (ls_pg_table){.schema = ls_arena_copy(&s->arena, schema, strlen(schema)),
                           .name = ls_arena_copy(&s->arena, table, strlen(table)),
                           .oid = ls_arena_copy(&s->arena, PQgetvalue(res, 0, 0), (size_t)PQgetlength(res, 0, 0)),
                           .partitioned = kind == 'p'};
        if (!t->schema || !t->name || !t->oid) rc = ls_fail_memory(err, "looking up the tables");
    }
    PQclear(res);
    return rc;
}

static bool listed(const ls_pg *s, const char *oid) {
    for (size_t i = 0; i < s->ntables; i++)
        if (strcmp(s->tables[i].oid, oid) == 0) return true;
    return false;
}

static int find_tables(ls_pg *s, const char *known, ls_error *err) {
    const ls_source_conf *o = s->conf;
    char schema[LS_NAME_MAX], table[LS_NAME_MAX];
    s->tables = ls_arena_alloc(&s->arena, o->ntables * sizeof *s->tables);
    if (!s->tables) return ls_fail_memory(err, "looking up the tables");
    for (size_t i = 0; i < o->ntables; i++) {
        if (!ls_pattern_is_exact(o->tables[i]) || ls_pattern_split(o->tables[i], schema, table)) continue;
        if (!ls_tables_match(o->tables, o->ntables, schema, table)) continue; /* a later pattern leaves it out */
        ls_pg_table *t = &s->tables[s->ntables];
        int found = find_table(s, schema, table, t, err);
        if (found < 0) return -1;
        if (found && !listed(s, t->oid)) s->ntables++;
        if (found) continue;
        if (!ls_source_knows(known, schema, table))
            return ls_fail(err, LS_USAGE,
                           "table %s.%s does not exist in database \"%s\"; make it first, or take a pattern (which "
                           "needs a publication FOR ALL TABLES)",
                           schema, table, o->database);
        ls_log_line(&s->log, LS_WARN, "table %s.%s does not exist any more", schema, table);
    }
    return 0;
}

int ls_pg_check(ls_pg *s, const char *known, ls_error *err) {
    if (s->conf->bare) return check_server(s, err);
    return check_conf(s, err) || check_server(s, err) || find_tables(s, known, err) ? -1 : 0;
}
