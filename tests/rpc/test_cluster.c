/* SPDX-License-Identifier: BSD-3-Clause */
#include "rpc/cluster.c"
#include "rpc/cluster_check.c"
#include "rpc/cluster_where.c"
#include "rpc/cluster_yaml.c"

#include <CUnit/Basic.h>
#include <sys/stat.h>

static const char good[] = "cluster: 7d3c1a55\n"
                           "provider: shm\n"
                           "defaults:\n"
                           "  stripe_size: 65536\n"
                           "  width: 2\n"
                           "  replicas: 1\n"
                           "servers:\n"
                           "  - name: s1\n"
                           "    node: 127.0.0.1\n"
                           "    targets:\n"
                           "      - id: 9\n"
                           "        service: \"40001\"\n"
                           "        directory: /d/a\n"
                           "      - id: 3\n"
                           "        service: \"40002\"\n"
                           "        directory: /d/b\n"
                           "        buffered: false\n"
                           "        device: /dev/a\n"
                           "  - name: s2\n"
                           "    node: n2\n"
                           "    targets:\n"
                           "      - id: 65535\n"
                           "        service: \"40001\"\n"
                           "        directory: /d/a\n"
                           "        plan_memory: 0\n";

static int parse(const char *yaml, struct cluster **cluster_out, char *text)
{
    *text = '\0';
    return cluster_parse(yaml, strlen(yaml), "file", cluster_out, text);
}

/* The good file with the first `from` replaced by `to`; static storage. */
static const char *with(const char *from, const char *to)
{
    static char yaml[4096];
    const char *at = strstr(good, from);

    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    snprintf(yaml, sizeof(yaml), "%.*s%s%s", (int)(at - good), good, to,
             at + strlen(from));
    return yaml;
}

static void expect_text(const char *yaml, const char *text_wanted)
{
    struct cluster *cluster = NULL;
    char text[CLUSTER_TEXT_MAX];

    CU_ASSERT_EQUAL(parse(yaml, &cluster, text), -EINVAL);
    CU_ASSERT_PTR_NULL(cluster);
    CU_ASSERT_STRING_EQUAL(text, text_wanted);
    if (strcmp(text, text_wanted) != 0)
        fprintf(stderr, "\n  wanted: %s\n  got:    %s\n", text_wanted, text);
    cluster_destroy(&cluster);
}

static void test_good_file_is_read_whole(void)
{
    struct cluster *cluster = NULL;
    char text[CLUSTER_TEXT_MAX];

    CU_ASSERT_EQUAL_FATAL(parse(good, &cluster, text), 0);
    CU_ASSERT_EQUAL(cluster->id, 0x7d3c1a55);
    CU_ASSERT_STRING_EQUAL(cluster->provider, "shm");
    CU_ASSERT_EQUAL(cluster->stripe_size, 65536);
    CU_ASSERT_EQUAL(cluster->width, 2);
    CU_ASSERT_EQUAL(cluster->replicas, 1);
    CU_ASSERT_EQUAL_FATAL(cluster->servers_count, 2);
    CU_ASSERT_EQUAL_FATAL(cluster->ntargets, 3);
    CU_ASSERT_STRING_EQUAL(cluster->servers[1].name, "s2");
    CU_ASSERT_STRING_EQUAL(cluster->servers[1].node, "n2");
    CU_ASSERT_EQUAL(cluster->servers[0].targets_count, 2);
    CU_ASSERT_EQUAL(cluster->target_ids[0], 3);
    CU_ASSERT_EQUAL(cluster->target_ids[1], 9);
    CU_ASSERT_EQUAL(cluster->target_ids[2], 65535);
    CU_ASSERT_FALSE(cluster->targets[0]->is_buffered);
    CU_ASSERT_TRUE(cluster->targets[1]->is_buffered);
    CU_ASSERT_STRING_EQUAL(cluster->targets[0]->device, "/dev/a");
    CU_ASSERT_PTR_NULL(cluster->targets[1]->device);
    CU_ASSERT_EQUAL(cluster->targets[2]->plan_memory, 0);
    CU_ASSERT_EQUAL(cluster->targets[1]->plan_memory, 64 << 20);
    CU_ASSERT_STRING_EQUAL(cluster->targets[0]->service, "40002");
    CU_ASSERT_STRING_EQUAL(cluster->targets[0]->directory, "/d/b");
    CU_ASSERT_PTR_EQUAL(cluster->targets[2]->server, &cluster->servers[1]);
    cluster_destroy(&cluster);
    CU_ASSERT_PTR_NULL(cluster);
}

static void test_lookups_find_what_there_is(void)
{
    struct cluster *cluster = NULL;
    char text[CLUSTER_TEXT_MAX];

    CU_ASSERT_EQUAL_FATAL(parse(good, &cluster, text), 0);
    for (unsigned id = 0; id <= 65535; id++) {
        const struct cluster_target *target =
            cluster_target(cluster, (uint16_t)id);
        bool is_there = id == 3 || id == 9 || id == 65535;

        CU_ASSERT_EQUAL(target != NULL, is_there);
        if (target != NULL)
            CU_ASSERT_EQUAL(target->id, id);
    }
    CU_ASSERT_PTR_EQUAL(cluster_server(cluster, "s2"), &cluster->servers[1]);
    CU_ASSERT_PTR_NULL(cluster_server(cluster, "s3"));
    cluster_destroy(&cluster);
}

static void test_defaults_are_filled_in(void)
{
    static const char yaml[] =
        "cluster: F\n"
        "servers: [{name: s, node: n, targets: [{id: 1, service: a, "
        "directory: b}, {id: 2, service: c, directory: d}]}]\n";
    struct cluster *cluster = NULL;
    char text[CLUSTER_TEXT_MAX];

    CU_ASSERT_EQUAL_FATAL(parse(yaml, &cluster, text), 0);
    CU_ASSERT_EQUAL(cluster->id, 15);
    CU_ASSERT_STRING_EQUAL(cluster->provider, "tcp;ofi_rxm");
    CU_ASSERT_EQUAL(cluster->stripe_size, 1048576);
    CU_ASSERT_EQUAL(cluster->width, 2);
    CU_ASSERT_EQUAL(cluster->replicas, 1);
    cluster_destroy(&cluster);
}

static void test_width_beyond_the_targets_is_all_of_them(void)
{
    struct cluster *cluster = NULL;
    char text[CLUSTER_TEXT_MAX];

    CU_ASSERT_EQUAL_FATAL(parse(with("width: 2", "width: 64"), &cluster, text),
                          0);
    CU_ASSERT_EQUAL(cluster->width, 3);
    cluster_destroy(&cluster);
    expect_text(with("width: 2", "width: 65"),
                "file: line 5: defaults.width: 65 is out of range (0 to 64)");
}

static void test_text_that_is_not_yaml_names_the_line(void)
{
    expect_text("", "file: the file is empty");
    expect_text("# nothing\n", "file: the file is empty");
    expect_text(with("    node", "\tnode"),
                "file: line 9: servers[0].name: found a tab character that "
                "violates indentation");
    expect_text(with("\"40002\"", "\"40002"),
                "file: line 23: servers[0].targets[1].service: did not find "
                "expected key");
    expect_text("cluster: \377\n", "file: line 1: invalid leading UTF-8 octet");
}

static void test_wrong_shape_names_the_field(void)
{
    expect_text("7\n", "file: expecting mapping, got event: scalar");
    expect_text(with("provider: shm", "provder: shm"),
                "file: line 2: provder: unknown field");
    expect_text(with("    node: 127.0.0.1\n", ""),
                "file: line 8: servers[0].node: missing");
    expect_text(with("cluster: 7d3c1a55\n", ""), "file: cluster: missing");
    expect_text(with("        service: \"40002\"\n", ""),
                "file: line 14: servers[0].targets[1].service: missing");
    expect_text(with("        buffered: false\n", "        id: 4\n"),
                "file: line 17: servers[0].targets[1].id: given twice");
    expect_text(with("        buffered: false\n", "        speed: 4\n"),
                "file: line 17: servers[0].targets[1].speed: unknown field");
    expect_text(with("width: 2", "depth: 2"),
                "file: line 5: defaults.depth: unknown field");
    expect_text(with("name: s1", "name: [s1]"),
                "file: line 8: servers[0].name: expecting string, got event: "
                "sequence_start");
    expect_text("cluster: &a 1\nservers: *a\n",
                "file: line 2: servers: yaml alias unsupported");
    expect_text(with("cluster: 7d3c1a55\n", "cluster: 1\nservers: []\n---\n"),
                "file: ignoring documents after first in stream");
}

static void test_cluster_id_is_hexadecimal_and_not_zero(void)
{
    expect_text(with("7d3c1a55", "0000"),
                "file: line 1: cluster: must not be 0");
    expect_text(
        with("7d3c1a55", "0x7d"),
        "file: line 1: cluster: '0x7d' is not 1 to 16 hexadecimal digits");
    expect_text(with("7d3c1a55", "11112222333344445"),
                "file: line 1: cluster: '11112222333344445' is not 1 to 16 "
                "hexadecimal digits");
    expect_text(with("7d3c1a55", ""),
                "file: line 1: cluster: '' is not 1 to 16 hexadecimal digits");
}

static void test_numbers_are_read_whole_or_refused(void)
{
    expect_text(with("id: 3", "id: 0"),
                "file: line 14: servers[0].targets[1].id: 0 is out of range "
                "(1 to 65535)");
    expect_text(with("id: 3", "id: 65536"),
                "file: line 14: servers[0].targets[1].id: 65536 is out of "
                "range (1 to 65535)");
    expect_text(
        with("id: 3", "id: 3x"),
        "file: line 14: servers[0].targets[1].id: '3x' is not a number");
    expect_text(
        with("id: 3", "id: -3"),
        "file: line 14: servers[0].targets[1].id: '-3' is not a number");
    expect_text(with("id: 3", "id: 99999999999999999999"),
                "file: line 14: servers[0].targets[1].id: "
                "99999999999999999999 is out of range (1 to 65535)");
    expect_text(with("65536", "65537"),
                "file: line 4: defaults.stripe_size: 65537 is not a multiple "
                "of 4096");
    expect_text(with("65536", "2147483648"),
                "file: line 4: defaults.stripe_size: 2147483648 is out of "
                "range (0 to 1073741824)");
    expect_text(with("device: /dev/a", "device: sda"),
                "file: line 18: servers[0].targets[1].device: 'sda' does not "
                "begin with /");
    expect_text(with("directory: /d/a\n",
                     "directory: /d/a\n        device: /dev/a\n"),
                "file: line 19: servers[0].targets[1].device: is that of "
                "servers[0].targets[0] too");
    expect_text(with("buffered: false", "buffered: maybe"),
                "file: line 17: servers[0].targets[1].buffered: 'maybe' is "
                "neither true nor false");
}

static void test_replicas_are_said_to_be_unsupported(void)
{
    expect_text(with("replicas: 1", "replicas: 3"),
                "file: line 6: defaults.replicas: 3 copies are unsupported; "
                "only 1 is");
}

static void test_empty_fields_are_refused(void)
{
    expect_text(with("name: s1", "name:"),
                "file: line 8: servers[0].name: is empty");
    expect_text(with("node: 127.0.0.1", "node: ''"),
                "file: line 9: servers[0].node: is empty");
    expect_text(with("\"40002\"", ""),
                "file: line 15: servers[0].targets[1].service: is empty");
    expect_text(with("directory: /d/b", "directory:"),
                "file: line 16: servers[0].targets[1].directory: is empty");
    expect_text(with("provider: shm", "provider:"),
                "file: line 2: provider: is empty");
    expect_text("cluster: 1\nservers: []\n",
                "file: line 2: servers: has no server");
    expect_text("cluster: 1\nservers: [{name: a, node: b,\n  targets: []}]\n",
                "file: line 3: servers[0].targets: has no target");
}

static void test_what_must_be_unique_is(void)
{
    expect_text(with("65535", "3"),
                "file: line 22: servers[1].targets[0].id: is that of "
                "servers[0].targets[1] too");
    expect_text(with("40002", "40001"),
                "file: line 15: servers[0].targets[1].service: is that of "
                "servers[0].targets[0] too");
    expect_text(with("/d/b", "/d/a"),
                "file: line 16: servers[0].targets[1].directory: is that of "
                "servers[0].targets[0] too");
    expect_text(with("node: n2", "node: 127.0.0.1"),
                "file: line 23: servers[1].targets[0].service: is that of "
                "servers[0].targets[0] too");
    expect_text(with("name: s2", "name: s1"),
                "file: line 19: servers[1].name: is that of servers[0] too");
}

static void test_a_file_cut_anywhere_is_refused_or_whole(void)
{
    struct cluster *cluster;
    char text[CLUSTER_TEXT_MAX];

    for (size_t len = 0; len < sizeof(good) - 1; len++) {
        /* A copy of its own, so that reading beyond it is seen. */
        char *cut = malloc(len + 1);
        int rc;

        CU_ASSERT_PTR_NOT_NULL_FATAL(cut);
        memcpy(cut, good, len);
        cluster = NULL;
        text[0] = '\0';
        rc = cluster_parse(cut, len, "file", &cluster, text);
        if (rc == 0) {
            CU_ASSERT_TRUE(cluster->ntargets >= 1);
        } else {
            CU_ASSERT_EQUAL(rc, -EINVAL);
            CU_ASSERT_PTR_NULL(cluster);
            CU_ASSERT_EQUAL(strncmp(text, "file: ", 6), 0);
        }
        cluster_destroy(&cluster);
        free(cut);
    }
}

static void test_a_file_with_any_byte_changed_is_handled(void)
{
    static const char bytes[] = "\0\t\n :-[]{}\"'&*!|>%@`#,?x0\377\200";
    char yaml[sizeof(good)];
    char text[CLUSTER_TEXT_MAX];

    for (size_t i = 0; i < sizeof(good) - 1; i++)
        for (size_t j = 0; j < sizeof(bytes) - 1; j++) {
            struct cluster *cluster = NULL;
            int rc;

            memcpy(yaml, good, sizeof(good));
            yaml[i] = bytes[j];
            rc = cluster_parse(yaml, sizeof(good) - 1, "file", &cluster, text);
            CU_ASSERT_TRUE(rc == 0 || rc == -EINVAL);
            CU_ASSERT_EQUAL(rc == 0, cluster != NULL);
            cluster_destroy(&cluster);
        }
}

/* Fail allocation 0, 1, 2 ... until the load survives. */
static void test_no_memory_leaves_nothing_behind(void)
{
    struct cluster *cluster = NULL;
    char text[CLUSTER_TEXT_MAX];
    int n, rc = -1;

    for (n = 0; n < 1000; n++) {
        mem_fault_set(n);
        rc = parse(good, &cluster, text);
        mem_fault_set(-1);
        if (rc == 0)
            break;
        CU_ASSERT_EQUAL(rc, -ENOMEM);
        CU_ASSERT_PTR_NULL(cluster);
        CU_ASSERT_STRING_EQUAL(text,
                               "cluster file file: Cannot allocate memory");
    }
    CU_ASSERT_EQUAL(rc, 0);
    CU_ASSERT_TRUE(n > 10);
    cluster_destroy(&cluster);
}

static void test_a_long_file_name_leaves_room_for_the_cause(void)
{
    struct cluster *cluster = NULL;
    char name[1000], text[CLUSTER_TEXT_MAX];

    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    CU_ASSERT_EQUAL(cluster_parse("a: b", 4, name, &cluster, text), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, ": line 1: a: unknown field"));
}

static void write_file(const char *path, const char *yaml)
{
    FILE *file = fopen(path, "w");

    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fputs(yaml, file);
    CU_ASSERT_EQUAL(fclose(file), 0);
}

static void test_files_are_found_in_their_order(void)
{
    char directory[] = "/tmp/test_cluster.XXXXXX";
    char path[128], sub[64], text[CLUSTER_TEXT_MAX];
    struct cluster *cluster = NULL;

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(directory));
    snprintf(sub, sizeof(sub), "%s/.capstan", directory);
    snprintf(path, sizeof(path), "%s/cluster.yaml", sub);
    CU_ASSERT_EQUAL(mkdir(sub, 0700), 0);
    setenv("HOME", directory, 1);
    unsetenv("CAPSTAN_CLUSTER");

    write_file(path, good);
    CU_ASSERT_EQUAL(cluster_load(NULL, &cluster, text), 0);
    cluster_destroy(&cluster);
    CU_ASSERT_EQUAL(cluster_load(path, &cluster, text), 0);
    cluster_destroy(&cluster);

    /* What the environment names is used, or refused: never passed over. */
    setenv("CAPSTAN_CLUSTER", "/nowhere/cluster.yaml", 1);
    CU_ASSERT_EQUAL(cluster_load(NULL, &cluster, text), -ENOENT);
    CU_ASSERT_STRING_EQUAL(
        text, "cluster file /nowhere/cluster.yaml: No such file or directory");

    setenv("CAPSTAN_CLUSTER", directory, 1);
    CU_ASSERT_EQUAL(cluster_load(NULL, &cluster, text), -EINVAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "directory"));

    unsetenv("CAPSTAN_CLUSTER");
    CU_ASSERT_EQUAL(unlink(path), 0);
    if (access(CLUSTER_FILE_SYSTEM, F_OK) != 0) {
        CU_ASSERT_EQUAL(cluster_load(NULL, &cluster, text), -ENOENT);
        CU_ASSERT_PTR_NOT_NULL(strstr(text, "CAPSTAN_CLUSTER"));
    }
    CU_ASSERT_EQUAL(rmdir(sub), 0);
    CU_ASSERT_EQUAL(rmdir(directory), 0);
}

int main(void)
{
    static CU_TestInfo tests[] = {
#define TEST(name) {#name, name}
        TEST(test_good_file_is_read_whole),
        TEST(test_lookups_find_what_there_is),
        TEST(test_defaults_are_filled_in),
        TEST(test_width_beyond_the_targets_is_all_of_them),
        TEST(test_text_that_is_not_yaml_names_the_line),
        TEST(test_wrong_shape_names_the_field),
        TEST(test_cluster_id_is_hexadecimal_and_not_zero),
        TEST(test_numbers_are_read_whole_or_refused),
        TEST(test_replicas_are_said_to_be_unsupported),
        TEST(test_empty_fields_are_refused),
        TEST(test_what_must_be_unique_is),
        TEST(test_a_file_cut_anywhere_is_refused_or_whole),
        TEST(test_a_file_with_any_byte_changed_is_handled),
        TEST(test_no_memory_leaves_nothing_behind),
        TEST(test_a_long_file_name_leaves_room_for_the_cause),
        TEST(test_files_are_found_in_their_order),
#undef TEST
        CU_TEST_INFO_NULL,
    };
    static CU_SuiteInfo suites[] = {{"cluster", NULL, NULL, NULL, NULL, tests},
                                    CU_SUITE_INFO_NULL};
    unsigned failures;

    if (CU_initialize_registry() != CUE_SUCCESS ||
        CU_register_suites(suites) != CUE_SUCCESS)
        return 1;
    CU_basic_set_mode(CU_BRM_NORMAL);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();
    return failures != 0;
}
