/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The page that CHECK fills: one a target, of records of the name store
 * (op_check.c) or of objects (check_objects.c).
 *
 * Threads  the reactor; while is_busy with names, their thread.
 * Failure  told in the answer.
 */
#ifndef CAPSTAN_SERVER_CHECK_PAGE_H
#define CAPSTAN_SERVER_CHECK_PAGE_H

#include "server/server.h"
#include "store/sums_format.h"

#define CHECK_INOS_MAX 256u

/* Where a listing goes on, as the key of a record. */
struct check_place {
    uint32_t shard;
    uint64_t ino;
};

struct check_page {
    bool is_busy;
    struct srv_target *target;
    uint8_t *at;
    uint32_t count;
    uint8_t bytes[PROTO_ENTRIES_MAX];

    /* Objects, whose headers are read one after the other. */
    struct rpc_request *request;
    struct check_place place;
    uint64_t inos[CHECK_INOS_MAX];
    unsigned ninos, next;
    struct obj_io io;
    char header[SUMS_HEADER_SIZE];
};

/** A page of objects; answers. The page is not busy. */
void check_objects_start(struct srv_target *target,
                         struct rpc_request *request);

#endif
