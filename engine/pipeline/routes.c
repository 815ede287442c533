#include "pipeline/routes.h"

#include <stdlib.h>
#include <string.h>

enum {
    LS_BATCH_SHARE = 2 * 1024 * 1024, /* bytes of the budget that batches and message buffers take; the rest may be in flight */
    LS_KEEP_MESSAGE = 1024 * 1024     /* bytes of message buffer kept between rows; a larger one goes back */
};

struct ls_routes {
    ls_worker *worker;
    const ls_connector_options *opt;
    ls_producer *producer;
    const ls_format_ops *format;
    ls_format_options options;
    size_t limit;      /* bytes that may be in flight */
    ls_topic **topics; /* ntopics for each schema id up to nids; NULL: not looked up yet */
    size_t nids;
    ls_buf key, message;
    ls_retry retry; /* of making a topic */
};

static int topic_for(ls_routes *r, const char *template_, const char *schema, const char *table, ls_topic **out, ls_error *err) {
    char name[250];
    const char *database = r->opt->database && *r->opt->database ? r->opt->database : schema;
    if (ls_topic_name(name, template_, database, schema, table, err)) return -1;
    return ls_producer_topic(r->producer, name, r->opt->partitions, r->opt->replication, out, err);
}

int ls_routes_open(ls_routes **out, ls_worker *w, ls_producer *producer, const ls_format_ops *format, ls_error *err) {
    ls_routes *r = calloc(1, sizeof *r);
    if (!r) return ls_fail_memory(err, "starting");
    r->worker = w;
    r->opt = &w->stage->as.connector;
    r->producer = producer;
    r->format = format;
    r->options = ls_connector_format(w->stage);
    r->limit = r->opt->memory > 2 * (size_t)LS_BATCH_SHARE ? r->opt->memory - LS_BATCH_SHARE : LS_BATCH_SHARE;
    for (size_t i = 0; i < r->opt->ntopics; i++) {
        ls_topic *t;
        if (!strchr(r->opt->topics[i], '{') && topic_for(r, r->opt->topics[i], "", "", &t, err)) {
            ls_routes_free(r);
            return -1;
        }
    }
    *out = r;
    return 0;
}

void ls_routes_free(ls_routes *r) {
    if (!r) return;
    free(r->topics);
    ls_buf_free(&r->key);
    ls_buf_free(&r->message);
    free(r);
}

/* The ntopics topics of a schema's rows; looked up once a schema. */
static int topics_of(ls_routes *r, const ls_schema *s, ls_topic ***out, ls_error *err) {
    size_t n = r->opt->ntopics;
    if (s->id >= r->nids) {
        size_t ids = (size_t)s->id + 64;
        ls_topic **p = realloc(r->topics, ids * n * sizeof(ls_topic *));
        if (!p) return ls_fail_memory(err, "remembering a table's topics");
        memset(p + r->nids * n, 0, (ids - r->nids) * n * sizeof(ls_topic *));
        r->topics = p;
        r->nids = ids;
    }
    *out = r->topics + s->id * n;
    for (size_t i = 0; i < n; i++)
        if (!(*out)[i] && topic_for(r, r->opt->topics[i], s->schema, s->table, &(*out)[i], err)) return -1;
    return 0;
}

/* Sends one message to one partition, waiting for room in the budget first: a message that is larger than the whole
 * budget goes when nothing else is in flight. */
static int send_one(ls_routes *r, ls_topic *t, int partition, bool keyed, bool tombstone, ls_delivery *d, ls_segment *s,
                    int (*pause)(void *, ls_error *), void *ctx, ls_error *err) {
    ls_inflight *f = ls_delivery_inflight(d);
    size_t bytes = (tombstone ? 0 : r->message.len) + (keyed ? r->key.len : 0);
    for (size_t now; (now = ls_inflight_bytes(f)) > 0 && now + bytes > r->limit;)
        if (pause(ctx, err)) return -1;
    for (;;) {
        ls_inflight_add(f, s, bytes);
        if (ls_producer_send(r->producer, t, partition, keyed ? (r->key.data ? r->key.data : "") : NULL, r->key.len,
                             tombstone ? NULL : r->message.data, tombstone ? 0 : r->message.len, s, err) == 0)
            return 0;
        ls_inflight_unsent(f, s, bytes);
        if (err->code != LS_AGAIN || pause(ctx, err)) return -1;
    }
}

/* The same, waiting for brokers that do not answer: the database's session stays. */
static int await_topics(ls_routes *r, const ls_schema *s, ls_topic ***out, int (*pause)(void *, ls_error *), void *ctx, ls_error *err) {
    while (topics_of(r, s, out, err))
        if (ls_retry_wait(&r->retry, r->worker, err) || pause(ctx, err)) return -1;
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

int ls_routes_send(ls_routes *r, ls_batch *b, uint32_t i, ls_delivery *d, ls_segment *s, int (*pause)(void *, ls_error *),
                   void *ctx, ls_error *err) {
    const ls_change *c = &b->changes[i];
    bool everywhere = c->action == 'T', buried = c->action == 'D' && r->opt->tombstones;
    ls_topic **topics = NULL;
    if (r->message.cap > LS_KEEP_MESSAGE) ls_buf_free(&r->message);
    ls_buf_clear(&r->message);
    ls_buf_clear(&r->key);
    if (await_topics(r, c->schema, &topics, pause, ctx, err) || r->format->encode(&r->options, b, i, &r->message, err)) return -1;
    int keyed = ls_format_key(&r->options, b, i, &r->key, err);
    if (keyed < 0) return -1;
    if (r->message.failed || r->key.failed) return ls_fail_memory(err, "encoding a message");
    for (size_t k = 0; k < r->opt->ntopics; k++) {
        int n = ls_topic_count(topics[k]);
        int first = everywhere ? 0 : partition_of(r, c->schema, keyed, n), last = everywhere ? n - 1 : first;
        for (int p = first; p <= last; p++)
            if (send_one(r, topics[k], p, keyed, false, d, s, pause, ctx, err) ||
                (buried && keyed && send_one(r, topics[k], p, keyed, true, d, s, pause, ctx, err)))
                return ls_fail_in(err, "%s.%s, position %s/%llu", c->schema->schema, c->schema->table, c->tx->pos,
                                  (unsigned long long)c->seq);
    }
    return 0;
}
