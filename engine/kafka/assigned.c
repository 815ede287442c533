#include "kafka/assigned.h"

#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

enum {
    LS_ENDS_MS = 5000,             /* to learn where partitions end, in a rebalance, */
    LS_END_MS = 500,               /* ... and one of them, when not all can be told */
    LS_COMMITTED_TRIES = 3,        /* to learn the group's offsets, LS_KAFKA_ASK_MS each */
    LS_PARTITIONS_LOOK_MS = 10000, /* a topic's partitions are counted this often: it may get more */
    LS_PARTITIONS_AGAIN_MS = 500   /* ... after a look that found not all of the topics */
};

int ls_assigned_init(ls_assigned *a, int instance, int instances, const ls_presence *presence) {
    *a = (ls_assigned){.instance = instance, .instances = instances, .presence = presence, .known = calloc(presence->n + 1, sizeof(int))};
    return a->known ? 0 : -1;
}

/* ---- topics whose partitions are to be read soon */

/* A partition that no broker's thread has when it is to be read from a beginning waits half a second for one (librdkafka 2.0). While there is a handle of its topic
 * it is given to one, as soon as the client knows where it is. Up to n topics; NULL without memory: it only takes longer. */
static rd_kafka_topic_t **hold_new(size_t n) { return calloc(n + 1, sizeof(rd_kafka_topic_t *)); }

static void hold(rd_kafka_topic_t **held, rd_kafka_t *rk, const char *topic) {
    if (!held) return;
    while (*held && strcmp(rd_kafka_topic_name(*held), topic) != 0) held++;
    if (!*held) *held = rd_kafka_topic_new(rk, topic, NULL);
}

static void let_go(rd_kafka_topic_t **held) {
    for (size_t i = 0; held && held[i]; i++) rd_kafka_topic_destroy(held[i]);
    free(held);
}

void ls_assigned_begun(ls_assigned *a) {
    let_go(a->held);
    a->held = NULL;
}

void ls_assigned_free(ls_assigned *a) { free(a->known); }

/* Partitions are numbered without gaps, and never become fewer. 0: it is not listed. */
static int count_of(const struct rd_kafka_metadata *md, const char *topic) {
    for (int i = 0; i < md->topic_cnt; i++)
        if (strcmp(md->topics[i].topic, topic) == 0 && !md->topics[i].err) return md->topics[i].partition_cnt;
    return 0;
}

static rd_kafka_topic_partition_list_t *look(ls_assigned *a, rd_kafka_t *rk) {
    const ls_presence *p = a->presence;
    const struct rd_kafka_metadata *md;
    bool all = true;
    a->look_at = ls_clock_ms() + LS_PARTITIONS_AGAIN_MS;
    if (rd_kafka_metadata(rk, 1, NULL, &md, LS_PRESENCE_ASK_MS)) return NULL;
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new(8);
    for (size_t i = 0; i < p->n; i++) {
        int has = ls_presence_has(p, i) ? count_of(md, p->names[i]) : 0;
        all &= has > 0 || !ls_presence_has(p, i);
        for (int k = a->known[i]; k < has; k++)
            if (ls_assigned_is_ours(a, k))
                rd_kafka_topic_partition_list_add(l, p->names[i], k)->offset = a->known[i] ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_INVALID;
        if (has > a->known[i]) a->known[i] = has;
    }
    rd_kafka_metadata_destroy(md);
    if (all) a->look_at = ls_clock_ms() + LS_PARTITIONS_LOOK_MS;
    if (l->cnt) return l;
    rd_kafka_topic_partition_list_destroy(l);
    return NULL;
}

rd_kafka_topic_partition_list_t *ls_assigned_look(ls_assigned *a, rd_kafka_t *rk, bool now) {
    const ls_presence *p = a->presence;
    if (!now && ls_clock_ms() < a->look_at) return NULL;
    a->held = hold_new(p->n);
    for (size_t i = 0; i < p->n; i++)
        if (!a->known[i] && ls_presence_has(p, i)) hold(a->held, rk, p->names[i]);
    rd_kafka_topic_partition_list_t *l = look(a, rk);
    if (!l) ls_assigned_begun(a);
    return l;
}

/* ---- where partitions begin */

static void ask_group(rd_kafka_t *rk, const ls_log *log, rd_kafka_topic_partition_list_t *l, int64_t first) {
    rd_kafka_topic_partition_list_t *known = rd_kafka_topic_partition_list_copy(l);
    rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (int i = 0; i < LS_COMMITTED_TRIES && e; i++) e = rd_kafka_committed(rk, known, LS_KAFKA_ASK_MS);
    for (int i = 0; !e && i < known->cnt; i++) {
        const rd_kafka_topic_partition_t *k = &known->elems[i];
        rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_find(l, k->topic, k->partition);
        if (p && !k->err) p->offset = k->offset < 0 ? first : k->offset;
    }
    if (e) ls_log_line(log, LS_WARN, "the group's offsets are not known: %s", rd_kafka_err2str(e));
    rd_kafka_topic_partition_list_destroy(known);
}

static void begin_at(rd_kafka_t *rk, const ls_consumer_conf *conf, const ls_log *log, rd_kafka_topic_partition_list_t *l) {
    int64_t first = strcmp(conf->auto_offset_reset, "latest") == 0 ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
    if (!conf->instances) ask_group(rk, log, l, first);
    for (int i = 0; i < l->cnt; i++) {
        rd_kafka_topic_partition_t *p = &l->elems[i];
        int64_t offset;
        int rc = conf->begin ? conf->begin(conf->ctx, p->topic, p->partition, &offset) : 0;
        if (rc > 0) p->offset = rc == 1 ? offset : RD_KAFKA_OFFSET_BEGINNING;
        else if (conf->instances && p->offset == RD_KAFKA_OFFSET_INVALID) p->offset = first;
    }
}

static void set_ends(rd_kafka_topic_partition_list_t *l, const rd_kafka_topic_partition_list_t *ends) {
    for (int i = 0; i < ends->cnt; i++) {
        rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_find(l, ends->elems[i].topic, ends->elems[i].partition);
        if (!p || ends->elems[i].offset < 0) continue;
        p->offset = ends->elems[i].offset;
        p->opaque = l;
    }
}

/* A group that begins at the end begins where that is now: left to the client, each new session would begin at the end of its own time, and pass over what came since. */
static void pin_ends(rd_kafka_t *rk, const ls_log *log, rd_kafka_topic_partition_list_t *l) {
    int64_t until = ls_clock_ms() + LS_ENDS_MS;
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(l->cnt);
    for (int i = 0; i < l->cnt; i++)
        if (l->elems[i].offset == RD_KAFKA_OFFSET_END) rd_kafka_topic_partition_list_add(all, l->elems[i].topic, l->elems[i].partition);
    if (all->cnt && !ls_topic_offsets(rk, all, RD_KAFKA_OFFSET_END, LS_ENDS_MS / 2)) set_ends(l, all);
    rd_kafka_topic_partition_list_destroy(all);
    int open = 0;
    for (int i = 0; i < l->cnt; i++) {
        rd_kafka_topic_partition_t *p = &l->elems[i];
        int64_t left = until - ls_clock_ms();
        if (p->offset != RD_KAFKA_OFFSET_END) continue;
        rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);
        rd_kafka_topic_partition_list_add(one, p->topic, p->partition);
        if (left > 0 && !ls_topic_offsets(rk, one, RD_KAFKA_OFFSET_END, left < LS_END_MS ? (int)left : LS_END_MS)) set_ends(l, one);
        rd_kafka_topic_partition_list_destroy(one);
        open += p->offset == RD_KAFKA_OFFSET_END;
    }
    if (open)
        ls_log_line(log, LS_WARN, "where %d of the partitions end is not known: the group has no offset there until rows of them are written, and begins at the end of then", open);
}

static rd_kafka_resp_err_t assign(rd_kafka_t *rk, bool group, const rd_kafka_topic_partition_list_t *l) {
    if (group) return rd_kafka_assign(rk, l);
    rd_kafka_error_t *e = rd_kafka_incremental_assign(rk, l);
    rd_kafka_resp_err_t code = e ? rd_kafka_error_code(e) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (e) rd_kafka_error_destroy(e);
    return code;
}

rd_kafka_resp_err_t ls_begin(rd_kafka_t *rk, const ls_consumer_conf *conf, const ls_log *log, rd_kafka_topic_partition_list_t *l) {
    rd_kafka_topic_t **held = hold_new((size_t)l->cnt);
    for (int i = 0; i < l->cnt; i++) hold(held, rk, l->elems[i].topic);
    begin_at(rk, conf, log, l);
    if (!conf->instances) pin_ends(rk, log, l);
    rd_kafka_resp_err_t e = assign(rk, !conf->instances, l);
    let_go(held); /* the partitions that are read hold theirs */
    return e;
}
