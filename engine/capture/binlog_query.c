#include "capture/binlog_query.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

typedef enum { T_END, T_WORD, T_QUOTED, T_STRING, T_MARK } token_kind;

typedef struct token {
    token_kind kind;
    const char *p; /* T_QUOTED: with its quotes */
    size_t n;
} token;

static bool is_word(unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '$' ||
           c >= 0x80;
}

static bool starts(const char *p, const char *end, const char *with) {
    size_t n = strlen(with);
    return (size_t)(end - p) >= n && memcmp(p, with, n) == 0;
}

static const char *line_end(const char *p, const char *end) {
    const char *e = memchr(p, '\n', (size_t)(end - p));
    return e ? e : end;
}

/* Over white space and comments. Of a comment that the server executes only its marks are passed. */
static const char *skip_blank(const char *p, const char *end) {
    while (p < end) {
        if ((unsigned char)*p <= ' ') {
            p++;
        } else if (starts(p, end, "/*!") || starts(p, end, "/*M!")) {
            p += p[2] == '!' ? 3 : 4;
            while (p < end && *p >= '0' && *p <= '9') p++;
        } else if (starts(p, end, "*/")) {
            p += 2;
        } else if (starts(p, end, "/*")) {
            const char *e = memmem(p + 2, (size_t)(end - p - 2), "*/", 2);
            p = e ? e + 2 : end;
        } else if (*p == '#' || (starts(p, end, "--") && (end - p == 2 || (unsigned char)p[2] <= ' '))) {
            p = line_end(p, end);
        } else {
            break;
        }
    }
    return p;
}

/* Behind the closing quote; a doubled quote is part of the text, and in a string so is what follows a backslash. */
static const char *skip_quoted(const char *p, const char *end) {
    char quote = *p++;
    for (; p < end; p++) {
        if (*p == '\\' && quote != '`' && p + 1 < end) {
            p++;
        } else if (*p == quote) {
            if (p + 1 == end || p[1] != quote) return p + 1;
            p++;
        }
    }
    return end;
}

static token next_token(const char **at, const char *end) {
    const char *p = skip_blank(*at, end), *e = p;
    token_kind kind = T_MARK;
    if (p == end) {
        kind = T_END;
    } else if (is_word((unsigned char)*p)) {
        while (e < end && is_word((unsigned char)*e)) e++;
        kind = T_WORD;
    } else if (*p == '`' || *p == '"') { /* where a name is due, "x" is one (ANSI_QUOTES) */
        e = skip_quoted(p, end);
        kind = T_QUOTED;
    } else if (*p == '\'') {
        e = skip_quoted(p, end);
        kind = T_STRING;
    } else {
        e++;
    }
    *at = e;
    return (token){kind, p, (size_t)(e - p)};
}

static bool is(const token *t, const char *word) {
    return (t->kind == T_WORD || t->kind == T_MARK) && t->n == strlen(word) && strncasecmp(t->p, word, t->n) == 0;
}

static bool is_one_of(const token *t, const char *const *words) {
    for (; *words; words++)
        if (is(t, *words)) return true;
    return false;
}

/* Passes the word if it is the next one. */
static bool pass(const char **at, const char *end, const char *word) {
    const char *p = *at;
    token t = next_token(&p, end);
    if (!is(&t, word)) return false;
    *at = p;
    return true;
}

static void pass_all(const char **at, const char *end, const char *const *words) {
    for (const char *p = *at;; *at = p) {
        token t = next_token(&p, end);
        if (!is_one_of(&t, words)) return;
    }
}

static void pass_if_exists(const char **at, const char *end) {
    const char *p = *at;
    if (!pass(&p, end, "IF")) return;
    if (pass(&p, end, "NOT")) *at = p;
    if (pass(&p, end, "EXISTS")) *at = p;
}

/* One part of a name, without its quotes. */
static int name_part(const char **at, const char *end, char out[LS_NAME_MAX]) {
    token t = next_token(at, end);
    size_t n = 0;
    if ((t.kind != T_WORD && t.kind != T_QUOTED) || (t.kind == T_QUOTED && t.n < 3)) return -1;
    size_t from = t.kind == T_QUOTED, to = t.n - from;
    for (size_t i = from; i < to; i++) {
        if (n + 1 >= LS_NAME_MAX || !t.p[i]) return -1;
        out[n++] = t.p[i];
        if (from && t.p[i] == t.p[0]) i++; /* doubled */
    }
    out[n] = '\0';
    return 0;
}

static int table_name(const char **at, const char *end, const char *fallback, char schema[LS_NAME_MAX],
                      char table[LS_NAME_MAX]) {
    if (name_part(at, end, table)) return -1;
    if (!pass(at, end, ".")) {
        size_t n = strlen(fallback);
        if (n >= LS_NAME_MAX) return -1;
        memcpy(schema, fallback, n + 1);
        return 0;
    }
    memcpy(schema, table, LS_NAME_MAX);
    return name_part(at, end, table);
}

static bool ends(const char *at, const char *end) {
    token t = next_token(&at, end);
    return t.kind == T_END || is(&t, ";");
}

/* DROP ... */
static ls_query_kind read_drop(const char **at, const char *end) {
    token t = next_token(at, end);
    if (is(&t, "TABLE") || is(&t, "TABLES")) {
        pass_if_exists(at, end);
        return LS_QUERY_DROP_TABLE;
    }
    if (is(&t, "DATABASE") || is(&t, "SCHEMA")) {
        pass_if_exists(at, end);
        return LS_QUERY_DROP_DATABASE;
    }
    return LS_QUERY_OTHER;
}

static bool has_select(const char *at, const char *end) {
    for (token t = next_token(&at, end); t.kind != T_END; t = next_token(&at, end))
        if (is(&t, "SELECT")) return true;
    return false;
}

/* CREATE ...: with row logging the server writes CREATE TABLE ... SELECT as a plain CREATE TABLE and rows. */
static ls_query_kind read_create(const char **at, const char *end) {
    const char *p = *at;
    bool replace = pass(&p, end, "OR") && pass(&p, end, "REPLACE");
    if (!replace) p = *at;
    if (!pass(&p, end, "TABLE")) return LS_QUERY_OTHER;
    if (has_select(p, end)) return LS_QUERY_DML;
    *at = p;
    return replace ? LS_QUERY_DROP_TABLE : LS_QUERY_OTHER;
}

/* After a table's name in ALTER TABLE: the clause that renames it, or one that takes rows away with a partition. */
static ls_query_kind alter_clause(const char **at, const char *end) {
    static const char *const no_table[] = {"COLUMN", "INDEX", "KEY", "CONSTRAINT", NULL};
    static const char *const partition[] = {"DROP", "TRUNCATE", "EXCHANGE", "CONVERT", NULL};
    const char *p = *at;
    token t = next_token(&p, end);
    const char *behind = p;
    token u = next_token(&behind, end);
    if (is(&t, "RENAME") && !is_one_of(&u, no_table)) {
        if (is(&u, "TO") || is(&u, "AS") || is(&u, "=")) p = behind;
        *at = p;
        return LS_QUERY_RENAME;
    }
    return is_one_of(&t, partition) && is(&u, "PARTITION") ? LS_QUERY_PARTITION : LS_QUERY_OTHER;
}

/* Finds the clause; *at is then where the new name stands. */
static ls_query_kind find_clause(const char **at, const char *end) {
    int depth = 0;
    for (bool first = true;;) {
        if (first && depth == 0) {
            ls_query_kind k = alter_clause(at, end);
            if (k != LS_QUERY_OTHER) return k;
        }
        token t = next_token(at, end);
        if (t.kind == T_END) return LS_QUERY_OTHER;
        depth += is(&t, "(") - is(&t, ")");
        first = is(&t, ",") && depth == 0;
    }
}

static void pass_wait(const char **at, const char *end) {
    if (pass(at, end, "NOWAIT") || !pass(at, end, "WAIT")) return;
    next_token(at, end);
}

static ls_query_kind read_alter(const char **at, const char *end) {
    static const char *const words[] = {"ONLINE", "OFFLINE", "IGNORE", NULL};
    char schema[LS_NAME_MAX], table[LS_NAME_MAX];
    pass_all(at, end, words);
    if (!pass(at, end, "TABLE")) return LS_QUERY_OTHER;
    pass_if_exists(at, end);
    const char *p = *at;
    if (table_name(&p, end, "", schema, table)) return LS_QUERY_OTHER;
    pass_wait(&p, end);
    return find_clause(&p, end);
}

/* Statements on the server's own tables change no table that can be captured. */
static bool is_internal(const char *at, const char *end, const char *schema) {
    static const char *const words[] = {"LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "QUICK",
                                        "IGNORE",       "INTO",    "FROM",          NULL};
    char of[LS_NAME_MAX], table[LS_NAME_MAX];
    pass_all(&at, end, words);
    if (table_name(&at, end, schema, of, table)) return false;
    return strcasecmp(of, "mysql") == 0 || strcasecmp(of, "sys") == 0 || strcasecmp(of, "performance_schema") == 0;
}

static ls_query_kind read_xa(const char **at, const char *end) {
    token t = next_token(at, end);
    if (is(&t, "START") || is(&t, "BEGIN")) return LS_QUERY_XA_START;
    return is(&t, "COMMIT") ? LS_QUERY_XA_COMMIT : is(&t, "ROLLBACK") ? LS_QUERY_XA_ROLLBACK : LS_QUERY_OTHER;
}

static ls_query_kind read_rollback(const char **at, const char *end) {
    pass(at, end, "WORK");
    if (!pass(at, end, "TO")) return LS_QUERY_ROLLBACK;
    pass(at, end, "SAVEPOINT");
    return LS_QUERY_ROLLBACK_TO;
}

static ls_query_kind classify(ls_query *q) {
    static const char *const dml[] = {"INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH", NULL};
    const char **at = &q->at, *end = q->end;
    token t = next_token(at, end);
    const char *p = *at;
    if (is(&t, "SET") && pass(&p, end, "STATEMENT")) { /* SET STATEMENT a=1 FOR ... */
        do t = next_token(&p, end);
        while (t.kind != T_END && !is(&t, "FOR"));
        t = next_token(&p, end);
        *at = p;
    }
    if (is(&t, "BEGIN")) return ends(*at, end) ? LS_QUERY_BEGIN : LS_QUERY_OTHER;
    if (is(&t, "START") && pass(at, end, "TRANSACTION")) return LS_QUERY_BEGIN;
    if (is(&t, "COMMIT")) return LS_QUERY_COMMIT;
    if (is(&t, "ROLLBACK")) return read_rollback(at, end);
    if (is(&t, "SAVEPOINT")) return LS_QUERY_SAVEPOINT;
    if (is(&t, "XA")) return read_xa(at, end);
    if (is(&t, "TRUNCATE")) {
        pass(at, end, "TABLE");
        return LS_QUERY_TRUNCATE;
    }
    if (is(&t, "DROP")) return read_drop(at, end);
    if (is(&t, "CREATE")) return read_create(at, end);
    if (is(&t, "ALTER")) return read_alter(at, end);
    if (is(&t, "RENAME")) {
        if (!pass(at, end, "TABLE") && !pass(at, end, "TABLES")) return LS_QUERY_OTHER; /* RENAME USER */
        pass_if_exists(at, end);
        return LS_QUERY_RENAME;
    }
    return is_one_of(&t, dml) && !is_internal(*at, end, q->schema) ? LS_QUERY_DML : LS_QUERY_OTHER;
}

void ls_query_read(ls_query *q, const char *text, size_t n, const char *schema) {
    *q = (ls_query){.at = text, .end = text + n, .schema = schema};
    q->kind = classify(q);
}

static int next_rename(ls_query *q, ls_query_names *out) {
    if (table_name(&q->at, q->end, q->schema, out->schema, out->table)) return -1;
    pass_wait(&q->at, q->end);
    if (!pass(&q->at, q->end, "TO")) { /* ALTER TABLE: one table, and clauses that are no names behind it */
        if (find_clause(&q->at, q->end) != LS_QUERY_RENAME) return -1;
        q->done = true;
    }
    return table_name(&q->at, q->end, q->schema, out->to_schema, out->to_table);
}

int ls_query_next(ls_query *q, ls_query_names *out) {
    int rc = -1;
    if (q->done) return 0;
    *out = (ls_query_names){0};
    switch (q->kind) {
    case LS_QUERY_SAVEPOINT:
    case LS_QUERY_ROLLBACK_TO:
        rc = name_part(&q->at, q->end, out->table);
        break;
    case LS_QUERY_DROP_DATABASE:
        rc = name_part(&q->at, q->end, out->schema);
        break;
    case LS_QUERY_TRUNCATE:
    case LS_QUERY_PARTITION:
    case LS_QUERY_DROP_TABLE:
        rc = table_name(&q->at, q->end, q->schema, out->schema, out->table);
        break;
    case LS_QUERY_RENAME:
        rc = next_rename(q, out);
        break;
    default:
        return 0;
    }
    bool list = q->kind == LS_QUERY_DROP_TABLE || q->kind == LS_QUERY_RENAME;
    q->done = q->done || !list || !pass(&q->at, q->end, ",");
    return rc ? -1 : 1;
}

void ls_xid_print(char out[LS_XID_TEXT], const uint8_t *gtrid, size_t ngtrid, const uint8_t *bqual, size_t nbqual,
                  uint32_t format) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *parts[] = {gtrid, bqual};
    size_t sizes[] = {ngtrid, nbqual};
    char *p = out;
    for (int i = 0; i < 2; i++) {
        *p++ = 'X', *p++ = '\'';
        for (size_t k = 0; k < sizes[i]; k++) *p++ = digits[parts[i][k] >> 4], *p++ = digits[parts[i][k] & 15];
        *p++ = '\'', *p++ = ',';
    }
    snprintf(p, (size_t)(out + LS_XID_TEXT - p), "%" PRIu32, format);
}

/* X'6162': what the server writes into its log, whatever the client wrote. */
static int xid_part(const char **at, const char *end, uint8_t out[LS_XID_PART], size_t *n) {
    if (!pass(at, end, "X")) return -1;
    token t = next_token(at, end);
    if (t.kind != T_STRING || t.n < 2 || t.n % 2 || t.n - 2 > 2 * LS_XID_PART) return -1;
    *n = (t.n - 2) / 2;
    return ls_hex_read(out, t.p + 1, t.n - 2);
}

int ls_query_xid(ls_query *q, char out[LS_XID_TEXT]) {
    uint8_t gtrid[LS_XID_PART], bqual[LS_XID_PART];
    size_t ngtrid, nbqual;
    uint64_t format = 0;
    if (xid_part(&q->at, q->end, gtrid, &ngtrid) || !pass(&q->at, q->end, ",") ||
        xid_part(&q->at, q->end, bqual, &nbqual) || !pass(&q->at, q->end, ","))
        return -1;
    token t = next_token(&q->at, q->end);
    if (t.kind != T_WORD) return -1;
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] < '0' || t.p[i] > '9' || format > UINT32_MAX) return -1;
        format = format * 10 + (uint64_t)(t.p[i] - '0');
    }
    if (format > UINT32_MAX) return -1;
    ls_xid_print(out, gtrid, ngtrid, bqual, nbqual, (uint32_t)format);
    return 0;
}
