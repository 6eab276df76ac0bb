/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static int countdown = -1;
static size_t taken;

void mem_fault_set(int n)
{
    countdown = n;
}

static bool fails_now(void)
{
    return countdown >= 0 && countdown-- == 0;
}

/* Count what is asked for, whether or not there is memory. */
static void count(size_t bytes)
{
    __atomic_add_fetch(&taken, bytes, __ATOMIC_RELAXED);
}

size_t mem_taken(void)
{
    return __atomic_load_n(&taken, __ATOMIC_RELAXED);
}

void *mem_calloc(size_t n, size_t size)
{
    count(n * size);
    return fails_now() ? NULL : calloc(n, size);
}

void *mem_grow(void *old, size_t n, size_t size)
{
    count(n * size);
    return fails_now() ? NULL : reallocarray(old, n, size);
}

char *mem_strdup(const char *text)
{
    return fails_now() ? NULL : strdup(text);
}

void *mem_pages(size_t size)
{
    void *memory;

    count(size);
    if (fails_now() || posix_memalign(&memory, 4096, size) != 0)
        return NULL;
    return memory;
}
