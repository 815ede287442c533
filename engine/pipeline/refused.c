#include "pipeline/refused.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which row a large message is. */
typedef struct card {
    struct card *next, *before; /* in the list of all */
    struct card *behind;        /* in the queue of letters that wait */
    ls_segment *segment;
    size_t bytes; /* key and value */
    char pos[40];
    uint64_t seq;
    uint32_t sub;
    char *key; /* owned; NULL: none */
    size_t key_len;
    char *topic, *why;   /* of the refusal; owned */
    char *schema, *table; /* in the same piece of memory as the card */
} card;

struct ls_refused {
    ls_dead *dead;
    ls_producer *producer;
    ls_topic *letters;
    ls_inflight *inflight;
    size_t alone; /* bytes of key and value beyond which a message has a batch of its own */
    pthread_mutex_t mutex; /* the list, and the rows kept */
    card *all;
    card *kept[LS_REFUSED_KEPT]; /* a ring */
    size_t nkept;
    card *first, **last; /* the queue: the delivery thread's own */
    ls_letter letter;
};

/* Cards and segments are aligned: bit 0 tells a card's opaque from a segment's. */
static void *opaque_of(card *c) { return (char *)c + 1; }
static card *card_of(void *opaque) { return (uintptr_t)opaque & 1 ? (card *)(void *)((char *)opaque - 1) : NULL; }

ls_refused *ls_refused_new(ls_dead *dead, ls_producer *producer, ls_topic *letters, ls_inflight *inflight) {
    ls_refused *r = calloc(1, sizeof *r);
    if (!r) return NULL;
    *r = (ls_refused){.dead = dead, .producer = producer, .letters = letters, .inflight = inflight, .alone = ls_producer_alone(producer)};
    r->last = &r->first;
    pthread_mutex_init(&r->mutex, NULL);
    return r;
}

static void unlist(ls_refused *r, card *c) {
    pthread_mutex_lock(&r->mutex);
    if (c->before)
        c->before->next = c->next;
    else
        r->all = c->next;
    if (c->next) c->next->before = c->before;
    pthread_mutex_unlock(&r->mutex);
}

static void free_card(card *c) {
    if (!c) return;
    free(c->key);
    free(c->topic);
    free(c->why);
    free(c);
}

static void drop(ls_refused *r, card *c) {
    unlist(r, c);
    free_card(c);
}

void ls_refused_forget(ls_refused *r) {
    while (r && r->all) drop(r, r->all);
}

void ls_refused_free(ls_refused *r) {
    if (!r) return;
    ls_refused_forget(r);
    for (size_t i = 0; i < LS_REFUSED_KEPT; i++) free_card(r->kept[i]);
    pthread_mutex_destroy(&r->mutex);
    ls_letter_free(&r->letter);
    free(r);
}

void *ls_refused_opaque(ls_refused *r, ls_segment *s, const ls_change *c, size_t bytes) {
    if (bytes <= r->alone) return s;
    size_t schema = strlen(c->schema->schema) + 1, table = strlen(c->schema->table) + 1;
    card *new = malloc(sizeof *new + schema + table);
    if (!new) return NULL;
    *new = (card){.segment = s, .bytes = bytes, .seq = c->seq, .sub = c->sub};
    memcpy(new->pos, c->tx->pos, sizeof new->pos);
    new->schema = memcpy(new + 1, c->schema->schema, schema);
    new->table = memcpy(new->schema + schema, c->schema->table, table);
    pthread_mutex_lock(&r->mutex);
    new->next = r->all;
    if (r->all) r->all->before = new;
    r->all = new;
    pthread_mutex_unlock(&r->mutex);
    return opaque_of(new);
}

ls_segment *ls_refused_segment(ls_refused *r, void *opaque) {
    card *c = card_of(opaque);
    if (!c) return opaque;
    ls_segment *s = c->segment;
    drop(r, c);
    return s;
}

static ls_fault fault_of(const card *c) { return (ls_fault){.hook = "size", .text = c->why, .bytes = c->bytes}; }

static ls_dead_row row_of(const card *c, const ls_fault *f) {
    return (ls_dead_row){.fault = f, .schema = c->schema, .table = c->table, .pos = c->pos, .seq = c->seq, .sub = c->sub, .topic = c->topic,
                         .partition = -1, .offset = -1};
}

static char *why(const card *c, const ls_report *report) {
    char text[1024];
    snprintf(text, sizeof text, "%s.%s, position %s/%llu: a message of %zu bytes: %s", c->schema, c->table, c->pos, (unsigned long long)c->seq, c->bytes,
             report->why);
    return strdup(text);
}

bool ls_refused_take(ls_refused *r, const ls_report *report) {
    card *c = card_of(report->opaque);
    if (!c) return false;
    c->topic = strdup(report->topic);
    c->why = why(c, report);
    if (report->key && (c->key = malloc(report->key_len + 1))) memcpy(c->key, report->key, report->key_len);
    if (!c->topic || !c->why || (report->key && !c->key)) return false;
    c->key_len = report->key_len;
    const ls_fault f = fault_of(c);
    const ls_dead_row row = row_of(c, &f);
    ls_policy policy = ls_dead_policy(r->dead, &f);
    ls_dead_note(r->dead, &row, policy);
    if (policy == LS_POLICY_DEAD_LETTER) {
        *r->last = c;
        r->last = &c->behind;
    } else {
        ls_inflight_done(r->inflight, c->segment, c->bytes);
        drop(r, c);
    }
    return true;
}

/* 1: there is no room. */
static int send_letter(ls_refused *r, const card *c, ls_error *err) {
    const ls_fault f = fault_of(c);
    const ls_dead_row row = row_of(c, &f);
    int partition = c->key ? ls_partition_for(c->key, c->key_len, ls_topic_count(r->letters)) : 0;
    if (ls_letter_fill(&r->letter, r->dead, &row, NULL, 0, err)) return -1;
    ls_inflight_add(r->inflight, c->segment, c->key_len);
    if (ls_producer_send(r->producer, r->letters, partition, c->key, c->key_len, NULL, 0, r->letter.headers, r->letter.n, c->segment, err) == 0) return 0;
    ls_inflight_unsent(r->inflight, c->segment, c->key_len);
    return err->code == LS_AGAIN ? 1 : -1;
}

int ls_refused_send(ls_refused *r, ls_error *err) {
    for (card *c; (c = r->first);) {
        int rc = send_letter(r, c, err);
        if (rc) return rc < 0 ? -1 : 0;
        if (!(r->first = c->behind)) r->last = &r->first;
        ls_inflight_done(r->inflight, c->segment, c->bytes);
        drop(r, c);
    }
    return 0;
}

bool ls_refused_keep(ls_refused *r, const ls_report *report) {
    card *c = card_of(report->opaque);
    if (!c || !(c->why = why(c, report))) return false;
    unlist(r, c);
    pthread_mutex_lock(&r->mutex);
    card **at = &r->kept[r->nkept++ % LS_REFUSED_KEPT];
    free_card(*at);
    *at = c;
    pthread_mutex_unlock(&r->mutex);
    return true;
}

bool ls_refused_before(ls_refused *r, const ls_change *c, ls_error *err) {
    bool found = false;
    if (!r) return false;
    pthread_mutex_lock(&r->mutex);
    for (size_t i = 0; i < LS_REFUSED_KEPT && r->kept[i] && !found; i++) {
        const card *k = r->kept[i];
        found = k->seq == c->seq && k->sub == c->sub && strcmp(k->pos, c->tx->pos) == 0;
        if (found) ls_fail(err, LS_FAIL, "%s", k->why);
    }
    pthread_mutex_unlock(&r->mutex);
    return found;
}
