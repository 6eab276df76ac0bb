/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The model of a cluster under load: reactors, network cards and devices are
 * stations (scale_queue.h) through which requests pass; ranks do one operation
 * after the other. Where bytes lie, and how long messages are, the product's
 * own code says (scale_work.c); how long a station takes is a setting.
 *
 * A read: the rank's core, its node's card, the wire, the server's card, the
 * target's core, its device, its core again, and back the same way. A card
 * begins to receive when the other begins to send. With `host_cores` everything
 * runs on so many cores of one machine, and there are no cards: to be compared
 * with what real programs do there.
 *
 * Units    as the names of settings say.
 * Threads  one.
 * Failure  ends the program.
 */
#ifndef CAPSTAN_SCALE_MODEL_H
#define CAPSTAN_SCALE_MODEL_H

#include "base/inode.h"
#include "base/rng.h"
#include "benchmarks/scale_queue.h"

/* X(name, unless given) */
#define SCALE_SETTINGS(X)                                                      \
    X(servers, 8)                                                              \
    X(targets, 1) /* of a server: one device and one core each */              \
    X(ranks, 512)                                                              \
    X(ranks_per_node, 64)                                                      \
    X(operations, 20) /* of a rank */                                          \
    X(files, 1)                                                                \
    X(directories, 1)                                                          \
    X(file_mib, 65536)                                                         \
    X(stripe_kib, 1024)                                                        \
    X(width, 0)        /* of a file; 0: as many as may be */                   \
    X(transfer_kib, 4) /* of a piece; of the whole if there is one */          \
    X(pieces, 1)       /* of an operation, at random places */                 \
    X(is_stream, 0)    /* one after the other, a part of the file a rank */    \
    X(has_device, 1)   /* 0: data is in the servers' memory */                 \
    X(seed, 1)                                                                 \
    X(host_cores, 0)                                                           \
    X(server_request_ns, 0)                                                    \
    X(server_piece_ns, 0)                                                      \
    X(server_kib_ns, 0)                                                        \
    X(client_request_ns, 0)                                                    \
    X(client_piece_ns, 0)                                                      \
    X(client_kib_ns, 0)                                                        \
    X(wire_ns, 2000)                                                           \
    X(card_gbit, 100)                                                          \
    X(card_message_ns, 50)                                                     \
    X(device_iops, 1000000)                                                    \
    X(device_mb_per_s, 7000)                                                   \
    X(device_ns, 80000)                                                        \
    X(aggregator_message_ns, 1000)                                             \
    X(aggregator_kib_ns, 100)                                                  \
    X(cb_buffer_kib, 16384)                                                    \
    X(cb_nodes, 0)

struct scale {
#define X(name, standard) double name;
    SCALE_SETTINGS(X)
#undef X
};

/* A request on its way: an operation has one a column, or more. */
struct request {
    uint32_t rank; /* or, while unused, the next such */
    uint16_t target;
    uint8_t stage;
    uint32_t pieces;
    uint32_t bytes;   /* of data */
    uint32_t message; /* bytes of the request */
    uint32_t reply;   /* and of the answer; data that rides in it is in bytes */
    uint64_t not_before_ns;
};

struct server {
    struct station in, out;
};

struct target {
    struct station core, device;
    uint64_t bytes;
};

struct rank {
    struct station core;
    struct rng rng;
    uint32_t left;        /* operations */
    uint32_t nunder_way;  /* requests */
    uint64_t ready_ns;    /* when the next operation may begin */
    uint64_t followed_ns; /* when what follows the last will be over */
    uint64_t position;    /* of a rank that goes through a file */
    uint64_t done_bytes;  /* read so far; of them told to others */
    uint64_t told_bytes;
    uint64_t since_ns;
};

struct world;
typedef void work_fn(struct world *world, uint32_t rank);

/** @return when what follows an operation will be over; the one after the next
 *  waits for that. */
typedef uint64_t after_fn(struct world *world, uint32_t rank);

struct world {
    struct scale set;
    unsigned nservers, ntargets, nranks, nnodes;
    uint16_t *target_ids;
    struct server *servers;
    struct target *targets;
    struct rank *ranks;
    struct server *nodes; /* of ranks */
    struct station host;
    struct layout *files;
    struct request *requests;
    size_t nrequests, requests_room;
    uint32_t unused; /* a list through request.rank */
    struct queue queue;
    work_fn *next;   /* makes a rank's next operation */
    after_fn *after; /* what an operation is followed by; NULL: nothing */

    uint64_t noperations;
    uint64_t messages, message_bytes, bytes, pieces;
    uint64_t waited_ns; /* of all operations */
    uint64_t now_ns;
};

void world_init(struct world *world, const struct scale *set);
void world_fini(struct world *world);

/** Let every rank do its operations. */
void world_run(struct world *world);

/** Start a request of a rank; target, pieces, bytes, message, reply are set. */
void world_send(struct world *world, const struct request *request);

/** Files, and the requests of a rank's next operation (scale_work.c). */
void work_init(struct world *world);
void work_fini(struct world *world);
void work_next(struct world *world, uint32_t rank);

/** The same, extent by extent. */
void work_begin(struct world *world, uint32_t rank,
                const struct layout *layout);
void work_extent(struct world *world, const struct layout *layout,
                 uint64_t offset, uint64_t length);
void work_end(struct world *world, const struct layout *layout);

/** Print results as one line of JSON (scale_report.c). */
void report_print(const struct world *world);

/** A collective read, and its own report (scale_collective.c). */
void collective_run(const struct scale *set);

#endif
