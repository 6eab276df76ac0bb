/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The crew. `idle` counts the threads that wait for a request: the one that
 * takes it from 1 to 0 starts the next thread before it goes to work.
 *
 * A session renews what it holds (client/hold.h), and closes what was left for
 * it, when it is used, and one of a mount at rest is not: so the main thread
 * wakes, now and then, every thread that waits for a request.
 *
 * The end: the mount goes, the kernel answers ENODEV to every read of the
 * device, each thread leaves its loop and closes its session.
 */
#define FUSE_USE_VERSION 312
#include "posix/fuse_crew.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <fuse3/fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include <capstan/file.h>

#define LEFT_MAX 4096u /* files that wait to be closed by one member */
#define WAKE_SEC 300   /* well within a lease */
#define WAKE_SIGNAL SIGALRM

struct member {
    struct crew_member face; /* first: crew_self() points to it */
    pthread_t thread;
    atomic_bool is_waiting; /* for a request */
    struct fuse_buf buf;
    pthread_mutex_t lock; /* guards the two below */
    struct capstan_file **left;
    size_t nleft;
};

struct crew {
    struct fuse_session *fuse;
    const struct capstan_options *options;
    atomic_uint idle;
    atomic_bool is_failing; /* a session could not be opened */
    pthread_mutex_t lock;   /* guards count and the start of a thread */
    unsigned count;
    struct member members[CREW_MAX];
};

static __thread struct crew_member *self;

struct crew_member *crew_self(void)
{
    return self;
}

void crew_close_later(struct crew *crew, unsigned index,
                      struct capstan_file *file)
{
    struct member *member = &crew->members[index];
    struct capstan_file **left;

    pthread_mutex_lock(&member->lock);
    left = mem_grow(member->left, member->nleft + 1, sizeof(*left));
    if (left != NULL) {
        member->left = left;
        left[member->nleft++] = file;
    } /* else it stays open until the session ends */
    pthread_mutex_unlock(&member->lock);
}

static void close_left(struct member *member)
{
    struct capstan_file **left;
    size_t nleft;

    pthread_mutex_lock(&member->lock);
    left = member->left;
    nleft = member->nleft;
    member->left = NULL;
    member->nleft = 0;
    pthread_mutex_unlock(&member->lock);
    for (size_t i = 0; i < nleft; i++)
        capstan_file_close(&left[i]);
    free(left);
}

static void start_next(struct crew *crew);

static void serve(struct member *member)
{
    struct crew *crew = member->face.crew;
    int rc;

    while (!fuse_session_exited(crew->fuse)) {
        atomic_fetch_add(&crew->idle, 1);
        member->is_waiting = true;
        rc = fuse_session_receive_buf(crew->fuse, &member->buf);
        member->is_waiting = false;
        if (atomic_fetch_sub(&crew->idle, 1) == 1 && rc > 0)
            start_next(crew);
        if (rc == -EINTR) {
            close_left(member);
            capstan_session_progress(member->face.session);
        }
        if (rc == -EINTR || rc == -EAGAIN)
            continue;
        if (rc <= 0)
            break;
        close_left(member);
        fuse_session_process_buf(crew->fuse, &member->buf);
    }
}

/* The first member's session is opened before its thread starts, so that the
 * mount can be refused. */
static int open_session(struct member *member)
{
    struct crew_member *face = &member->face;
    int rc;

    if (face->session != NULL)
        return 0;
    face->buffer = mem_pages(CREW_IO_MAX);
    if (face->buffer == NULL)
        return -ENOMEM;
    rc = capstan_session_open(face->crew->options, &face->session);
    if (rc != 0) {
        free(face->buffer);
        face->buffer = NULL;
    }
    return rc;
}

static void *run(void *ctx)
{
    struct member *member = ctx;

    self = &member->face;
    if (open_session(member) == 0) {
        serve(member);
        close_left(member);
        capstan_session_close(&member->face.session);
    } else if (!atomic_exchange(&member->face.crew->is_failing, true)) {
        log_error("one more session: %s", capstan_open_error());
    }
    free(member->face.buffer);
    free(member->buf.mem);
    return NULL;
}

/* Start the next member, if there is one. It may itself start the one after it
 * before pthread_create() has returned here. */
static int start_member(struct crew *crew)
{
    struct member *member;
    int rc = 0;

    pthread_mutex_lock(&crew->lock);
    if (crew->count < CREW_MAX) {
        member = &crew->members[crew->count];
        rc = -pthread_create(&member->thread, NULL, run, member);
        crew->count += rc == 0;
    }
    pthread_mutex_unlock(&crew->lock);
    return rc;
}

static void member_init(struct crew *crew, unsigned index)
{
    struct member *member = &crew->members[index];

    member->face.crew = crew;
    member->face.index = index;
    pthread_mutex_init(&member->lock, NULL);
}

static void start_next(struct crew *crew)
{
    int rc;

    if (atomic_load(&crew->is_failing))
        return;
    rc = start_member(crew);
    if (rc != 0 && !atomic_exchange(&crew->is_failing, true))
        log_error("one more thread: %s", strerror(-rc));
}

static void on_wake(int number)
{
}

/* The signal only ends the wait. One that comes too late for that is lost, and
 * there will be another. */
static int catch_wake(void)
{
    struct sigaction action = {.sa_handler = on_wake};

    sigemptyset(&action.sa_mask);
    return sigaction(WAKE_SIGNAL, &action, NULL) == 0 ? 0 : -errno;
}

/* @param first  those before it have ended. */
static void wake(struct crew *crew, unsigned first)
{
    pthread_mutex_lock(&crew->lock);
    for (unsigned i = first; i < crew->count; i++)
        if (crew->members[i].is_waiting)
            pthread_kill(crew->members[i].thread, WAKE_SIGNAL);
    pthread_mutex_unlock(&crew->lock);
}

static void join(struct crew *crew, unsigned index)
{
    struct timespec until;

    do {
        wake(crew, index);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += WAKE_SEC;
    } while (pthread_timedjoin_np(crew->members[index].thread, NULL, &until) ==
             ETIMEDOUT);
}

int crew_start(struct fuse_session *fuse, const struct capstan_options *options,
               struct crew **crew_out)
{
    struct crew *crew = mem_calloc(1, sizeof(*crew));
    int rc = -ENOMEM;

    if (crew == NULL)
        return rc;
    crew->fuse = fuse;
    crew->options = options;
    pthread_mutex_init(&crew->lock, NULL);
    for (unsigned i = 0; i < CREW_MAX; i++)
        member_init(crew, i);
    rc = catch_wake();
    if (rc != 0)
        goto err_session;
    rc = open_session(&crew->members[0]);
    if (rc != 0)
        goto err_session;
    rc = start_member(crew);
    if (rc != 0)
        goto err_thread;
    *crew_out = crew;
    return 0;

err_thread:
    capstan_session_close(&crew->members[0].face.session);
    free(crew->members[0].face.buffer);
err_session:
    free(crew);
    return rc;
}

void crew_wait(struct crew **crew_p)
{
    struct crew *crew = *crew_p;

    *crew_p = NULL;
    /* count can still grow while we wait for the ones before */
    for (unsigned i = 0; i < CREW_MAX; i++) {
        bool is_there;

        pthread_mutex_lock(&crew->lock);
        is_there = i < crew->count;
        pthread_mutex_unlock(&crew->lock);
        if (is_there)
            join(crew, i);
    }
    for (unsigned i = 0; i < CREW_MAX; i++) {
        pthread_mutex_destroy(&crew->members[i].lock);
        free(crew->members[i].left);
    }
    pthread_mutex_destroy(&crew->lock);
    free(crew);
}
