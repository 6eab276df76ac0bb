/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading memory that may give way: a file's mapping, of which another process
 * may cut off pages, or whose device may fail. The kernel then says SIGBUS,
 * and here that ends the reading instead of the process.
 *
 * A handler is installed when it is first wanted. Every other SIGBUS goes on to
 * the handler that was there before; and when a program installs one of its own
 * later that one is left in charge: nothing is guarded then.
 *
 * Threads  any; what is guarded is the calling thread's.
 * Failure  see each call.
 */
#ifndef CAPSTAN_BASE_GUARDED_H
#define CAPSTAN_BASE_GUARDED_H

#include <stdbool.h>
#include <stddef.h>

typedef void guarded_fn(void *arg);

/** Would a fault of this thread be caught now? Installs the handler the first
 *  time. */
bool guarded_is_possible(void);

/**
 * Call fn(arg), which may read `length` bytes at `memory`. It is left in the
 * middle by a fault there: it may hold no lock and call nothing but what
 * signal-safety(7) lists, nor guarded_call() again.
 *
 * @return false: a fault ended it; what it stored by then is stored.
 */
bool guarded_call(const void *memory, size_t length, guarded_fn *fn, void *arg);

/** Put the former handler back, if ours is still in force: before the code here
 *  is unloaded. */
void guarded_fini(void);

#endif
