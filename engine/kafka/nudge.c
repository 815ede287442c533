#include "base/clock.h"
#include "kafka/consumer_parts.h"

#include <stdlib.h>
#include <string.h>

enum { LS_NUDGE_AGAIN_MS = 500 }; /* the client is woken again, whatever was seen, while there is more and nothing comes */

static size_t number_of(const rd_kafka_conf_t *conf, const char *property) {
    char text[32];
    size_t n = sizeof text;
    return rd_kafka_conf_get(conf, property, text, &n) == RD_KAFKA_CONF_OK ? strtoul(text, NULL, 10) : SIZE_MAX / 1024;
}

/* Empty where it is not set. NULL: memory. */
static char *text_of(const rd_kafka_conf_t *conf, const char *property) {
    size_t n = 0;
    if (rd_kafka_conf_get(conf, property, NULL, &n) != RD_KAFKA_CONF_OK) return strdup("");
    char *text = malloc(n);
    if (text) rd_kafka_conf_get(conf, property, text, &n);
    return text;
}

int ls_nudges_init(ls_nudges *n, const rd_kafka_conf_t *conf) {
    n->max_bytes = number_of(conf, "queued.max.messages.kbytes") * 1024;
    n->max_messages = number_of(conf, "queued.min.messages");
    n->user = text_of(conf, "sasl.username");
    n->password = text_of(conf, "sasl.password");
    return n->user && n->password ? 0 : -1;
}

void ls_nudges_free(ls_nudges *n) {
    free(n->user);
    free(n->password);
}

bool ls_client_looks_itself(void) { return rd_kafka_version() >= 0x02020000; }

/* To say the credentials again that the client has is the one call that wakes its brokers' threads and changes nothing: they are for the next connection, and
 * without SASL for none. A request wakes them, too, but makes the brokers work. */
static void wake(ls_consumer *c) {
    ls_nudges *n = &c->nudges;
    rd_kafka_error_t *e = rd_kafka_sasl_set_credentials(c->rk, n->user, n->password);
    if (e) rd_kafka_error_destroy(e); /* there is none but for a NULL */
    n->full = false;
    n->released = c->released;
    n->at = ls_clock_ms();
    n->count++;
}

void ls_look_at_queue(ls_consumer *c) {
    ls_nudges *n = &c->nudges;
    size_t waiting = rd_kafka_queue_length(c->queue), bytes = waiting * c->mean;
    if (ls_client_looks_itself()) return;
    if (waiting >= n->max_messages || bytes >= n->max_bytes)
        n->full = true;
    else if (n->full && waiting <= n->max_messages / 2 && bytes <= n->max_bytes / 2)
        wake(c);
}

static bool has_more(const ls_consumer *c) {
    for (const place *p = c->places; p < c->places + c->nplaces; p++) {
        int64_t low, high;
        if (p->mine && !rd_kafka_get_watermark_offsets(c->rk, p->topic, p->partition, &low, &high) && high > p->done) return true;
    }
    return false;
}

void ls_nothing_comes(ls_consumer *c) {
    const ls_nudges *n = &c->nudges;
    bool due = n->released != c->released || ls_clock_ms() - n->at >= LS_NUDGE_AGAIN_MS;
    if (due && !ls_client_looks_itself() && has_more(c)) wake(c);
}
