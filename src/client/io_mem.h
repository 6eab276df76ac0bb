/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The caller's memory of one operation: spans that are registered when first
 * needed, and all given up when the operation ends.
 *
 * Units    bytes; addresses as integers.
 * Threads  the session's owner.
 * Failure  -ENOMEM; a refused registration: the provider's code.
 */
#ifndef CAPSTAN_CLIENT_IO_MEM_H
#define CAPSTAN_CLIENT_IO_MEM_H

#include "base/run.h"
#include "net/net.h"

#define IO_GAP_MAX (16ull << 20) /* runs farther apart are registered apart */

struct io_span {
    uint64_t low;
    uint64_t high;     /* one past the last byte */
    struct net_mr *mr; /* NULL until needed */
};

struct io_memory {
    struct io_span *spans; /* ascending, disjoint */
    size_t nspans;
};

/** Find the spans of the runs' memory. @return 0 or -ENOMEM. */
int io_memory_init(struct io_memory *memory, const struct run *runs,
                   size_t nruns);

/** The span that holds an address of a run. */
struct io_span *io_memory_find(const struct io_memory *memory,
                               uint64_t address);

/** Register a span unless it is. */
int io_span_register(struct net *net, struct io_span *span, unsigned access,
                     struct net_remote *remote_out);

/** Give all registrations up: after this no peer touches the memory. */
void io_memory_fini(struct net *net, struct io_memory *memory);

#endif
