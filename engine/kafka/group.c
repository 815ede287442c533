#include "kafka/group.h"

#include <stdlib.h>
#include <string.h>

static int open_client(const ls_kafka_conf *conf, const char *group, const ls_log *log, rd_kafka_t **out, ls_error *err) {
    char why[512];
    const ls_pair ours[] = {{"group.id", group}, {"enable.auto.commit", "false"}};
    rd_kafka_conf_t *made;
    if (ls_kafka_conf_make(&made, conf, ours, sizeof ours / sizeof *ours, log, err)) return -1;
    *out = rd_kafka_new(RD_KAFKA_CONSUMER, made, why, sizeof why);
    if (*out) return 0;
    rd_kafka_conf_destroy(made);
    return ls_fail(err, LS_USAGE, "kafka_conf: %s", why);
}

static int list_partitions(rd_kafka_t *rk, const char *const *topics, size_t ntopics, rd_kafka_topic_partition_list_t *list, ls_error *err) {
    for (size_t i = 0; i < ntopics; i++) {
        int has;
        if (ls_topic_partitions(rk, topics[i], &has, err)) return -1;
        for (int p = 0; p < has; p++) rd_kafka_topic_partition_list_add(list, topics[i], p);
    }
    return 0;
}

static int fill(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *list, const char *const *topics, ls_group_place *out, ls_error *err) {
    for (int i = 0; i < list->cnt; i++) {
        const rd_kafka_topic_partition_t *p = &list->elems[i];
        ls_group_place *at = &out[i];
        size_t t = 0;
        while (strcmp(topics[t], p->topic) != 0) t++;
        *at = (ls_group_place){.topic = topics[t], .partition = p->partition, .offset = p->offset >= 0 ? p->offset : -1};
        rd_kafka_resp_err_t e = p->err;
        if (!e) e = ls_topic_offset(rk, p->topic, p->partition, RD_KAFKA_OFFSET_BEGINNING, &at->begin);
        if (!e) e = ls_topic_offset(rk, p->topic, p->partition, RD_KAFKA_OFFSET_END, &at->end);
        if (e) return ls_fail(err, ls_kafka_code(e), "topic %s, partition %d: %s", p->topic, (int)p->partition, rd_kafka_err2str(e));
    }
    return 0;
}

int ls_group_places(const ls_kafka_conf *conf, const char *group, const char *const *topics, size_t ntopics, const ls_log *log,
                    ls_group_place **out, size_t *n, ls_error *err) {
    rd_kafka_t *rk;
    if (open_client(conf, group, log, &rk, err)) return -1;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
    int rc = list_partitions(rk, topics, ntopics, list, err);
    rd_kafka_resp_err_t e = rc == 0 && list->cnt ? rd_kafka_committed(rk, list, LS_KAFKA_ASK_MS) : RD_KAFKA_RESP_ERR_NO_ERROR;
    if (e) rc = ls_fail(err, ls_kafka_code(e), "group %s: %s", group, rd_kafka_err2str(e));
    *n = (size_t)list->cnt;
    *out = calloc(*n ? *n : 1, sizeof **out);
    if (rc == 0) rc = *out ? fill(rk, list, topics, *out, err) : ls_fail_memory(err, "reading a group's offsets");
    if (rc) {
        free(*out);
        *out = NULL;
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
    return rc;
}

static int outcome(const char *group, rd_kafka_event_t *ev, bool *dropped, ls_error *err) {
    const rd_kafka_DeleteGroups_result_t *r = ev ? rd_kafka_event_DeleteGroups_result(ev) : NULL;
    size_t n = 0;
    const rd_kafka_group_result_t **groups = r ? rd_kafka_DeleteGroups_result_groups(r, &n) : NULL;
    const rd_kafka_error_t *why = n ? rd_kafka_group_result_error(groups[0]) : NULL;
    rd_kafka_resp_err_t e = n ? (why ? rd_kafka_error_code(why) : RD_KAFKA_RESP_ERR_NO_ERROR) : ev ? rd_kafka_event_error(ev) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    *dropped = !e;
    if (!e || e == RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND) return 0;
    if (e == RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP) return ls_fail(err, LS_FAIL, "group %s has members: stop the programs that read with it first", group);
    return ls_fail(err, ls_kafka_code(e), "group %s could not be dropped: %s", group, rd_kafka_err2str(e));
}

int ls_group_drop(const ls_kafka_conf *conf, const char *group, const ls_log *log, bool *dropped, ls_error *err) {
    char why[256];
    rd_kafka_t *rk;
    if (open_client(conf, group, log, &rk, err)) return -1;
    rd_kafka_DeleteGroup_t *what = rd_kafka_DeleteGroup_new(group);
    rd_kafka_queue_t *q = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DELETEGROUPS);
    rd_kafka_AdminOptions_set_request_timeout(o, LS_KAFKA_ASK_MS, why, sizeof why);
    rd_kafka_DeleteGroups(rk, &what, 1, o, q);
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, LS_KAFKA_ASK_MS + 1000);
    int rc = outcome(group, ev, dropped, err);
    if (ev) rd_kafka_event_destroy(ev);
    rd_kafka_AdminOptions_destroy(o);
    rd_kafka_queue_destroy(q);
    rd_kafka_DeleteGroup_destroy(what);
    rd_kafka_destroy(rk);
    return rc;
}
