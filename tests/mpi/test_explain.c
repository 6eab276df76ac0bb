/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the engine tells of itself: after collectives whose every figure can be
 * worked out by hand, each capstan_* key of MPI_File_get_info is read and
 * compared; rank 0 prints the line that CAPSTAN_REPORT=1 has to print at close,
 * for test_explain.sh to look for; two files are opened with hints that do not
 * exist, which are to be warned of once; and the first is read out of a
 * mapping, where a second argument says that this can be.
 */
#include "mpi_test.h"

#include <string.h>

#define BLOCK 1024
#define BLOCKS 256            /* of each rank */
#define MINE (BLOCK * BLOCKS) /* bytes of each rank */
#define BUFFER (64 << 10)     /* cb_buffer_size */
#define WHY_DIRECT "ranks are disjoint, in large pieces"
#define WHY_OFF "romio_cb_read is disable"

struct mpi_test test;

static unsigned long long sum_of(unsigned long long mine)
{
    unsigned long long all;

    OK(MPI_Allreduce(&mine, &all, 1, MPI_UNSIGNED_LONG_LONG, MPI_SUM,
                     MPI_COMM_WORLD));
    return all;
}

/* The value of a key, which must be there. Static, one at a time. */
static const char *text_of(MPI_File file, const char *key)
{
    static char value[MPI_MAX_INFO_VAL + 1];
    MPI_Info info;
    int is_there;

    OK(MPI_File_get_info(file, &info));
    OK(MPI_Info_get(info, key, MPI_MAX_INFO_VAL, value, &is_there));
    OK(MPI_Info_free(&info));
    if (!is_there)
        fprintf(stderr, "no key %s\n", key);
    CHECK(is_there);
    return value;
}

static bool is_text(MPI_File file, const char *key, const char *want)
{
    const char *value = text_of(file, key);

    if (strcmp(value, want) != 0)
        fprintf(stderr, "%s is \"%s\", not \"%s\"\n", key, value, want);
    return strcmp(value, want) == 0;
}

static unsigned long long number_of(MPI_File file, const char *key)
{
    const char *text = text_of(file, key);
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    CHECK(end != text && *end == '\0');
    return value;
}

static bool is_number(MPI_File file, const char *key, unsigned long long want)
{
    unsigned long long value = number_of(file, key);

    if (value != want)
        fprintf(stderr, "%s is %llu, not %llu\n", key, value, want);
    return value == want;
}

static void hint(MPI_File file, const char *key, const char *value)
{
    MPI_Info info;

    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, key, value));
    OK(MPI_File_set_info(file, info));
    OK(MPI_Info_free(&info));
}

static MPI_File open_file(const char *name)
{
    MPI_Info info;
    MPI_File file;

    OK(MPI_Info_create(&info));
    OK(MPI_Info_set(info, "cb_nodes", "2"));
    OK(MPI_Info_set(info, "cb_buffer_size", "65536"));
    OK(MPI_Info_set(info, "romio_nonsense", "1"));
    OK(MPI_Info_set(info, "capstan_nonsense", "1"));
    OK(MPI_Info_set(info, "access_style", "random")); /* not of ours */
    OK(MPI_File_open(MPI_COMM_WORLD, test_path(name),
                     MPI_MODE_CREATE | MPI_MODE_RDWR, info, &file));
    OK(MPI_Info_free(&info));
    test_is_ours(file);
    return file;
}

/* Blocks dealt out to the ranks in turn, through two aggregators. */
static void read_two_phase(MPI_File file, char *buffer, bool is_again)
{
    unsigned long long all = (unsigned long long)MINE * (unsigned)test.size;
    unsigned aggregators = test.size > 1 ? 2 : 1;

    OK(MPI_File_read_at_all(file, 0, buffer, MINE, MPI_BYTE,
                            MPI_STATUS_IGNORE));
    CHECK(is_text(file, "capstan_last_strategy", "two_phase"));
    CHECK(is_text(file, "capstan_last_why", "asked for by hint"));
    CHECK(is_number(file, "capstan_last_aggregators", aggregators));
    CHECK(is_number(file, "cb_nodes", aggregators));
    CHECK(is_number(file, "capstan_last_rounds",
                    (all / aggregators + BUFFER - 1) / BUFFER));
    CHECK(is_number(file, "capstan_last_takeovers", 0));
    CHECK(is_number(file, "capstan_last_bytes_delivered", MINE));
    CHECK(is_number(file, "capstan_last_plan_reused", is_again));
    CHECK(sum_of(number_of(file, "capstan_last_bytes_storage")) == all);
    /* Each byte goes to one rank, but for what aggregators want themselves. */
    CHECK(sum_of(number_of(file, "capstan_last_bytes_exchanged")) ==
          all - aggregators * (MINE / aggregators));
    CHECK(number_of(file, "capstan_last_bytes_between_nodes") == 0);
    CHECK((sum_of(number_of(file, "capstan_last_messages")) > 0) ==
          (test.size > 1));
    CHECK(number_of(file, "capstan_last_memory") > 0);
}

static void check_totals(MPI_File file, unsigned collectives,
                         unsigned long long storage, unsigned long long mine)
{
    CHECK(is_number(file, "capstan_total_collectives", collectives));
    CHECK(is_number(file, "capstan_total_plans_reused", 1));
    CHECK(sum_of(number_of(file, "capstan_total_bytes_storage")) == storage);
    CHECK(is_number(file, "capstan_total_bytes_delivered", mine));
}

static void set_view_of_rows(MPI_File file)
{
    MPI_Datatype rows;

    OK(MPI_Type_vector(BLOCKS, BLOCK, BLOCK * test.size, MPI_BYTE, &rows));
    OK(MPI_Type_commit(&rows));
    OK(MPI_File_set_view(file, (MPI_Offset)test.rank * BLOCK, MPI_BYTE, rows,
                         "native", MPI_INFO_NULL));
    OK(MPI_Type_free(&rows));
}

/* One collective of each kind; the last one decides the report. */
static void explain_all(const char *name, bool is_printing)
{
    unsigned long long all = (unsigned long long)MINE * (unsigned)test.size;
    char *buffer = calloc(MINE, 1);
    MPI_Offset at = (MPI_Offset)test.rank * MINE;
    MPI_File file = open_file(name);

    CHECK(buffer != NULL);
    OK(MPI_File_write_at_all(file, at, buffer, MINE, MPI_BYTE,
                             MPI_STATUS_IGNORE));
    CHECK(is_text(file, "capstan_last_strategy", "direct"));
    CHECK(is_text(file, "capstan_last_why",
                  test.size > 1 ? WHY_DIRECT : "one rank only"));
    CHECK(is_number(file, "capstan_last_aggregators", 0));
    CHECK(is_number(file, "capstan_last_bytes_storage", MINE));
    CHECK(is_number(file, "capstan_last_messages", 0));
    set_view_of_rows(file);
    hint(file, "capstan_strategy", "two_phase");
    read_two_phase(file, buffer, false);
    read_two_phase(file, buffer, true);
    check_totals(file, 3, 3 * all, 3 * MINE);
    hint(file, "capstan_strategy", "automatic");
    OK(MPI_File_set_view(file, 0, MPI_BYTE, MPI_BYTE, "native", MPI_INFO_NULL));
    OK(MPI_File_read_at_all(file, 0, buffer, MINE, MPI_BYTE,
                            MPI_STATUS_IGNORE));
    CHECK(is_text(file, "capstan_last_strategy",
                  test.size > 1 ? "share" : "direct"));
    CHECK(is_text(file, "capstan_last_why",
                  test.size > 1 ? "all ranks read the same" : "one rank only"));
    CHECK(sum_of(number_of(file, "capstan_last_bytes_storage")) == MINE);
    CHECK(is_number(file, "capstan_last_bytes_delivered", MINE));
    CHECK(is_number(file, "capstan_last_bytes_mapped", 0));
    hint(file, "romio_cb_read", "disable");
    OK(MPI_File_read_at_all(file, 0, buffer, MINE, MPI_BYTE,
                            MPI_STATUS_IGNORE));
    CHECK(is_text(file, "capstan_last_strategy", "independent"));
    CHECK(is_text(file, "capstan_last_why", WHY_OFF));
    CHECK(is_number(file, "capstan_last_bytes_storage", MINE));
    check_totals(file, 5, 4 * all + MINE, 5 * MINE);
    if (is_printing && test.rank == 0)
        printf("expected: capstan: %s: %d ranks, 5 collectives, %llu bytes "
               "from or to storage, 0 bytes copied from a mapped page cache, "
               "%llu bytes delivered; last: independent, 0 aggregators, 0 "
               "rounds, " WHY_OFF "\n",
               test_path(name), test.size, 4 * all + MINE, 5 * all);
    OK(MPI_File_close(&file));
    free(buffer);
}

/* All ranks read the same, each out of a mapping, or as if there were none. */
static void explain_mapped(bool may_map)
{
    bool is_mapped = may_map && test.size > 1;
    unsigned long long mapped = is_mapped ? MINE : 0;
    char *buffer = calloc(MINE, 1);
    MPI_File file;

    CHECK(buffer != NULL);
    OK(MPI_File_open(MPI_COMM_WORLD, test_path("explained"), MPI_MODE_RDONLY,
                     MPI_INFO_NULL, &file));
    hint(file, "capstan_map_reads", "enable");
    CHECK(is_text(file, "capstan_map_reads", "enable"));
    for (unsigned i = 1; i <= 2; i++) {
        OK(MPI_File_read_at_all(file, 0, buffer, MINE, MPI_BYTE,
                                MPI_STATUS_IGNORE));
        CHECK(is_number(file, "capstan_last_bytes_mapped", mapped));
        CHECK(is_number(file, "capstan_total_bytes_mapped", i * mapped));
        CHECK(is_number(file, "capstan_last_bytes_delivered", MINE));
        CHECK(sum_of(number_of(file, "capstan_last_bytes_storage")) ==
              (is_mapped ? 0 : MINE));
    }
    if (is_mapped)
        CHECK(is_text(file, "capstan_last_why",
                      "all ranks read the same, from the mapped page cache"));
    OK(MPI_File_close(&file));
    free(buffer);
}

int main(int argc, char **argv)
{
    test_start(&argc, &argv);
    explain_all("explained", true);
    explain_all("again", false);
    explain_mapped(argc > 2);
    MPI_Finalize();
    return 0;
}
