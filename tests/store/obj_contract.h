/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What store/obj.h promises, checked on any driver. The program fills the
 * fixture and lists the tests with OBJ_CONTRACT.
 */
#ifndef TESTS_STORE_OBJ_CONTRACT_H
#define TESTS_STORE_OBJ_CONTRACT_H

#include "store/obj.h"
#include "tests/base/unit.h"

struct obj_fixture {
    const struct obj_driver *driver;
    struct obj_config config;
    unsigned rounds; /* of the random test */
};

extern struct obj_fixture obj_fixture;

#define OBJ_CONTRACT                                                           \
    UNIT_TEST(test_what_was_written_is_read),                                  \
        UNIT_TEST(test_absent_object_is_empty),                                \
        UNIT_TEST(test_hole_reads_as_zeros),                                   \
        UNIT_TEST(test_read_is_short_at_the_end_only),                         \
        UNIT_TEST(test_truncate_shortens_and_lengthens),                       \
        UNIT_TEST(test_destroy_frees_and_repeats),                             \
        UNIT_TEST(test_allocation_keeps_size_and_bytes),                       \
        UNIT_TEST(test_allocation_beyond_the_device_is_refused),               \
        UNIT_TEST(test_offset_beyond_any_file_is_refused),                     \
        UNIT_TEST(test_order_within_an_object),                                \
        UNIT_TEST(test_callback_may_submit),                                   \
        UNIT_TEST(test_close_ends_what_is_queued),                             \
        UNIT_TEST(test_reopened_store_holds_its_objects),                      \
        UNIT_TEST(test_space_is_told),                                         \
        UNIT_TEST(test_random_operations_match_a_model),                       \
        UNIT_TEST(test_open_survives_failing_allocations)

void test_what_was_written_is_read(void);
void test_absent_object_is_empty(void);
void test_hole_reads_as_zeros(void);
void test_read_is_short_at_the_end_only(void);
void test_truncate_shortens_and_lengthens(void);
void test_destroy_frees_and_repeats(void);
void test_allocation_keeps_size_and_bytes(void);
void test_allocation_beyond_the_device_is_refused(void);
void test_offset_beyond_any_file_is_refused(void);
void test_order_within_an_object(void);
void test_callback_may_submit(void);
void test_close_ends_what_is_queued(void);
void test_reopened_store_holds_its_objects(void);
void test_space_is_told(void);
void test_random_operations_match_a_model(void);
void test_open_survives_failing_allocations(void);

/* Open the fixture's store, or stop the program. */
struct obj_store *fixture_open(void);

/* One operation, waited for. */
int64_t do_io(struct obj_store *store, enum obj_verb verb, uint64_t ino,
              uint64_t offset, void *memory, size_t length);

/* The size that STAT tells. */
uint64_t size_of(struct obj_store *store, uint64_t ino);

/* Poll, sleeping on the store's descriptor, until `n` are pending. */
void drain_to(struct obj_store *store, unsigned n);

#endif
