#include "write/csv_cell.h"

#include "change/value.h"
#include "write/csv_scan.h"

#include <string.h>

ls_csv_dialect ls_csv_dialect_of(const ls_csv_conf *conf) {
    ls_csv_dialect d = {.conf = conf, .null_len = strlen(conf->null_text), .absent_len = strlen(conf->absent_text)};
    d.special[(unsigned char)conf->delimiter] = d.special[(unsigned char)conf->quote] = d.special['\n'] = d.special['\r'] = true;
    return d;
}

static bool is_token(const char *token, size_t token_len, const char *p, size_t n) { return n == token_len && memcmp(p, token, n) == 0; }

/* Quoted, a text is never taken for a NULL or an absent value; an empty one always is. */
static bool needs_quotes(const ls_csv_dialect *d, const char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (d->special[(unsigned char)p[i]]) return true;
    return n == 0 || is_token(d->conf->null_text, d->null_len, p, n) || is_token(d->conf->absent_text, d->absent_len, p, n);
}

void ls_csv_put_text(const ls_csv_dialect *d, ls_buf *out, const char *p, size_t n) {
    char quote = d->conf->quote;
    bool guard = d->conf->formula_guard && ls_csv_is_formula(p, n);
    if (!guard && !needs_quotes(d, p, n)) {
        ls_buf_add(out, p, n);
        return;
    }
    ls_buf_char(out, quote);
    if (guard) ls_buf_add(out, "''", quote == '\'' ? 2 : 1);
    while (n) {
        const char *q = memchr(p, quote, n);
        size_t run = q ? (size_t)(q - p) + 1 : n;
        ls_buf_add(out, p, run);
        if (q) ls_buf_char(out, quote);
        p += run;
        n -= run;
    }
    ls_buf_char(out, quote);
}

void ls_csv_put_absent(const ls_csv_dialect *d, ls_buf *out) {
    ls_buf_char(out, d->conf->delimiter);
    ls_buf_add(out, d->conf->absent_text, d->absent_len);
}

void ls_csv_put_cell(const ls_csv_dialect *d, ls_buf *out, const ls_value *v, ls_buf *text) {
    if (v->state > LS_NULL) {
        ls_csv_put_absent(d, out);
        return;
    }
    ls_buf_char(out, d->conf->delimiter);
    if (v->state == LS_NULL) {
        ls_buf_add(out, d->conf->null_text, d->null_len);
    } else if (v->kind == LS_KIND_TEXT || v->kind == LS_KIND_JSON) {
        ls_csv_put_text(d, out, v->as.p, v->len);
    } else {
        ls_buf_clear(text);
        ls_value_print(text, v);
        ls_csv_put_text(d, out, text->data, text->len);
        out->failed |= text->failed;
    }
}
