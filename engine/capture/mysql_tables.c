/* mysql_tables.c - the captured tables as they are now, by information_schema: the types are those that a table map of them gets. */
#include "capture/mysql_session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct type_name {
    const char *name; /* DATA_TYPE */
    uint8_t type;     /* enum ls_type */
    int bytes;        /* of an integer */
} type_name;

static const type_name names[] = {
    {"tinyint", LS_TYPE_INTEGER, 1},  {"smallint", LS_TYPE_INTEGER, 2}, {"mediumint", LS_TYPE_INTEGER, 3}, {"int", LS_TYPE_INTEGER, 4},
    {"bigint", LS_TYPE_INTEGER, 8},   {"year", LS_TYPE_INTEGER, 0},     {"float", LS_TYPE_FLOAT, 0},       {"double", LS_TYPE_FLOAT, 0},
    {"decimal", LS_TYPE_DECIMAL, 0},  {"date", LS_TYPE_DATE, 0},        {"time", LS_TYPE_TIME, 0},         {"datetime", LS_TYPE_DATETIME, 0},
    {"timestamp", LS_TYPE_TIMESTAMP, 0}, {"set", LS_TYPE_SET, 0},       {"bit", LS_TYPE_BITS, 0},          {"json", LS_TYPE_JSON, 0},
    {"uuid", LS_TYPE_UUID, 0},        {"vector", LS_TYPE_VECTOR, 0},    {"binary", LS_TYPE_BYTES, 0},      {"varbinary", LS_TYPE_BYTES, 0},
    {"tinyblob", LS_TYPE_BYTES, 0},   {"blob", LS_TYPE_BYTES, 0},       {"mediumblob", LS_TYPE_BYTES, 0},  {"longblob", LS_TYPE_BYTES, 0},
    {"geometry", LS_TYPE_GEOMETRY, 0}, {"point", LS_TYPE_GEOMETRY, 0},  {"linestring", LS_TYPE_GEOMETRY, 0}, {"polygon", LS_TYPE_GEOMETRY, 0},
    {"multipoint", LS_TYPE_GEOMETRY, 0}, {"multilinestring", LS_TYPE_GEOMETRY, 0}, {"multipolygon", LS_TYPE_GEOMETRY, 0},
    {"geometrycollection", LS_TYPE_GEOMETRY, 0}, {"geomcollection", LS_TYPE_GEOMETRY, 0},
};

/* Columns of the answer. */
enum { SCHEMA, TABLE, NAME, DATA_TYPE, COLUMN_TYPE, NULLABLE, CHARS, BITS, KEY_AT, IS_JSON };

static const type_name *find(const char *data_type) {
    static const type_name text = {"", LS_TYPE_STRING, 0}; /* CHAR, TEXT, ENUM, INET and what comes */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(names[i].name, data_type) == 0) return &names[i];
    return &text;
}

/* Its first label, with its quotes undone, in memory of the caller's. */
static char *first_label(const char *column_type) {
    const char *p = strchr(column_type, '\'');
    char *label = p ? strdup(p + 1) : NULL, *to = label;
    for (p = label; p && *p && !(*p == '\'' && p[1] != '\''); p++) {
        p += *p == '\'';
        *to++ = *p;
    }
    if (to) *to = '\0';
    return label;
}

static void set_range(ls_madeup_column *c, const type_name *t, const char *column_type) {
    bool is_unsigned = strstr(column_type, "unsigned") != NULL;
    if (strcasecmp(t->name, "year") == 0) {
        c->least = 1901;
        c->most = 2155;
    } else if (t->bytes) {
        uint64_t half = UINT64_C(1) << (8 * t->bytes - 1);
        c->least = is_unsigned ? 0 : -(int64_t)(half - 1) - 1;
        c->most = is_unsigned ? half - 1 + half : half - 1;
    }
}

static void describe(const ls_my *s, MYSQL_ROW row, const type_name *t, ls_madeup_column *c) {
    bool key = row[KEY_AT] != NULL, blob = t->type == LS_TYPE_BYTES || t->type == LS_TYPE_JSON || t->type == LS_TYPE_GEOMETRY || strstr(row[DATA_TYPE], "text");
    unsigned long chars = row[CHARS] ? strtoul(row[CHARS], NULL, 10) : 0;
    *c = (ls_madeup_column){.nullable = strcasecmp(row[NULLABLE], "YES") == 0, .large = s->conf.partial_rows && !key && blob,
                            .least = INT64_MIN, .most = INT64_MAX, .chars = chars < UINT32_MAX ? (uint32_t)chars : 0};
    if (t->type == LS_TYPE_BITS && row[BITS]) c->chars = (uint32_t)strtoul(row[BITS], NULL, 10);
    set_range(c, t, row[COLUMN_TYPE]);
}

/* The rows of one table. */
typedef struct draft {
    MYSQL_ROW_OFFSET first;
    size_t n;
} draft;

static const ls_schema *make_schema(const ls_my *s, MYSQL_RES *res, const draft *d, ls_column_def *defs, uint16_t *key, ls_madeup_column *cols) {
    char schema[LS_NAME_MAX] = "", table[LS_NAME_MAX] = "";
    size_t nkey = 0;
    mysql_row_seek(res, d->first);
    for (size_t i = 0; i < d->n; i++) {
        MYSQL_ROW row = mysql_fetch_row(res);
        const type_name *t = find(row[IS_JSON] ? "json" : row[DATA_TYPE]);
        if (i == 0) {
            snprintf(schema, sizeof schema, "%s", row[SCHEMA]);
            snprintf(table, sizeof table, "%s", row[TABLE]);
        }
        describe(s, row, t, &cols[i]);
        if (strcasecmp(row[DATA_TYPE], "enum") == 0) cols[i].text = first_label(row[COLUMN_TYPE]);
        if (strcasecmp(row[DATA_TYPE], "inet4") == 0) cols[i].text = strdup("192.0.2.1");
        if (strcasecmp(row[DATA_TYPE], "inet6") == 0) cols[i].text = strdup("2001:db8::1");
        defs[i] = (ls_column_def){row[NAME], strlen(row[NAME]), t->type}; /* the answer keeps it */
        size_t at = row[KEY_AT] ? strtoul(row[KEY_AT], NULL, 10) : 0;
        if (at && at <= d->n) key[at - 1] = (uint16_t)i;
        nkey += at && at <= d->n;
    }
    return ls_schema_new(s->conf.schemas, schema, strlen(schema), table, strlen(table), defs, d->n, key, nkey);
}

static int visit(const ls_my *s, MYSQL_RES *res, const draft *d, int (*each)(void *, const ls_source_table *, ls_error *), void *ctx, ls_error *err) {
    MYSQL_ROW_OFFSET after = mysql_row_tell(res);
    ls_column_def *defs = calloc(d->n, sizeof *defs);
    uint16_t *key = calloc(d->n, sizeof *key);
    ls_madeup_column *cols = calloc(d->n, sizeof *cols);
    const ls_schema *made = defs && key && cols ? make_schema(s, res, d, defs, key, cols) : NULL;
    int rc = made ? each(ctx, &(ls_source_table){made, cols}, err) : ls_fail_memory(err, "reading the tables");
    ls_schema_unref(made);
    for (size_t i = 0; cols && i < d->n; i++) free((char *)(uintptr_t)cols[i].text);
    free(defs);
    free(key);
    free(cols);
    mysql_row_seek(res, after);
    return rc;
}

/* The patterns' schemas as a list of literals, so that the server need not look at all the others; nothing where one is a pattern itself. */
static void put_schemas(const ls_my *s, ls_buf *out) {
    ls_buf_clear(out);
    for (size_t i = 0; i < s->conf.ntables; i++) {
        char name[LS_NAME_MAX];
        size_t n = 0;
        const char *p = s->conf.tables[i];
        if (*p == '!') continue;
        for (; *p && *p != '.' && n < sizeof name; p++) {
            if (*p == '*' || *p == '?') {
                ls_buf_clear(out);
                return;
            }
            if (*p == '\\' && p[1]) p++;
            name[n++] = *p;
        }
        ls_buf_str(out, out->len ? ", " : "");
        ls_my_quote(s, out, name, n);
    }
}

/* The key is the primary one, else one that is unique and NOT NULL. MariaDB's JSON is LONGTEXT with a check. */
static int ask(const ls_my *s, MYSQL_RES **out, ls_error *err) {
    static const char doing[] = "reading the tables";
    static const char json[] = " LEFT JOIN (SELECT DISTINCT CONSTRAINT_SCHEMA s, TABLE_NAME t, CHECK_CLAUSE clause FROM information_schema.CHECK_CONSTRAINTS) j"
                               " ON j.s = c.TABLE_SCHEMA AND j.t = c.TABLE_NAME AND c.DATA_TYPE = 'longtext' AND c.COLLATION_NAME = 'utf8mb4_bin'"
                               " AND j.clause = CONCAT('json_valid(`', REPLACE(c.COLUMN_NAME, '`', '``'), '`)')";
    ls_buf sql = {0}, schemas = {0};
    put_schemas(s, &schemas);
    const char *list = ls_buf_cstr(&schemas); /* NULL: failed, which is looked at below */
    if (!list) list = "";
    ls_buf_fmt(&sql,
               "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, c.COLUMN_TYPE, c.IS_NULLABLE, c.CHARACTER_MAXIMUM_LENGTH,"
               " c.NUMERIC_PRECISION, k.SEQ_IN_INDEX, %s FROM information_schema.COLUMNS c"
               " JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')"
               " LEFT JOIN (SELECT s, t, MIN(CONCAT(name <> 'PRIMARY', name)) name FROM (SELECT TABLE_SCHEMA s, TABLE_NAME t, INDEX_NAME name"
               "  FROM information_schema.STATISTICS WHERE NON_UNIQUE = 0 GROUP BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME HAVING SUM(NULLABLE = 'YES') = 0) u"
               "  GROUP BY s, t) i ON i.s = c.TABLE_SCHEMA AND i.t = c.TABLE_NAME"
               " LEFT JOIN information_schema.STATISTICS k ON k.TABLE_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME"
               " AND k.INDEX_NAME = SUBSTRING(i.name, 2) AND k.COLUMN_NAME = c.COLUMN_NAME%s "
               "WHERE c.TABLE_SCHEMA NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema')%s%s%s ORDER BY 1, 2, c.ORDINAL_POSITION",
               s->mariadb ? "j.s" : "NULL", s->mariadb ? json : "", *list ? " AND c.TABLE_SCHEMA IN (" : "", list, *list ? ")" : "");
    const char *text = schemas.failed ? NULL : ls_buf_cstr(&sql);
    int rc = text ? ls_my_query(s, s->side, out, err, doing, text) : ls_fail_memory(err, doing);
    ls_buf_free(&sql);
    ls_buf_free(&schemas);
    return rc;
}

int ls_my_tables(ls_source *source, int (*each)(void *, const ls_source_table *, ls_error *), void *ctx, ls_error *err) {
    const ls_my *s = (const ls_my *)(const void *)source;
    MYSQL_RES *res;
    MYSQL_ROW row, next;
    if (ask(s, &res, err)) return -1;
    int rc = 0;
    draft d = {.first = mysql_row_tell(res)};
    for (row = mysql_fetch_row(res); rc == 0 && row; row = next) {
        MYSQL_ROW_OFFSET here = mysql_row_tell(res);
        d.n++;
        next = mysql_fetch_row(res);
        if (next && strcmp(next[SCHEMA], row[SCHEMA]) == 0 && strcmp(next[TABLE], row[TABLE]) == 0) continue;
        MYSQL_ROW_OFFSET behind = mysql_row_tell(res);
        if (ls_tables_match_binlog(s->conf.tables, s->conf.ntables, row[SCHEMA], row[TABLE])) rc = visit(s, res, &d, each, ctx, err);
        mysql_row_seek(res, behind);
        d = (draft){.first = here};
    }
    mysql_free_result(res);
    return rc;
}
