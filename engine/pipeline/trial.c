#include "pipeline/trial.h"

#include "change/madeup.h"
#include "pipeline/encode.h"
#include "pipeline/worker.h"

#include <stdlib.h>
#include <string.h>

struct ls_trial {
    const ls_stage *stage;
    ls_script *script;       /* NULL: no hooks */
    ls_columns *columns;     /* NULL: none */
    ls_encoder *encoder;     /* connectors */
    ls_schemas schemas, read_schemas;
    ls_table_rule *rules;    /* of schemas */
    ls_work *given;
    ls_work *read;       /* consumers: what was read from the messages of `given`; else NULL */
    ls_decoder *decoder; /* with it */
    ls_buf message, key;
};

int ls_trial_open(ls_trial **out, const ls_stage *stage, const char *script, const ls_script_env *env, const ls_log *log, ls_error *err) {
    const ls_connector_options *o = &stage->as.connector;
    ls_trial *t = *out = calloc(1, sizeof *t);
    if (!t) return ls_fail_memory(err, "trying a stage");
    t->stage = stage;
    t->given = stage->is_connector ? ls_work_new(&t->schemas, o->name, o->db_type) : ls_work_new(&t->schemas, "", "");
    if (!stage->is_connector) {
        t->read = ls_work_new(&t->read_schemas, "", "");
        t->decoder = ls_decoder_for(&t->read_schemas, stage->as.consumer.decode);
    }
    int rc = t->given && (stage->is_connector || (t->read && t->decoder)) ? 0 : ls_fail_memory(err, "trying a stage");
    if (rc == 0 && stage->is_connector) {
        rc = ls_connector_rules(&t->schemas, &t->rules, stage, err) || ls_encoder_open(&t->encoder, stage, err) ||
                     ls_connector_columns(&t->columns, stage, &t->schemas, log, err)
                 ? -1 : 0;
    }
    if (rc == 0 && stage->has_hooks && (ls_script_open(&t->script, script, env, err) || ls_script_use(t->script, stage->name, err))) rc = -1;
    if (rc == 0) return 0;
    ls_trial_close(t);
    *out = NULL;
    return -1;
}

void ls_trial_close(ls_trial *t) {
    if (!t) return;
    ls_work_free(t->given);
    ls_work_free(t->read);
    ls_decoder_free(t->decoder);
    ls_columns_free(t->columns);
    ls_encoder_free(t->encoder);
    ls_script_close(t->script);
    ls_buf_free(&t->message);
    ls_buf_free(&t->key);
    free(t->rules);
    free(t);
}

void ls_trial_as_text(ls_trial *t) { ls_encoder_as_text(t->encoder); }

ls_schemas *ls_trial_schemas(ls_trial *t) { return &t->schemas; }

ls_work *ls_trial_begin(ls_trial *t) {
    if (t->read) ls_work_reset(t->read);
    ls_work_reset(t->given);
    return t->given;
}

/* The texts of *m may go: the decoder gets copies. */
static int read_message(ls_trial *t, ls_incoming m, const ls_origin *origin, ls_error *err) {
    uint32_t i = t->read->seen.count;
    bool keyed = m.key, valued = m.value;
    if (valued) m.value = ls_arena_copy(&t->read->arena, m.value, m.value_len);
    if (keyed) m.key = ls_arena_copy(&t->read->arena, m.key, m.key_len);
    if ((valued && !m.value) || (keyed && !m.key)) return ls_fail_memory(err, "trying a stage");
    if (ls_decoder_message(t->decoder, t->read, &m, err)) return -1;
    for (; i < t->read->seen.count; i++) t->read->seen.changes[i].origin = origin;
    return 0;
}

/* ---- a row of kafka.<topic>, which stands for its message where decode = "raw" */

static bool is_message(const ls_trial *t, const ls_change *c) {
    return strcmp(t->stage->as.consumer.decode, "raw") == 0 && strcmp(c->schema->schema, "kafka") == 0;
}

/* NULL: the row has no such column, or no value in it. */
static const ls_value *value_of(const ls_change *c, const char *name) {
    int i = ls_schema_find(c->schema, name, strlen(name));
    return i < 0 || c->after[i].state != LS_PRESENT ? NULL : &c->after[i];
}

/* A text column's text is taken as it stands. *p NULL: the message has none. */
static int bytes_of(ls_trial *t, const ls_value *v, const char **p, size_t *n, ls_error *err) {
    if (!v) return 0;
    if (v->kind == LS_KIND_BYTES)
        *p = v->as.p, *n = v->len;
    else if (ls_row_text(&t->given->seen, v, p, n))
        return ls_fail_memory(err, "trying a stage");
    *p = ls_arena_copy(&t->given->arena, *n ? *p : "", *n);
    return *p ? 0 : ls_fail_memory(err, "trying a stage");
}

static int read_as_message(ls_trial *t, const ls_change *c, ls_error *err) {
    if (c->action != 'I') return 0; /* no message is one */
    const ls_value *partition = value_of(c, "partition"), *offset = value_of(c, "offset"), *time = value_of(c, "timestamp");
    const ls_origin *o = c->origin;
    int64_t us;
    ls_incoming m = {.topic = o && *o->topic ? o->topic : c->schema->table, .partition = o ? o->partition : 0, .time = -1};
    if (partition && partition->kind == LS_KIND_INT) m.partition = (int32_t)partition->as.i;
    if (offset && offset->kind == LS_KIND_INT) m.offset = offset->as.i;
    if (time && ls_row_time(&t->given->seen, time, &us) == 1) m.time = us / 1000;
    if (bytes_of(t, value_of(c, "key"), &m.key, &m.key_len, err) || bytes_of(t, value_of(c, "value"), &m.value, &m.value_len, err)) return -1;
    return read_message(t, m, o, err);
}

/* ---- messages */

/* What a connector without options of its own, but in the format that the consumer reads, makes of the rows. */
static int read_messages(ls_trial *t, ls_error *err) {
    static const ls_format_options plain;
    const ls_format_ops *format = ls_format_find(t->stage->as.consumer.decode);
    if (!format) format = &ls_format_list_sync; /* "raw" */
    for (uint32_t i = 0; i < t->given->seen.count; i++) {
        ls_batch *b = &t->given->seen;
        const ls_origin *o = b->changes[i].origin;
        if (is_message(t, &b->changes[i])) {
            if (read_as_message(t, &b->changes[i], err)) return -1;
            continue;
        }
        ls_buf_clear(&t->message);
        ls_buf_clear(&t->key);
        int keyed = ls_format_key(&plain, b, i, &t->key, err);
        if (keyed < 0 || format->encode(&plain, b, i, &t->message, err)) return -1;
        ls_incoming m = {.topic = o ? o->topic : t->stage->as.consumer.topics[0], .key = keyed ? t->key.data : NULL, .key_len = t->key.len,
                         .value = t->message.data, .value_len = t->message.len, .time = -1, .partition = o ? o->partition : 0};
        if (read_message(t, m, o, err)) return -1;
    }
    return 0;
}

int ls_trial_teach(ls_trial *t, const ls_schema *s, ls_error *err) {
    if (!t->decoder) return 0;
    ls_madeup_column *cols = calloc(s->ncols ? s->ncols : 1, sizeof *cols);
    if (!cols) return ls_fail_memory(err, "trying a stage");
    ls_madeup_columns(s, cols);
    int rc = ls_madeup_add(ls_trial_begin(t), s, cols, LS_MADEUP_INSERT) < 0 ? ls_fail_memory(err, "trying a stage") : read_messages(t, err);
    free(cols);
    return rc;
}

int ls_trial_run(ls_trial *t, ls_work **out, ls_error *err) {
    *out = t->read ? t->read : t->given;
    if (t->read && read_messages(t, err)) return -1;
    if (t->columns && ls_columns_run(t->columns, *out, err)) return -1;
    return t->script && (*out)->seen.count && ls_script_run(t->script, &(*out)->seen, err) ? -1 : 0;
}

int ls_trial_read(ls_trial *t, const ls_case_message *message, ls_error *err) {
    ls_trial_begin(t);
    ls_incoming m = {.topic = message->ntopics ? message->topics[0] : "", .key = message->key, .key_len = message->key_len, .value = message->message,
                     .value_len = message->message_len, .time = LS_MADEUP_TS / 1000};
    if (read_message(t, m, NULL, err)) return -1;
    return t->script && ls_script_run(t->script, &t->read->seen, err) ? -1 : 0;
}

/* ---- what is sent ---- */

static int list_topics(ls_trial *t, const ls_change *c, ls_case_message *m, ls_error *err) {
    const ls_table_options *o = ls_encoder_options(t->encoder, c);
    const char *database = t->stage->as.connector.database;
    size_t n = o->ntopics;
    for (const ls_sent_topic *said = c->sending ? c->sending->topics : NULL; said; said = said->next) n++;
    const char **list = ls_arena_alloc(&t->given->arena, (n ? n : 1) * sizeof *list);
    if (!list) return ls_fail_memory(err, "trying a stage");
    m->topics = list;
    for (size_t k = 0; k < o->ntopics; k++) {
        char *name = ls_arena_alloc(&t->given->arena, LS_TOPIC_MAX + 1);
        if (!name) return ls_fail_memory(err, "trying a stage");
        if (ls_topic_name(name, o->topics[k], database && *database ? database : c->schema->schema, c->schema->schema, c->schema->table, err)) return -1;
        list[m->ntopics++] = name;
    }
    for (const ls_sent_topic *said = c->sending ? c->sending->topics : NULL; said && !o->ntopics; said = said->next) list[m->ntopics++] = said->name;
    return 0;
}

/* The options' headers, then those of the row. */
static int list_headers(ls_trial *t, const ls_change *c, ls_case_message *m, ls_error *err) {
    const ls_table_options *o = ls_encoder_options(t->encoder, c);
    const ls_sent_header *said = c->sending ? c->sending->headers : NULL;
    size_t n = o->nheaders;
    for (const ls_sent_header *h = said; h; h = h->next) n++;
    ls_case_header *list = ls_arena_alloc(&t->given->arena, (n ? n : 1) * sizeof *list);
    if (!list) return ls_fail_memory(err, "trying a stage");
    m->headers = list;
    for (size_t i = 0; i < o->nheaders; i++) list[m->nheaders++] = (ls_case_header){o->headers[i].name, o->headers[i].value, strlen(o->headers[i].value)};
    for (const ls_sent_header *h = said; h; h = h->next) list[m->nheaders++] = (ls_case_header){h->name, h->value, h->len};
    return 0;
}

int ls_trial_message(ls_trial *t, uint32_t i, ls_case_message *sent, const char **format, ls_error *err) {
    ls_batch *b = &t->given->seen;
    const ls_change *c = &b->changes[i];
    *sent = (ls_case_message){0};
    ls_buf_clear(&t->message);
    ls_buf_clear(&t->key);
    int value = ls_encoder_message(t->encoder, b, i, &t->message, err);
    int keyed = value < 0 ? -1 : ls_encoder_key(t->encoder, b, i, &t->key, err);
    if (keyed < 0 || list_topics(t, c, sent, err) || list_headers(t, c, sent, err)) return -1;
    *format = value ? ls_encoder_options(t->encoder, c)->format : NULL;
    if (!value) ls_buf_str(&t->message, "null");
    sent->message = ls_arena_copy(&t->given->arena, t->message.len ? t->message.data : "", t->message.len);
    sent->message_len = t->message.len;
    sent->key = keyed ? ls_arena_copy(&t->given->arena, t->key.len ? t->key.data : "", t->key.len) : NULL;
    sent->key_len = t->key.len;
    return t->message.failed || !sent->message || (keyed && !sent->key) ? ls_fail_memory(err, "trying a stage") : 0;
}

int ls_trial_places(ls_trial *t, ls_buf *out, ls_error *err) {
    return t->script ? ls_script_places(t->script, t->stage->name, out, err) : 0;
}
