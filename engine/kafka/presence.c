#include "kafka/presence.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LS_LOOK_FIRST_MS = 250,    /* while brokers or topics are missing they are looked for; the wait doubles */
    LS_LOOK_MAX_MS = 10000,    /* ... up to this */
    LS_SILENT_BROKER_MS = 10000, /* a listed topic is taken for there after this, whatever a broker does not say */
    LS_MISSING_GRACE_MS = 10000 /* a topic may be in the making by a connector that starts now: no warning before this */
};

int ls_presence_init(ls_presence *p, const char *const *names, size_t n, const ls_memory_broker *memory, const ls_log *log) {
    int64_t now = ls_clock_ms();
    *p = (ls_presence){.names = names, .n = n, .memory = memory, .log = log, .look_at = now, .look_ms = LS_LOOK_FIRST_MS};
    snprintf(p->cause, sizeof p->cause, "no connection");
    p->topics = calloc(n + 1, sizeof *p->topics);
    for (size_t i = 0; p->topics && i < n; i++) p->topics[i].missing_since = now;
    return p->topics ? 0 : -1;
}

void ls_presence_free(ls_presence *p) { free(p->topics); }

static void look_soon(ls_presence *p) {
    p->look_ms = LS_LOOK_FIRST_MS;
    p->look_at = ls_clock_ms() + p->look_ms;
}

void ls_presence_missing(ls_presence *p, const char *topic) {
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->names[i], topic) != 0 || p->topics[i].missing_since) continue;
        p->topics[i] = (ls_wanted_topic){.missing_since = ls_clock_ms()};
        look_soon(p);
    }
}

void ls_presence_failed(ls_presence *p, bool all, const char *why) {
    if (!all) {
        snprintf(p->cause, sizeof p->cause, "%s", why);
        ls_log_line(p->log, LS_DEBUG, "consumer: %s", why);
    } else if (!p->down) {
        p->down = true;
        ls_log_line(p->log, LS_WARN, "no broker answers (%s): see that they run and can be reached; trying again until one does", p->cause);
        look_soon(p);
    }
}

void ls_presence_answered(ls_presence *p) {
    if (p->down) ls_log_line(p->log, LS_INFO, "the brokers answer again");
    p->down = false;
}

static bool some_missing(ls_presence *p, int64_t now) {
    bool some = false;
    for (size_t i = 0; i < p->n; i++) {
        ls_wanted_topic *t = &p->topics[i];
        if (!t->missing_since) continue;
        some = true;
        if (t->said || t->listed_since || p->down || now - t->missing_since < LS_MISSING_GRACE_MS) continue;
        t->said = true;
        ls_log_line(p->log, LS_WARN, "topic %s does not exist: start its connector, or make the topic; looking again until it is there", p->names[i]);
    }
    return some;
}

static bool is_listed(const struct rd_kafka_metadata *md, const char *topic) {
    for (int i = 0; i < md->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *t = &md->topics[i];
        if (strcmp(t->topic, topic) != 0) continue;
        for (int k = 0; k < t->partition_cnt; k++)
            if (t->partitions[k].leader < 0) return false;
        return !t->err && t->partition_cnt > 0;
    }
    return false;
}

/* Is it there, now that it is listed? The in-process broker is one broker: it knows what it lists. */
static void ask_all_brokers(const ls_presence *p, rd_kafka_t *rk, const struct rd_kafka_metadata *md, const char *const *names, size_t n,
                            bool *known) {
    size_t nbrokers = (size_t)md->broker_cnt;
    int32_t *brokers = malloc((nbrokers + 1) * sizeof *brokers);
    for (size_t i = 0; i < n; i++) known[i] = p->memory != NULL;
    for (size_t i = 0; brokers && i < nbrokers; i++) brokers[i] = md->brokers[i].id;
    if (brokers && !p->memory) ls_topics_known(rk, names, n, brokers, nbrokers, LS_PRESENCE_ASK_MS, known);
    free(brokers); /* without memory they are asked again soon */
}

static bool take_listing(ls_presence *p, rd_kafka_t *rk, const struct rd_kafka_metadata *md) {
    int64_t now = ls_clock_ms();
    size_t n = 0;
    size_t *which = malloc((p->n + 1) * sizeof *which);
    const char **names = malloc((p->n + 1) * sizeof *names);
    bool *known = malloc((p->n + 1) * sizeof *known), news = false;
    for (size_t i = 0; which && names && known && i < p->n; i++) {
        ls_wanted_topic *t = &p->topics[i];
        if (!t->missing_since) continue;
        if (!is_listed(md, p->names[i])) {
            t->listed_since = 0;
            continue;
        }
        if (!t->listed_since) t->listed_since = now;
        which[n] = i;
        names[n++] = p->names[i];
    }
    if (n) ask_all_brokers(p, rk, md, names, n, known);
    for (size_t i = 0; i < n; i++) {
        ls_wanted_topic *t = &p->topics[which[i]];
        if (!known[i] && now - t->listed_since < LS_SILENT_BROKER_MS) continue;
        if (t->said) ls_log_line(p->log, LS_INFO, "topic %s is there now", names[i]);
        *t = (ls_wanted_topic){0};
        news = true;
    }
    free(which);
    free(names);
    free(known);
    return news;
}

bool ls_presence_look(ls_presence *p, rd_kafka_t *rk) {
    const struct rd_kafka_metadata *md;
    bool news = false;
    if (!p->look_at) return false;
    int64_t now = ls_clock_ms();
    if (now < p->look_at) return false;
    bool missing = some_missing(p, now);
    if (!missing && !p->down) {
        p->look_at = 0;
        return false;
    }
    p->look_ms = p->look_ms * 2 < LS_LOOK_MAX_MS ? p->look_ms * 2 : LS_LOOK_MAX_MS;
    if (rd_kafka_metadata(rk, missing, NULL, &md, LS_PRESENCE_ASK_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        ls_presence_answered(p);
        news = take_listing(p, rk, md);
        rd_kafka_metadata_destroy(md);
    }
    p->look_at = ls_clock_ms() + p->look_ms;
    return news;
}
