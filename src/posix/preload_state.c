/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The process's session, and who is in it.
 *
 * The session is opened by the first call that needs it. A child after fork
 * gets one of its own: the parent's is forgotten, with the open files in it,
 * which are opened again by number when next used.
 *
 * Possible failure modes are: no cluster file (every call below the prefix says
 * so, by errno; the reason is logged once); a call from a signal handler while
 * the thread it interrupted was in here.
 */
#include "posix/preload.h"

#include "base/log.h"
#include "posix/preload_real.h"

#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock;
    struct capstan_session *session;
    pid_t pid; /* of the process that opened it */
    uid_t uid; /* whose rights it has */
    gid_t gid;
    bool has_failed; /* and said why */
    mode_t mask;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static __thread bool is_inside __attribute__((tls_model("initial-exec")));

bool px_is_inside(void)
{
    return is_inside;
}

static int open_session(void)
{
    const struct capstan_options options = CAPSTAN_OPTIONS_INIT;
    int rc = capstan_session_open(&options, &state.session);

    if (rc == 0) {
        state.pid = getpid();
        state.uid = geteuid();
        state.gid = getegid();
        return capstan_session_set_prefix(state.session, px_prefix());
    }
    if (!state.has_failed)
        log_error("%s", capstan_open_error());
    state.has_failed = true;
    return rc;
}

/* A program that has become somebody else acts as that. */
static void follow_cred(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (uid == state.uid && gid == state.gid)
        return;
    state.uid = uid;
    state.gid = gid;
    capstan_session_set_cred(state.session, NULL);
}

int px_enter(struct capstan_session **session_out)
{
    int rc = 0;

    if (is_inside)
        return -EDEADLK;
    if (px_is_borrowed())
        return -EPERM; /* what it changed would be its parent's */
    is_inside = true;
    pthread_mutex_lock(&state.lock);
    if (state.session == NULL)
        rc = open_session();
    else
        follow_cred();
    if (rc == 0) {
        *session_out = state.session;
        return 0;
    }
    px_leave();
    return rc;
}

void px_leave(void)
{
    pthread_mutex_unlock(&state.lock);
    is_inside = false;
}

long px_result(long rc, int saved_errno)
{
    errno = rc < 0 ? capstan_errno((int)rc) : saved_errno;
    return rc < 0 ? -1 : rc;
}

mode_t px_umask(void)
{
    return state.mask;
}

void px_set_umask(mode_t mask)
{
    state.mask = mask & 0777;
}

static void before_fork(void)
{
    pthread_mutex_lock(&state.lock);
}

static void in_parent(void)
{
    pthread_mutex_unlock(&state.lock);
}

static void in_child(void)
{
    pthread_mutex_init(&state.lock, NULL);
    is_inside = true;
    px_forget_files();
    capstan_session_close(
        &state.session); /* frees; the fabric is the parent's */
    is_inside = false;
}

static void __attribute__((constructor)) start(void)
{
    mode_t mask;

    px_real_init();
    mask = px_real()->umask(0);
    px_real()->umask(mask);
    px_set_umask(mask);
    px_path_init();
    px_fds_init();
    px_stdio_init();
    pthread_atfork(before_fork, in_parent, in_child);
}

/* exit(3) closes files, and a close makes what was written durable. */
static void __attribute__((destructor)) end(void)
{
    if (state.session == NULL || state.pid != getpid() || is_inside)
        return;
    px_close_files();
}
