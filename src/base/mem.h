/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Heap allocation that a test can make fail: mem_fault_set(n) lets n calls
 * succeed and fails the next one, once.
 *
 * Threads  any; the countdown is for single-threaded tests.
 * Failure  NULL, as malloc(3).
 */
#ifndef CAPSTAN_BASE_MEM_H
#define CAPSTAN_BASE_MEM_H

#include <stddef.h>
#include <stdlib.h>

/** Zeroed memory for n things of size bytes each, ended with free(3). */
void *mem_calloc(size_t n, size_t size);

/** As realloc(3) to n things of size bytes, with the product checked. */
void *mem_grow(void *old, size_t n, size_t size);

/** Copy a string; ended with free(3). */
char *mem_strdup(const char *text);

/** Memory aligned to a page, not zeroed; ended with free(3). */
void *mem_pages(size_t size);

/** Bytes that calls here have asked for so far, strings aside; what was freed
 *  again is in it, so a difference is a bound from above. */
size_t mem_taken(void);

/** Fail the allocation after the next n; -1 turns it off. Tests only. */
void mem_fault_set(int n);

#endif
