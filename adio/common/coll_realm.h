/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * File realms: which aggregator moves which bytes of the file.
 *
 * With a striped layout a realm is whole stripes, and a device is asked by as
 * few aggregators as possible: stripe s lies on device s % width, so with
 * fewer aggregators than devices each takes whole devices, with more each
 * device's stripes go round a few. Without a layout realms are even,
 * contiguous and aligned.
 *
 * Units    bytes.
 * Threads  pure; any.
 * Failure  coll_realm_split: -ENOMEM.
 */
#ifndef CAPSTAN_ADIO_COLL_REALM_H
#define CAPSTAN_ADIO_COLL_REALM_H

#include "adio/common/coll_runs.h"

struct coll_realm {
    uint64_t begin;  /* of realm 0 when contiguous; 0 when striped */
    uint64_t unit;   /* a realm when contiguous, a stripe when striped */
    uint32_t width;  /* devices; 0: contiguous */
    uint32_t owners; /* aggregators in use */
};

/**
 * Lay realms over begin .. end - 1.
 *
 * @param owners  aggregators available; realm->owners may be fewer.
 * @param align   for contiguous realms.
 */
void coll_realm_init(struct coll_realm *realm, uint64_t begin, uint64_t end,
                     uint32_t owners, uint64_t stripe_size, uint32_t width,
                     uint64_t align);

/** Who owns an offset, and (*end_out) up to where. */
uint32_t coll_realm_owner(const struct coll_realm *realm, uint64_t offset,
                          uint64_t *end_out);

/* The part of an access that one owner moves. */
struct coll_part {
    uint32_t owner;
    struct coll_list list; /* ascending */
};

/* Parts by ascending owner; owners with nothing have none. */
struct coll_parts {
    struct coll_part *parts;
    size_t n;
};

/** Split ascending runs by owner. On failure nothing is left to free. */
int coll_realm_split(const struct coll_realm *realm, const struct run *runs,
                     size_t n, struct coll_parts *out);
void coll_parts_fini(struct coll_parts *parts);

#endif
