#include "pipeline/outbox.h"

#include <stdlib.h>
#include <string.h>

/* Each message: its parcel, whose pointers are offsets behind it, then for each header its lengths, then all bytes. */
typedef struct head {
    size_t name_len, len; /* len SIZE_MAX: a null value */
} head;

static size_t size_of(const ls_parcel *p) {
    size_t n = sizeof *p + p->key_len + p->value_len + p->nheaders * sizeof(head);
    for (size_t i = 0; i < p->nheaders; i++) n += strlen(p->headers[i].name) + 1 + (p->headers[i].value ? p->headers[i].len : 0);
    return n;
}

int ls_outbox_add(ls_outbox *o, const ls_parcel *p) {
    size_t n = size_of(p), from = o->bytes.len;
    if (from + n > LS_OUTBOX_BYTES) return 1;
    ls_buf_add(&o->bytes, (const char *)p, sizeof *p);
    for (size_t i = 0; i < p->nheaders; i++) {
        head h = {strlen(p->headers[i].name), p->headers[i].value ? p->headers[i].len : SIZE_MAX};
        ls_buf_add(&o->bytes, (const char *)&h, sizeof h);
    }
    ls_buf_add(&o->bytes, p->key, p->key_len);
    ls_buf_add(&o->bytes, p->value, p->value_len);
    for (size_t i = 0; i < p->nheaders; i++) {
        ls_buf_add(&o->bytes, p->headers[i].name, strlen(p->headers[i].name) + 1);
        if (p->headers[i].value) ls_buf_add(&o->bytes, p->headers[i].value, p->headers[i].len);
    }
    if (!o->bytes.failed) return 0;
    o->bytes.len = from;
    return -1;
}

int ls_outbox_send(ls_outbox *o, ls_producer *producer, ls_error *err) {
    ls_parcel p;
    const char *at = o->bytes.data + o->at, *heads;
    memcpy(&p, at, sizeof p);
    ls_producer_header *all = p.nheaders ? calloc(p.nheaders, sizeof *all) : NULL;
    if (p.nheaders && !all) return ls_fail_memory(err, "sending messages that waited");
    heads = at += sizeof p;
    at += p.nheaders * sizeof(head);
    const char *key = at, *value = at + p.key_len;
    at = value + p.value_len;
    for (size_t i = 0; i < p.nheaders; i++) {
        head h;
        memcpy(&h, heads + i * sizeof h, sizeof h);
        all[i].name = at;
        at += h.name_len + 1;
        all[i].value = h.len == SIZE_MAX ? NULL : at;
        all[i].len = h.len == SIZE_MAX ? 0 : h.len;
        at += all[i].len;
    }
    int rc = ls_producer_send(producer, p.topic, p.partition, p.key ? key : NULL, p.key_len, p.value ? value : NULL, p.value_len, all, p.nheaders, p.opaque, err);
    free(all);
    if (rc) return -1;
    o->at = (size_t)(at - o->bytes.data);
    if (ls_outbox_is_empty(o)) ls_outbox_clear(o);
    return 0;
}

void ls_outbox_clear(ls_outbox *o) {
    ls_buf_clear(&o->bytes);
    o->at = 0;
}

void ls_outbox_free(ls_outbox *o) { ls_buf_free(&o->bytes); }
