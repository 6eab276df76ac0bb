/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The linker sends each call of X here, as __wrap_X, and calls __real_X the
 * library's own.
 */
#include "costs/counting.h"

#include "costs/uncounted.h"

static struct counting total;

struct counting counting_now(void)
{
    return total;
}

static void allocated(size_t bytes)
{
    total.allocations++;
    total.allocated += bytes;
}

/* Seen from libraries too: where one of them defines such a call itself, as
 * those of sanitizers do, the linker takes its name for one of these. */
#pragma GCC visibility push(default)
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
int __wrap_posix_memalign(void **memory_out, size_t alignment, size_t size);
char *__wrap_strdup(const char *text);
void *__wrap_memcpy(void *to, const void *from, size_t size);
void *__wrap_memmove(void *to, const void *from, size_t size);
#pragma GCC visibility pop

void *__wrap_malloc(size_t size)
{
    allocated(size);
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    allocated(n * size);
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    allocated(size);
    return __real_realloc(old, size);
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    allocated(n * size);
    return __real_reallocarray(old, n, size);
}

int __wrap_posix_memalign(void **memory_out, size_t alignment, size_t size)
{
    allocated(size);
    return __real_posix_memalign(memory_out, alignment, size);
}

char *__wrap_strdup(const char *text)
{
    allocated(strlen(text) + 1);
    return __real_strdup(text);
}

void *__wrap_memcpy(void *to, const void *from, size_t size)
{
    total.copied += size;
    return __real_memcpy(to, from, size);
}

void *__wrap_memmove(void *to, const void *from, size_t size)
{
    total.copied += size;
    return __real_memmove(to, from, size);
}
