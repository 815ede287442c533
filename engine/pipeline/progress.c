#include "pipeline/progress.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "capture/gtid.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static bool on_binlog(const ls_progress *p) { return p->server.binlog[0] != '\0'; }

void ls_progress_free(ls_progress *p) {
    ls_buf_free(&p->gtid);
    ls_buf_free(&p->tables);
    ls_buf_free(&p->sent);
}

static void binlog_file(const ls_progress *p, char *out, size_t n) {
    snprintf(out, n, "%s.%06" PRIu64, p->server.binlog, p->restart.file);
}

static void write_restart(const ls_progress *p, ls_buf *out) {
    if (!on_binlog(p)) {
        ls_buf_fmt(out, "{\"lsn\":\"%" PRIX64 "/%" PRIX64 "\"}", p->restart.offset >> 32, p->restart.offset & 0xffffffff);
        return;
    }
    char file[LS_BINLOG_NAME_MAX + 24];
    binlog_file(p, file, sizeof file);
    ls_buf_str(out, "{\"file\":");
    ls_json_string(out, file, strlen(file));
    ls_buf_fmt(out, ",\"pos\":%" PRIu64 ",\"gtid\":", p->restart.offset);
    ls_json_string(out, p->gtid.data ? p->gtid.data : "", p->gtid.len);
    if (p->restart.created) ls_buf_fmt(out, ",\"created\":%" PRIu32, p->restart.created);
    ls_buf_char(out, '}');
}

void ls_progress_write(const ls_progress *p, ls_buf *out) {
    ls_buf_fmt(out, "{\"v\":1,\"state\":\"%s\",\"instance\":\"%s\",\"generation\":%" PRIu64 ",\"server\":{%s},\"epoch\":%" PRIu64,
               p->creating ? "creating" : "running", p->instance, p->generation, p->server.json, p->epoch);
    if (!p->creating) {
        ls_buf_str(out, ",\"restart\":");
        write_restart(p, out);
        ls_buf_fmt(out, ",\"delivered\":{\"pos\":\"%s\",\"seq\":%" PRIu64, p->delivered_pos, p->delivered_seq);
        if (*p->delivered_gtid) ls_buf_fmt(out, ",\"gtid\":\"%s\"", p->delivered_gtid);
        ls_buf_char(out, '}');
    }
    ls_buf_str(out, ",\"tables\":{");
    ls_buf_add(out, p->tables.data, p->tables.len);
    ls_buf_char(out, '}');
    if (p->sent.len) {
        ls_buf_str(out, ",\"sent\":[");
        ls_buf_add(out, p->sent.data, p->sent.len);
        ls_buf_char(out, ']');
    }
    ls_buf_fmt(out, ",\"options\":\"%016" PRIx64 "\"}", p->options);
}

void ls_progress_title(const ls_progress *p, char out[64]) {
    if (on_binlog(p))
        snprintf(out, 64, "%.30s.%06" PRIu64 ":%" PRIu64, p->server.binlog, p->restart.file, p->restart.offset);
    else
        snprintf(out, 64, "%" PRIX64 "/%" PRIX64, p->restart.offset >> 32, p->restart.offset & 0xffffffff);
}

void ls_progress_add_table(ls_progress *p, const char *schema, const char *table) {
    ls_buf name = {0};
    if (p->tables.data && ls_source_knows(p->tables.data, schema, table)) return;
    ls_buf_fmt(&name, "%s.%s", schema, table);
    if (p->tables.len) ls_buf_char(&p->tables, ',');
    ls_json_string(&p->tables, name.data ? name.data : "", name.len);
    ls_buf_str(&p->tables, ":{}");
    if (name.failed || !ls_buf_cstr(&p->tables)) p->tables.failed = true;
    ls_buf_free(&name);
}

bool ls_progress_mid_transaction(const ls_progress *p) {
    char at[40];
    uint64_t epoch;
    ls_place place;
    if (!p->delivered_pos[0]) return false;
    if (*p->delivered_gtid && ls_place_read_pos(p->delivered_pos, &epoch, &place) == 0 && epoch != p->epoch)
        return !p->gtid.data || ls_gtid_within(p->delivered_gtid, p->gtid.data) != 1; /* places of different logs do not compare */
    if (on_binlog(p))
        ls_place_pos_binlog(at, p->epoch, p->restart.file, p->restart.offset);
    else
        ls_place_pos_postgres(at, p->epoch, p->restart.offset);
    return strcmp(p->delivered_pos, at) >= 0;
}

void ls_progress_new_instance(ls_progress *p) {
    uint8_t r[16];
    if (getrandom(r, sizeof r, 0) != (ssize_t)sizeof r) { /* never on a booted Linux; the id only has to differ */
        int64_t now = ls_clock_wall_us();
        memset(r, 0, sizeof r);
        memcpy(r, &now, sizeof now);
    }
    r[6] = (uint8_t)(0x40 | (r[6] & 15)); /* RFC 9562: version 4, variant 10 */
    r[8] = (uint8_t)(0x80 | (r[8] & 63));
    char *o = p->instance;
    for (size_t i = 0; i < sizeof r; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *o++ = '-';
        o += sprintf(o, "%02x", r[i]);
    }
    p->generation++;
}

static int bad(ls_error *err, const char *what) {
    return ls_fail(err, LS_LOST,
                   "the checkpoint in __list_sync_offsets cannot be read: %s; it was written by another program or version: "
                   "run the version that wrote it, or drop it to begin anew: list_sync position drop SCRIPT NAME",
                   what);
}

static int copy_text(char *out, size_t size, const ls_json_value *v, ls_error *err) {
    ls_buf b = {0};
    int rc = -1;
    if (v->kind != LS_JSON_STRING || ls_json_unescape(v, &b, err) || b.len >= size) goto out;
    if (b.len) memcpy(out, b.data, b.len);
    out[b.len] = '\0';
    rc = 0;
out:
    ls_buf_free(&b);
    return rc;
}

static int read_lsn(const char *text, uint64_t *lsn) {
    unsigned hi, lo;
    char rest;
    if (sscanf(text, "%8x/%8x%c", &hi, &lo, &rest) != 2) return -1;
    *lsn = (uint64_t)hi << 32 | lo;
    return 0;
}

static int read_file(ls_progress *p, const char *file) {
    const char *dot = strrchr(file, '.');
    if (!dot || (size_t)(dot - file) >= sizeof p->server.binlog || dot == file) return -1;
    memcpy(p->server.binlog, file, (size_t)(dot - file));
    p->server.binlog[dot - file] = '\0';
    char *end;
    p->restart.file = strtoull(dot + 1, &end, 10);
    return *end || !dot[1] ? -1 : 0;
}

static int read_restart(ls_progress *p, const ls_json_value *v, ls_error *err) {
    char text[LS_BINLOG_NAME_MAX + 24];
    uint64_t created = 0;
    ls_json in = ls_json_inside(v);
    ls_json_value k, m;
    int more;
    while ((more = ls_json_member(&in, &k, &m, err)) == 1) {
        int wrong = 0;
        if (ls_json_is(&k, "lsn"))
            wrong = copy_text(text, sizeof text, &m, err) || read_lsn(text, &p->restart.offset);
        else if (ls_json_is(&k, "file"))
            wrong = copy_text(text, sizeof text, &m, err) || read_file(p, text);
        else if (ls_json_is(&k, "pos"))
            wrong = ls_json_u64(&m, &p->restart.offset);
        else if (ls_json_is(&k, "created"))
            wrong = ls_json_u64(&m, &created) || created > UINT32_MAX;
        else if (ls_json_is(&k, "gtid"))
            wrong = m.kind != LS_JSON_STRING || ls_json_unescape(&m, &p->gtid, err);
        if (wrong) return bad(err, "\"restart\"");
    }
    p->restart.created = (uint32_t)created;
    return more;
}

static int read_delivered(ls_progress *p, const ls_json_value *v, ls_error *err) {
    ls_json in = ls_json_inside(v);
    ls_json_value k, m;
    int more;
    while ((more = ls_json_member(&in, &k, &m, err)) == 1) {
        if ((ls_json_is(&k, "pos") && copy_text(p->delivered_pos, sizeof p->delivered_pos, &m, err)) ||
            (ls_json_is(&k, "gtid") && copy_text(p->delivered_gtid, sizeof p->delivered_gtid, &m, err)) ||
            (ls_json_is(&k, "seq") && ls_json_u64(&m, &p->delivered_seq)))
            return bad(err, "\"delivered\"");
    }
    return more;
}

static int read_member(ls_progress *p, const ls_json_value *k, const ls_json_value *v, ls_error *err) {
    char text[32];
    uint64_t version;
    if (ls_json_is(k, "v")) return ls_json_u64(v, &version) || version != 1 ? bad(err, "\"v\" is not 1") : 0;
    if (ls_json_is(k, "state")) {
        if (copy_text(text, sizeof text, v, err)) return bad(err, "\"state\"");
        p->creating = strcmp(text, "creating") == 0;
        return 0;
    }
    if (ls_json_is(k, "instance")) return copy_text(p->instance, sizeof p->instance, v, err) ? bad(err, "\"instance\"") : 0;
    if (ls_json_is(k, "generation")) return ls_json_u64(v, &p->generation) ? bad(err, "\"generation\"") : 0;
    if (ls_json_is(k, "epoch")) return ls_json_u64(v, &p->epoch) ? bad(err, "\"epoch\"") : 0;
    if (ls_json_is(k, "restart")) return v->kind == LS_JSON_OBJECT ? read_restart(p, v, err) : bad(err, "\"restart\"");
    if (ls_json_is(k, "delivered")) return v->kind == LS_JSON_OBJECT ? read_delivered(p, v, err) : bad(err, "\"delivered\"");
    if (ls_json_is(k, "server")) {
        if (v->kind != LS_JSON_OBJECT || v->n < 2 || v->n - 2 >= sizeof p->server.json) return bad(err, "\"server\"");
        memcpy(p->server.json, v->p + 1, v->n - 2);
        p->server.json[v->n - 2] = '\0';
        return 0;
    }
    if (ls_json_is(k, "tables")) {
        if (v->kind != LS_JSON_OBJECT) return bad(err, "\"tables\"");
        ls_json_compact(&p->tables, v->p + 1, v->n - 2);
    }
    if (ls_json_is(k, "sent")) {
        if (v->kind != LS_JSON_ARRAY) return bad(err, "\"sent\"");
        ls_json_compact(&p->sent, v->p + 1, v->n - 2);
    }
    if (ls_json_is(k, "options")) {
        if (copy_text(text, sizeof text, v, err) || sscanf(text, "%" SCNx64, &p->options) != 1) return bad(err, "\"options\"");
    }
    return 0;
}

int ls_progress_read(ls_progress *p, const char *json, size_t n, ls_error *err) {
    ls_json j = ls_json_over(json, n);
    ls_json_value all, k, v;
    *p = (ls_progress){0};
    if (ls_json_read(&j, &all, err) || ls_json_end(&j, err) || all.kind != LS_JSON_OBJECT) return bad(err, "it is no JSON object");
    ls_json in = ls_json_inside(&all);
    int more;
    while ((more = ls_json_member(&in, &k, &v, err)) == 1)
        if (read_member(p, &k, &v, err)) return -1;
    if (more < 0) return bad(err, "it is no JSON object");
    if (!p->creating && !p->restart.offset) return bad(err, "\"restart\" is missing");
    return p->gtid.failed || p->tables.failed || p->sent.failed ? ls_fail_memory(err, "reading the checkpoint") : 0;
}
