/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The pieces of a request's runs that lie on one column: an iterator over
 * encoded runs that yields (object offset, client memory, length).
 *
 * A piece never crosses a stripe, a block or the limit. Pieces come in the
 * order of the runs, and of the file within a run. The cost is that of the
 * pieces yielded and of the runs: stripes and blocks of other columns are
 * skipped without being visited.
 *
 * Units    bytes.
 * Threads  pure; any.
 * Failure  what came from outside is checked when its run is reached: an
 *          iterator that failed has yielded only pieces within its bounds.
 */
#ifndef CAPSTAN_SERVER_PIECES_H
#define CAPSTAN_SERVER_PIECES_H

#include "base/run.h"
#include "proto/proto.h"

#include <stdbool.h>
#include <stdint.h>

#define PIECES_NO_SPAN UINT64_MAX

/** What a request says of where its bytes lie; comes from outside. */
struct pieces_config {
    struct proto_bytes runs; /* borrowed by the iterator */
    uint32_t stripe_size;
    uint16_t columns;
    uint16_t column;
    uint64_t span; /* bytes of client memory; PIECES_NO_SPAN: not looked at */
};

struct piece {
    uint64_t object; /* offset in the column's object */
    uint64_t mem;    /* offset in the client's memory */
    uint64_t length; /* at least 1 */
};

struct pieces {
    struct pieces_config config;
    uint64_t limit; /* no piece reaches beyond this offset of the object */
    struct proto_runs state;
    const uint8_t *at;
    struct run run; /* the current one; count 0: none */
    uint64_t block; /* of the run: the current one */
    uint64_t done;  /* bytes of that block passed */
    /* The stripe of the last piece, from that piece on: saves divisions. */
    uint64_t stripe_at, stripe_left, stripe_object;
};

/**
 * Start at the first run.
 *
 * @param limit  bytes beyond this offset of the object are left out.
 * @return 0 or -EINVAL (stripe size, columns or column out of range).
 */
int pieces_init(struct pieces *pieces, const struct pieces_config *config,
                uint64_t limit);

/**
 * Take the next piece.
 *
 * @return 0, -ENOENT (no more), -ERR_PROTOCOL (not a run), -EFAULT (a run
 *         leaves the span).
 */
int pieces_next(struct pieces *pieces, struct piece *piece_out);

/**
 * The smallest k with low <= a * k mod m <= high, or UINT64_MAX if there is
 * none; low <= high < m, a < m. As Euclid's algorithm: logarithmic in m.
 */
uint64_t pieces_first_multiple(uint64_t a, uint64_t m, uint64_t low,
                               uint64_t high);

#endif
