#include "cli/status.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    LS_STATUS_TTY_MS = 1000,
    LS_STATUS_PIPE_MS = 30000,
    MiB = 1024 * 1024,
    LS_STATUS_SCRIPT = 16 * MiB /* a script's memory is shown from here on: less is nobody's concern */
};

int ls_status_init(ls_status *s, const ls_log *log, ls_worker *workers, size_t nworkers, ls_error *err) {
    *s = (ls_status){.log = log, .workers = workers, .nworkers = nworkers, .shown_at = ls_clock_ms()};
    s->last_rows = calloc(nworkers, sizeof *s->last_rows);
    return s->last_rows ? 0 : ls_fail_memory(err, "starting");
}

static void with_commas(ls_buf *out, uint64_t v) {
    if (v >= 1000) {
        with_commas(out, v / 1000);
        ls_buf_fmt(out, ",%03u", (unsigned)(v % 1000));
    } else {
        ls_buf_u64(out, v);
    }
}

static void show_count(ls_buf *out, const char *what, uint64_t n) {
    if (!n) return;
    ls_buf_fmt(out, "  %s ", what);
    with_commas(out, n);
}

/* A stage's workers stand side by side: its rows and lag are their sums, its script's memory is the largest. */
static size_t one_stage(ls_status *s, size_t i, double seconds, ls_buf *out) {
    const ls_stage *stage = s->workers[i].stage;
    uint64_t rows = 0, invalid = 0, dead = 0, skipped = 0;
    size_t script = 0;
    int64_t lag = -1;
    ls_worker *first = &s->workers[i];
    for (; i < s->nworkers && s->workers[i].stage == stage; i++) {
        uint64_t now = atomic_load(&s->workers[i].rows);
        int64_t l = atomic_load(&s->workers[i].lag);
        rows += now - s->last_rows[i];
        invalid += atomic_load(&s->workers[i].invalid);
        dead += atomic_load(&s->workers[i].dead);
        skipped += atomic_load(&s->workers[i].skipped);
        size_t held = atomic_load(&s->workers[i].script);
        if (held > script) script = held;
        s->last_rows[i] = now;
        if (l >= 0) lag = (lag < 0 ? 0 : lag) + l;
    }
    ls_buf_fmt(out, "%s%s ", out->len ? " | " : "", stage->name);
    if (atomic_load(&first->waits)) {
        ls_buf_str(out, "standby");
        return i;
    }
    with_commas(out, (uint64_t)((double)rows / seconds + 0.5));
    ls_buf_str(out, " rows/s");
    if (lag >= 0 && stage->is_connector) ls_buf_fmt(out, "  lag %.1f s", rows ? (double)lag / 1e6 : 0.0);
    if (lag >= 0 && !stage->is_connector) {
        ls_buf_str(out, "  lag ");
        with_commas(out, (uint64_t)lag);
    }
    if (stage->is_connector) {
        pthread_mutex_lock(&first->place_lock);
        if (first->checkpoint[0]) ls_buf_fmt(out, "  checkpoint %s", first->checkpoint);
        pthread_mutex_unlock(&first->place_lock);
    }
    show_count(out, "invalid text", invalid);
    show_count(out, "dead letters", dead);
    show_count(out, "skipped", skipped);
    if (script >= LS_STATUS_SCRIPT) ls_buf_fmt(out, "  script %zu MiB", script / MiB);
    return i;
}

static void rewrite(const char *line) {
    char clock[16];
    time_t now = time(NULL);
    struct tm tm;
    localtime_r(&now, &tm);
    strftime(clock, sizeof clock, "%H:%M:%S", &tm);
    fprintf(stderr, "\r\033[K%s %s", clock, line);
}

void ls_status_tick(ls_status *s) {
    int64_t now = ls_clock_ms(), since = now - s->shown_at;
    if (s->log->least > LS_INFO || since < (s->log->status_line ? LS_STATUS_TTY_MS : LS_STATUS_PIPE_MS)) return;
    s->shown_at = now;
    ls_buf line = {0};
    for (size_t i = 0; i < s->nworkers;) i = one_stage(s, i, (double)since / 1000, &line);
    const char *text = ls_buf_cstr(&line);
    if (text && s->log->status_line)
        rewrite(text);
    else if (text)
        ls_log_line(s->log, LS_INFO, "%s", text);
    ls_buf_free(&line);
}

void ls_status_end(ls_status *s) {
    if (s->log->status_line) fprintf(stderr, "\r\033[K");
    free(s->last_rows);
}
