/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capstan env: what a shell must export so that MPI programs find Open MPI's
 * `capstan` component, libcapstan and the cluster.
 *
 * Works for an installed tree and for a build tree, where the component lies in
 * src/mpiio/.libs and the program itself in src/tools/.libs. A directory that a
 * list in the environment holds already is moved, not added, so the output may
 * be evaluated twice.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/local.h"
#include "tools/options.h"

#define MCA_LIST "OMPI_MCA_mca_base_component_path"

/* Buffers that each endpoint of libfabric's tcp;ofi_rxm makes, of 16 KiB: as in
 * src/net/net_ofi_info.c, which may not say so itself where MPI has threads. */
#define RXM_RECEIVES "FI_OFI_RXM_MSG_RX_SIZE"
#define RXM_RECEIVES_COUNT "1024"

/* Print a string for within the single quotes of a POSIX shell. */
static void print_escaped(const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*text);
}

static void print_export(const char *name, const char *value)
{
    printf("export %s='", name);
    print_escaped(value);
    puts("'");
}

/* The items of a list, except one, each after a colon. */
static void print_others(const char *list, const char *except)
{
    char item[PATH_MAX];
    size_t len = strlen(except);

    while (list != NULL && *list != '\0') {
        size_t n = strcspn(list, ":");

        if (n > 0 && (n != len || strncmp(list, except, len) != 0)) {
            tool_path(item, "%.*s", (int)n, list);
            putchar(':');
            print_escaped(item);
        }
        list += n + (list[n] == ':');
    }
}

/* Put a directory in front of a list variable, or move it there. The whole is
 * always printed: libtool's wrapper may have put it into our environment only.
 */
static void print_prepend(const char *name, const char *directory)
{
    printf("export %s='", name);
    print_escaped(directory);
    print_others(getenv(name), directory);
    puts("'");
}

/* Where the component lies. @return false: nowhere. */
static bool find_component(const char *own, char *directory)
{
    static const char *const places[] = {"../../mpiio/.libs", "../mpiio/.libs",
                                         "../lib/openmpi"};
    char joined[PATH_MAX], file[PATH_MAX];

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        tool_path(joined, "%s/%s", own, places[i]);
        if (realpath(joined, directory) == NULL)
            continue;
        tool_path(file, "%s/mca_io_capstan.so", directory);
        if (access(file, R_OK) == 0)
            return true;
    }
    tool_path(directory, "%s", TOOLS_MCADIR);
    tool_path(file, "%s/mca_io_capstan.so", directory);
    return access(file, R_OK) == 0;
}

static void print_component(const char *own)
{
    const char *list = getenv(MCA_LIST);
    char directory[PATH_MAX], value[PATH_MAX];

    if (!find_component(own, directory)) {
        tool_error("mca_io_capstan.so",
                   "not found; MPI programs will not know capstan: names");
        return;
    }
    if (strcmp(directory, OMPI_MCA_DIR) == 0)
        return; /* Open MPI looks there anyway */
    if (list != NULL && *list != '\0') {
        print_prepend(MCA_LIST, directory);
        return;
    }
    tool_path(value, "%s:%s", directory, OMPI_MCA_DIR);
    print_export(MCA_LIST, value);
}

/* The library that this program runs with must be the programs' too, unless
 * it lies where it was installed to, which the component knows. */
static void print_library(void)
{
    char path[PATH_MAX];
    Dl_info info;
    char *slash;

    if (dladdr((void *)(uintptr_t)capstan_session_open, &info) == 0 ||
        realpath(info.dli_fname, path) == NULL)
        return;
    slash = strrchr(path, '/');
    if (slash == NULL || strstr(slash, ".so") == NULL)
        return;
    *slash = '\0';
    if (strcmp(path, TOOLS_LIBDIR) != 0)
        print_prepend("LD_LIBRARY_PATH", path);
}

/* In a build tree the wrapper script is the program to call. */
static void print_program(const char *own)
{
    char directory[PATH_MAX];
    size_t len;

    tool_path(directory, "%s", own);
    len = strlen(directory);
    if (len > 6 && strcmp(directory + len - 6, "/.libs") == 0)
        directory[len - 6] = '\0';
    print_prepend("PATH", directory);
}

int cmd_env(const struct tool_command *command, int argc, char **argv)
{
    const char *option = NULL;
    const struct option_row rows[] = {
        {0, "root", "DIR",
         "where the cluster lives ($CAPSTAN_ROOT, else ~/.capstan/local)",
         OPTION_TEXT, &option, 0, 0},
        OPTIONS_END};
    char root[PATH_MAX], cluster[PATH_MAX], own[PATH_MAX];
    int first, rc;

    rc = options_parse(command, rows, argc, argv, &first);
    if (rc != OPTIONS_RUN)
        return rc;
    if (local_root(option, root) != 0)
        return TOOL_FAILED;
    tool_path(cluster, "%s/cluster.yaml", root);
    if (access(cluster, R_OK) != 0)
        tool_error(cluster, "%m (`capstan up` makes it)");
    local_program_directory(own);
    print_export("CAPSTAN_ROOT", root);
    print_export("CAPSTAN_CLUSTER", cluster);
    print_component(own);
    print_library();
    print_program(own);
    if (getenv(RXM_RECEIVES) == NULL)
        print_export(RXM_RECEIVES, RXM_RECEIVES_COUNT);
    if (geteuid() == 0) {
        print_export("OMPI_ALLOW_RUN_AS_ROOT", "1");
        print_export("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
    }
    return TOOL_OK;
}
