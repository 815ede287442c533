#include "capture/mysql_session.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- settings ---- */

typedef struct settings {
    char log_bin[8], format[16], metadata[16], image[16], value_options[32];
    char server_id[16], server_uuid[64], sync_binlog[16], flush_log[8], lower_case[8], gtid_mode[24], basename[LS_BINLOG_NAME_MAX];
} settings;

typedef struct setting {
    const char *name;
    char *to;
    size_t size;
} setting;

static int read_settings(const ls_my *s, settings *v, ls_error *err) {
    const setting all[] = {{"log_bin", v->log_bin, sizeof v->log_bin},
                           {"binlog_format", v->format, sizeof v->format},
                           {"binlog_row_metadata", v->metadata, sizeof v->metadata},
                           {"binlog_row_image", v->image, sizeof v->image},
                           {"binlog_row_value_options", v->value_options, sizeof v->value_options},
                           {"server_id", v->server_id, sizeof v->server_id},
                           {"gtid_mode", v->gtid_mode, sizeof v->gtid_mode},
                           {"sync_binlog", v->sync_binlog, sizeof v->sync_binlog},
                           {"innodb_flush_log_at_trx_commit", v->flush_log, sizeof v->flush_log},
                           {"server_uuid", v->server_uuid, sizeof v->server_uuid},
                           {"lower_case_table_names", v->lower_case, sizeof v->lower_case},
                           {"log_bin_basename", v->basename, sizeof v->basename}};
    ls_buf sql = {0};
    MYSQL_RES *res = NULL;
    MYSQL_ROW row;
    size_t n = sizeof all / sizeof *all;
    *v = (settings){0};
    ls_buf_str(&sql, "SHOW GLOBAL VARIABLES WHERE Variable_name IN (");
    for (size_t i = 0; i < n; i++) ls_buf_fmt(&sql, "%s'%s'", i ? ", " : "", all[i].name);
    ls_buf_char(&sql, ')');
    const char *text = ls_buf_cstr(&sql);
    int rc =
        text ? ls_my_query(s, s->side, &res, err, "reading the settings", text) : ls_fail_memory(err, "a question");
    while (!rc && (row = mysql_fetch_row(res)))
        for (size_t i = 0; i < n; i++)
            if (row[1] && strcasecmp(row[0], all[i].name) == 0) snprintf(all[i].to, all[i].size, "%s", row[1]);
    mysql_free_result(res);
    ls_buf_free(&sql);
    return rc;
}

static void must_be(ls_buf *mends, const char *name, const char *is, const char *const *allowed) {
    for (size_t i = 0; allowed[i]; i++)
        if (strcasecmp(is, allowed[i]) == 0) return;
    ls_buf_fmt(mends, "%sSET GLOBAL %s = '%s'", mends->len ? "; " : "", name, allowed[0]);
}

static int check_settings(const ls_my *s, const settings *v, ls_error *err) {
    static const char *const row[] = {"ROW", NULL}, *const full[] = {"FULL", NULL},
                             *const images[] = {"FULL", "FULL_NODUP", NULL};
    static const char *const none[] = {"", NULL}; /* or a server without the setting */
    const char *host = s->conf.host;
    int port = s->conf.port, rc = 0;
    ls_buf mends = {0};
    if (strcasecmp(v->log_bin, "ON") != 0)
        return ls_fail(
            err, LS_USAGE,
            "the server at %s port %d writes no binary log: set log_bin in its configuration ([mysqld] log_bin = "
            "binlog, server_id = 1, binlog_format = ROW, binlog_row_metadata = FULL) and restart it",
            host, port);
    must_be(&mends, "binlog_format", v->format, row);
    must_be(&mends, "binlog_row_metadata", v->metadata, full);
    if (!s->conf.partial_rows || s->conf.whole_before) /* else columns that are left out are unchanged, or not sent */
        must_be(&mends, "binlog_row_image", v->image, images);
    if (s->conf.partial_rows && strcasecmp(v->image, "FULL") != 0) /* else changes of a document come with the document */
        must_be(&mends, "binlog_row_value_options", v->value_options, none);
    const char *text = ls_buf_cstr(&mends);
    if (!text)
        rc = ls_fail_memory(err, "checking the settings");
    else if (mends.len)
        rc = ls_fail(
            err, LS_USAGE,
            "the server at %s port %d does not log what capture needs; as an administrator run: %s; put the same into "
            "its configuration, and reconnect the applications: a session keeps the binlog settings that it began with",
            host, port, text);
    ls_buf_free(&mends);
    return rc;
}

/* ---- grants ---- */

static bool holds(const char *grant, const char *privilege) {
    const char *to = strstr(grant, " ON *.* TO ");
    const char *p = to ? strcasestr(grant, privilege) : NULL;
    return p && p < to;
}

/* A role's grants are not always shown: without the line, but with a role, the dump itself will tell. */
static int check_grants(const ls_my *s, ls_error *err) {
    MYSQL_RES *res;
    MYSQL_ROW row;
    bool may = false, role = false;
    char grant[512];
    if (ls_my_query(s, s->side, &res, err, "reading the grants", "SHOW GRANTS")) return -1;
    while ((row = mysql_fetch_row(res))) {
        const char *g = row[0] ? row[0] : "";
        may = may || holds(g, "ALL PRIVILEGES") || holds(g, "REPLICATION SLAVE") || holds(g, "REPLICATION REPLICA");
        role = role || !strstr(g, " ON ");
    }
    mysql_free_result(res);
    if (may || role) return 0;
    ls_my_grant_line(s, grant, sizeof grant);
    return ls_fail(err, LS_USAGE,
                   "user \"%s\" may not read the binary log of the server at %s port %d; as an administrator run: %s",
                   s->conf.user, s->conf.host, s->conf.port, grant);
}

/* ---- tables ---- */

static int table_exists(const ls_my *s, const char *schema, const char *table, bool *is, ls_error *err) {
    ls_buf sql = {0};
    MYSQL_RES *res = NULL;
    ls_buf_str(&sql, "SELECT TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = ");
    ls_my_quote(s, &sql, schema, strlen(schema));
    ls_buf_str(&sql, " AND TABLE_NAME = ");
    ls_my_quote(s, &sql, table, strlen(table));
    const char *text = ls_buf_cstr(&sql);
    int rc =
        text ? ls_my_query(s, s->side, &res, err, "looking up the tables", text) : ls_fail_memory(err, "a question");
    MYSQL_ROW row = rc ? NULL : mysql_fetch_row(res);
    *is = row != NULL;
    if (row && row[0] && strstr(row[0], "VIEW"))
        rc = ls_fail(err, LS_USAGE, "%s.%s is a view: only tables have changes that can be captured", schema, table);
    mysql_free_result(res);
    ls_buf_free(&sql);
    return rc;
}

static int check_tables(const ls_my *s, const char *known, ls_error *err) {
    char schema[LS_NAME_MAX], table[LS_NAME_MAX];
    bool is;
    for (size_t i = 0; i < s->conf.ntables; i++) {
        const char *p = s->conf.tables[i];
        if (!ls_pattern_is_exact(p)) continue;
        if (ls_pattern_split(p, schema, table))
            return ls_fail(err, LS_USAGE, "table \"%s\": write database.table, such as \"shop.%s\"", p, p);
        if (table_exists(s, schema, table, &is, err)) return -1;
        if (is) continue;
        if (ls_source_knows(known, schema, table)) {
            ls_log_line(&s->log, LS_WARN, "table %s.%s does not exist any more, or user \"%s\" may not see it", schema,
                        table, s->conf.user);
            continue;
        }
        return ls_fail(err, LS_USAGE,
                       "table %s.%s does not exist, or user \"%s\" may not see it: check the name; if it exists, an administrator "
                       "lets the user see it with GRANT SELECT ON `%s`.* TO ...",
                       schema, table, s->conf.user, schema);
    }
    return 0;
}

/* ---- all of it ---- */

static int check_conf(const ls_my *s, ls_error *err) {
    if (strcmp(s->conf.start, "slot") == 0)
        return ls_fail(err, LS_USAGE, "start = \"slot\" is not for the binlog: take \"now\", \"earliest\" or a position");
    return 0;
}

/* server_id alone names a MariaDB server: its server_uid follows the machine's network card. That its log is the one
 * the checkpoint is of is proven by the GTID position when the stream starts. */
static void name_server(ls_my *s, const settings *v) {
    if (s->mariadb)
        snprintf(s->identity, sizeof s->identity, "\"server_id\":%lu", strtoul(v->server_id, NULL, 10));
    else
        snprintf(s->identity, sizeof s->identity, "\"server_uuid\":\"%.36s\"", v->server_uuid);
    s->lower_case = strcmp(v->lower_case, "0") != 0;
    s->gtids = !s->mariadb && strcasecmp(v->gtid_mode, "ON") == 0;
    if (s->own_id == strtoul(v->server_id, NULL, 10)) s->own_id--; /* a dump under the server's own id gets nothing */
}

/* What a start takes as it is, and `check` speaks of. */
static void inspect(const ls_my *s, const settings *v) {
    bool minimal = strcasecmp(v->image, "MINIMAL") == 0;
    if (minimal || strcasecmp(v->image, "NOBLOB") == 0)
        ls_log_line(&s->log, LS_WARN,
                    "binlog_row_image is %s: an UPDATE names the %scolumns that it does not set in `unchanged`%s; to have whole rows: SET "
                    "GLOBAL binlog_row_image = 'FULL', and reconnect the applications",
                    v->image, minimal ? "" : "TEXT, BLOB, JSON and GEOMETRY ", minimal ? ", an insert leaves out those that take their default" : "");
    if (strcmp(v->sync_binlog, "1") != 0 || strcmp(v->flush_log, "1") != 0)
        ls_log_line(&s->log, LS_WARN,
                    "sync_binlog is %s and innodb_flush_log_at_trx_commit is %s: a crash of the server may leave tables and binlog different, and "
                    "so what was captured; to have them durable: SET GLOBAL sync_binlog = 1; SET GLOBAL innodb_flush_log_at_trx_commit = 1",
                    v->sync_binlog, v->flush_log);
}

static int compare_clocks(ls_my *s, ls_error *err) {
    ls_buf now = {0};
    int rc = ls_my_variable(s, "UNIX_TIMESTAMP()", &now, err); /* whole seconds, as the log has them */
    const char *text = rc ? NULL : ls_buf_cstr(&now);
    if (text) s->source.ahead = strtoll(text, NULL, 10) * 1000000 - ls_clock_wall_us();
    if (!rc && !text) rc = ls_fail_memory(err, "comparing the clocks");
    ls_buf_free(&now);
    return rc;
}

int ls_my_check(ls_my *s, const char *known, ls_error *err) {
    settings v;
    ls_place end;
    if (check_conf(s, err) || read_settings(s, &v, err) || (!s->conf.bare && (check_settings(s, &v, err) || check_grants(s, err))))
        return -1;
    if (s->conf.inspect) inspect(s, &v);
    name_server(s, &v);
    return compare_clocks(s, err) || ls_my_log_end(s, &end, NULL, err) || (!s->conf.bare && check_tables(s, known, err)) ? -1 : 0;
}
