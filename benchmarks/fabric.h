/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two ways to the fabric under one benchmark: libfabric itself (fabric_raw.c)
 * and our own layer (fabric_net.c). Each is one endpoint with one peer.
 *
 * Units    bytes.
 * Threads  one owner thread.
 * Failure  a call that cannot fail in a healthy benchmark ends the program
 *          with a message; open says -ENODATA when there is no such provider.
 */
#ifndef CAPSTAN_BENCHMARKS_FABRIC_H
#define CAPSTAN_BENCHMARKS_FABRIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FABRIC_MESSAGE 64
#define FABRIC_MEMORY (16u << 20) /* registered on both sides */
#define FABRIC_WINDOW 64          /* messages under way */

/* What has happened so far; progress() counts up. */
struct fabric_counts {
    uint64_t sent, received, moved;
    char last; /* first byte of the last message received */
};

struct fabric_name {
    uint32_t len;
    char bytes[128];
    uint64_t key, addr; /* of the memory */
};

struct fabric_way {
    const char *name;
    int (*open)(const char *provider, char *memory);
    void (*name_get)(struct fabric_name *name);
    void (*connect)(const struct fabric_name *name);
    bool (*send)(char first);
    bool (*move)(bool is_write, size_t offset, size_t len);
    void (*progress)(struct fabric_counts *counts);
    void (*close)(void);
};

extern const struct fabric_way fabric_raw;
extern const struct fabric_way fabric_net;
extern const struct fabric_way fabric_wire; /* without the local shortcut */

/** End the program with a message unless rc is 0. */
void fabric_must(const char *what, int rc);

#endif
