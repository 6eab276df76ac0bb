/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Spans of memory.
 *
 * The happy path: each run covers an interval; the intervals are sorted unless
 * they come sorted, as they mostly do, and united where they lie near each
 * other. A plain buffer is one span.
 *
 * Possible failure modes are: a provider that refuses to register a span, which
 * then fails the operation before any byte has moved through it.
 */
#include "client/io_mem.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

static struct io_span span_of(const struct run *run)
{
    int64_t reach = (int64_t)(run->count - 1) * run->mem_stride;
    struct io_span span = {run->mem, run->mem + run->length, NULL};

    if (reach < 0)
        span.low += (uint64_t)reach;
    else
        span.high += (uint64_t)reach;
    return span;
}

static int by_low(const void *a, const void *b)
{
    const struct io_span *x = a, *y = b;

    return x->low < y->low ? -1 : x->low > y->low;
}

static void unite(struct io_memory *memory)
{
    struct io_span *last = memory->spans;
    size_t i;

    for (i = 1; i < memory->nspans; i++) {
        if (memory->spans[i].low > last->high + IO_GAP_MAX)
            *++last = memory->spans[i];
        else if (memory->spans[i].high > last->high)
            last->high = memory->spans[i].high;
    }
    if (memory->nspans > 0)
        memory->nspans = (size_t)(last - memory->spans) + 1;
}

int io_memory_init(struct io_memory *memory, const struct run *runs,
                   size_t nruns)
{
    bool is_sorted = true;
    size_t i, n = 0;

    memory->spans = mem_calloc(nruns > 0 ? nruns : 1, sizeof(*memory->spans));
    if (memory->spans == NULL)
        return -ENOMEM;
    for (i = 0; i < nruns; i++) {
        memory->spans[n++] = span_of(&runs[i]);
        if (n > 1 && memory->spans[n - 1].low < memory->spans[n - 2].low)
            is_sorted = false;
    }
    memory->nspans = n;
    if (!is_sorted)
        qsort(memory->spans, n, sizeof(*memory->spans), by_low);
    unite(memory);
    return 0;
}

struct io_span *io_memory_find(const struct io_memory *memory, uint64_t address)
{
    size_t low = 0, high = memory->nspans, middle;

    while (high - low > 1) {
        middle = low + (high - low) / 2;
        if (memory->spans[middle].low <= address)
            low = middle;
        else
            high = middle;
    }
    assert(low < memory->nspans);
    return &memory->spans[low];
}

int io_span_register(struct net *net, struct io_span *span, unsigned access,
                     struct net_remote *remote_out)
{
    int rc;

    if (span->mr == NULL) {
        rc =
            net_mr_reg(net, (void *)(uintptr_t)span->low,
                       span->high - span->low, NET_MEM_HOST, access, &span->mr);
        if (rc != 0)
            return rc;
    }
    net_mr_remote(net, span->mr, remote_out);
    return 0;
}

void io_memory_fini(struct net *net, struct io_memory *memory)
{
    size_t i;

    for (i = 0; i < memory->nspans; i++)
        if (memory->spans[i].mr != NULL)
            net_mr_dereg(net, memory->spans[i].mr);
    free(memory->spans);
    memory->spans = NULL;
    memory->nspans = 0;
}
