/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The printer of struct adio_explain: one table of keys, kinds and fields.
 */
#include "adio/common/explain.h"

#include "adio/common/hints.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum explain_kind { KIND_STRATEGY, KIND_TEXT, KIND_U32, KIND_U64 };

/* X(key, kind, field) */
#define EXPLAIN_TABLE(X)                                                       \
    X(capstan_last_strategy, STRATEGY, strategy)                               \
    X(capstan_last_why, TEXT, why)                                             \
    X(capstan_last_aggregators, U32, aggregators)                              \
    X(capstan_last_rounds, U32, rounds)                                        \
    X(capstan_last_takeovers, U32, takeovers)                                  \
    X(capstan_last_bytes_storage, U64, bytes_storage)                          \
    X(capstan_last_bytes_mapped, U64, bytes_mapped)                            \
    X(capstan_last_bytes_delivered, U64, bytes_delivered)                      \
    X(capstan_last_bytes_exchanged, U64, bytes_exchanged)                      \
    X(capstan_last_bytes_between_nodes, U64, bytes_between_nodes)              \
    X(capstan_last_messages, U64, messages)                                    \
    X(capstan_last_memory, U64, memory)                                        \
    X(capstan_last_plan_reused, U64, plans_reused)                             \
    X(capstan_total_collectives, U64, collectives)                             \
    X(capstan_total_plans_reused, U64, plans_reused_total)                     \
    X(capstan_total_bytes_storage, U64, bytes_storage_total)                   \
    X(capstan_total_bytes_mapped, U64, bytes_mapped_total)                     \
    X(capstan_total_bytes_delivered, U64, bytes_delivered_total)

static const struct {
    const char *key;
    enum explain_kind kind;
    size_t at; /* in struct adio_explain */
} table[] = {
#define X(key, kind, field)                                                    \
    {#key, KIND_##kind, offsetof(struct adio_explain, field)},
    EXPLAIN_TABLE(X)
#undef X
};

size_t explain_count(void)
{
    return sizeof(table) / sizeof(table[0]);
}

const char *explain_key(size_t i)
{
    return table[i].key;
}

void explain_print(const struct adio_explain *explain, size_t i, char *value)
{
    const void *field = (const char *)explain + table[i].at;

    switch (table[i].kind) {
    case KIND_STRATEGY:
        snprintf(value, EXPLAIN_VALUE_MAX, "%s",
                 hints_strategy_name(*(const enum adio_strategy *)field));
        break;
    case KIND_TEXT:
        snprintf(value, EXPLAIN_VALUE_MAX, "%s", (const char *)field);
        break;
    case KIND_U32:
        snprintf(value, EXPLAIN_VALUE_MAX, "%" PRIu32,
                 *(const uint32_t *)field);
        break;
    case KIND_U64:
        snprintf(value, EXPLAIN_VALUE_MAX, "%" PRIu64,
                 *(const uint64_t *)field);
        break;
    }
}

bool explain_is_same(const struct adio_explain *a, const struct adio_explain *b,
                     size_t i)
{
    static const size_t sizes[] = {
        [KIND_STRATEGY] = sizeof(enum adio_strategy),
        [KIND_U32] = sizeof(uint32_t),
        [KIND_U64] = sizeof(uint64_t),
    };
    const char *x = (const char *)a + table[i].at;
    const char *y = (const char *)b + table[i].at;

    if (table[i].kind == KIND_TEXT)
        return strcmp(x, y) == 0;
    return memcmp(x, y, sizes[table[i].kind]) == 0;
}

void explain_report(struct adio_file *file)
{
    const struct adio_explain *explain = &file->explain;
    uint64_t mine[3] = {
        explain->bytes_storage_total,
        explain->bytes_mapped_total,
        explain->bytes_delivered_total,
    };
    uint64_t all[3] = {0};

    PMPI_Reduce(mine, all, 3, MPI_UINT64_T, MPI_SUM, 0, file->comm);
    if (file->rank != 0)
        return;
    fprintf(stderr,
            "capstan: %s: %d ranks, %" PRIu64 " collectives, %" PRIu64
            " bytes from or to storage, %" PRIu64
            " bytes copied from a mapped page cache, %" PRIu64
            " bytes delivered; last: %s, %" PRIu32 " aggregators, %" PRIu32
            " rounds, %s\n",
            file->display, file->size, explain->collectives, all[0], all[1],
            all[2], hints_strategy_name(explain->strategy),
            explain->aggregators, explain->rounds,
            explain->why[0] != '\0' ? explain->why : "-");
}
