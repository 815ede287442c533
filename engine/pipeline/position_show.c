#include "pipeline/position_show.h"

#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void add_place(const ls_position_facts *f, const ls_place *at, ls_buf *out) {
    if (*f->server->binlog)
        ls_buf_fmt(out, "%s.%06" PRIu64 ":%" PRIu64, f->server->binlog, at->file, at->offset);
    else
        ls_buf_fmt(out, "%" PRIX64 "/%" PRIX64, at->offset >> 32, at->offset & 0xffffffff);
}

/* Bytes of log that are still to be read; -1: not known, since the checkpoint is of another log or file. */
static int64_t bytes_left(const ls_position_facts *f) {
    const ls_progress *p = f->progress;
    if (!p || p->creating || !f->answers || p->restart.file != f->state.end.file || strcmp(p->server.binlog, f->server->binlog) != 0) return -1;
    if (*f->server->binlog && strcmp(p->server.json, f->server->json) != 0) return -1;
    return f->state.end.offset > p->restart.offset ? (int64_t)(f->state.end.offset - p->restart.offset) : 0;
}

static void add_string(ls_buf *out, const char *text) { ls_json_string(out, text, strlen(text)); }

/* ---- JSON ---- */

static void json_server(const ls_position_facts *f, ls_buf *out) {
    const ls_source_state *s = &f->state;
    ls_buf_fmt(out, "{\"identity\":{%s},\"end\":\"", f->server->json);
    add_place(f, &s->end, out);
    ls_buf_char(out, '"');
    if (*s->slot) {
        ls_buf_str(out, ",\"slot\":{\"name\":");
        add_string(out, s->slot);
        ls_buf_fmt(out, ",\"exists\":%s", s->has_slot ? "true" : "false");
        if (s->has_slot) {
            ls_buf_fmt(out, ",\"active\":%s,\"lost\":%s,\"confirmed\":\"", s->active ? "true" : "false", s->lost ? "true" : "false");
            add_place(f, &(ls_place){.offset = s->confirmed}, out);
            ls_buf_char(out, '"');
        }
        ls_buf_char(out, '}');
    }
    ls_buf_char(out, '}');
}

static void print_json(const ls_position_facts *f, ls_buf *out) {
    int64_t left = bytes_left(f);
    ls_buf_str(out, "{\"connector\":");
    add_string(out, f->name);
    ls_buf_str(out, ",\"checkpoint\":");
    if (f->progress)
        ls_buf_add(out, f->json->data, f->json->len);
    else
        ls_buf_str(out, "null");
    if (f->json) ls_buf_fmt(out, ",\"stored_at\":%" PRId64 ",\"age_ms\":%" PRId64, f->stored_at, f->now - f->stored_at);
    ls_buf_str(out, ",\"server\":");
    if (f->answers)
        json_server(f, out);
    else
        ls_buf_str(out, "null");
    if (left >= 0) ls_buf_fmt(out, ",\"lag_bytes\":%" PRId64, left);
    ls_buf_str(out, "}\n");
}

/* ---- lines ---- */

static void line(ls_buf *out, const char *name) { ls_buf_fmt(out, "%-12s", name); }

static void print_stored(const ls_position_facts *f, ls_buf *out) {
    char when[32];
    time_t s = (time_t)(f->stored_at / 1000);
    struct tm tm;
    gmtime_r(&s, &tm);
    strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &tm);
    line(out, "stored");
    ls_buf_fmt(out, "%s, %" PRId64 " s ago\n", when, (f->now - f->stored_at) / 1000);
}

/* "a.b":{}, ... : the names. */
static void print_tables(const ls_progress *p, ls_buf *out) {
    ls_json j = ls_json_over(p->tables.data ? p->tables.data : "", p->tables.len);
    ls_json_value key, value;
    ls_error err;
    bool first = true;
    line(out, "tables");
    while (ls_json_member(&j, &key, &value, &err) == 1) {
        if (!first) ls_buf_str(out, ", ");
        first = false;
        if (ls_json_unescape(&key, out, &err)) break;
    }
    ls_buf_str(out, first ? "by patterns\n" : "\n");
}

static void print_checkpoint(const ls_position_facts *f, ls_buf *out) {
    const ls_progress *p = f->progress;
    char title[64];
    line(out, "state");
    ls_buf_str(out, p->creating ? "creating (the first start did not finish)\n" : "running\n");
    print_stored(f, out);
    line(out, "server");
    ls_buf_fmt(out, "%s\n", p->server.json);
    if (!p->creating) {
        ls_progress_title(p, title);
        line(out, "restart");
        ls_buf_fmt(out, "%s%s", title, p->gtid.len ? ", GTID " : "");
        ls_buf_add(out, p->gtid.data, p->gtid.len);
        ls_buf_char(out, '\n');
        line(out, "delivered");
        if (*p->delivered_pos)
            ls_buf_fmt(out, "row %" PRIu64 " of %s%s%s\n", p->delivered_seq, p->delivered_pos, *p->delivered_gtid ? ", GTID " : "", p->delivered_gtid);
        else
            ls_buf_str(out, "no row yet\n");
    }
    if (p->epoch) {
        line(out, "epoch");
        ls_buf_fmt(out, "%" PRIu64 "\n", p->epoch);
    }
    line(out, "generation");
    ls_buf_fmt(out, "%" PRIu64 ", instance %s\n", p->generation, p->instance);
    print_tables(p, out);
}

static void print_server(const ls_position_facts *f, ls_buf *out) {
    const ls_source_state *s = &f->state;
    int64_t left = bytes_left(f);
    if (f->progress && strcmp(f->progress->server.json, f->server->json) != 0) {
        line(out, "server now");
        ls_buf_fmt(out, "%s\n", f->server->json);
    }
    if (*s->slot) {
        line(out, "slot");
        ls_buf_str(out, s->slot);
        if (s->has_slot) {
            ls_buf_str(out, ": confirmed ");
            add_place(f, &(ls_place){.offset = s->confirmed}, out);
            ls_buf_str(out, s->lost ? ", lost\n" : s->active ? ", in use\n" : ", not in use\n");
        } else {
            ls_buf_str(out, ": there is none\n");
        }
    }
    line(out, "log's end");
    add_place(f, &s->end, out);
    if (left >= 0) ls_buf_fmt(out, ", %" PRId64 " bytes further", left);
    ls_buf_char(out, '\n');
}

void ls_position_print(const ls_position_facts *f, bool json, ls_buf *out) {
    if (json) {
        print_json(f, out);
        return;
    }
    line(out, "connector");
    ls_buf_fmt(out, "%s\n", f->name);
    if (f->progress) {
        print_checkpoint(f, out);
    } else {
        line(out, "state");
        ls_buf_str(out, f->json ? "a checkpoint that cannot be read\n" : "no checkpoint\n");
    }
    if (f->answers) print_server(f, out);
}

/* ---- groups ---- */

static int64_t lag_of(const ls_group_place *p) { return p->end - (p->offset > p->begin ? p->offset : p->begin); }

static void json_group(const char *name, const char *group, const ls_group_place *places, size_t n, ls_buf *out) {
    ls_buf_str(out, "{\"consumer\":");
    add_string(out, name);
    ls_buf_str(out, ",\"group\":");
    add_string(out, group);
    ls_buf_str(out, ",\"partitions\":[");
    for (size_t i = 0; i < n; i++) {
        ls_buf_str(out, i ? ",{\"topic\":" : "{\"topic\":");
        add_string(out, places[i].topic);
        ls_buf_fmt(out, ",\"partition\":%d,\"offset\":", (int)places[i].partition);
        if (places[i].offset >= 0)
            ls_buf_fmt(out, "%" PRId64, places[i].offset);
        else
            ls_buf_str(out, "null");
        ls_buf_fmt(out, ",\"begin\":%" PRId64 ",\"end\":%" PRId64 ",\"lag\":%" PRId64 "}", places[i].begin, places[i].end, lag_of(&places[i]));
    }
    ls_buf_str(out, "]}\n");
}

void ls_position_print_group(const char *name, const char *group, const ls_group_place *places, size_t n, bool json, ls_buf *out) {
    int64_t lag = 0;
    if (json) {
        json_group(name, group, places, n, out);
        return;
    }
    line(out, "consumer");
    ls_buf_fmt(out, "%s\n", name);
    line(out, "group");
    ls_buf_fmt(out, "%s\n", group);
    for (size_t i = 0; i < n; i++) {
        ls_buf_fmt(out, "%s, partition %d: ", places[i].topic, (int)places[i].partition);
        if (places[i].offset >= 0)
            ls_buf_fmt(out, "at %" PRId64, places[i].offset);
        else
            ls_buf_str(out, "no offset yet");
        ls_buf_fmt(out, " of %" PRId64 " to %" PRId64 ", lag %" PRId64 "\n", places[i].begin, places[i].end, lag_of(&places[i]));
        lag += lag_of(&places[i]);
    }
    line(out, "lag");
    ls_buf_fmt(out, "%" PRId64 "\n", lag);
}
