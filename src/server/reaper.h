/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reaper: destroys the objects of removed files, on every target of their
 * layouts, until each has acknowledged; then the orphan is forgotten.
 *
 * Units    nanoseconds.
 * Threads  the target's reactor.
 * Failure  an orphan that cannot be ended now is tried again later, for ever.
 */
#ifndef CAPSTAN_SERVER_REAPER_H
#define CAPSTAN_SERVER_REAPER_H

#include <stdint.h>

struct reaper;
struct srv_target;

/** @return 0 or -ENOMEM. */
int reaper_create(struct srv_target *target, struct reaper **reaper_out);
void reaper_destroy(struct reaper **reaper_p);

/** A file was removed: look for orphans soon. */
void reaper_kick(struct reaper *reaper);

/** Somebody holds a removed file no more: look too. */
void reaper_wake(struct reaper *reaper);

/** @return things done. */
int reaper_poll(struct reaper *reaper, uint64_t now);
uint64_t reaper_next_timer(const struct reaper *reaper);

#endif
