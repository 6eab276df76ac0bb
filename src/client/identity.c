/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who the session acts for, and where programs see its root.
 */
#include "client/cli.h"

#include <assert.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#define GROUPS_ROOM 65536 /* what Linux allows */

static_assert(sizeof(gid_t) == sizeof(uint32_t), "groups are numbers");

static void set_groups(struct cred *cred, const uint32_t *groups, size_t n)
{
    cred->ngroups = (uint32_t)(n < CRED_GROUPS_MAX ? n : CRED_GROUPS_MAX);
    if (cred->ngroups > 0)
        memcpy(cred->groups, groups, cred->ngroups * sizeof(*groups));
}

static void set_own(struct cred *cred)
{
    gid_t groups[GROUPS_ROOM];
    int n = getgroups(GROUPS_ROOM, groups);

    *cred = (struct cred){.uid = geteuid(), .gid = getegid()};
    if (n > 0)
        set_groups(cred, groups, (size_t)n);
}

void capstan_session_set_cred(struct capstan_session *session,
                              const struct capstan_cred *cred)
{
    if (cred == NULL) {
        set_own(&session->cred);
    } else {
        session->cred = (struct cred){.uid = cred->uid,
                                      .gid = cred->gid,
                                      .is_checked = cred->is_checked};
        set_groups(&session->cred, cred->groups, cred->ngroups);
    }
    session->cred_len = proto_cred_encode(&session->cred, session->cred_bytes);
}

int capstan_session_set_prefix(struct capstan_session *session,
                               const char *prefix)
{
    size_t len = prefix != NULL ? strlen(prefix) : 0;

    if (len > PATH_LEN_MAX)
        return cli_fail(session, -ENAMETOOLONG, "prefix");
    while (len > 0 && prefix[len - 1] == '/')
        len--;
    if (len > 0)
        memcpy(session->prefix, prefix, len);
    session->prefix[len] = '\0';
    session->prefix_len = len;
    return 0;
}
