/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Byte-range locks.
 *
 * The happy path: a LOCK call goes to the target of column 0; its answer is
 * "granted", or "not yet" after a while, and then the call is made again under
 * the same number. A held lock is renewed when a fifth of its lease is over.
 * One UNLOCK ends it.
 *
 * A lease counts from before the call that granted or renewed it, so that here
 * it ends no later than at the server.
 *
 * Possible failure modes are: the server does not answer in time (the lock has
 * failed); it does not know the lock (it was restarted), or the lease was over
 * before it could be renewed (the program stopped): the lock is lost.
 */
#include "client/lock.h"

#include "base/mem.h"
#include "client/call.h"
#include "client/file.h"

#include <string.h>
#include <utlist.h>

#define ASK_AGAIN_NS (5 * NS_PER_MS) /* after a "not yet" that came at once */
#define RENEW_NS (1500 * NS_PER_MS)  /* a renewal is then made anew */

struct capstan_lock {
    struct capstan_file *file;
    struct capstan_lock *prev, *next;
    uint64_t id;
    uint64_t offset;
    uint64_t length;
    bool is_shared;
    bool is_held;
    bool is_asking;    /* the call is under way */
    int rc;            /* failed or lost */
    uint64_t sent_ns;  /* when the call was */
    uint64_t next_ns;  /* when to ask or renew again */
    uint64_t until_ns; /* of the lease */
    struct cli_call call;
};

static void call_init(const struct capstan_lock *lock, uint16_t opcode,
                      struct cli_call *call)
{
    struct proto_req_lock *req = &call->req.lock;

    memset(call, 0, sizeof(*call));
    call->target = lock->file->inode.layout.targets[0];
    call->opcode = opcode;
    req->ino = lock->file->inode.ino; /* all three begin with ino and id */
    req->id = lock->id;
    if (opcode != PROTO_OP_lock)
        return;
    req->offset = lock->offset;
    req->length = lock->length;
    req->is_shared = lock->is_shared;
}

static void ask(struct capstan_lock *lock)
{
    struct capstan_session *session = lock->file->session;

    call_init(lock, lock->is_held ? PROTO_OP_renew : PROTO_OP_lock,
              &lock->call);
    lock->sent_ns = clock_now(session->clock);
    lock->is_asking = true;
    cli_call_start(session, &lock->call,
                   lock->is_held ? lock->sent_ns + RENEW_NS
                                 : cli_deadline(session));
}

int capstan_file_lock_start(struct capstan_file *file, uint64_t offset,
                            uint64_t length, bool is_shared,
                            struct capstan_lock **lock_out)
{
    struct capstan_session *session = file->session;
    struct capstan_lock *lock;
    int rc = cli_enter(session);

    if (rc != 0)
        return rc;
    if (length == 0 || offset > INT64_MAX || length > INT64_MAX - offset)
        return cli_fail(session, -EINVAL, "lock %s", file->path);
    lock = mem_calloc(1, sizeof(*lock));
    if (lock == NULL)
        return cli_fail(session, -ENOMEM, "lock %s", file->path);
    lock->file = file;
    lock->id = ++session->next_lock;
    lock->offset = offset;
    lock->length = length;
    lock->is_shared = is_shared;
    DL_APPEND(session->locks, lock);
    ask(lock);
    *lock_out = lock;
    return 0;
}

/* An answer that was long under way may leave too little of the lease: then the
 * lock, which the server does hold, is asked for once more. */
static void granted(struct capstan_lock *lock, uint64_t lease_ns, uint64_t now)
{
    if (!lock->is_held && now >= lock->sent_ns + lease_ns / 3 * 2) {
        lock->next_ns = now;
        return;
    }
    lock->is_held = true;
    lock->until_ns = lock->sent_ns + lease_ns;
    lock->next_ns = lock->sent_ns + lease_ns / 5;
}

/* The call has ended. */
static void take(struct capstan_lock *lock, uint64_t now)
{
    const struct cli_call *call = &lock->call;

    lock->is_asking = false;
    if (call->rc == -ETIMEDOUT && lock->is_held)
        lock->next_ns = now; /* the lease decides */
    else if (call->rc != 0)
        lock->rc = call->rc;
    else if (call->opcode == PROTO_OP_renew)
        granted(lock, call->rep.renew.lease_ns, now);
    else if (call->rep.lock.is_granted)
        granted(lock, call->rep.lock.lease_ns, now);
    else
        lock->next_ns = lock->sent_ns + ASK_AGAIN_NS;
}

static int pump(struct capstan_lock *lock, uint64_t now)
{
    if (lock->rc != 0)
        return 0;
    if (lock->is_held && now >= lock->until_ns) {
        lock->rc = -ESTALE;
        return 1;
    }
    if (lock->is_asking) {
        if (!lock->call.is_done)
            return 0;
        take(lock, now);
    } else if (now >= lock->next_ns) {
        ask(lock);
    } else {
        return 0;
    }
    return 1;
}

int cli_locks_pump(struct capstan_session *session)
{
    struct capstan_lock *lock;
    uint64_t now;
    int n = 0;

    if (session->locks == NULL)
        return 0;
    now = clock_now(session->clock);
    DL_FOREACH(session->locks, lock)
        n += pump(lock, now);
    return n;
}

uint64_t cli_locks_next_timer(const struct capstan_session *session)
{
    const struct capstan_lock *lock;
    uint64_t next = UINT64_MAX;

    DL_FOREACH(session->locks, lock)
    {
        if (lock->rc != 0)
            continue;
        if (!lock->is_asking && lock->next_ns < next)
            next = lock->next_ns;
        if (lock->is_held && lock->until_ns < next)
            next = lock->until_ns;
    }
    return next;
}

int capstan_lock_test(struct capstan_lock *lock, bool *is_held_out)
{
    struct capstan_session *session = lock->file->session;
    int rc = cli_enter(session);

    if (rc != 0)
        return rc;
    cli_progress(session);
    *is_held_out = lock->is_held && lock->rc == 0;
    if (lock->rc == 0)
        return 0;
    if (lock->call.is_done && lock->call.rc == lock->rc)
        return cli_call_fail(session, &lock->call, lock->file->path);
    return cli_fail(session, lock->rc, "lock of %s", lock->file->path);
}

static void lock_free(struct capstan_session *session,
                      struct capstan_lock *lock)
{
    DL_DELETE(session->locks, lock);
    if (lock->is_asking)
        cli_call_stop(session, &lock->call);
    free(lock);
}

int capstan_lock_end(struct capstan_lock **lock_p)
{
    struct capstan_lock *lock = *lock_p;
    struct capstan_file *file = lock->file;
    struct capstan_session *session = file->session;
    struct cli_call call;
    int rc = cli_enter(session);

    *lock_p = NULL;
    if (rc != 0)
        return rc;
    cli_progress(session);
    call_init(lock, PROTO_OP_unlock, &call);
    rc = lock->rc;
    lock_free(session, lock);
    if (cli_call(session, &call, cli_deadline(session)) != 0)
        return cli_call_fail(session, &call, file->path);
    return rc == 0 ? 0 : cli_fail(session, rc, "lock of %s", file->path);
}

void cli_locks_abandon(struct capstan_session *session,
                       const struct capstan_file *file)
{
    struct capstan_lock *lock, *next;

    DL_FOREACH_SAFE(session->locks, lock, next)
    {
        if (file == NULL || lock->file == file)
            lock_free(session, lock);
    }
}
