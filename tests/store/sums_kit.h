/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A checked store for tests: few operations, objects and units, so that all of
 * them run out, over obj_mem or obj_uring.
 */
#ifndef CAPSTAN_TESTS_STORE_SUMS_KIT_H
#define CAPSTAN_TESTS_STORE_SUMS_KIT_H

#include "store/sums.h"

#include "base/rng.h"
#include "tests/store/obj_contract.h"

#define INO 0x00010000000002cdull /* of the object of most tests */

struct sums_kit {
    struct clock_virtual now;
    struct obj_store *below; /* of the store that was opened last */
    uint64_t boot;
    uint64_t machine;
    struct obj_mem_disk *disk;
    char directory[256];
};

extern struct sums_kit kit;
extern const struct obj_driver over_mem, over_uring;
extern const struct obj_driver
    *kit_below; /* of over_mem: obj_mem, or one over it */

/** The fixture of tests/store/obj_contract.h, over obj_mem. @return 0, -ENOMEM.
 */
int kit_init(void);
void kit_fini(void);

void end_orderly(struct obj_store *store);
struct sums_stats stats_of(const struct obj_store *store);
void random_bytes(struct rng *rng, char *at, size_t n);

/** For obj_io.done: its ino becomes 0. */
void ended(struct obj_io *io);

/** One operation on INO in the store below, past the sums. @return its result.
 */
int64_t raw(enum obj_verb verb, uint8_t part, uint64_t offset, void *memory,
            size_t length);

/** Turn a bit over there. */
void flip(uint8_t part, uint64_t offset, unsigned bit);

#endif
