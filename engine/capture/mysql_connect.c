#include "capture/mysql_session.h"

#include "base/clock.h"

#include <errmsg.h>
#include <errno.h>
#include <mysqld_error.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum {
    HOST_REFUSED = 1130,     /* ER_HOST_NOT_PRIVILEGED */
    SHUTTING_DOWN = 1053,    /* ER_SERVER_SHUTDOWN */
    TOO_MANY = 1040,         /* ER_CON_COUNT_ERROR */
    IDLE = 4031,             /* MySQL's ER_CLIENT_INTERACTION_TIMEOUT */
    SESSION_KILLED = 3169,   /* MySQL's ER_SESSION_WAS_KILLED */
    OFFLINE = 3032,          /* MySQL's ER_SERVER_OFFLINE_MODE */
    KILLED = 1927,           /* ER_CONNECTION_KILLED */
    READ_DUMP_FAILED = 1236, /* ER_MASTER_FATAL_ERROR_READING_BINLOG */
    SAME_ID = 4052,          /* ER_SLAVE_SAME_ID */
    CLIENT_ERRORS = 2000,    /* the client library's own: 2000 to 2999 */
    CLIENT_ERRORS_END = 3000,
    NO_TLS_GIVEN = 3159 /* ER_SECURE_TRANSPORT_REQUIRED */
};

/* The library sets itself up at its first use, which must not happen twice at once. */
static void set_up(void) {
    mysql_server_init(0, NULL, NULL);
}

static ls_code code_of(unsigned e) {
    if (e == CR_AUTH_PLUGIN_CANNOT_LOAD || e == CR_AUTH_PLUGIN_ERR) return LS_USAGE;
    if (e >= CLIENT_ERRORS && e < CLIENT_ERRORS_END) return LS_AGAIN;
    switch (e) {
    case ER_ACCESS_DENIED_ERROR:
    case ER_ACCESS_DENIED_NO_PASSWORD_ERROR:
    case ER_DBACCESS_DENIED_ERROR:
    case ER_SPECIFIC_ACCESS_DENIED_ERROR:
    case ER_TABLEACCESS_DENIED_ERROR:
    case HOST_REFUSED:
    case NO_TLS_GIVEN:
        return LS_USAGE;
    case TOO_MANY:
    case ER_TOO_MANY_USER_CONNECTIONS:
    case ER_USER_LIMIT_REACHED:
    case ER_OUT_OF_RESOURCES:
    case ER_OUTOFMEMORY:
    case ER_CANT_CREATE_THREAD:
    case ER_HOST_IS_BLOCKED:
    case IDLE:
    case SESSION_KILLED:
    case OFFLINE:
    case SHUTTING_DOWN:
    case KILLED:
    case ER_QUERY_INTERRUPTED:
    case ER_LOCK_WAIT_TIMEOUT:
    case ER_NET_READ_ERROR:
    case ER_NET_READ_INTERRUPTED:
        return LS_AGAIN;
    default:
        return LS_FAIL;
    }
}

static const char *db_name(const ls_my *s) {
    return s->version && !s->mariadb ? "MySQL" : "MariaDB";
}

void ls_my_grant_line(const ls_my *s, char *out, size_t size) {
    MYSQL_RES *res = NULL;
    MYSQL_ROW row = NULL;
    char user[256];
    snprintf(user, sizeof user, "'%.200s'@'%%'", s->conf.user);
    if (s->side &&
        mysql_query(s->side, "SELECT CONCAT(QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', 1)), '@', "
                             "QUOTE(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)))") == 0 &&
        (res = mysql_store_result(s->side)) && (row = mysql_fetch_row(res)) && row[0])
        snprintf(user, sizeof user, "%s", row[0]);
    mysql_free_result(res);
    snprintf(out, size, "GRANT REPLICATION SLAVE, %s, SELECT ON *.* TO %s",
             s->version && !s->mariadb ? "REPLICATION CLIENT" : "BINLOG MONITOR", user);
}

int ls_my_failed(const ls_my *s, MYSQL *c, ls_error *err, const char *doing) {
    unsigned e = mysql_errno(c);
    char text[512], grant[512];
    snprintf(text, sizeof text, "%s", mysql_error(c)); /* the next question to the server overwrites it */
    ls_code code = code_of(e);
    const char *host = s->conf.host;
    int port = s->conf.port;
    if (e == ER_ACCESS_DENIED_ERROR || e == ER_ACCESS_DENIED_NO_PASSWORD_ERROR)
        return ls_fail(
            err, code,
            "%s at %s port %d refuses user \"%s\": %s; check user and password (the account must be allowed to "
            "come from this machine)",
            db_name(s), host, port, s->conf.user, text);
    if (e == ER_SPECIFIC_ACCESS_DENIED_ERROR || e == ER_TABLEACCESS_DENIED_ERROR || e == ER_DBACCESS_DENIED_ERROR) {
        ls_my_grant_line(s, grant, sizeof grant);
        return ls_fail(err, code, "%s at %s port %d, %s: %s; as an administrator run: %s", db_name(s), host, port,
                       doing, text, grant);
    }
    return ls_fail(err, code, "%s at %s port %d, %s: %s (error %u)", db_name(s), host, port, doing, text, e);
}

static ls_code dump_code(unsigned e, const char *text, const char **mend) {
    if (e == SAME_ID || strstr(text, "same server_uuid") || strstr(text, "same server_id")) {
        *mend = "another program reads the binlog under this connector's server_id: a second list_sync whose connector has the same "
                "name, which has taken over, or another replica, whose server_id must differ (option server_id)";
        return LS_FENCED;
    }
    if (strstr(text, "not in the master's binlog") || strstr(text, "is missing the GTID") || strstr(text, "has diverged")) {
        *mend = "the server's log is not the one that the checkpoint is of: it has other transactions in its place (RESET MASTER, a replica that diverged, a restored server)";
        return LS_LOST;
    }
    if (e != READ_DUMP_FAILED) return code_of(e);
    if (strstr(text, "max_allowed_packet") && !strstr(text, "impossible position")) {
        *mend =
            "an event is larger than the server sends: SET GLOBAL slave_max_allowed_packet = 1073741824 (MariaDB) or "
            "SET GLOBAL max_allowed_packet = 1073741824";
        return LS_USAGE;
    }
    if (strstr(text, "Could not find first log") || strstr(text, "purged")) {
        *mend = "the log was purged (expire_logs_days, binlog_expire_logs_seconds, PURGE BINARY LOGS) before it was "
                "read: changes are missing";
        return LS_LOST;
    }
    *mend = "the server's log is not the one that the checkpoint is of (RESET MASTER, a restored or damaged server)";
    return strstr(text, "impossible position") || strstr(text, "Could not open log") ||
                   strstr(text, "error reading log")
               ? LS_LOST
               : LS_FAIL;
}

int ls_my_dump_failed(const ls_my *s, unsigned code, const char *text, ls_error *err) {
    const char *mend = NULL;
    char grant[600];
    ls_code c = dump_code(code, text, &mend);
    if (code == ER_SPECIFIC_ACCESS_DENIED_ERROR || code == ER_ACCESS_DENIED_ERROR) {
        size_t n = (size_t)snprintf(grant, sizeof grant, "as an administrator run: ");
        ls_my_grant_line(s, grant + n, sizeof grant - n);
        mend = grant;
    }
    ls_fail(err, c, "%s at %s port %d ends the binlog stream: %s (error %u)%s%s", db_name(s), s->conf.host, s->conf.port, text, code, mend ? "; " : "",
            mend ? mend : "");
    return ls_my_lost(s, err);
}

static void set_options(MYSQL *c) {
    unsigned connect_s = LS_MY_CONNECT_S, answer_s = LS_MY_ANSWER_S, off = 0;
    int protocol = MYSQL_PROTOCOL_TCP; /* "localhost" would mean a socket file otherwise */
    mysql_options(c, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s);
    mysql_options(c, MYSQL_OPT_READ_TIMEOUT, &answer_s);
    mysql_options(c, MYSQL_OPT_WRITE_TIMEOUT, &answer_s);
    mysql_options(c, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(c, MYSQL_OPT_LOCAL_INFILE, &off); /* no server may ask for our files */
    mysql_options(c, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options4(c, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "list_sync");
}

int ls_my_connect(const ls_my *s, MYSQL **out, ls_error *err) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    char sql[160];
    pthread_once(&once, set_up);
    MYSQL *c = *out = mysql_init(NULL);
    if (!c) return ls_fail_memory(err, "a connection");
    set_options(c);
    if (!mysql_real_connect(c, s->conf.host, s->conf.user, s->conf.password, NULL, (unsigned)s->conf.port, NULL, 0))
        return ls_my_failed(s, c, err, "connecting");
    snprintf(sql, sizeof sql, "SET SESSION sql_mode = '', wait_timeout = %d, net_write_timeout = %d", LS_MY_PATIENCE_S,
             LS_MY_PATIENCE_S);
    return ls_my_query(s, c, NULL, err, "setting up the connection", sql);
}

int ls_my_await(const ls_my *s, MYSQL *c, int wait_ms, ls_error *err) {
    int64_t until = ls_clock_ms() + wait_ms;
    struct pollfd f = {.fd = mysql_get_socket(c), .events = POLLIN};
    int n;
    while ((n = poll(&f, 1, LS_MY_STOP_LOOK_MS)) == 0 || (n < 0 && errno == EINTR)) {
        if (s->conf.stop && atomic_load(s->conf.stop)) return ls_fail(err, LS_OK, "stopping");
        if (ls_clock_ms() >= until) return 0;
    }
    return 1; /* an error of the socket shows in reading it */
}

int ls_my_query(const ls_my *s, MYSQL *c, MYSQL_RES **out, ls_error *err, const char *doing, const char *sql) {
    if (mysql_send_query(c, sql, strlen(sql))) return ls_my_failed(s, c, err, doing);
    int rc = ls_my_await(s, c, LS_MY_ANSWER_S * 1000, err);
    if (rc < 0) return -1;
    if (rc == 0)
        return ls_fail(err, LS_AGAIN, "%s at %s port %d, %s: no answer within %d s", db_name(s), s->conf.host, s->conf.port, doing, LS_MY_ANSWER_S);
    if (mysql_read_query_result(c)) return ls_my_failed(s, c, err, doing);
    MYSQL_RES *res = mysql_store_result(c);
    if (!res && (out || mysql_errno(c))) return ls_my_failed(s, c, err, doing);
    if (out)
        *out = res;
    else
        mysql_free_result(res);
    return 0;
}

void ls_my_quote(const ls_my *s, ls_buf *out, const char *p, size_t n) {
    ls_buf_char(out, '\'');
    if (ls_buf_room(out, 2 * n + 1)) out->len += mysql_real_escape_string(s->side, out->data + out->len, p, n);
    ls_buf_char(out, '\'');
}
