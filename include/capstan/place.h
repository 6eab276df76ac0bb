/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ordinary paths that are Capstan's: on a mount (capstan mount), or below the
 * prefix of the preload library when that is loaded. With the place of such a
 * path a program can talk to the servers itself, past the mount.
 *
 * Threads  any; no state, no session.
 * Failure  says nothing and keeps its output as it was.
 */
#ifndef CAPSTAN_PLACE_H
#define CAPSTAN_PLACE_H

#ifdef __cplusplus
extern "C" {
#endif

#define CAPSTAN_PLACE_MAX 4200

struct capstan_place {
    char path[CAPSTAN_PLACE_MAX];         /* in the cluster */
    char cluster_file[CAPSTAN_PLACE_MAX]; /* of the mount; "": the default */
};

/**
 * Is a path of this machine Capstan's? The file need not exist, its directory
 * must.
 *
 * @return 0, -ENOENT (it is not), -ENAMETOOLONG, -ENOMEM.
 */
int capstan_place_find(const char *path, struct capstan_place *place_out);

#ifdef __cplusplus
}
#endif

#endif
