/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Simulates a cluster of any size under load, for benchmarks/scale.
 *
 *     scale_sim [SETTING=NUMBER...]                 independent reads
 *     scale_sim collective [SETTING=NUMBER...]      a collective read
 *
 * The settings, and what is modelled how, are in scale_model.h. One line of
 * JSON tells the result; the same settings give the same line.
 */
#include "benchmarks/scale_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void usage(void)
{
    fprintf(stderr, "usage: scale_sim [collective] [SETTING=NUMBER...]\n"
                    "settings, as they are unless given:\n"
#define X(name, standard) " " #name "=" #standard
            SCALE_SETTINGS(X)
#undef X
                "\n");
    exit(2);
}

static void set_one(struct scale *set, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t len = equals != NULL ? (size_t)(equals - word) : 0;
    char *end = NULL;
    double value = equals != NULL ? strtod(equals + 1, &end) : -1;

    if (end == NULL || *end != '\0' || end == equals + 1 || value < 0)
        usage();
#define X(name, standard)                                                      \
    if (len == strlen(#name) && strncmp(word, #name, len) == 0) {              \
        set->name = value;                                                     \
        return;                                                                \
    }
    SCALE_SETTINGS(X)
#undef X
    usage();
}

static bool is_between(double value, double least, double most)
{
    return value >= least && value <= most;
}

static bool is_possible(const struct scale *set)
{
    return is_between(set->servers, 1, 65535) &&
           is_between(set->targets, 1, TARGETS_MAX / set->servers) &&
           is_between(set->ranks, 1, 10e6) &&
           is_between(set->ranks_per_node, 1, 65536) &&
           is_between(set->operations, 1, 1e6) &&
           is_between(set->files, 1, 1e6) &&
           is_between(set->directories, 1, set->files) &&
           is_between(set->stripe_kib, 4, STRIPE_SIZE_MAX >> 10) &&
           is_between(set->transfer_kib, 4, set->file_mib * 1024) &&
           is_between(set->transfer_kib, 4, 1e6) &&
           is_between(set->pieces, 1, 1e6) &&
           is_between(set->host_cores, 0, STATION_PLACES_MAX) &&
           is_between(set->card_gbit, 1e-3, 1e6) &&
           is_between(set->device_iops, 1, 1e12) &&
           is_between(set->device_mb_per_s, 1, 1e9) &&
           (unsigned)set->stripe_kib % 4 == 0 &&
           (set->is_stream != 0 ||
            (unsigned)set->stripe_kib % (unsigned)set->transfer_kib == 0);
}

static void run(const struct scale *set)
{
    static struct world world;

    world_init(&world, set);
    world_run(&world);
    report_print(&world);
    world_fini(&world);
}

int main(int argc, char **argv)
{
    struct scale set = {
#define X(name, standard) .name = standard,
        SCALE_SETTINGS(X)
#undef X
    };
    bool is_collective = argc > 1 && strcmp(argv[1], "collective") == 0;

    for (int i = 1 + is_collective; i < argc; i++)
        set_one(&set, argv[i]);
    if (!is_possible(&set)) {
        fprintf(stderr, "scale_sim: a setting is out of range\n");
        return 2;
    }
    if (is_collective)
        collective_run(&set);
    else
        run(&set);
    return 0;
}
