/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Byte-range locks with leases: who holds which range of which file at this
 * target, and who waits. Logic only: time is told, nothing is sent.
 *
 * The order is fair: of the locks on one file, a later one is granted only when
 * it conflicts with no earlier one, held or waiting. Ranges conflict when they
 * overlap and one of them is exclusive.
 *
 * A lock lives as long as its lease: LOCKS_LEASE_NS from when it was granted,
 * asked for again or renewed. So the lock of a client that is gone ends, and so
 * does the place of one that waited.
 *
 * Somebody who waits is answered when it is granted or after LOCKS_PATIENCE_NS,
 * whichever comes first; in the latter case the place stays, and he asks again.
 *
 * Units    bytes, nanoseconds.
 * Threads  the target's reactor.
 * Failure  a call that fails has changed nothing.
 */
#ifndef CAPSTAN_SERVER_LOCKS_H
#define CAPSTAN_SERVER_LOCKS_H

#include "base/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define LOCKS_LEASE_NS (15 * NS_PER_SEC)
#define LOCKS_PATIENCE_NS (5 * NS_PER_SEC)

struct locks;

/* Whose lock: a client may have many, by numbers of its own. */
struct lock_key {
    uint64_t ino;
    uint64_t client;
    uint64_t id;
};

struct lock_range {
    uint64_t offset;
    uint64_t length;
    bool is_shared;
};

/** Answer somebody who waits: granted, or "ask again". Called once for each
 *  asker that locks_ask() kept; it must not call into the locks. */
typedef void locks_answer_fn(void *ctx, void *asker, bool is_granted);

struct locks_config {
    unsigned locks_max;  /* held and waiting */
    unsigned askers_max; /* kept at a time */
    locks_answer_fn *answer;
    void *ctx;
};

/** @return 0 or -ENOMEM. */
int locks_create(const struct locks_config *config, struct locks **locks_out);

/** End; askers get no answer. NULLs; allows NULL. */
void locks_destroy(struct locks **locks_p);

/**
 * Ask for a lock, or again for one that is held or waited for; then range must
 * be as it was.
 *
 * @param asker  kept when the return value is -EINPROGRESS.
 * @return 0 (held), -EINPROGRESS (answer() will be called), -EAGAIN (waits,
 *         but there is no room for the asker: ask again), -EINVAL (range
 *         empty, beyond 2^63, or another one), -ERR_BUSY (too many locks),
 *         -ENOMEM.
 */
int locks_ask(struct locks *locks, const struct lock_key *key,
              const struct lock_range *range, uint64_t now_ns, void *asker);

/** The holder is still there. @return 0 or -ESTALE (not held). */
int locks_renew(struct locks *locks, const struct lock_key *key,
                uint64_t now_ns);

/** Give it back, or wait no longer. @return 0 or -ESTALE (was not held). */
int locks_release(struct locks *locks, const struct lock_key *key,
                  uint64_t now_ns);

/** Tell everybody who waits to ask again: the server is about to end. */
void locks_dismiss(struct locks *locks);

/** End leases and patience. @return things done. */
int locks_poll(struct locks *locks, uint64_t now_ns);
uint64_t locks_next_timer(const struct locks *locks);

/** Locks held and waiting. */
unsigned locks_count(const struct locks *locks);

#endif
