/*
 * Sums of float arrays over processes in C: what Slalom's all-reduce is held against, with the same MPI library.
 *
 *   mpicc -O3 -march=native allreduce.c -o allreduce && mpirun -np 2 ./allreduce library 3274634
 *
 * "library" is MPI_Allreduce. "ordered" is what Slalom does: each rank adds up its part of the arrays in the order of
 * ranks and hands the sums to all, in pieces. Rank 0 writes a line of JSON when all are ready, then answers each line
 * "run N" with the seconds that N sums take.
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { piece = 1 << 16, contribution = 1, result = 2 };

static int rank, size, mostPieces;
static float *values, *arriving;
static MPI_Request *contributionIn, *contributionOut, *resultIn, *resultOut;

static int partStart(int count, int of) {
  int least = count / size, longer = count % size;
  return of * least + (of < longer ? of : longer);
}

/* The piece of a rank's part, at most `piece` floats; fewer than one where the part has no such piece. */
static int pieceOf(int count, int of, int i, int *start) {
  int end = partStart(count, of + 1);
  *start = partStart(count, of) + i * piece;
  return end - *start < piece ? end - *start : piece;
}

static void add(const float *restrict from, float *restrict into, int count) {
  for (int i = 0; i < count; i++) into[i] += from[i];
}

static void beginPieces(int count, int partLength) {
  for (int peer = 0; peer < size; peer++) {
    for (int i = 0; i < mostPieces; i++) {
      int start, at = peer * mostPieces + i;
      contributionIn[at] = contributionOut[at] = resultIn[at] = resultOut[at] = MPI_REQUEST_NULL;
      if (peer == rank) continue;
      int own = pieceOf(count, rank, i, &start);
      if (own > 0)
        MPI_Irecv(arriving + peer * partLength + i * piece, own, MPI_FLOAT, peer, contribution, MPI_COMM_WORLD, &contributionIn[at]);
      int theirs = pieceOf(count, peer, i, &start);
      if (theirs > 0) MPI_Isend(values + start, theirs, MPI_FLOAT, peer, contribution, MPI_COMM_WORLD, &contributionOut[at]);
    }
  }
}

static void ordered(int count) {
  int partLength = partStart(count, 1);
  beginPieces(count, partLength);
  for (int i = 0; i < mostPieces; i++) {
    int start, own = pieceOf(count, rank, i, &start);
    float *first = rank == 0 ? values + start : arriving + i * piece;
    if (own > 0) {
      for (int from = 0; from < size; from++) {
        MPI_Wait(&contributionIn[from * mostPieces + i], MPI_STATUS_IGNORE);
        const float *theirs = arriving + from * partLength + i * piece;
        if (from == 0) continue;
        if (from < rank) add(theirs, first, own);
        else add(from == rank ? first : theirs, values + start, own);
      }
    }
    for (int peer = 0; peer < size; peer++) {
      if (peer == rank) continue;
      int at = peer * mostPieces + i, theirStart;
      int theirs = pieceOf(count, peer, i, &theirStart);
      if (own > 0) MPI_Isend(values + start, own, MPI_FLOAT, peer, result, MPI_COMM_WORLD, &resultOut[at]);
      if (theirs <= 0) continue;
      MPI_Wait(&contributionOut[at], MPI_STATUS_IGNORE);
      MPI_Irecv(values + theirStart, theirs, MPI_FLOAT, peer, result, MPI_COMM_WORLD, &resultIn[at]);
    }
  }
  MPI_Waitall(size * mostPieces, resultIn, MPI_STATUSES_IGNORE);
  MPI_Waitall(size * mostPieces, resultOut, MPI_STATUSES_IGNORE);
}

static void sum(int isOrdered, int count) {
  if (isOrdered) ordered(count);
  else MPI_Allreduce(MPI_IN_PLACE, values, count, MPI_FLOAT, MPI_SUM, MPI_COMM_WORLD);
}

/* From rank 0 to all. Who waits leaves the cores to others: between its samples a contestant costs them nothing. */
static void hand(int *number) {
  MPI_Request request;
  const struct timespec pause = {0, 200000};
  int isDone = 0;
  MPI_Ibcast(number, 1, MPI_INT, 0, MPI_COMM_WORLD, &request);
  for (MPI_Test(&request, &isDone, MPI_STATUS_IGNORE); !isDone; MPI_Test(&request, &isDone, MPI_STATUS_IGNORE))
    nanosleep(&pause, NULL);
}

int main(int argc, char **argv) {
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (argc != 3) {
    fprintf(stderr, "allreduce: expected \"library\" or \"ordered\", and the number of floats\n");
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  int isOrdered = strcmp(argv[1], "ordered") == 0, count = atoi(argv[2]);
  mostPieces = (partStart(count, 1) + piece - 1) / piece;
  size_t requests = (size_t)size * mostPieces;
  values = malloc(count * sizeof(float));
  arriving = malloc((size_t)size * partStart(count, 1) * sizeof(float));
  contributionIn = malloc(4 * requests * sizeof(MPI_Request));
  contributionOut = contributionIn + requests;
  resultIn = contributionOut + requests;
  resultOut = resultIn + requests;

  for (int i = 0; i < count; i++) values[i] = rank + 1;
  sum(isOrdered, count);
  if (rank == 0) {
    printf("{\"ready\":true,\"ranks\":%d,\"check\":%g}\n", size, values[count - 1]);
    fflush(stdout);
  }
  /* Sums of zeros stay what they are. */
  memset(values, 0, count * sizeof(float));
  for (;;) {
    int runs = 0;
    if (rank == 0 && scanf(" run %d", &runs) != 1) runs = 0;
    hand(&runs);
    if (runs == 0) break;
    double start = MPI_Wtime();
    for (int i = 0; i < runs; i++) sum(isOrdered, count);
    if (rank != 0) continue;
    printf("{\"seconds\":%.9f,\"steps\":%d}\n", MPI_Wtime() - start, runs);
    fflush(stdout);
  }
  MPI_Finalize();
  return 0;
}
