/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A progress bar on stderr, when that is a terminal; else nothing.
 *
 * Units    bytes.
 * Threads  one; progress_add() and progress_more() any.
 * Failure  none.
 */
#ifndef CAPSTAN_TOOLS_PROGRESS_H
#define CAPSTAN_TOOLS_PROGRESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool is_shown;
    uint64_t total; /* 0: not known */
    uint64_t done;
    uint64_t start_ns;
    uint64_t drawn_ns;    /* 0: never */
    pthread_mutex_t lock; /* over all of it */
};

/** @param total  bytes to come, 0 if not known. */
void progress_start(struct progress *progress, uint64_t total);

/** So many bytes more. Draws at most ten times a second. */
void progress_add(struct progress *progress, uint64_t bytes);

/** So many bytes more are to come. */
void progress_more(struct progress *progress, uint64_t bytes);

/** Leave a last line, with the rate over all. */
void progress_stop(struct progress *progress);

/** Write a number of bytes for people: "1.5 GiB". @param text 16 bytes. */
void progress_size(char *text, double bytes);

#endif
