/* SPDX-License-Identifier: BSD-3-Clause */
#define TOOLS_SBINDIR "/nowhere"
#include "tools/local.c"
#include "tools/local_proc.c"

#include "rpc/cluster.h"

#include "tests/base/unit.h"

#include <stdarg.h>

/* The rest of the program, as far as it is needed here. */
static char last_error[512];

void tool_error(const char *object, const char *format, ...)
{
    va_list args;
    int len = snprintf(last_error, sizeof(last_error), "%s: ", object);

    va_start(args, format);
    vsnprintf(last_error + len, sizeof(last_error) - (size_t)len, format, args);
    va_end(args);
}

bool tool_interrupted(void)
{
    return false;
}

uint64_t tool_now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void tool_path(char *path, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(path, PATH_MAX, format, args);
    va_end(args);
}

static char root[PATH_MAX];

static void root_make(const char *name)
{
    char directory[256];

    unit_tempdir_make(directory);
    snprintf(root, sizeof(root), "%s/%s", directory, name);
    CU_ASSERT_EQUAL_FATAL(local_root_make(root), 0);
}

static void root_remove(void)
{
    *strrchr(root, '/') = '\0';
    unit_tempdir_remove(root);
}

static const struct local_shape shape = {.cluster_id = 0xabcdef,
                                         .servers = 3,
                                         .targets = 2,
                                         .stripe_size = 8192,
                                         .provider = "tcp;ofi_rxm"};

static struct cluster *load(void)
{
    struct cluster *cluster = NULL;
    char path[PATH_MAX], text[CLUSTER_TEXT_MAX] = "";

    tool_path(path, "%s/cluster.yaml", root);
    CU_ASSERT_EQUAL_FATAL(cluster_load(path, &cluster, text), 0);
    CU_ASSERT_STRING_EQUAL(text, "");
    return cluster;
}

static void test_the_file_that_is_written_is_a_cluster_file(void)
{
    struct cluster *cluster;
    char directory[PATH_MAX];

    root_make("with 'quotes': # and { spaces");
    CU_ASSERT_EQUAL_FATAL(local_shape_write(root, &shape), 0);
    cluster = load();
    CU_ASSERT_EQUAL(cluster->id, 0xabcdef);
    CU_ASSERT_EQUAL(cluster->stripe_size, 8192);
    CU_ASSERT_STRING_EQUAL(cluster->provider, "tcp;ofi_rxm");
    CU_ASSERT_EQUAL_FATAL(cluster->ntargets, 6);
    CU_ASSERT_EQUAL(cluster->servers_count, 3);
    for (unsigned i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(cluster->targets[i]->id, i + 1);
        tool_path(directory, "%s/s%u/t%u", root, i / 2 + 1, i % 2 + 1);
        CU_ASSERT_STRING_EQUAL(cluster->targets[i]->directory, directory);
    }
    cluster_destroy(&cluster);
    root_remove();
}

static void test_shm_services_are_names_of_this_cluster(void)
{
    struct local_shape shm = shape;
    struct cluster *cluster;

    root_make("root");
    snprintf(shm.provider, sizeof(shm.provider), "shm");
    CU_ASSERT_EQUAL_FATAL(local_shape_write(root, &shm), 0);
    cluster = load();
    CU_ASSERT_STRING_EQUAL(cluster->targets[4]->service, "capstan-abcdef-5");
    cluster_destroy(&cluster);
    root_remove();
}

static void test_the_shape_is_read_back(void)
{
    struct local_shape read;

    root_make("root");
    CU_ASSERT_EQUAL(local_shape_read(root, &read), 1);
    CU_ASSERT_EQUAL_FATAL(local_shape_write(root, &shape), 0);
    CU_ASSERT_EQUAL(local_shape_read(root, &read), 0);
    CU_ASSERT_EQUAL(read.cluster_id, shape.cluster_id);
    CU_ASSERT_EQUAL(read.servers, shape.servers);
    CU_ASSERT_EQUAL(read.targets, shape.targets);
    CU_ASSERT_EQUAL(read.stripe_size, shape.stripe_size);
    CU_ASSERT_STRING_EQUAL(read.provider, shape.provider);
    root_remove();
}

static void write_text(const char *name, const char *text)
{
    char path[PATH_MAX];
    FILE *file;

    tool_path(path, "%s/%s", root, name);
    file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(text, file);
    fclose(file);
}

static void test_a_file_of_someone_else_is_refused(void)
{
    static const char *const bad[] = {
        "",
        "cluster: 12\n",
        "# capstan up: cluster 1 servers 1\n",
        "# capstan up: cluster 0 servers 1 targets 1 stripe_size 1 provider x",
        "# capstan up: cluster 1 servers 65 targets 1 stripe_size 1 provider x",
        "# capstan up: cluster 1 servers 1 targets 0 stripe_size 1 provider x"};
    struct local_shape read = {.servers = 77};

    root_make("root");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_text("cluster.yaml", bad[i]);
        CU_ASSERT_EQUAL(local_shape_read(root, &read), -1);
        CU_ASSERT_PTR_NOT_NULL(strstr(last_error, "cluster.yaml: line 1"));
        CU_ASSERT_EQUAL(read.servers, 77);
    }
    root_remove();
}

static void test_free_ports_differ(void)
{
    unsigned ports[64];

    CU_ASSERT_EQUAL_FATAL(find_ports(ports, 64), 0);
    for (unsigned i = 0; i < 64; i++) {
        CU_ASSERT_TRUE(ports[i] > 0);
        for (unsigned j = 0; j < i; j++)
            CU_ASSERT_NOT_EQUAL(ports[i], ports[j]);
    }
}

static void test_only_the_right_command_line_is_ours(void)
{
    static const char args[] = "x\0--cluster\0/r/cluster.yaml\0--name\0s1";

    CU_ASSERT_TRUE(is_ours(args, sizeof(args), "/r", 1));
    CU_ASSERT_FALSE(is_ours(args, sizeof(args), "/r", 2));
    CU_ASSERT_FALSE(is_ours(args, sizeof(args), "/", 1));
    CU_ASSERT_FALSE(is_ours(args, sizeof(args) - 1, "/r", 1));
    CU_ASSERT_FALSE(is_ours("", 0, "/r", 1));
}

static void test_a_pid_that_was_given_away_is_not_signalled(void)
{
    const bool all[1] = {true};
    char text[32], path[PATH_MAX];

    root_make("root");
    CU_ASSERT_EQUAL(local_pid(root, 1), 0);
    /* Were it believed, this would end the test. */
    snprintf(text, sizeof(text), "%d\n", (int)getpid());
    write_text("s1.pid", text);
    CU_ASSERT_EQUAL(local_pid(root, 1), 0);
    CU_ASSERT_EQUAL(local_stop(root, all, 1, 1), 0);
    tool_path(path, "%s/s1.pid", root);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    write_text("s1.pid", "-1\n");
    CU_ASSERT_EQUAL(local_pid(root, 1), 0);
    write_text("s1.pid", "no number\n");
    CU_ASSERT_EQUAL(local_pid(root, 1), 0);
    root_remove();
}

/* A server that never ends by itself: it ignores SIGTERM too. */
static void write_server(char *program)
{
    write_text("server", "#!/bin/sh\ntrap '' TERM\necho started\n"
                         "while :; do sleep 0.1; done\n");
    tool_path(program, "%s/server", root);
    CU_ASSERT_EQUAL_FATAL(chmod(program, 0755), 0);
}

static void wait_log(const char *wanted)
{
    uint64_t deadline_ns = tool_now_ns() + 20000000000u;
    char path[PATH_MAX], line[64] = "";

    tool_path(path, "%s/s1.log", root);
    while (strcmp(line, wanted) != 0 && tool_now_ns() < deadline_ns) {
        FILE *file = fopen(path, "r");

        if (file != NULL && fgets(line, sizeof(line), file) == NULL)
            line[0] = '\0';
        if (file != NULL)
            fclose(file);
    }
    CU_ASSERT_STRING_EQUAL(line, wanted);
}

static void test_a_server_is_started_recognised_and_killed(void)
{
    const bool all[2] = {true, true};
    char program[PATH_MAX];
    pid_t pid;

    root_make("root");
    write_server(program);
    pid = local_start(root, 1, program);
    CU_ASSERT_TRUE_FATAL(pid > 0);
    wait_log("started\n");
    CU_ASSERT_EQUAL(local_pid(root, 1), pid);
    CU_ASSERT_EQUAL(local_pid(root, 2), 0);
    CU_ASSERT_EQUAL(local_stop(root, all, 2, 0), 0);
    CU_ASSERT_EQUAL(local_pid(root, 1), 0);
    CU_ASSERT_NOT_EQUAL(kill(pid, 0), 0);
    root_remove();
}

static void test_the_lock_keeps_others_out(void)
{
    int fd;

    root_make("root");
    fd = local_lock(root, 1);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(local_lock(root, 0), -1);
    close(fd);
    fd = local_lock(root, 0);
    CU_ASSERT_TRUE(fd >= 0);
    close(fd);
    root_remove();
}

static void test_the_root_is_absolute_and_short_enough(void)
{
    char path[PATH_MAX], deep[PATH_MAX];

    CU_ASSERT_EQUAL(local_root("not/there", path), 0);
    CU_ASSERT_EQUAL(path[0], '/');
    CU_ASSERT_EQUAL(local_root("/tmp/../tmp/.", path), 0);
    CU_ASSERT_STRING_EQUAL(path, "/tmp");
    setenv("CAPSTAN_ROOT", "/nowhere/x", 1);
    CU_ASSERT_EQUAL(local_root(NULL, path), 0);
    CU_ASSERT_STRING_EQUAL(path, "/nowhere/x");
    CU_ASSERT_EQUAL(local_root("/a\nb", path), -1);
    memset(deep, 'x', sizeof(deep) - 1);
    deep[0] = '/';
    deep[sizeof(deep) - 1] = '\0';
    CU_ASSERT_EQUAL(local_root(deep, path), -1);
}

int main(void)
{
    static const struct unit_test tests[] = {
        UNIT_TEST(test_the_file_that_is_written_is_a_cluster_file),
        UNIT_TEST(test_shm_services_are_names_of_this_cluster),
        UNIT_TEST(test_the_shape_is_read_back),
        UNIT_TEST(test_a_file_of_someone_else_is_refused),
        UNIT_TEST(test_free_ports_differ),
        UNIT_TEST(test_only_the_right_command_line_is_ours),
        UNIT_TEST(test_a_pid_that_was_given_away_is_not_signalled),
        UNIT_TEST(test_a_server_is_started_recognised_and_killed),
        UNIT_TEST(test_the_lock_keeps_others_out),
        UNIT_TEST(test_the_root_is_absolute_and_short_enough),
    };

    return UNIT_MAIN("local", tests);
}
