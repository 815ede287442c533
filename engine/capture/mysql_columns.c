#include "capture/mysql_session.h"

#include <stdlib.h>
#include <string.h>

static int by_id(const void *a, const void *b) {
    uint32_t x = ((const ls_my_collation *)a)->id, y = ((const ls_my_collation *)b)->id;
    return x < y ? -1 : x > y;
}

int ls_my_load_collations(ls_my *s, ls_error *err) {
    static const char doing[] = "reading the character sets";
    /* since MariaDB 10.10 a collation can be of several character sets, each with its own number */
    const char *sql = s->mariadb && s->version >= 101001
                          ? "SELECT ID, CHARACTER_SET_NAME FROM "
                            "information_schema.COLLATION_CHARACTER_SET_APPLICABILITY WHERE ID IS NOT NULL"
                          : "SELECT ID, CHARACTER_SET_NAME FROM information_schema.COLLATIONS WHERE ID IS NOT NULL";
    MYSQL_RES *res;
    MYSQL_ROW row;
    if (ls_my_query(s, s->side, &res, err, doing, sql)) return -1;
    size_t n = (size_t)mysql_num_rows(res);
    s->collations = calloc(n ? n : 1, sizeof *s->collations);
    while (s->collations && s->ncollations < n && (row = mysql_fetch_row(res))) {
        ls_my_collation *c = &s->collations[s->ncollations];
        size_t len = row[1] ? strlen(row[1]) : 0;
        if (!row[0] || !len || len >= sizeof c->charset) continue;
        c->id = (uint32_t)strtoul(row[0], NULL, 10);
        memcpy(c->charset, row[1], len + 1);
        s->ncollations++;
    }
    mysql_free_result(res);
    if (!s->collations) return ls_fail_memory(err, doing);
    qsort(s->collations, s->ncollations, sizeof *s->collations, by_id);
    return 0;
}

static const char *charset(void *ctx, uint32_t collation) {
    const ls_my *s = ctx;
    const ls_my_collation key = {.id = collation};
    const ls_my_collation *c = bsearch(&key, s->collations, s->ncollations, sizeof key, by_id);
    return c ? c->charset : NULL;
}

static void warn(void *ctx, const char *text) {
    ls_log_line(&((ls_my *)ctx)->log, LS_WARN, "%s", text);
}

/* JSON is LONGTEXT with a check that the server adds to the column. */
static int ask_json(const ls_my *s, const ls_buf *where, MYSQL_RES **out, ls_error *err) {
    ls_buf sql = {0};
    ls_buf_fmt(&sql, "SELECT CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = %.*s",
               (int)where->len, where->data);
    const char *text = ls_buf_cstr(&sql);
    int rc =
        text ? ls_my_query(s, s->side, out, err, "reading a table's checks", text) : ls_fail_memory(err, "a question");
    ls_buf_free(&sql);
    return rc;
}

static bool is_json(MYSQL_RES *checks, const char *name, size_t n) {
    static const char before[] = "json_valid(`", after[] = "`)";
    MYSQL_ROW row;
    if (!checks) return false;
    mysql_data_seek(checks, 0);
    while ((row = mysql_fetch_row(checks))) {
        const char *p = row[0];
        if (!p || strncmp(p, before, sizeof before - 1)) continue;
        p += sizeof before - 1;
        size_t i = 0;
        for (; i < n && *p == name[i]; i++, p++) p += name[i] == '`'; /* doubled there */
        if (i == n && strcmp(p, after) == 0) return true;
    }
    return false;
}

static ls_asked_type type_of(const char *data_type) {
    if (strcasecmp(data_type, "uuid") == 0) return LS_ASKED_UUID;
    if (strcasecmp(data_type, "inet4") == 0) return LS_ASKED_INET4;
    return strcasecmp(data_type, "inet6") == 0 ? LS_ASKED_INET6 : LS_ASKED_PLAIN;
}

/* rows: name, type, precision of each column that the table has now. *found: it has this one. */
static void look_up(MYSQL_RES *rows, MYSQL_RES *checks, ls_asked_column *c, bool *found, bool *any_special) {
    MYSQL_ROW row;
    *found = *any_special = false;
    mysql_data_seek(rows, 0);
    while ((row = mysql_fetch_row(rows))) {
        unsigned long n = mysql_fetch_lengths(rows)[0];
        ls_asked_type t = is_json(checks, row[0], n) ? LS_ASKED_JSON : type_of(row[1]);
        *any_special |= t != LS_ASKED_PLAIN;
        if (n != c->name_len || memcmp(row[0], c->name, n) != 0) continue;
        *found = true;
        c->type = t;
        c->precision = row[2] ? atoi(row[2]) : -1;
    }
}

static void warn_gone(const ls_my *s, const char *schema, const char *table, const ls_asked_column *c) {
    ls_log_line(&s->log, LS_WARN,
                "table %s.%s, column %.*s: the log does not say whether its type was UUID, INET or JSON, and the server knows no such "
                "column any more (dropped or renamed since): it is taken for BINARY or LONGTEXT", schema, table, (int)c->name_len, c->name);
}

static int columns(void *ctx, const char *schema, const char *table, ls_asked_column *cols, size_t n, ls_error *err) {
    ls_my *s = ctx;
    ls_buf where = {0}, sql = {0};
    MYSQL_RES *rows = NULL, *checks = NULL;
    bool found, special;
    int rc = -1;
    ls_my_quote(s, &where, schema, strlen(schema));
    ls_buf_str(&where, " AND TABLE_NAME = ");
    ls_my_quote(s, &where, table, strlen(table));
    ls_buf_fmt(
        &sql,
        "SELECT COLUMN_NAME, DATA_TYPE, DATETIME_PRECISION FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %.*s",
        (int)where.len, where.data ? where.data : "");
    const char *text = where.failed ? NULL : ls_buf_cstr(&sql);
    if (!text) {
        ls_fail_memory(err, "a question");
        goto out;
    }
    if (ls_my_query(s, s->side, &rows, err, "reading a table's columns", text)) goto out;
    if (s->mariadb && ask_json(s, &where, &checks, err)) goto out;
    for (size_t i = 0; i < n; i++) {
        look_up(rows, checks, &cols[i], &found, &special);
        if (found) continue;
        /* renamed or dropped since: taken for a plain one where the table has none of the others */
        if (mysql_num_rows(rows) && !special) {
            warn_gone(s, schema, table, &cols[i]);
            continue;
        }
        ls_fail(
            err, LS_FAIL,
            "table %s.%s, column %.*s: the log does not say whether its type is UUID, INET or JSON, and the server "
            "knows no such "
            "column (dropped since, or not to be seen: GRANT SELECT); leave the table out of tables with \"!%s.%s\"",
            schema, table, (int)cols[i].name_len, cols[i].name, schema, table);
        goto out;
    }
    rc = 0;
out:
    mysql_free_result(rows);
    mysql_free_result(checks);
    ls_buf_free(&where);
    ls_buf_free(&sql);
    return rc;
}

static int versioned(void *ctx, const char *schema, const char *table, bool *is, ls_error *err) {
    static const char doing[] = "reading a table's kind";
    ls_my *s = ctx;
    ls_buf sql = {0};
    MYSQL_RES *rows = NULL;
    ls_buf_str(&sql, "SELECT 1 FROM information_schema.TABLES WHERE TABLE_TYPE = 'SYSTEM VERSIONED' AND TABLE_SCHEMA = ");
    ls_my_quote(s, &sql, schema, strlen(schema));
    ls_buf_str(&sql, " AND TABLE_NAME = ");
    ls_my_quote(s, &sql, table, strlen(table));
    const char *text = ls_buf_cstr(&sql);
    int rc = text ? ls_my_query(s, s->side, &rows, err, doing, text) : ls_fail_memory(err, doing);
    *is = rc == 0 && mysql_num_rows(rows) > 0;
    mysql_free_result(rows);
    ls_buf_free(&sql);
    return rc;
}

ls_binlog_ask ls_my_ask(ls_my *s) {
    return (ls_binlog_ask){.ctx = s, .charset = charset, .columns = columns, .versioned = versioned, .warn = warn};
}
