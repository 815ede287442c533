#include "base/log.h"

#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const level_name[] = {"debug", "info", "warning", "error"};

ls_log ls_log_for(const ls_log *log, const char *stage) {
    ls_log l = *log;
    l.stage = stage;
    return l;
}

static void json_line(const ls_log *log, ls_level level, const char *message, ls_buf *out) {
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    ls_buf_fmt(out, "{\"ts\":\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\",\"level\":\"%s\",\"stage\":", tm.tm_year + 1900,
               tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now.tv_nsec / 1000000),
               level_name[level]);
    ls_json_string(out, log->stage, strlen(log->stage));
    ls_buf_str(out, ",\"message\":");
    ls_json_string(out, message, strlen(message));
    ls_buf_str(out, "}\n");
}

static void text_line(const ls_log *log, ls_level level, const char *message, ls_buf *out) {
    time_t now = time(NULL);
    struct tm tm;
    localtime_r(&now, &tm);
    if (log->status_line) ls_buf_str(out, "\r\033[K");
    ls_buf_fmt(out, "%02d:%02d:%02d %s%s%s%s%s\n", tm.tm_hour, tm.tm_min, tm.tm_sec, log->stage, *log->stage ? ": " : "",
               level == LS_INFO ? "" : level_name[level], level == LS_INFO ? "" : ": ", message);
}

void ls_log_line(const ls_log *log, ls_level level, const char *fmt, ...) {
    if (level < log->least) return;
    char message[LS_ERROR_MAX + 256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    ls_buf out = {0};
    (log->json ? json_line : text_line)(log, level, message, &out);
    if (!out.failed) {
        ssize_t ignored = write(log->fd, out.data, out.len); /* nobody is left to tell when stderr is gone */
        (void)ignored;
    }
    ls_buf_free(&out);
}
