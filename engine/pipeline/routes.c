#include "pipeline/routes.h"

#include "base/names.h"
#include "pipeline/outbox.h"
#include "pipeline/sent.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LS_BATCH_SHARE = 2 * 1024 * 1024, /* bytes of the budget that batches and message buffers take; the rest may be in flight */
    LS_KEEP_MESSAGE = 1024 * 1024,    /* bytes of message buffer kept between rows; a larger one goes back */
    LS_LETTER_KEY = 1024 * 1024       /* bytes of a dead letter's key; a larger one is left out */
};

typedef struct topic_list {
    ls_topic **at;
    size_t n, cap;
} topic_list;

struct ls_routes {
    ls_worker *worker;
    const ls_connector_options *opt;
    ls_producer *producer;
    ls_encoder *encoder;
    size_t limit;         /* bytes that may be in flight */
    ls_names names;       /* of the topics in use */
    ls_names counted;     /* ... and of those that earlier runs sent to: max_topics bounds them */
    topic_list topics;    /* by the number of the name */
    topic_list *by_table; /* by schema id: the templates' topics; n 0: not looked up yet */
    size_t nids;
    topic_list now;       /* of the row at hand, where a function said them */
    ls_sent sent;         /* where the functions sent rows: truncates follow */
    ls_producer_header *headers;
    size_t cap_headers;
    ls_buf key, message, pairs;
    ls_outbox outbox; /* exactly_once: while a transaction is being ended */
    ls_dead *dead;
    ls_topic *letters; /* where dead letters go; NULL: there are none */
    ls_letter letter;
    const char *blame; /* what of the row at hand failed, as ls_fault.hook has it; NULL: nothing of the row itself */
    size_t too_large;  /* bytes of its message, if that is over the limit; 0: it is not */
    bool begun; /* a message of the row at hand has gone */
    ls_retry retry; /* of making a topic */
};

/* Says of which change an error is. Gives -1. */
static int at_change(const ls_change *c, ls_error *err) {
    return ls_fail_in(err, "%s.%s, position %s/%llu", c->schema->schema, c->schema->table, c->tx->pos, (unsigned long long)c->seq);
}

static int add(topic_list *l, ls_topic *t, ls_error *err) {
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 4;
        ls_topic **at = realloc(l->at, cap * sizeof(ls_topic *));
        if (!at) return ls_fail_memory(err, "remembering topics");
        l->at = at;
        l->cap = cap;
    }
    l->at[l->n++] = t;
    return 0;
}

/* Two names, or templates, may come to the same topic: it gets one message. */
static bool has(const topic_list *l, const ls_topic *t) {
    for (size_t i = 0; i < l->n; i++)
        if (l->at[i] == t) return true;
    return false;
}

/* The topic of that name; made, if need be, with the options of the tables that come first. */
static int topic_named(ls_routes *r, const ls_table_options *o, const char *name, size_t len, ls_topic **out, ls_error *err) {
    int64_t known = ls_names_find(&r->names, name, len);
    if (known >= 0) {
        *out = r->topics.at[known];
        return 0;
    }
    if (r->counted.n >= r->opt->max_topics && ls_names_find(&r->counted, name, len) < 0) {
        r->blame = "max_topics";
        return ls_fail(err, LS_FAIL, "the topic \"%s\" would be number %zu, and max_topics = %zu: make topics' names of what has fewer values, or raise it",
                       name, (size_t)r->counted.n + 1, r->opt->max_topics);
    }
    if (ls_producer_topic(r->producer, name, o->partitions, o->replication, out, err) || add(&r->topics, *out, err)) return -1;
    if (ls_names_add(&r->names, name, len) >= 0 && ls_names_add(&r->counted, name, len) >= 0) return 0;
    r->topics.n--;
    return ls_fail_memory(err, "remembering topics");
}

static int topic_for(ls_routes *r, const ls_table_options *o, const char *template_, const ls_schema *s, ls_topic **out, ls_error *err) {
    char name[LS_TOPIC_MAX + 1];
    const char *schema = s ? s->schema : "", *database = r->opt->database && *r->opt->database ? r->opt->database : schema;
    if (ls_topic_name(name, template_, database, schema, s ? s->table : "", err)) return -1;
    return topic_named(r, o, name, strlen(name), out, err);
}

static int make_fixed_topics(ls_routes *r, ls_error *err) {
    for (size_t i = 0; i < r->opt->nsets; i++) {
        const ls_table_options *o = &r->opt->sets[i];
        for (size_t k = 0; k < o->ntopics; k++) {
            ls_topic *t;
            if (!strchr(o->topics[k], '{') && topic_for(r, o, o->topics[k], NULL, &t, err)) return -1;
        }
    }
    return 0;
}

static int count_sent(ls_routes *r, ls_error *err) {
    for (uint32_t i = 0; i < r->sent.pairs.n; i++) {
        const char *topic = r->sent.pairs.all[i].text + strlen(r->sent.pairs.all[i].text) + 1;
        if (ls_names_add(&r->counted, topic, strlen(topic)) < 0) return ls_fail_memory(err, "remembering topics");
    }
    return 0;
}

int ls_routes_open(ls_routes **out, ls_worker *w, ls_producer *producer, ls_encoder *encoder, ls_progress *progress, ls_error *err) {
    ls_routes *r = calloc(1, sizeof *r);
    if (!r) return ls_fail_memory(err, "starting");
    r->worker = w;
    r->opt = &w->stage->as.connector;
    r->producer = producer;
    r->encoder = encoder;
    r->limit = r->opt->memory > 2 * (size_t)LS_BATCH_SHARE ? r->opt->memory - LS_BATCH_SHARE : LS_BATCH_SHARE;
    if (ls_sent_read(&r->sent, progress, producer, err) || count_sent(r, err) || make_fixed_topics(r, err)) {
        ls_routes_free(r);
        return -1;
    }
    *out = r;
    return 0;
}

void ls_routes_free(ls_routes *r) {
    if (!r) return;
    for (size_t i = 0; i < r->nids; i++) free(r->by_table[i].at);
    free(r->by_table);
    free(r->topics.at);
    free(r->now.at);
    free(r->headers);
    ls_names_free(&r->names);
    ls_names_free(&r->counted);
    ls_sent_free(&r->sent);
    ls_buf_free(&r->key);
    ls_buf_free(&r->message);
    ls_buf_free(&r->pairs);
    ls_outbox_free(&r->outbox);
    ls_letter_free(&r->letter);
    free(r);
}

int ls_routes_open_letters(ls_routes *r, ls_dead *dead, ls_error *err) {
    r->dead = dead;
    if (!ls_dead_letters(dead) || r->letters) return 0;
    return ls_producer_topic(r->producer, ls_dead_topic(dead), 1, r->opt->sets[0].replication, &r->letters, err);
}

ls_topic *ls_routes_letters(const ls_routes *r) { return r->letters; }

/* ---- rows in error ---- */

/* The row that failed for *err is set aside, if it is to blame and the stage goes on behind such a row. false: neither, or memory is out. */
static bool set_aside(ls_routes *r, ls_batch *b, uint32_t i, const ls_error *err) {
    const ls_fault f = {.hook = r->blame, .text = err->text, .bytes = r->too_large};
    return r->blame && ls_dead_policy(r->dead, &f) != LS_POLICY_STOP && ls_fault_set(ls_work_of(b), i, &f) == 0;
}

/* ---- which topics ---- */

/* The templates' topics of a schema's rows; looked up once a schema. */
static int topics_of_table(ls_routes *r, const ls_table_options *o, const ls_schema *s, topic_list **out, ls_error *err) {
    if (s->id >= r->nids) {
        size_t ids = (size_t)s->id + 64;
        topic_list *p = realloc(r->by_table, ids * sizeof *p);
        if (!p) return ls_fail_memory(err, "remembering a table's topics");
        memset(p + r->nids, 0, (ids - r->nids) * sizeof *p);
        r->by_table = p;
        r->nids = ids;
    }
    topic_list *l = *out = &r->by_table[s->id];
    for (size_t k = 0, n = l->n ? 0 : o->ntopics; k < n; k++) {
        ls_topic *t;
        if (topic_for(r, o, o->topics[k], s, &t, err) || (!has(l, t) && add(l, t, err))) {
            l->n = 0; /* it is looked up again */
            return -1;
        }
    }
    return 0;
}

/* Those that a function of the script said. */
static int topics_said(ls_routes *r, const ls_table_options *o, const ls_change *c, ls_error *err) {
    for (const ls_sent_topic *said = c->sending ? c->sending->topics : NULL; said; said = said->next) {
        ls_topic *t;
        if (topic_named(r, o, said->name, said->len, &t, err) || add(&r->now, t, err)) return -1;
        if (ls_sent_note(&r->sent, c->schema->schema, c->schema->table, said->name, said->len)) return ls_fail_memory(err, "remembering topics");
    }
    return 0;
}

/* A table's change, which no function is asked of: to where its rows went. They are a renamed table's rows from now on. */
static int topics_sent(ls_routes *r, const ls_table_options *o, const ls_change *c, ls_error *err) {
    for (uint32_t i = 0, n = r->sent.pairs.n; i < n; i++) {
        const char *name = ls_sent_topic_of(&r->sent, i, c->schema);
        ls_topic *t;
        if (!name) continue;
        if (topic_named(r, o, name, strlen(name), &t, err) || (!has(&r->now, t) && add(&r->now, t, err))) return -1;
        if (c->to_table && ls_sent_note(&r->sent, c->to_schema, c->to_table, ls_topic_title(t), strlen(ls_topic_title(t))))
            return ls_fail_memory(err, "remembering topics");
    }
    return 0;
}

static int topics_for(ls_routes *r, const ls_change *c, topic_list **out, ls_error *err) {
    const ls_table_options *o = ls_encoder_options(r->encoder, c);
    if (o->ntopics) return topics_of_table(r, o, c->schema, out, err);
    r->now.n = 0;
    *out = &r->now;
    return ls_format_is_row(c) ? topics_said(r, o, c, err) : topics_sent(r, o, c, err);
}

/* The same, waiting for brokers that do not answer: the database's session stays. */
static int await_topics(ls_routes *r, const ls_change *c, topic_list **out, int (*pause)(void *, ls_error *), void *ctx, ls_error *err) {
    while (topics_for(r, c, out, err))
        if (ls_retry_wait(&r->retry, r->worker, err) || pause(ctx, err)) return -1;
    ls_retry_ok(&r->retry, r->worker, "Kafka answers");
    return 0;
}

/* 1: the row is in error, and set aside. */
static int prepare_row(ls_routes *r, ls_batch *b, uint32_t i, int (*pause)(void *, ls_error *), void *ctx, ls_error *err) {
    const ls_change *c = &b->changes[i];
    const ls_sent_topic *said = c->sending && !(c->flags & LS_DROPPED) ? c->sending->topics : NULL;
    r->blame = NULL;
    r->too_large = 0;
    for (ls_topic *t; said; said = said->next)
        while (topic_named(r, ls_encoder_options(r->encoder, c), said->name, said->len, &t, err)) {
            if (!r->blame && ls_retry_wait(&r->retry, r->worker, err) == 0 && pause(ctx, err) == 0) continue;
            at_change(c, err);
            return set_aside(r, b, i, err) ? 1 : -1;
        }
    return 0;
}

int ls_routes_prepare(ls_routes *r, ls_batch *b, int (*pause)(void *, ls_error *), void *ctx, ls_error *err) {
    for (uint32_t i = 0; i < b->count; i++)
        if (prepare_row(r, b, i, pause, ctx, err) < 0) return -1;
    ls_retry_ok(&r->retry, r->worker, "Kafka answers");
    return 0;
}

static int partition_of(const ls_routes *r, const ls_schema *s, bool keyed, int partitions) {
    char name[1024]; /* a NULL key: by table */
    if (keyed) return ls_partition_for(r->key.data, r->key.len, partitions);
    size_t a = s->schema_len, b = s->table_len;
    if (a + 1 + b > sizeof name) return 0;
    memcpy(name, s->schema, a);
    name[a] = '.';
    memcpy(name + a + 1, s->table, b);
    return ls_partition_for(name, a + 1 + b, partitions);
}

/* ---- sending ---- */

/* What is sent to each topic. */
typedef struct outgoing {
    bool keyed, has_value;
    const ls_producer_header *headers;
    size_t nheaders;
    const ls_change *change; /* NULL: it is a dead letter */
    ls_delivery *delivery;
    ls_segment *segment;
    int (*pause)(void *, ls_error *);
    void *ctx;
} outgoing;

/* The options' headers, then those of the row. */
static int read_headers(ls_routes *r, const ls_change *c, size_t *n, ls_error *err) {
    const ls_table_options *o = ls_encoder_options(r->encoder, c);
    const ls_sent_header *said = c->sending ? c->sending->headers : NULL;
    size_t want = o->nheaders;
    for (const ls_sent_header *h = said; h; h = h->next) want++;
    if (want > r->cap_headers) {
        ls_producer_header *p = realloc(r->headers, want * sizeof *p);
        if (!p) return ls_fail_memory(err, "encoding a message's headers");
        r->headers = p;
        r->cap_headers = want;
    }
    *n = 0;
    for (size_t i = 0; i < o->nheaders; i++)
        r->headers[(*n)++] = (ls_producer_header){o->headers[i].name, o->headers[i].value, strlen(o->headers[i].value)};
    for (const ls_sent_header *h = said; h; h = h->next) r->headers[(*n)++] = (ls_producer_header){h->name, h->value, h->len};
    return 0;
}

bool ls_routes_begun(const ls_routes *r) { return r->begun; }
bool ls_routes_waiting(const ls_routes *r) { return !ls_outbox_is_empty(&r->outbox); }

int ls_routes_drain(ls_routes *r, ls_delivery *d, ls_error *err) {
    while (!ls_outbox_is_empty(&r->outbox)) {
        size_t left = r->outbox.bytes.len - r->outbox.at;
        if (!ls_delivery_enter(d)) return 0;
        int rc = ls_outbox_send(&r->outbox, r->producer, err);
        ls_delivery_leave(d, rc ? 0 : left - (r->outbox.bytes.len - r->outbox.at));
        if (rc) return err->code == LS_AGAIN ? 0 : -1;
    }
    return 0;
}

void ls_routes_undo(ls_routes *r) { ls_outbox_clear(&r->outbox); }

/* Hands the message to the client, or to the outbox while it cannot take it. LS_AGAIN: that is full, too. */
static int hand_over(ls_routes *r, ls_delivery *d, const ls_parcel *p, ls_error *err) {
    if (ls_routes_drain(r, d, err)) return -1;
    if (ls_outbox_is_empty(&r->outbox) && ls_delivery_enter(d)) {
        int rc = ls_producer_send(r->producer, p->topic, p->partition, p->key, p->key_len, p->value, p->value_len, p->headers, p->nheaders, p->opaque, err);
        ls_delivery_leave(d, rc ? 0 : p->key_len + p->value_len + LS_MESSAGE_OVERHEAD);
        return rc;
    }
    int full = ls_outbox_add(&r->outbox, p);
    return full < 0 ? ls_fail_memory(err, "sending") : full ? ls_fail(err, LS_AGAIN, "the transaction is being ended") : 0;
}

/* Sends one message to one partition, waiting for room in the budget first: a message that is larger than the whole
 * budget goes when nothing else is in flight. */
static int send_one(ls_routes *r, const outgoing *o, ls_topic *t, int partition, bool value, ls_error *err) {
    ls_inflight *f = ls_delivery_inflight(o->delivery);
    ls_parcel p = {.topic = t,
                         .partition = partition,
                         .key = o->keyed ? (r->key.data ? r->key.data : "") : NULL,
                         .key_len = o->keyed ? r->key.len : 0,
                         .value = value ? (r->message.data ? r->message.data : "") : NULL,
                         .value_len = value ? r->message.len : 0,
                         .headers = o->headers,
                         .nheaders = o->nheaders};
    size_t bytes = p.key_len + p.value_len;
    for (size_t now; (now = ls_inflight_bytes(f)) > 0 && now + bytes > r->limit;)
        if (ls_routes_drain(r, o->delivery, err) || o->pause(o->ctx, err)) return -1;
    if (!(p.opaque = ls_delivery_opaque(o->delivery, o->segment, o->change, bytes, err))) return -1;
    for (;;) {
        ls_inflight_add(f, o->segment, bytes);
        if (hand_over(r, o->delivery, &p, err) == 0) {
            r->begun = true;
            return 0;
        }
        ls_inflight_unsent(f, o->segment, bytes);
        if (err->code != LS_AGAIN || o->pause(o->ctx, err)) return -1;
    }
}

static int encode(ls_routes *r, ls_batch *b, uint32_t i, outgoing *o, ls_error *err) {
    if (r->message.cap > LS_KEEP_MESSAGE) ls_buf_free(&r->message);
    ls_buf_clear(&r->message);
    ls_buf_clear(&r->key);
    int value = ls_encoder_message(r->encoder, b, i, &r->message, err);
    int keyed = value < 0 ? -1 : ls_encoder_key(r->encoder, b, i, &r->key, err);
    if (keyed < 0 && !err->memory) r->blame = "encoding";
    if (keyed < 0 || read_headers(r, &b->changes[i], &o->nheaders, err)) return -1;
    o->headers = r->headers;
    o->keyed = keyed;
    o->has_value = value;
    return 0;
}

static int send_all(ls_routes *r, const ls_change *c, const topic_list *topics, const outgoing *o, ls_error *err) {
    bool everywhere = c->action == 'T', buried = c->action == 'D' && ls_encoder_options(r->encoder, c)->tombstones && o->keyed && o->has_value;
    for (size_t k = 0; k < topics->n; k++) {
        ls_topic *t = topics->at[k];
        int n = ls_topic_count(t);
        int first = everywhere ? 0 : partition_of(r, c->schema, o->keyed, n), last = everywhere ? n - 1 : first;
        for (int p = first; p <= last; p++)
            if (send_one(r, o, t, p, o->has_value, err) || (buried && send_one(r, o, t, p, false, err))) return -1;
    }
    return 0;
}

/* Before the first row goes to a topic, the checkpoint learns that its table's do. */
static int tell_sent(ls_routes *r, ls_delivery *d, ls_error *err) {
    if (r->sent.stored == r->sent.pairs.n) return 0;
    ls_buf_clear(&r->pairs);
    if (r->sent.stored <= LS_SENT_STORED && r->sent.pairs.n > LS_SENT_STORED)
        ls_log_line(&r->worker->log, LS_WARN, "rows of tables went to topics in over %d combinations: after the next start, a truncate does not know more of them",
                    LS_SENT_STORED);
    for (uint32_t i = r->sent.stored; i < r->sent.pairs.n && i < LS_SENT_STORED; i++) {
        if (r->pairs.len) ls_buf_char(&r->pairs, ',');
        ls_sent_write(&r->sent, i, &r->pairs);
    }
    if (r->pairs.failed) return ls_fail_memory(err, "remembering topics");
    r->sent.stored = r->sent.pairs.n;
    ls_delivery_sent(d, &r->pairs);
    return 0;
}

/* A message that is over the limit has not been sent to any topic when the first of them refuses it. -1: one that was refused in a transaction that is undone. */
static int look_at_size(ls_routes *r, const outgoing *o, ls_error *err) {
    size_t bytes = ls_producer_bytes(o->keyed ? r->key.len : 0, o->has_value ? r->message.len : 0, o->headers, o->nheaders);
    bool refused = ls_delivery_refused(o->delivery, o->change, err);
    if (bytes <= LS_LARGEST && !refused) return 0;
    r->blame = "size";
    r->too_large = bytes;
    return refused ? -1 : 0;
}

static int send_row(ls_routes *r, ls_batch *b, uint32_t i, outgoing *o, ls_error *err) {
    const ls_change *c = &b->changes[i];
    topic_list *topics = NULL;
    r->blame = NULL;
    r->too_large = 0;
    if (encode(r, b, i, o, err)) return -1;
    if (await_topics(r, c, &topics, o->pause, o->ctx, err) || tell_sent(r, o->delivery, err)) return at_change(c, err);
    if (look_at_size(r, o, err)) return -1;
    return send_all(r, c, topics, o, err) ? at_change(c, err) : 0;
}

/* In the row's place: in its segment, so that the position waits for it as for any message. Of a message that was too large the key is in r->key. */
static int send_letter(ls_routes *r, ls_batch *b, uint32_t i, outgoing *o, ls_error *err) {
    const ls_change *c = &b->changes[i];
    ls_fault fault = *c->fault;
    ls_dead_row row = ls_dead_row_of(c);
    ls_policy policy = ls_dead_policy(r->dead, &fault);
    ls_dead_note(r->dead, &row, policy);
    if (policy != LS_POLICY_DEAD_LETTER) return 0;
    if (fault.bytes) {
        o->has_value = false;
    } else {
        ls_buf_clear(&r->message);
        ls_buf_clear(&r->key);
        if (ls_encoder_letter(r->encoder, b, i, &r->message, &r->key, &o->has_value, &o->keyed, err)) return at_change(c, err);
    }
    if (o->keyed && r->key.len > LS_LETTER_KEY) o->keyed = false;
    row.fault = &fault;
    for (size_t bytes = 0;; fault.bytes = bytes, o->has_value = false) {
        if (ls_letter_fill(&r->letter, r->dead, &row, NULL, 0, err)) return at_change(c, err);
        o->headers = r->letter.headers;
        o->nheaders = r->letter.n;
        bytes = ls_producer_bytes(o->keyed ? r->key.len : 0, o->has_value ? r->message.len : 0, o->headers, o->nheaders);
        if (bytes <= LS_LARGEST) break;
    }
    o->change = NULL;
    return send_one(r, o, r->letters, partition_of(r, c->schema, o->keyed, ls_topic_count(r->letters)), o->has_value, err) ? at_change(c, err) : 0;
}

int ls_routes_send(ls_routes *r, ls_batch *b, uint32_t i, ls_delivery *d, ls_segment *s, int (*pause)(void *, ls_error *),
                   void *ctx, ls_error *err) {
    outgoing o = {.change = &b->changes[i], .delivery = d, .segment = s, .pause = pause, .ctx = ctx};
    r->begun = false;
    if (!b->changes[i].fault) {
        if (send_row(r, b, i, &o, err) == 0) return 0;
        if (!set_aside(r, b, i, err)) return -1;
    }
    return send_letter(r, b, i, &o, err);
}
