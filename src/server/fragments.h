/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fragments of a slot: what the pieces in it are cut into at multiples of
 * 4 KiB of the object. Each has a sum of its own on the wire
 * (doc/wire-protocol.md), in the order of the pieces.
 *
 * The happy path: fragments_mark() before pieces are gathered; then
 * fragments_init() and fragments_next() walk them again, as often as wanted.
 *
 * Units    bytes.
 * Threads  the target's reactor.
 * Failure  none: the pieces were decoded once already.
 */
#ifndef CAPSTAN_SERVER_FRAGMENTS_H
#define CAPSTAN_SERVER_FRAGMENTS_H

#include "server/data.h"

struct fragment {
    uint64_t object;             /* offset in the object */
    uint32_t length;             /* 1 .. PROTO_FRAGMENT */
    uint32_t number;             /* of the job's */
    char *memory;                /* in the slot */
    const struct obj_io *extent; /* that it is part of */
};

struct fragments {
    const struct slot *slot;
    struct pieces pieces;
    struct piece piece;
    uint64_t in_extent; /* bytes of the extent passed */
    uint32_t left;
    uint32_t number;
    unsigned extent;
};

/** Remember where the job's pieces stand. */
void fragments_mark(struct slot *slot);

void fragments_init(struct fragments *fragments, const struct slot *slot);

/** @return false at the end. */
bool fragments_next(struct fragments *fragments, struct fragment *out);

#endif
