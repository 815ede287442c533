#include "pipeline/sent.h"

#include "base/json.h"
#include "kafka/client.h"

#include <string.h>

void ls_sent_free(ls_sent *s) {
    ls_names_free(&s->pairs);
    ls_buf_free(&s->text);
}

static int add(ls_sent *s, const char *table, size_t n, const char *topic, size_t len) {
    ls_buf_clear(&s->text);
    ls_buf_add(&s->text, table, n);
    ls_buf_char(&s->text, '\0');
    ls_buf_add(&s->text, topic, len);
    return s->text.failed || ls_names_add(&s->pairs, s->text.data, s->text.len) < 0 ? -1 : 0;
}

int ls_sent_note(ls_sent *s, const char *schema, const char *table, const char *topic, size_t len) {
    ls_buf_clear(&s->text);
    ls_buf_str(&s->text, schema);
    ls_buf_char(&s->text, '.');
    ls_buf_add(&s->text, table, strlen(table) + 1);
    ls_buf_add(&s->text, topic, len);
    return s->text.failed || ls_names_add(&s->pairs, s->text.data, s->text.len) < 0 ? -1 : 0;
}

const char *ls_sent_topic_of(const ls_sent *s, uint32_t i, const ls_schema *table) {
    const ls_name *n = &s->pairs.all[i];
    size_t front = table->schema_len + 1, name = table->table_len ? table->table_len + 1 : 0;
    bool same = n->len > front + name && memcmp(n->text, table->schema, table->schema_len) == 0 && n->text[table->schema_len] == '.' &&
                memcmp(n->text + front, table->table, name) == 0;
    return same ? n->text + strlen(n->text) + 1 : NULL;
}

void ls_sent_write(const ls_sent *s, uint32_t i, ls_buf *out) {
    const ls_name *n = &s->pairs.all[i];
    size_t table = strlen(n->text);
    ls_json_string(out, n->text, table);
    ls_buf_char(out, ',');
    ls_json_string(out, n->text + table + 1, n->len - table - 1);
}

static int add_topic(void *ctx, const char *topic) { return ls_names_add(ctx, topic, strlen(topic)) < 0 ? -1 : 0; }

/* Adds each pair of the text whose topic there is. */
static int read_pairs(ls_sent *s, const char *text, size_t n, const ls_names *there, ls_error *err) {
    ls_json j = ls_json_over(text, n);
    ls_json_value v;
    ls_buf words[2] = {{0}, {0}}; /* table, topic */
    int more = 0, rc = ls_json_open(&j, '[', err);
    bool first = true;
    for (unsigned k = 0; rc == 0 && (more = ls_json_more(&j, ']', &first, err)) == 1; k ^= 1) {
        ls_buf_clear(&words[k]);
        rc = ls_json_read(&j, &v, err) || v.kind != LS_JSON_STRING || ls_json_unescape(&v, &words[k], err) || words[k].failed ? -1 : 0;
        if (rc == 0 && k && ls_names_find(there, words[1].data, words[1].len) >= 0) rc = add(s, words[0].data, words[0].len, words[1].data, words[1].len);
    }
    ls_buf_free(&words[0]);
    ls_buf_free(&words[1]);
    return rc || more < 0 ? ls_fail(err, LS_FAIL, "the checkpoint's \"sent\" cannot be read, or memory is out; if it comes again, drop the checkpoint: list_sync position drop SCRIPT NAME") : 0;
}

int ls_sent_read(ls_sent *s, ls_progress *p, ls_producer *producer, ls_error *err) {
    ls_names there = {0};
    ls_buf text = {0};
    if (!p->sent.len) return 0;
    ls_buf_char(&text, '[');
    ls_buf_add(&text, p->sent.data, p->sent.len);
    ls_buf_char(&text, ']');
    int rc = text.failed ? ls_fail_memory(err, "reading the checkpoint") : ls_topics_list(ls_producer_handle(producer), add_topic, &there, err);
    if (rc == 0) rc = read_pairs(s, text.data, text.len, &there, err);
    ls_buf_clear(&p->sent);
    for (uint32_t i = 0; i < s->pairs.n; i++) {
        if (i) ls_buf_char(&p->sent, ',');
        ls_sent_write(s, i, &p->sent);
    }
    s->stored = s->pairs.n;
    ls_names_free(&there);
    ls_buf_free(&text);
    return rc;
}
