#include "base/clock.h"
#include "kafka/consumer_parts.h"

#include <limits.h>
#include <stdlib.h>

enum {
    LS_NUDGE_EACH_MS = 2,    /* the least time between two partitions that are woken before the queue is empty */
    LS_NUDGE_AGAIN_MS = 500, /* all are woken again, whatever was seen */
    LS_NUDGE_LOOK = 32       /* partitions that are looked at for one that has more */
};

static size_t number_of(const rd_kafka_conf_t *conf, const char *property) {
    char text[32];
    size_t n = sizeof text;
    return rd_kafka_conf_get(conf, property, text, &n) == RD_KAFKA_CONF_OK ? strtoul(text, NULL, 10) : SIZE_MAX / 1024;
}

void ls_nudge_conf(ls_nudges *n, rd_kafka_conf_t *conf) {
    n->max_bytes = number_of(conf, "queued.max.messages.kbytes") * 1024;
    n->max_messages = number_of(conf, "queued.min.messages");
}

bool ls_client_looks_itself(void) { return rd_kafka_version() >= 0x02020000; }

static bool may_sleep(const ls_consumer *c, const place *p, bool again, bool unsure) {
    int64_t low, high;
    if (!p->mine || (!again && (unsure ? p->nudged == c->released : p->woken == c->nudge.fulls))) return false;
    return !rd_kafka_get_watermark_offsets(c->rk, p->topic, p->partition, &low, &high) && high > p->done;
}

/* Any request to a broker wakes its thread. Asking for partitions' ends is one that changes nothing, and goes to each broker once. The answers are not needed, and
 * not waited for: that they have not come is no failure. One partition without a leader keeps back what is asked of all in a list. */
static void ask(rd_kafka_t *rk, rd_kafka_topic_partition_list_t *l) {
    rd_kafka_resp_err_t e = rd_kafka_offsets_for_times(rk, l, 0);
    for (int i = 0; e && e != RD_KAFKA_RESP_ERR__TIMED_OUT && l->cnt > 1 && i < l->cnt; i++) {
        rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_list_add(one, l->elems[i].topic, l->elems[i].partition)->offset = RD_KAFKA_OFFSET_END;
        (void)rd_kafka_offsets_for_times(rk, one, 0);
        rd_kafka_topic_partition_list_destroy(one);
    }
}

/* Of the next `look` partitions, in their turn, up to `most` that have more. */
static void nudge(ls_consumer *c, size_t look, int most, bool unsure) {
    ls_nudges *n = &c->nudge;
    int64_t now = ls_clock_ms();
    bool again = unsure && now - n->all_at >= LS_NUDGE_AGAIN_MS;
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(8);
    for (size_t i = 0; i < look && i < c->nplaces && l->cnt < most; i++) {
        place *p = &c->places[n->turn++ % c->nplaces];
        if (!may_sleep(c, p, again, unsure)) continue;
        p->nudged = c->released;
        p->woken = n->fulls;
        rd_kafka_topic_partition_list_add(l, p->topic, p->partition)->offset = RD_KAFKA_OFFSET_END;
    }
    n->at = now;
    if (again) n->all_at = now;
    if (l->cnt) ask(c->rk, l);
    rd_kafka_topic_partition_list_destroy(l);
}

void ls_look_at_queue(ls_consumer *c) {
    ls_nudges *n = &c->nudge;
    size_t waiting = rd_kafka_queue_length(c->queue);
    bool full = waiting >= n->max_messages || waiting * c->mean >= n->max_bytes;
    n->fulls += full;
    if (!full && !ls_client_looks_itself() && ls_clock_ms() - n->at >= LS_NUDGE_EACH_MS) nudge(c, LS_NUDGE_LOOK, 1, false);
}

void ls_nudge(ls_consumer *c, bool unsure) {
    if (!ls_client_looks_itself()) nudge(c, SIZE_MAX, INT_MAX, unsure);
}
