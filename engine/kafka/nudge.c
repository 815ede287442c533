#include "base/clock.h"
#include "kafka/consumer_parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* A plugin that signs in may wait for a server of its own, and the client keeps its credentials locked meanwhile. */
static bool signs_in_by_plugin(const rd_kafka_conf_t *conf) {
    char protocol[32] = "", mechanism[32] = "";
    size_t n = sizeof protocol, m = sizeof mechanism;
    return rd_kafka_conf_get(conf, "security.protocol", protocol, &n) == RD_KAFKA_CONF_OK && strncasecmp(protocol, "sasl_", 5) == 0 &&
           rd_kafka_conf_get(conf, "sasl.mechanisms", mechanism, &m) == RD_KAFKA_CONF_OK && strcasecmp(mechanism, "GSSAPI") == 0;
}

int ls_nudges_init(ls_nudges *n, const rd_kafka_conf_t *conf) {
    n->max_bytes = number_of(conf, "queued.max.messages.kbytes") * 1024;
    n->max_messages = number_of(conf, "queued.min.messages");
    n->by_question = signs_in_by_plugin(conf);
    n->user = text_of(conf, "sasl.username");
    n->password = text_of(conf, "sasl.password");
    return n->user && n->password ? 0 : -1;
}

void ls_nudges_free(ls_nudges *n) {
    free(n->user);
    free(n->password);
}

bool ls_client_looks_itself(void) { return rd_kafka_version() >= 0x02020000; }

/* Any request to a broker wakes its thread. Asking for partitions' ends is one that changes nothing, and goes to each broker once. The answers are not needed, and
 * not waited for: that they have not come is no failure. One partition without a leader keeps back what is asked of all in a list. */
static void ask(ls_consumer *c) {
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(8);
    for (const place *p = c->places; p < c->places + c->nplaces; p++)
        if (p->mine) rd_kafka_topic_partition_list_add(l, p->topic, p->partition)->offset = RD_KAFKA_OFFSET_END;
    rd_kafka_resp_err_t e = l->cnt ? rd_kafka_offsets_for_times(c->rk, l, 0) : RD_KAFKA_RESP_ERR_NO_ERROR;
    for (int i = 0; e && e != RD_KAFKA_RESP_ERR__TIMED_OUT && l->cnt > 1 && i < l->cnt; i++) {
        rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_list_add(one, l->elems[i].topic, l->elems[i].partition)->offset = RD_KAFKA_OFFSET_END;
        (void)rd_kafka_offsets_for_times(c->rk, one, 0);
        rd_kafka_topic_partition_list_destroy(one);
    }
    rd_kafka_topic_partition_list_destroy(l);
}

/* To say the credentials again that the client has wakes its brokers' threads, and nothing is asked of the brokers: they are for the next connection, and without SASL
 * for none. */
static void wake(ls_consumer *c) {
    ls_nudges *n = &c->nudges;
    if (n->by_question) {
        ask(c);
    } else {
        rd_kafka_error_t *e = rd_kafka_sasl_set_credentials(c->rk, n->user, n->password);
        if (e) rd_kafka_error_destroy(e); /* there is none but for a NULL */
    }
    n->drained = false;
    n->count++;
}

void ls_look_at_queue(ls_consumer *c) {
    ls_nudges *n = &c->nudges;
    size_t waiting = rd_kafka_queue_length(c->queue);
    if (ls_client_looks_itself()) return;
    if (waiting > n->max_messages / 2 || waiting * c->mean > n->max_bytes / 2)
        n->drained = true; /* from now on it is; at its fullest it may not be seen */
    else if (n->drained)
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
    ls_nudges *n = &c->nudges;
    int64_t now = ls_clock_ms();
    bool taken = n->released != c->released; /* what there is now is not known */
    if (ls_client_looks_itself() || (!taken && now - n->at < LS_NUDGE_AGAIN_MS)) return;
    if (taken || has_more(c)) wake(c);
    n->released = c->released;
    n->at = now;
}
