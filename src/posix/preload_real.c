/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The C library's own functions come from the loader (RTLD_NEXT). A library
 * whose constructor runs before ours may call a wrapped function first, so the
 * table fills itself when first needed.
 */
#include "posix/preload_real.h"

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct row {
    const char *name;
    size_t offset; /* in struct px_real */
};

static const struct row rows[] = {
#define ROW(name) {#name, offsetof(struct px_real, name)},
#define PATH(result, name, ...) ROW(name)
#define FD(result, name, ...) ROW(name)
#define HAND(result, name, parameters) ROW(name)
#define ALIAS(name, of)
#include "posix/preload_calls.inc"
#undef PATH
#undef FD
#undef HAND
#undef ALIAS
};

static struct px_real real;
static atomic_bool is_filled;

void px_real_init(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        void *found = dlsym(RTLD_NEXT, rows[i].name);

        memcpy((char *)&real + rows[i].offset, &found, sizeof(found));
    }
    atomic_store_explicit(&is_filled, true, memory_order_release);
}

const struct px_real *px_real(void)
{
    if (!atomic_load_explicit(&is_filled, memory_order_acquire))
        px_real_init();
    return &real;
}
