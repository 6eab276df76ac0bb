/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What operations cost, counted rather than timed, client and servers together:
 * one line of JSON each. The cluster is simulated, so that the figures are the
 * same on every machine and at every run; test_costs.sh compares them with
 * costs.txt, and counts instructions by running this under callgrind, which is
 * told to look at costs_measured() only.
 *
 * Requests, messages, transfers and extents include what goes on behind an
 * answer, as when a removed file's space is freed. Allocations and copies are
 * those of counting.h; neither the simulated fabric nor the devices are in
 * them.
 */
#include "costs/operations.h"

#include "costs/counting.h"

#include <stdio.h>

/* Under callgrind what goes before need not be slow. */
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#define STARTS "true"
#define START_COUNTING() CALLGRIND_START_INSTRUMENTATION
#else
#define STARTS "false"
#define START_COUNTING() (void)0
#endif

#define SETTLE_NS (100 * NS_PER_MS)

#ifdef __clang__
#define COMPILER_NAME "clang"
#define COMPILER_MAJOR __clang_major__
#else
#define COMPILER_NAME "gcc"
#define COMPILER_MAJOR __GNUC__
#endif

struct cost {
    struct net_sim_counts net;
    struct counting library;
    uint64_t requests, extents;
};

static struct cost count(struct world *w)
{
    struct cost cost = {
        .library = counting_now(),
        .requests = sim_counter(&w->sim, COUNTER_requests),
        .extents = sim_counter(&w->sim, COUNTER_read_extents) +
                   sim_counter(&w->sim, COUNTER_write_extents),
    };

    net_sim_counts(w->sim.fabric, &cost.net);
    return cost;
}

/* Called for callgrind, which starts and ends at its borders. */
__attribute__((noinline)) void costs_measured(struct world *w,
                                              const struct operation *op);

void costs_measured(struct world *w, const struct operation *op)
{
    op->run(w);
    __asm__ volatile("" ::: "memory"); /* no jump into run() instead */
}

#define PRINT(name, field)                                                     \
    printf(", \"%s\": %llu", name,                                             \
           (unsigned long long)(after.field - before.field))

static void measure(struct world *w, const struct operation *op)
{
    struct cost before, after;

    sim_run(&w->sim, SETTLE_NS);
    before = count(w);
    costs_measured(w, op);
    sim_run(&w->sim, SETTLE_NS);
    after = count(w);
    printf("{\"operation\": \"%s\"", op->name);
    PRINT("requests", requests);
    PRINT("messages", net.sent);
    PRINT("in them", net.sent_bytes);
    PRINT("RMA", net.rma);
    PRINT("by RMA", net.rma_bytes);
    PRINT("extents", extents);
    PRINT("copied", library.copied);
    PRINT("allocations", library.allocations);
    PRINT("allocated", library.allocated);
    printf("}\n");
}

/* What the counts of instructions and of copies depend on. */
static void print_compiler(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    const char *how = "with sanitizers";
#elif defined(__OPTIMIZE__)
    const char *how = "optimized";
#else
    const char *how = "not optimized";
#endif

    printf("{\"compiler\": \"%s %d, %s, %zu bits\", \"starts\": " STARTS "}\n",
           COMPILER_NAME, COMPILER_MAJOR, how, 8 * sizeof(void *));
}

int main(void)
{
    static struct world w;

    print_compiler();
    world_init(&w);
    START_COUNTING();
    for (size_t i = 0; i < noperations; i++)
        measure(&w, &operations[i]);
    world_fini(&w);
    return 0;
}
