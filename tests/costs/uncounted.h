/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Included before all else (cc -include) by the parts of a program that stand
 * for a fabric and a device, so that what they allocate and copy is not taken
 * for ours: they call the C library past the linker's --wrap (counting.h).
 *
 * Threads  any.
 * Failure  as the calls themselves.
 */
#ifndef CAPSTAN_TESTS_COSTS_UNCOUNTED_H
#define CAPSTAN_TESTS_COSTS_UNCOUNTED_H

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
int __real_posix_memalign(void **memory_out, size_t alignment, size_t size);
char *__real_strdup(const char *text);
void *__real_memcpy(void *to, const void *from, size_t size);
void *__real_memmove(void *to, const void *from, size_t size);

#define mem_calloc __real_calloc
#define mem_grow __real_reallocarray
#define calloc __real_calloc
#define memcpy __real_memcpy
#define memmove __real_memmove

#endif
