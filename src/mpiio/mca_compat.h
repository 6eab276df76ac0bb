/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open MPI's internals, as this component uses them, and the differences
 * between versions. No other file asks for a version.
 *
 * 4.1  io interface 2.0.0, int count, info entries are C strings.
 * 5.0  the same interface; info entries are reference-counted strings.
 * 6.0  io interface 3.0.0, size_t count.
 */
#ifndef CAPSTAN_MCA_COMPAT_H
#define CAPSTAN_MCA_COMPAT_H

#include "ompi_config.h"

#include "mpi.h"
#include "ompi/communicator/communicator.h"
#include "ompi/datatype/ompi_datatype.h"
#include "ompi/file/file.h"
#include "ompi/info/info.h"
#include "ompi/mca/io/io.h"
#include "ompi/mca/mca.h"
#include "opal/datatype/opal_convertor.h"
#include "opal/mca/base/base.h"
#include "opal/threads/mutex.h"
#include "opal/util/info.h"
#include "opal/util/info_subscriber.h"

#if OMPI_MAJOR_VERSION < 4
#error "Open MPI 4.1 or later is needed"
#endif

#if OMPI_MAJOR_VERSION >= 6
typedef size_t compat_count;
typedef mca_io_base_component_3_0_0_t compat_component;
typedef mca_io_base_module_3_0_0_t compat_module;
#define COMPAT_IO_VERSION MCA_IO_BASE_VERSION_3_0_0
#else
typedef int compat_count;
typedef mca_io_base_component_2_0_0_t compat_component;
typedef mca_io_base_module_2_0_0_t compat_module;
#define COMPAT_IO_VERSION MCA_IO_BASE_VERSION_2_0_0
#endif

#if OMPI_MAJOR_VERSION >= 5
typedef const char *compat_info_result;
typedef const char *compat_info_text;
static inline const char *compat_info_key(const opal_info_entry_t *entry)
{
    return entry->ie_key->string;
}
static inline const char *compat_info_value(const opal_info_entry_t *entry)
{
    return entry->ie_value->string;
}
#else
typedef char *compat_info_result;
typedef char *compat_info_text;
static inline const char *compat_info_key(const opal_info_entry_t *entry)
{
    return entry->ie_key;
}
static inline const char *compat_info_value(const opal_info_entry_t *entry)
{
    return entry->ie_value;
}
#endif

/* Where Open MPI 4 keeps what the user said beside what is in force, and
 * prefers it in MPI_File_get_info. */
#if defined(OPAL_INFO_SAVE_PREFIX)
#define COMPAT_INFO_SAVED OPAL_INFO_SAVE_PREFIX
#else
#define COMPAT_INFO_SAVED "_OMPI_IN_"
#endif

#endif
