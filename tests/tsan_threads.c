/* ThreadSanitizer builds only. librdkafka starts and locks its threads through C11's <threads.h>, which gcc's ThreadSanitizer
 * does not see: it crashes in the first such thread, and would take what they lock for unlocked. Here those functions are
 * made of the POSIX ones, which it sees. glibc's mtx_t and cnd_t hold a pthread_mutex_t and a pthread_cond_t. */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

typedef struct start {
    thrd_start_t body;
    void *arg;
} start;

static int result(int e) { return e == 0 ? thrd_success : e == EBUSY ? thrd_busy : e == ETIMEDOUT ? thrd_timedout : thrd_error; }

static void *run(void *arg) {
    start s = *(start *)arg;
    free(arg);
    return (void *)(intptr_t)s.body(s.arg);
}

int thrd_create(thrd_t *t, thrd_start_t body, void *arg) {
    start *s = malloc(sizeof *s);
    if (!s) return thrd_nomem;
    *s = (start){body, arg};
    int e = pthread_create(t, NULL, run, s);
    if (e) free(s);
    return result(e);
}

int thrd_join(thrd_t t, int *out) {
    void *r;
    int e = pthread_join(t, &r);
    if (e == 0 && out) *out = (int)(intptr_t)r;
    return result(e);
}

int thrd_detach(thrd_t t) { return result(pthread_detach(t)); }

int mtx_init(mtx_t *m, int type) {
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_settype(&a, type & mtx_recursive ? PTHREAD_MUTEX_RECURSIVE : PTHREAD_MUTEX_NORMAL);
    int e = pthread_mutex_init((pthread_mutex_t *)m, &a);
    pthread_mutexattr_destroy(&a);
    return result(e);
}

void mtx_destroy(mtx_t *m) { pthread_mutex_destroy((pthread_mutex_t *)m); }
int mtx_lock(mtx_t *m) { return result(pthread_mutex_lock((pthread_mutex_t *)m)); }
int mtx_trylock(mtx_t *m) { return result(pthread_mutex_trylock((pthread_mutex_t *)m)); }
int mtx_unlock(mtx_t *m) { return result(pthread_mutex_unlock((pthread_mutex_t *)m)); }

int cnd_init(cnd_t *c) { return result(pthread_cond_init((pthread_cond_t *)c, NULL)); }
void cnd_destroy(cnd_t *c) { pthread_cond_destroy((pthread_cond_t *)c); }
int cnd_signal(cnd_t *c) { return result(pthread_cond_signal((pthread_cond_t *)c)); }
int cnd_broadcast(cnd_t *c) { return result(pthread_cond_broadcast((pthread_cond_t *)c)); }
int cnd_wait(cnd_t *c, mtx_t *m) { return result(pthread_cond_wait((pthread_cond_t *)c, (pthread_mutex_t *)m)); }
int cnd_timedwait(cnd_t *c, mtx_t *m, const struct timespec *until) {
    return result(pthread_cond_timedwait((pthread_cond_t *)c, (pthread_mutex_t *)m, until));
}
