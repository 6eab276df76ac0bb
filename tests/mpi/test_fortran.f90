! SPDX-License-Identifier: BSD-3-Clause
! A Fortran program: views, collective, shared-pointer, nonblocking and split
! calls, sizes and statuses, through the same component.
program test_fortran
    use mpi_f08
    implicit none
    integer, parameter :: n = 100
    integer :: rank, size, ierror, i, count, mine(n), got(n), int_size, length
    integer(kind=MPI_OFFSET_KIND) :: bytes, at
    character(len=1024) :: prefix, path
    character(len=MPI_MAX_INFO_VAL) :: value
    character(len=MPI_MAX_ERROR_STRING) :: text
    logical :: is_there
    type(MPI_File) :: file
    type(MPI_Info) :: info
    type(MPI_Status) :: status
    type(MPI_Request) :: request
    type(MPI_Datatype) :: column

    call MPI_Init()
    call MPI_Comm_rank(MPI_COMM_WORLD, rank)
    call MPI_Comm_size(MPI_COMM_WORLD, size)
    call MPI_Type_size(MPI_INTEGER, int_size)
    call get_command_argument(1, prefix)
    path = trim(prefix) // 'fortran'
    mine = [(i * size + rank, i = 1, n)]

    call MPI_File_open(MPI_COMM_WORLD, trim(path) // '.none', &
        MPI_MODE_RDONLY, MPI_INFO_NULL, file, ierror)
    call check(ierror /= MPI_SUCCESS, 'a file that is not there was opened')

    call MPI_File_open(MPI_COMM_WORLD, path, MPI_MODE_CREATE + MPI_MODE_RDWR, &
        MPI_INFO_NULL, file, ierror)
    if (ierror /= MPI_SUCCESS) then
        call MPI_Error_string(ierror, text, length)
        call check(.false., text(1:length))
    end if
    call MPI_File_get_info(file, info)
    call MPI_Info_get(info, 'capstan_driver', MPI_MAX_INFO_VAL, value, is_there)
    call check(is_there, 'another component has the file')

    ! Integer i of rank r is at i * size + r.
    call MPI_Type_vector(n, 1, size, MPI_INTEGER, column)
    call MPI_Type_commit(column)
    at = int(rank, MPI_OFFSET_KIND) * int_size
    call MPI_File_set_view(file, at, MPI_INTEGER, column, 'native', &
        MPI_INFO_NULL)
    call MPI_File_write_all(file, mine, n, MPI_INTEGER, status)
    call MPI_Get_count(status, MPI_INTEGER, count)
    call check(count == n, 'write_all: count')
    got = 0
    call MPI_File_read_at_all_begin(file, 0_MPI_OFFSET_KIND, got, n, &
        MPI_INTEGER)
    call MPI_File_read_at_all_end(file, got, status)
    call check(all(got == mine), 'read_at_all_end: data')
    got = 0
    call MPI_File_iread_at(file, 0_MPI_OFFSET_KIND, got, n, MPI_INTEGER, request)
    call MPI_Wait(request, status)
    call MPI_Get_count(status, MPI_INTEGER, count)
    call check(count == n .and. all(got == mine), 'iread_at')
    call MPI_File_get_size(file, bytes)
    call check(bytes == int(n, MPI_OFFSET_KIND) * size * int_size, 'size')

    call MPI_File_set_view(file, 0_MPI_OFFSET_KIND, MPI_INTEGER, MPI_INTEGER, &
        'native', MPI_INFO_NULL)
    call MPI_File_write_ordered(file, mine, n, MPI_INTEGER, status)
    call MPI_File_get_position_shared(file, at)
    call check(at == int(n, MPI_OFFSET_KIND) * size, 'get_position_shared')
    at = int(n, MPI_OFFSET_KIND) * rank
    got = 0
    call MPI_File_read_at_all(file, at, got, n, MPI_INTEGER, status)
    call check(all(got == mine), 'write_ordered: data')
    call MPI_File_close(file)
    call MPI_Barrier(MPI_COMM_WORLD)
    if (rank == 0) call MPI_File_delete(path, MPI_INFO_NULL)
    call MPI_Finalize()

contains

    subroutine check(is_right, what)
        logical, intent(in) :: is_right
        character(len=*), intent(in) :: what

        if (is_right) return
        print *, 'rank', rank, 'of', size, ': ', what
        call MPI_Abort(MPI_COMM_WORLD, 1)
    end subroutine check
end program test_fortran
