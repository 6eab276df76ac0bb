/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What our code asks of the C library: allocations and copies, counted by the
 * linker's --wrap. It sees calls only: of a copy whose size a compiler can bound
 * it may make instructions, and of those there is no count here.
 *
 * What includes uncounted.h, as the simulated fabric and devices of test
 * programs do, is not counted.
 *
 * Units    calls, bytes.
 * Threads  one.
 * Failure  none.
 */
#ifndef CAPSTAN_TESTS_COSTS_COUNTING_H
#define CAPSTAN_TESTS_COSTS_COUNTING_H

#include <stdint.h>

struct counting {
    uint64_t allocations; /* malloc, calloc, realloc and their like */
    uint64_t allocated;   /* bytes asked for by them */
    uint64_t copied;      /* bytes of memcpy and memmove */
};

/** Everything since the program started. */
struct counting counting_now(void);

#endif
