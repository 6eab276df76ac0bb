/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/numa_pin.h"

#include <errno.h>
#include <limits.h>
#include <numa.h>
#include <numaif.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static int read_node(const char *file)
{
    FILE *stream = fopen(file, "re");
    int node = -1;

    if (stream == NULL)
        return -1;
    if (fscanf(stream, "%d", &node) != 1)
        node = -1;
    fclose(stream);
    return node;
}

/* A partition's device has no numa_node of its own: climb until one has. */
int numa_node_of_path(const char *path)
{
    char link[64], dir[PATH_MAX], file[PATH_MAX + 16];
    struct stat st;
    char *slash;
    int node;

    if (stat(path, &st) != 0)
        return -1;
    snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(st.st_dev),
             minor(st.st_dev));
    if (realpath(link, dir) == NULL)
        return -1;
    while ((slash = strrchr(dir, '/')) != NULL && slash != dir) {
        snprintf(file, sizeof(file), "%s/numa_node", dir);
        node = read_node(file);
        if (node >= 0)
            return node;
        *slash = '\0';
    }
    return -1;
}

int numa_pin_thread(int node)
{
    if (node < 0 || numa_available() < 0 || node > numa_max_node())
        return -ENOTSUP;
    if (numa_run_on_node(node) != 0)
        return -errno;
    numa_set_preferred(node);
    return 0;
}

int numa_node_of_thread(void)
{
    int cpu = sched_getcpu();

    return cpu < 0 || numa_available() < 0 ? -1 : numa_node_of_cpu(cpu);
}

int numa_node_of_memory(const void *memory)
{
    int node;

    if (get_mempolicy(&node, NULL, 0, (void *)(uintptr_t)memory,
                      MPOL_F_NODE | MPOL_F_ADDR) != 0)
        return -1;
    return node;
}
