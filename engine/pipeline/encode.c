#include "pipeline/encode.h"

#include <stdlib.h>
#include <string.h>

typedef struct form {
    const ls_format_ops *ops; /* NULL: a function of the script makes the messages */
    ls_format_options options;
} form;

struct ls_encoder {
    const ls_table_options *sets; /* NULL: a consumer's */
    form *forms;                  /* by ls_schema.rule */
    size_t nforms;
};

static form form_of(const ls_table_options *o, const char *database) {
    const char *word = o->nkey && !o->own_key ? o->key[0] : "";
    return (form){.ops = o->format ? ls_format_find(o->format) : NULL,
                  .options = {.embed_json = strcmp(o->json, "embed") == 0,
                              .no_source = !o->source,
                              .table_key = strcmp(word, "table_pk") == 0,
                              .object_key = strcmp(word, "object") == 0,
                              .key = o->own_key ? o->key : NULL,
                              .nkey = o->own_key ? o->nkey : 0,
                              .database = database}};
}

int ls_encoder_open(ls_encoder **out, const ls_stage *stage, ls_error *err) {
    const ls_connector_options *o = stage->is_connector ? &stage->as.connector : NULL;
    ls_encoder *e = calloc(1, sizeof *e);
    size_t n = o ? o->nsets : 1;
    *out = NULL;
    if (!e || !(e->forms = calloc(n, sizeof *e->forms))) {
        free(e);
        return ls_fail_memory(err, "starting");
    }
    e->nforms = n;
    e->sets = o ? o->sets : NULL;
    e->forms[0] = (form){.ops = &ls_format_list_sync};
    for (size_t i = 0; o && i < n; i++) e->forms[i] = form_of(&o->sets[i], o->database);
    *out = e;
    return 0;
}

void ls_encoder_free(ls_encoder *e) {
    if (e) free(e->forms);
    free(e);
}

void ls_encoder_as_text(ls_encoder *e) {
    for (size_t i = 0; i < e->nforms; i++)
        if (e->forms[i].ops && e->forms[i].ops->binary) e->forms[i].ops = &ls_format_list_sync;
}

const ls_table_options *ls_encoder_options(const ls_encoder *e, const ls_change *c) { return &e->sets[c->schema->rule]; }

int ls_encoder_message(ls_encoder *e, ls_batch *b, uint32_t i, ls_buf *out, ls_error *err) {
    const ls_sending *s = b->changes[i].sending;
    const form *f = &e->forms[b->changes[i].schema->rule];
    if (!f->ops) {
        if (!s || s->has_message != LS_SAID) return 0;
        ls_buf_add(out, s->message, s->message_len);
    } else if (f->ops->encode(&f->options, b, i, out, err)) {
        return -1;
    }
    return out->failed ? ls_fail_memory(err, "encoding a message") : 1;
}

int ls_encoder_key(ls_encoder *e, ls_batch *b, uint32_t i, ls_buf *out, ls_error *err) {
    const ls_sending *s = b->changes[i].sending;
    if (!s || s->has_key == LS_UNSAID) return ls_format_key(&e->forms[b->changes[i].schema->rule].options, b, i, out, err);
    if (s->has_key == LS_SAID_NONE) return 0;
    ls_buf_add(out, s->key, s->key_len);
    return out->failed ? ls_fail_memory(err, "encoding a message's key") : 1;
}

int ls_encoder_letter(ls_encoder *e, ls_batch *b, uint32_t i, ls_buf *message, ls_buf *key, bool *has_message, bool *has_key, ls_error *err) {
    ls_format_options o = e->forms[b->changes[i].schema->rule].options;
    o.embed_json = false; /* any text can be sent as text */
    *has_message = ls_format_list_sync.encode(&o, b, i, message, err) == 0;
    if (!*has_message && err->memory) return -1;
    int keyed = ls_format_key(&o, b, i, key, err);
    if (keyed < 0 && err->memory) return -1;
    *has_key = keyed == 1;
    return message->failed || key->failed ? ls_fail_memory(err, "encoding a dead letter") : 0;
}
