#include "capture/postgres.h"

#include <stdio.h>
#include <string.h>

enum { WARNED_TABLES_MAX = 10 }; /* tables named in one warning; the rest is counted */

/* A pattern that takes tables in by more than their name: then all tables must be published. */
static bool wants_all(const ls_source_conf *o) {
    for (size_t i = 0; i < o->ntables; i++)
        if (*o->tables[i] != '!' && !ls_pattern_is_exact(o->tables[i])) return true;
    return false;
}

/* ---- tables without an identity */

static const char by_oids[] = "(SELECT c.oid, n.nspname AS shown_schema, c.relname AS shown_table FROM pg_class c"
                              " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY($1::oid[])) p";
static const char by_publication[] =
    "(SELECT c.oid, t.schemaname AS shown_schema, t.tablename AS shown_table FROM pg_publication_tables t"
    " JOIN pg_namespace n ON n.nspname = t.schemaname JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = "
    "t.tablename"
    " WHERE t.pubname = $1) p";

/* The oids of s->tables as an array's text. */
static void oids(const ls_pg *s, ls_buf *out) {
    ls_buf_char(out, '{');
    for (size_t i = 0; i < s->ntables; i++) {
        if (i) ls_buf_char(out, ',');
        ls_buf_str(out, s->tables[i].oid);
    }
    ls_buf_char(out, '}');
}

/* Publishing such a table would make the application's own UPDATE and DELETE fail: we do not do that. */
static int refuse_without_identity(ls_pg *s, const char *array, ls_error *err) {
    PGresult *res = ls_pg_without_identity(s, err, by_oids, array);
    if (!res) return -1;
    ls_buf names = {0}, mends = {0};
    int n = PQntuples(res), rc = 0;
    for (int i = 0; i < n; i++) {
        const char *schema = PQgetvalue(res, i, 2), *table = PQgetvalue(res, i, 3);
        ls_buf_fmt(&names, "%s%s.%s", i ? ", " : "", schema, table);
        ls_buf_str(&mends, " ALTER TABLE ");
        ls_pg_quote_table(&mends, schema, table);
        ls_buf_str(&mends, " REPLICA IDENTITY FULL;");
    }
    const char *name = ls_buf_cstr(&names), *mend = ls_buf_cstr(&mends);
    if (n)
        rc = ls_fail(err, LS_USAGE,
                     "no primary key and no REPLICA IDENTITY that serves: %s. Once published, the server would refuse "
                     "their UPDATE and DELETE to everybody; give them a primary key, or run:%s",
                     name ? name : "", mend ? mend : "");
    ls_buf_free(&names);
    ls_buf_free(&mends);
    PQclear(res);
    return rc;
}

/* The publication is the administrator's decision: we say what it means. */
static int warn_without_identity(ls_pg *s, ls_error *err) {
    PGresult *res = ls_pg_without_identity(s, err, by_publication, s->publication);
    if (!res) return -1;
    ls_buf names = {0};
    int n = 0;
    for (int i = 0; i < PQntuples(res); i++) {
        if (!ls_tables_match(s->conf->tables, s->conf->ntables, PQgetvalue(res, i, 0), PQgetvalue(res, i, 1))) continue;
        if (n++ < WARNED_TABLES_MAX)
            ls_buf_fmt(&names, "%s%s.%s", n > 1 ? ", " : "", PQgetvalue(res, i, 2), PQgetvalue(res, i, 3));
    }
    if (n > WARNED_TABLES_MAX) ls_buf_fmt(&names, " and %d more", n - WARNED_TABLES_MAX);
    const char *text = ls_buf_cstr(&names);
    if (n && text)
        ls_log_line(&s->log, LS_WARN,
                    "published without a primary key or REPLICA IDENTITY: %s; the server refuses their UPDATE and "
                    "DELETE; mend each with ALTER TABLE ... REPLICA IDENTITY FULL",
                    text);
    ls_buf_free(&names);
    PQclear(res);
    return 0;
}

/* ---- making and changing */

typedef struct found {
    bool exists, all_tables, via_root, generated;
} found;

/* May a publication have stored generated columns? */
static bool knows_generated(const ls_pg *s) {
    return PQserverVersion(s->side) >= 180000;
}

static int find(ls_pg *s, found *f, ls_error *err) {
    const char *name = s->publication;
    PGresult *res = ls_pg_query(
        s, err, "looking up the publication",
        "SELECT puballtables, pubviaroot, pubinsert AND pubupdate AND pubdelete AND pubtruncate,"
        " to_jsonb(p)->>'pubgencols' = 's' FROM pg_publication p WHERE pubname = $1", /* a column of PostgreSQL 18 */
        1, &name);
    if (!res) return -1;
    f->exists = PQntuples(res) == 1;
    if (f->exists) {
        f->all_tables = *PQgetvalue(res, 0, 0) == 't';
        f->via_root = *PQgetvalue(res, 0, 1) == 't';
        f->generated = *PQgetvalue(res, 0, 3) == 't';
        if (*PQgetvalue(res, 0, 2) != 't')
            ls_log_line(
                &s->log, LS_WARN,
                "publication \"%s\" leaves out some of insert, update, delete, truncate: these changes do not arrive",
                name);
    }
    PQclear(res);
    return 0;
}

static void table_list(const ls_pg *s, ls_buf *sql) {
    for (size_t i = 0; i < s->ntables; i++) {
        ls_buf_str(sql, i ? ", " : "");
        if (!s->tables[i].partitioned) ls_buf_str(sql, "ONLY "); /* not the tables that inherit from it */
        ls_pg_quote_table(sql, s->tables[i].schema, s->tables[i].name);
    }
}

/* Generated columns are in the rows of MariaDB and MySQL too. */
static void settings(const ls_pg *s, ls_buf *sql) {
    ls_buf_fmt(sql, "(publish_via_partition_root = %s%s)", s->conf->partition_root ? "true" : "false",
               knows_generated(s) ? ", publish_generated_columns = stored" : "");
}

static void create_sql(const ls_pg *s, bool all, ls_buf *sql) {
    ls_buf_str(sql, "CREATE PUBLICATION ");
    ls_pg_quote(sql, s->publication);
    ls_buf_str(sql, all ? " FOR ALL TABLES" : s->ntables ? " FOR TABLE " : "");
    if (!all) table_list(s, sql);
    ls_buf_str(sql, " WITH ");
    settings(s, sql);
}

/* Runs the statement in sql; a refusal names it, so that an administrator can run it. */
static int change(ls_pg *s, ls_buf *sql, ls_error *err) {
    const char *text = ls_buf_cstr(sql);
    if (!text) return ls_fail_memory(err, "making the publication");
    if (ls_pg_run(s, err, "making the publication", text) == 0) {
        ls_log_line(&s->log, LS_INFO, "%s", text);
        return 0;
    }
    if (err->code != LS_USAGE) return -1;
    char said[LS_ERROR_MAX / 2];
    snprintf(said, sizeof said, "%.*s", (int)sizeof said - 1, err->text);
    return ls_fail(err, LS_USAGE, "%s; as an administrator run: %s", said, text);
}

/* Are exactly s->tables in it? 1, 0, or -1. */
static int holds_tables(ls_pg *s, const char *array, ls_error *err) {
    const char *params[] = {s->publication, array};
    PGresult *res =
        ls_pg_query(s, err, "looking up the publication's tables",
                    "SELECT coalesce(array_agg(prrelid ORDER BY prrelid), '{}') ="
                    " (SELECT coalesce(array_agg(o ORDER BY o), '{}') FROM unnest($2::oid[]) o) "
                    "FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE p.pubname = $1",
                    2, params);
    if (!res) return -1;
    int rc = *PQgetvalue(res, 0, 0) == 't';
    PQclear(res);
    return rc;
}

/* Brings the publication that was made before in line with the script. */
static int align(ls_pg *s, const found *f, bool all, const char *array, ls_error *err) {
    ls_buf sql = {0};
    int rc = 0;
    if (f->all_tables != all) { /* in one transaction: at each place of the WAL there is one of that name */
        ls_buf_str(&sql, "DROP PUBLICATION ");
        ls_pg_quote(&sql, s->publication);
        rc = ls_pg_run(s, err, "making the publication", "BEGIN") || change(s, &sql, err) ? -1 : 0;
        ls_buf_clear(&sql);
        create_sql(s, all, &sql);
        if (rc == 0 && (change(s, &sql, err) || ls_pg_run(s, err, "making the publication", "COMMIT"))) rc = -1;
        goto out;
    }
    if (f->via_root != s->conf->partition_root || f->generated != knows_generated(s)) {
        ls_buf_str(&sql, "ALTER PUBLICATION ");
        ls_pg_quote(&sql, s->publication);
        ls_buf_str(&sql, " SET ");
        settings(s, &sql);
        if ((rc = change(s, &sql, err))) goto out;
    }
    int same = all || !s->ntables ? 1 : holds_tables(s, array, err);
    if (same == 0) {
        ls_buf_clear(&sql);
        ls_buf_str(&sql, "ALTER PUBLICATION ");
        ls_pg_quote(&sql, s->publication);
        ls_buf_str(&sql, " SET TABLE ");
        table_list(s, &sql);
    }
    rc = same < 0 || (same == 0 && change(s, &sql, err)) ? -1 : 0;
out:
    ls_buf_free(&sql);
    return rc;
}

static int make(ls_pg *s, const found *f, bool all, ls_error *err) {
    ls_buf array = {0}, sql = {0};
    oids(s, &array);
    const char *text = ls_buf_cstr(&array);
    int rc = text ? 0 : ls_fail_memory(err, "making the publication");
    if (rc == 0 && !all) rc = refuse_without_identity(s, text, err);
    if (rc == 0 && f->exists) {
        rc = align(s, f, all, text, err);
    } else if (rc == 0) {
        create_sql(s, all, &sql);
        rc = change(s, &sql, err);
    }
    ls_buf_free(&array);
    ls_buf_free(&sql);
    return rc;
}

/* ---- a given one */

static int verify_given(ls_pg *s, const found *f, ls_error *err) {
    const char *name = s->publication;
    if (!f->exists)
        return ls_fail(err, LS_USAGE,
                       "publication \"%s\" does not exist in database \"%s\"; as an administrator run: CREATE "
                       "PUBLICATION \"%s\" FOR TABLE ... WITH (publish_via_partition_root = %s)",
                       name, s->conf->database, name, s->conf->partition_root ? "true" : "false");
    for (size_t i = 0; i < s->ntables; i++) {
        const ls_pg_table *t = &s->tables[i];
        const char *params[] = {name, t->schema, t->name};
        PGresult *res = ls_pg_query(
            s, err, "looking up the publication's tables",
            "SELECT FROM pg_publication_tables WHERE pubname = $1 AND schemaname = $2 AND tablename = $3", 3, params);
        if (!res) return -1;
        int rows = PQntuples(res);
        PQclear(res);
        if (rows) continue;
        if (t->partitioned && !f->via_root)
            return ls_fail(err, LS_USAGE,
                           "publication \"%s\" shows the partitions of %s.%s, not the table; run: ALTER PUBLICATION "
                           "\"%s\" SET (publish_via_partition_root = true)",
                           name, t->schema, t->name, name);
        return ls_fail(err, LS_USAGE,
                       "publication \"%s\" does not hold table %s.%s; run: ALTER PUBLICATION \"%s\" ADD TABLE %s.%s",
                       name, t->schema, t->name, name, t->schema, t->name);
    }
    return 0;
}

int ls_pg_publication(ls_pg *s, ls_error *err) {
    const ls_source_conf *o = s->conf;
    bool given = o->publication != NULL, all = !given && wants_all(o);
    found f = {0};
    int n = snprintf(s->publication, sizeof s->publication, "%s%s", given ? "" : "list_sync_",
                     given ? o->publication : o->name);
    if (n >= (int)sizeof s->publication)
        return ls_fail(err, LS_USAGE,
                       "publication name \"%s%s\" is longer than PostgreSQL's %d bytes; set `publication`",
                       given ? "" : "list_sync_", given ? o->publication : o->name, LS_PG_NAME_MAX - 1);
    if (find(s, &f, err)) return -1;
    if (given ? verify_given(s, &f, err) : make(s, &f, all, err)) return -1;
    return given || all ? warn_without_identity(s, err) : 0;
}
