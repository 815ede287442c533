/* libpq.h - libpq, loaded when the first connection to PostgreSQL is made: with what it needs for LDAP, GSSAPI and their TLS it
 * takes more than 3 MiB of every process, which a consumer and a connector of MariaDB have no use for. Instead of libpq-fe.h. */
#ifndef LS_LIBPQ_H
#define LS_LIBPQ_H

#include "base/error.h"

#include <libpq-fe.h>

#define LS_LIBPQ_CALLS(X) \
    X(PQbackendPID) X(PQclear) X(PQconnectPoll) X(PQconnectStartParams) X(PQconnectionNeedsPassword) X(PQconsumeInput) \
    X(PQerrorMessage) X(PQfinish) X(PQflush) X(PQfreemem) X(PQgetCopyData) X(PQgetResult) X(PQgetisnull) X(PQgetlength) \
    X(PQgetvalue) X(PQisBusy) X(PQnfields) X(PQntuples) X(PQparameterStatus) X(PQputCopyData) X(PQputCopyEnd) X(PQresultErrorField) \
    X(PQresultStatus) X(PQsendQuery) X(PQsendQueryParams) X(PQserverVersion) X(PQsetClientEncoding) X(PQsetErrorVerbosity) \
    X(PQsetNoticeReceiver) X(PQsocket) X(PQstatus)

typedef struct ls_libpq {
#define X(call) __typeof__(call) *call;
    LS_LIBPQ_CALLS(X)
#undef X
} ls_libpq;

/* The library's functions: NULL until ls_libpq_load() has given 0, and the same ever after. */
extern ls_libpq ls_pq;

/* Loads it, once for the process; any thread may call. LS_USAGE: it is not there, or not one that fits. */
int ls_libpq_load(ls_error *err) LS_MUST_CHECK;

/* The callers write libpq's own names; libpq.c means the library's. */
#ifndef LS_LIBPQ_LOADER
#define PQbackendPID ls_pq.PQbackendPID
#define PQclear ls_pq.PQclear
#define PQconnectPoll ls_pq.PQconnectPoll
#define PQconnectStartParams ls_pq.PQconnectStartParams
#define PQconnectionNeedsPassword ls_pq.PQconnectionNeedsPassword
#define PQconsumeInput ls_pq.PQconsumeInput
#define PQerrorMessage ls_pq.PQerrorMessage
#define PQfinish ls_pq.PQfinish
#define PQflush ls_pq.PQflush
#define PQfreemem ls_pq.PQfreemem
#define PQgetCopyData ls_pq.PQgetCopyData
#define PQgetResult ls_pq.PQgetResult
#define PQgetisnull ls_pq.PQgetisnull
#define PQgetlength ls_pq.PQgetlength
#define PQgetvalue ls_pq.PQgetvalue
#define PQisBusy ls_pq.PQisBusy
#define PQnfields ls_pq.PQnfields
#define PQntuples ls_pq.PQntuples
#define PQparameterStatus ls_pq.PQparameterStatus
#define PQputCopyData ls_pq.PQputCopyData
#define PQputCopyEnd ls_pq.PQputCopyEnd
#define PQresultErrorField ls_pq.PQresultErrorField
#define PQresultStatus ls_pq.PQresultStatus
#define PQsendQuery ls_pq.PQsendQuery
#define PQsendQueryParams ls_pq.PQsendQueryParams
#define PQserverVersion ls_pq.PQserverVersion
#define PQsetClientEncoding ls_pq.PQsetClientEncoding
#define PQsetErrorVerbosity ls_pq.PQsetErrorVerbosity
#define PQsetNoticeReceiver ls_pq.PQsetNoticeReceiver
#define PQsocket ls_pq.PQsocket
#define PQstatus ls_pq.PQstatus
#endif

#endif
