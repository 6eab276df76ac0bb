/* SPDX-License-Identifier: BSD-3-Clause */
#include "sim/posix_kit.h"

#include "sim/audit.h"
#include "tests/base/unit.h"

struct sim_cluster sim;

struct capstan_session *s(unsigned i)
{
    return sim.clients[i];
}

void start(void)
{
    struct sim_config config = {.seed = 7,
                                .ntargets = 4,
                                .nclients = 2,
                                .stripe_size = 4096,
                                .timeout_ms = 60000};
    struct capstan_cred root = {.uid = 0};

    sim_init(&sim, &config);
    capstan_session_set_cred(s(0), &root);
    capstan_session_set_cred(s(1), &root);
}

/* Everything must be whole in the end. */
void stop(void)
{
    char text[AUDIT_TEXT_MAX] = "";

    sim_run(&sim, 10 * NS_PER_SEC);
    CU_ASSERT(audit_names(&sim, text));
    CU_ASSERT_STRING_EQUAL(text, "");
    sim_fini(&sim);
}

void become(unsigned i, uint32_t uid, uint32_t gid)
{
    struct capstan_cred cred = {.uid = uid, .gid = gid};

    capstan_session_set_cred(s(i), &cred);
}

struct capstan_file *make(const char *path, uint32_t mode)
{
    struct capstan_layout layout = {.mode = mode};
    struct capstan_file *file = NULL;

    CU_ASSERT_EQUAL_FATAL(
        capstan_file_open(s(0), path,
                          CAPSTAN_OPEN_READ | CAPSTAN_OPEN_WRITE |
                              CAPSTAN_OPEN_CREATE,
                          &layout, &file),
        0);
    return file;
}

void make_closed(const char *path, uint32_t mode)
{
    struct capstan_file *file = make(path, mode);

    CU_ASSERT_EQUAL(capstan_file_close(&file), 0);
}

struct capstan_stat stat_of(const char *path)
{
    struct capstan_stat stat = {.ino = 0};

    CU_ASSERT_EQUAL(capstan_lstat(s(0), path, &stat), 0);
    return stat;
}

uint64_t ino_of(const char *path)
{
    return stat_of(path).ino;
}

int chmod_as(unsigned i, const char *path, uint32_t mode)
{
    struct capstan_change change = {.valid = CAPSTAN_SET_MODE, .mode = mode};

    return capstan_setattr(s(i), path, 0, &change);
}

int chown_as(unsigned i, const char *path, uint32_t uid, uint32_t gid)
{
    struct capstan_change change = {.valid = CAPSTAN_SET_UID | CAPSTAN_SET_GID,
                                    .uid = uid,
                                    .gid = gid};

    return capstan_setattr(s(i), path, CAPSTAN_NOFOLLOW, &change);
}

int open_as(unsigned i, const char *path, unsigned flags)
{
    struct capstan_file *file;
    int rc = capstan_file_open(s(i), path, flags, NULL, &file);

    return rc == 0 ? capstan_file_close(&file) : rc;
}
