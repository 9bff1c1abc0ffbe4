/* Times MPI_Allreduce: all_reduce_mpi BYTES ITERATIONS, under mpirun. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#define WARM_UPS 3

int main(int argc, char **argv) {
    MPI_Init(&argc, &argv);
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    int count = (int)(atol(argv[1]) / (long)sizeof(float));
    int iterations = atoi(argv[2]);
    float *data = calloc((size_t)count, sizeof(float));
    for (int i = 0; i < count; i++) {
        data[i] = 0; /* touched */
    }
    double *seconds = calloc((size_t)iterations, sizeof(double));
    for (int i = -WARM_UPS; i < iterations; i++) {
        MPI_Barrier(MPI_COMM_WORLD);
        double began = MPI_Wtime();
        MPI_Allreduce(MPI_IN_PLACE, data, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
        if (i >= 0) {
            seconds[i] = MPI_Wtime() - began;
        }
    }
    if (rank == 0) {
        printf("{\"seconds\": [");
        for (int i = 0; i < iterations; i++) {
            printf("%s%.9f", i == 0 ? "" : ", ", seconds[i]);
        }
        printf("]}\n");
    }
    MPI_Finalize();
    return 0;
}
