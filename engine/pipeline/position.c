#include "pipeline/position.h"

#include "base/clock.h"
#include "kafka/checkpoint.h"
#include "pipeline/position_show.h"
#include "pipeline/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LS_SLOT_FREE_MS = 30000, /* longest wait for a program that was fenced to let go of its slot: it notices at its next checkpoint */
    LS_SLOT_LOOK_MS = 500    /* ... and so often it is tried again */
};

typedef struct position {
    const ls_stage *stage;
    const ls_log *log;
    ls_kafka_conf kafka;
    ls_source_conf conf;
    ls_schemas schemas;
    ls_table_rule *rules; /* of schemas */
    const ls_source_ops *ops;
    ls_source *source; /* NULL: not open */
    ls_source_identity server;
    ls_checkpoints *checkpoints; /* NULL: not open; who opens them fences */
    ls_progress progress;
    bool stored; /* progress is what is stored */
} position;

static int begin(position *p, const ls_stage *stage, const char *script, const ls_log *log, ls_error *err) {
    *p = (position){.stage = stage, .log = log, .kafka = ls_stage_kafka(stage, NULL)};
    if (stage->kafka.memory)
        return ls_fail(err, LS_USAGE, "kafka_conf = \"memory\" is an in-process broker, which keeps no position: give the brokers with --set or in the script");
    if (!stage->is_connector) return 0;
    if (ls_connector_rules(&p->schemas, &p->rules, stage, err)) return -1;
    p->conf = ls_connector_source(stage, &p->schemas, NULL);
    p->conf.script = script;
    p->conf.bare = true;
    p->conf.start = "now";
    p->ops = ls_source_find(p->conf.db_type);
    return p->ops ? 0 : ls_fail(err, LS_USAGE, "there is no source for db_type \"%s\"", p->conf.db_type);
}

/* An answer that does not come is no reason to wait here. */
static int end(position *p, int rc, ls_error *err) {
    if (p->source) p->ops->close(p->source);
    if (p->checkpoints) ls_checkpoints_close(p->checkpoints);
    ls_progress_free(&p->progress);
    free(p->rules);
    if (rc && err->code == LS_AGAIN) err->code = LS_FAIL;
    return rc;
}

static int open_source(position *p, ls_error *err) { return p->ops->open(&p->source, &p->conf, p->log, NULL, &p->server, err); }

/* ---- show ---- */

static int show_connector(position *p, bool json, ls_buf *out, ls_error *err) {
    ls_position_facts f = {.name = p->stage->name};
    ls_buf value = {0};
    ls_error silent;
    int found = ls_checkpoints_peek(&p->kafka, p->stage->name, p->log, &value, &f.stored_at, err);
    if (found < 0) {
        ls_buf_free(&value);
        return -1;
    }
    f.now = ls_clock_wall_us() / 1000;
    f.json = found ? &value : NULL;
    if (found && ls_progress_read(&p->progress, value.data, value.len, &silent) == 0) f.progress = &p->progress;
    if (found && !f.progress) ls_log_line(p->log, LS_WARN, "%s", silent.text);
    f.answers = open_source(p, &silent) == 0 && p->ops->look(p->source, &f.state, &silent) == 0;
    if (f.answers)
        f.server = &p->server;
    else
        ls_log_line(p->log, LS_WARN, "the database was not asked: %s", silent.text);
    ls_position_print(&f, json, out);
    ls_buf_free(&value);
    return out->failed ? ls_fail_memory(err, "showing a position") : 0;
}

static int show_group(position *p, bool json, ls_buf *out, ls_error *err) {
    const ls_consumer_options *o = &p->stage->as.consumer;
    ls_group_place *places;
    size_t n;
    if (ls_group_places(&p->kafka, o->group_id, o->topics, o->ntopics, p->log, &places, &n, err)) return -1;
    ls_position_print_group(o->name, o->group_id, places, n, json, out);
    free(places);
    return out->failed ? ls_fail_memory(err, "showing a position") : 0;
}

int ls_position_show(const ls_stage *stage, const char *script, bool json, const ls_log *log, ls_buf *out, ls_error *err) {
    position p;
    int rc = begin(&p, stage, script, log, err);
    if (rc == 0) rc = stage->is_connector ? show_connector(&p, json, out, err) : show_group(&p, json, out, err);
    return end(&p, rc, err);
}

/* ---- set ---- */

/* From here on a program that ran under the name stores nothing more. */
static int take_over(position *p, bool must_read, ls_error *err) {
    ls_buf json = {0};
    if (ls_checkpoints_open(&p->checkpoints, &p->kafka, p->stage->name, 0, p->log, err)) return -1;
    int found = ls_checkpoints_load(p->checkpoints, &json, err);
    int rc = found < 0 ? -1 : 0;
    p->stored = found > 0;
    if (found > 0 && must_read) rc = ls_progress_read(&p->progress, json.data, json.len, err);
    ls_buf_free(&json);
    return rc;
}

/* Places of the binlog begin again in another server's log, and where they go back it may be another one, too: rows of a greater epoch
 * come behind those that were sent. PostgreSQL's are one row for all of a cluster's life. */
static void grow_epoch(position *p, const ls_place *at) {
    ls_progress *g = &p->progress;
    bool same = strcmp(g->server.json, p->server.json) == 0 && strcmp(g->server.binlog, p->server.binlog) == 0;
    if (p->stored && !g->creating && *p->server.binlog && (!same || ls_place_cmp(at, &g->restart) < 0)) g->epoch++;
}

static int set(position *p, const char *text, ls_buf *out, ls_error *err) {
    ls_place at;
    ls_buf gtid = {0}, json = {0};
    ls_progress *g = &p->progress;
    char title[64];
    int rc = -1;
    /* before anybody is fenced, and again when nobody reads the slot on */
    if (open_source(p, err) || p->ops->locate(p->source, text, &at, &gtid, err) || take_over(p, true, err) || p->ops->locate(p->source, text, &at, &gtid, err)) goto out;
    grow_epoch(p, &at);
    ls_progress_new_instance(g);
    g->creating = false;
    g->server = p->server;
    g->restart = at;
    g->delivered_pos[0] = g->delivered_gtid[0] = '\0';
    g->delivered_seq = 0;
    ls_buf_clear(&g->gtid);
    ls_buf_add(&g->gtid, gtid.data, gtid.len);
    ls_progress_write(g, &json);
    if (g->gtid.failed || json.failed) {
        ls_fail_memory(err, "writing the checkpoint");
        goto out;
    }
    rc = ls_checkpoints_store(p->checkpoints, json.data, json.len, err);
    ls_progress_title(g, title);
    if (rc == 0) ls_buf_fmt(out, "connector \"%s\" goes on at %s\n", p->stage->name, title);
out:
    ls_buf_free(&gtid);
    ls_buf_free(&json);
    return rc;
}

static int set_group(const ls_stage *stage, ls_error *err) {
    const ls_consumer_options *o = &stage->as.consumer;
    const char *servers = "BROKER:9092";
    for (size_t i = 0; i < stage->kafka.npairs; i++)
        if (strcmp(stage->kafka.pairs[i].name, "bootstrap.servers") == 0) servers = stage->kafka.pairs[i].value;
    return ls_fail(err, LS_USAGE,
                   "\"%s\" is a consumer, whose offsets Kafka's own tool sets, while it does not run: kafka-consumer-groups.sh --bootstrap-server %s --group %s "
                   "--topic %s --reset-offsets --to-offset N --execute", o->name, servers, o->group_id, o->ntopics ? o->topics[0] : "TOPIC");
}

int ls_position_set(const ls_stage *stage, const char *script, const char *text, const ls_log *log, ls_buf *out, ls_error *err) {
    position p;
    if (!stage->is_connector) return set_group(stage, err);
    int rc = begin(&p, stage, script, log, err);
    if (rc == 0) rc = set(&p, text, out, err);
    return end(&p, rc, err);
}

/* ---- drop ---- */

static int drop_slot(position *p, bool *dropped, ls_error *err) {
    int64_t until = ls_clock_ms() + LS_SLOT_FREE_MS;
    for (;;) {
        int rc = p->ops->drop(p->source, dropped, err);
        if (rc == 0 || err->code != LS_AGAIN || ls_clock_ms() >= until) return rc;
        usleep(LS_SLOT_LOOK_MS * 1000);
    }
}

/* The database must answer before the checkpoint goes, if it is to be asked for its slot. */
static int drop(position *p, bool slot, ls_buf *out, ls_error *err) {
    bool dropped;
    if ((slot && open_source(p, err)) || take_over(p, false, err) || ls_checkpoints_store(p->checkpoints, NULL, 0, err)) return -1;
    ls_buf_fmt(out, p->stored ? "the checkpoint of connector \"%s\" is dropped\n" : "connector \"%s\" has no checkpoint\n", p->stage->name);
    if (!slot) return 0;
    if (drop_slot(p, &dropped, err)) return p->stored ? ls_fail_in(err, "the checkpoint is dropped, the slot is not") : -1;
    if (p->conf.slot) ls_buf_fmt(out, dropped ? "replication slot \"%s\" is dropped\n" : "there is no replication slot \"%s\"\n", p->conf.slot);
    return 0;
}

static int drop_group(position *p, ls_buf *out, ls_error *err) {
    const ls_consumer_options *o = &p->stage->as.consumer;
    bool dropped;
    if (ls_group_drop(&p->kafka, o->group_id, p->log, &dropped, err)) return -1;
    ls_buf_fmt(out, dropped ? "group \"%s\" and its offsets are dropped\n" : "there is no group \"%s\"\n", o->group_id);
    return 0;
}

int ls_position_drop(const ls_stage *stage, const char *script, bool slot, const ls_log *log, ls_buf *out, ls_error *err) {
    position p;
    int rc = begin(&p, stage, script, log, err);
    if (rc == 0) rc = stage->is_connector ? drop(&p, slot, out, err) : drop_group(&p, out, err);
    return end(&p, rc, err);
}
