/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A queue with a bound, a lock and two conditions. A member that cannot open a
 * session still empties the queue, so that nobody waits for it; its files count
 * as failed.
 */
#include "tools/crew.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tools/copy.h"

#define WAITING_MAX 1024
#define TREE_JOBS 4

struct job {
    char *from;
    char *to;
    struct capstan_stat stat;
};

/* What one thread copies with. */
struct member {
    struct capstan_session *session;
    struct copy copy;
};

struct crew {
    const struct tree_wish *wish;
    struct progress *progress;
    struct member own; /* the caller's, when there are no threads */
    pthread_t threads[TREE_JOBS_MAX];
    unsigned nthreads;
    pthread_mutex_t lock; /* over all below */
    pthread_cond_t may_take;
    pthread_cond_t may_add;
    struct job jobs[WAITING_MAX];
    size_t first, count;
    bool is_over;
    bool is_failed;
};

static int member_init(struct crew *crew, struct member *member)
{
    if (copy_init(&member->copy, member->session, crew->progress) != 0)
        return -1;
    member->copy.stripe_size = (uint32_t)crew->wish->stripe_size;
    member->copy.width = (uint16_t)crew->wish->width;
    return 0;
}

/* Writing a file onto itself would empty it first. */
static bool is_onto_itself(const struct crew *crew, const struct side *to,
                           const struct job *job)
{
    struct capstan_stat there;

    return crew->wish->is_from_remote && crew->wish->is_to_remote &&
           side_stat(to, job->to, true, &there) == 0 &&
           there.ino == job->stat.ino;
}

static int work(struct crew *crew, struct member *member, const struct job *job)
{
    const struct tree_wish *wish = crew->wish;
    struct side to = {wish->is_to_remote ? member->session : NULL};
    struct copy_end from_end = {job->from, wish->is_from_remote};
    struct copy_end to_end = {job->to, wish->is_to_remote};

    if (is_onto_itself(crew, &to, job)) {
        tool_error(job->to, "is the file that was to be copied");
        return -1;
    }
    if (copy_file(&member->copy, from_end, to_end) != 0)
        return -1;
    if (wish->is_kept && side_set(&to, job->to, &job->stat) != 0)
        return side_error(&to, job->to);
    return 0;
}

static void job_fini(struct job *job)
{
    free(job->from);
    free(job->to);
}

/* Wait for a job. @return false: no more will come. */
static bool take(struct crew *crew, struct job *job_out)
{
    bool is_there;

    pthread_mutex_lock(&crew->lock);
    while (crew->count == 0 && !crew->is_over)
        pthread_cond_wait(&crew->may_take, &crew->lock);
    is_there = crew->count > 0;
    if (is_there) {
        *job_out = crew->jobs[crew->first];
        crew->first = (crew->first + 1) % WAITING_MAX;
        crew->count--;
        pthread_cond_signal(&crew->may_add);
    }
    pthread_mutex_unlock(&crew->lock);
    return is_there;
}

static void fail(struct crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->is_failed = true;
    pthread_mutex_unlock(&crew->lock);
}

static bool needs_session(const struct tree_wish *wish)
{
    return wish->is_from_remote || wish->is_to_remote;
}

static void *serve(void *arg)
{
    struct member member = {.session = NULL};
    struct crew *crew = arg;
    bool is_able;
    struct job job;

    is_able = !needs_session(crew->wish) ||
              tool_session_open(&crew->wish->place, &member.session) == TOOL_OK;
    is_able = is_able && member_init(crew, &member) == 0;
    while (take(crew, &job)) {
        if (!is_able || tool_interrupted() || work(crew, &member, &job) != 0)
            fail(crew);
        job_fini(&job);
    }
    copy_fini(&member.copy);
    capstan_session_close(&member.session);
    return NULL;
}

/* As many threads as can be had; none is an error. */
static int start_threads(struct crew *crew, unsigned count)
{
    while (crew->nthreads < count &&
           pthread_create(&crew->threads[crew->nthreads], NULL, serve, crew) ==
               0)
        crew->nthreads++;
    if (crew->nthreads > 0)
        return 0;
    tool_error("threads", "%s", strerror(EAGAIN));
    return -1;
}

static unsigned jobs_of(const struct tree_wish *wish)
{
    if (wish->jobs > 0)
        return (unsigned)wish->jobs;
    return wish->is_recursive ? TREE_JOBS : 1;
}

int crew_start(const struct tree_wish *wish, struct capstan_session *session,
               struct progress *progress, struct crew **crew_out)
{
    struct crew *crew = calloc(1, sizeof(*crew));
    int rc;

    if (crew == NULL) {
        tool_error("copy", "%s", strerror(ENOMEM));
        return -1;
    }
    crew->wish = wish;
    crew->progress = progress;
    crew->own.session = session;
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->may_take, NULL);
    pthread_cond_init(&crew->may_add, NULL);
    if (jobs_of(wish) == 1)
        rc = member_init(crew, &crew->own);
    else
        rc = start_threads(crew, jobs_of(wish));
    if (rc != 0) {
        free(crew);
        return -1;
    }
    *crew_out = crew;
    return 0;
}

static void put_in(struct crew *crew, const struct job *job)
{
    pthread_mutex_lock(&crew->lock);
    while (crew->count == WAITING_MAX)
        pthread_cond_wait(&crew->may_add, &crew->lock);
    crew->jobs[(crew->first + crew->count++) % WAITING_MAX] = *job;
    pthread_cond_signal(&crew->may_take);
    pthread_mutex_unlock(&crew->lock);
}

void crew_add(struct crew *crew, const char *from, const char *to,
              const struct capstan_stat *stat_buf)
{
    struct job job = {strdup(from), strdup(to), *stat_buf};

    if (job.from == NULL || job.to == NULL) {
        tool_error(from, "%s", strerror(ENOMEM));
        job_fini(&job);
        fail(crew);
        return;
    }
    if (crew->nthreads > 0) {
        put_in(crew, &job);
        return;
    }
    if (work(crew, &crew->own, &job) != 0)
        fail(crew);
    job_fini(&job);
}

int crew_end(struct crew **crew_p)
{
    struct crew *crew = *crew_p;
    int rc;

    pthread_mutex_lock(&crew->lock);
    crew->is_over = true;
    pthread_cond_broadcast(&crew->may_take);
    pthread_mutex_unlock(&crew->lock);
    for (unsigned i = 0; i < crew->nthreads; i++)
        pthread_join(crew->threads[i], NULL);
    copy_fini(&crew->own.copy);
    rc = crew->is_failed ? -1 : 0;
    free(crew);
    *crew_p = NULL;
    return rc;
}
