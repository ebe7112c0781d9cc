/* An MPI program: a ring of large messages, which within a node are copied from memory to memory; pi, as in MPICH's example cpi.

   Its few declarations are those of the ABI that MPICH 3.1 and later keep, or with -DOPEN_MPI those of Open MPI 1.7 to 5, so that the
   library's development package is not needed. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef OPEN_MPI
struct ompi_communicator_t;
struct ompi_datatype_t;
struct ompi_op_t;
extern struct ompi_communicator_t ompi_mpi_comm_world;
extern struct ompi_datatype_t ompi_mpi_int, ompi_mpi_double;
extern struct ompi_op_t ompi_mpi_op_sum;
typedef struct ompi_communicator_t *MPI_Comm;
typedef struct ompi_datatype_t *MPI_Datatype;
typedef struct ompi_op_t *MPI_Op;
#define MPI_COMM_WORLD (&ompi_mpi_comm_world)
#define MPI_INT (&ompi_mpi_int)
#define MPI_DOUBLE (&ompi_mpi_double)
#define MPI_SUM (&ompi_mpi_op_sum)
#else
typedef int MPI_Comm, MPI_Datatype, MPI_Op;
#define MPI_COMM_WORLD ((MPI_Comm)0x44000000)
#define MPI_INT ((MPI_Datatype)0x4c000405)
#define MPI_DOUBLE ((MPI_Datatype)0x4c00080b)
#define MPI_SUM ((MPI_Op)0x58000003)
#endif

int MPI_Init(int *, char ***);
int MPI_Finalize(void);
int MPI_Comm_rank(MPI_Comm, int *);
int MPI_Comm_size(MPI_Comm, int *);
int MPI_Sendrecv(const void *, int, MPI_Datatype, int, int, void *, int, MPI_Datatype, int, int, MPI_Comm, void *);
int MPI_Barrier(MPI_Comm);
int MPI_Reduce(const void *, void *, int, MPI_Datatype, MPI_Op, int, MPI_Comm);

enum { COUNT = 1 << 20, STEPS = 100000 };

int main(int argc, char **argv)
{
    int rank, size, wrong = 0, all_wrong = 0;
    double part = 0, pi = 0;
    int *out = malloc(COUNT * sizeof *out), *in = malloc(COUNT * sizeof *in);
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    for (int i = 0; i < COUNT; i++)
        out[i] = rank * 1000003 + i;
    int left = (rank + size - 1) % size;
    char status[64];
    MPI_Sendrecv(out, COUNT, MPI_INT, (rank + 1) % size, 0, in, COUNT, MPI_INT, left, 0, MPI_COMM_WORLD, status);
    for (int i = 0; i < COUNT; i++)
        wrong += in[i] != left * 1000003 + i;
    for (int i = rank; i < STEPS; i += size) {
        double x = (i + 0.5) / STEPS;
        part += 4 / (1 + x * x) / STEPS;
    }
    MPI_Reduce(&part, &pi, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    MPI_Reduce(&wrong, &all_wrong, 1, MPI_INT, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0)
        printf("%d ranks, %d wrong, pi %s\n", size, all_wrong, fabs(pi - 3.14159265358979) < 1e-9 ? "right" : "wrong");
    fflush(stdout);
    MPI_Barrier(MPI_COMM_WORLD);
    if (argc > 1) /* over TCP MPI_Finalize of Debian 12's UCX never returns, outside of containers either */
        _exit(0);
    return MPI_Finalize();
}
