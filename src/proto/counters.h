/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The counters of a target: one table of names, units and prose, from which
 * come the server's struct, the wire order and every printer. New ones are
 * added at the end.
 *
 * Threads  the table is constant.
 * Failure  none.
 */
#ifndef CAPSTAN_PROTO_COUNTERS_H
#define CAPSTAN_PROTO_COUNTERS_H

#include <stdint.h>

/* How long requests took, from their arrival to their answer: each is counted
 * once, in the first that fits. In order of COUNTERS_LATENCY_US. */
#define COUNTERS_LATENCY(X, verb, prose)                                       \
    X(verb##_within_64us, "requests", prose " answered within 64 us")          \
    X(verb##_within_256us, "requests", prose " answered within 256 us")        \
    X(verb##_within_1ms, "requests", prose " answered within 1 ms")            \
    X(verb##_within_4ms, "requests", prose " answered within 4 ms")            \
    X(verb##_within_16ms, "requests", prose " answered within 16 ms")          \
    X(verb##_within_64ms, "requests", prose " answered within 64 ms")          \
    X(verb##_within_256ms, "requests", prose " answered within 256 ms")        \
    X(verb##_within_1s, "requests", prose " answered within 1 s")              \
    X(verb##_within_60s, "requests", prose " that took longer")
#define COUNTERS_LATENCY_NS                                                    \
    {64000, 256000, 1000000, 4000000, 16000000, 64000000, 256000000,           \
     1000000000}

/* X(name, unit, prose) */
#define COUNTERS(X)                                                            \
    X(uptime_ns, "ns", "time since the server started")                        \
    X(bytes_sent, "bytes", "payload that left for clients")                    \
    X(bytes_received, "bytes", "payload that came from clients")               \
    X(requests, "requests", "requests taken, repeats included")                \
    X(repeats, "requests", "requests that had been seen before")               \
    X(busy, "requests", "requests refused because a queue was full")           \
    X(malformed, "messages", "messages that could not be decoded")             \
    X(errors, "requests", "requests answered with an error")                   \
    X(sessions, "sessions", "clients known now")                               \
    X(reads, "requests", "read requests")                                      \
    X(writes, "requests", "write requests")                                    \
    X(read_extents, "extents", "extents read from objects")                    \
    X(write_extents, "extents", "extents written to objects")                  \
    X(device_bytes_read, "bytes", "bytes read from the device")                \
    X(device_bytes_written, "bytes", "bytes written to the device")            \
    X(rma_writes, "transfers", "RMA writes into client memory")                \
    X(rma_reads, "transfers", "RMA reads from client memory")                  \
    X(inline_bytes, "bytes", "payload that rode in messages, both ways")       \
    X(names_ops, "requests", "operations on names")                            \
    X(names_commits, "commits", "transactions of the name store")              \
    X(orphans, "files", "removed files whose objects are still being freed")   \
    X(space_total, "bytes", "size of the device's file system")                \
    X(space_free, "bytes", "free space of the device's file system")           \
    X(sums_mismatches, "blocks", "blocks that did not fit their sum")          \
    X(sums_resummed, "bytes", "bytes summed again after a crash")              \
    X(sums_intents, "writes", "regions marked before their first write")       \
    X(sums_cleanings, "objects", "objects whose sums became durable")          \
    X(sums_reads, "reads", "reads of sums, each for 1 MiB of data")            \
    X(sums_writes, "writes", "writes of sums, each for 1 MiB of data")         \
    X(objects_dirty, "objects", "objects whose sums are not durable now")      \
    X(queued, "requests", "reads and writes under way now")                    \
    X(device_queue, "operations", "operations of objects under way now")       \
    X(pieces, "pieces", "pieces of reads and writes; what exceeds the extents "\
                        "was merged")                                          \
    COUNTERS_LATENCY(X, reads, "reads")                                        \
    COUNTERS_LATENCY(X, writes, "writes")                                      \
    X(plan_bytes_read, "bytes", "bytes read ahead, as clients had planned")    \
    X(plan_bytes_served, "bytes", "bytes of reads that were in memory by then")\
    X(plan_bytes_dropped, "bytes", "bytes read ahead that nobody came for")    \
    X(sums_on_the_way, "requests", "writes whose bytes came damaged")          \
    X(sums_headers, "objects", "objects summed again for a damaged header")    \
    X(node_of_device, "node", "NUMA node of the device, and 1; 0: not known")  \
    X(node_of_thread, "node", "NUMA node that serves it now, and 1")           \
    X(node_of_buffers, "node", "NUMA node of its data buffers, and 1")         \
    X(syncs, "requests", "requests to make an object durable")                 \
    X(bytes_lent, "bytes", "bytes read that no buffer here has held")

enum counter_index {
#define X(name, unit, prose) COUNTER_##name,
    COUNTERS(X)
#undef X
        COUNTER_COUNT
};

struct counters {
    uint64_t value[COUNTER_COUNT];
};

struct counter_info {
    const char *name;
    const char *unit;
    const char *prose;
};

extern const struct counter_info counter_info[COUNTER_COUNT];

#endif
