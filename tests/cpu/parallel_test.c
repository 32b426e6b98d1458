/*
** The team of threads: every block is computed exactly once, in both directions, for any number of
** threads, and jobs that follow each other at once do not mix. The tsan preset runs it too.
*/
#include "base.h"
#include "parallel.h"
#include <stdio.h>
#include <string.h>

enum { MOST = 64, JOBS = 20000 };

typedef struct job { int number; int runs[MOST]; int seen[MOST]; } job;

static void body(void *context, int64_t index, int worker) {
  (void)worker;
  job *j = context;
  j->runs[index]++;
  j->seen[index] = j->number;
}

static int check(const job *j, int count) {
  for (int i = 0; i < MOST; i++)
    if (j->runs[i] != (i < count) || (i < count && j->seen[i] != j->number)) {
      printf("job %d of %d blocks: block %d ran %d times\n", j->number, count, i, j->runs[i]);
      return 1;
    }
  return 0;
}

int main(void) {
  static job j;
  int failures = 0;
  for (int n = 0; n < JOBS && failures < 5; n++) {
    int count = n % (MOST + 1);
    if (n % 5000 == 0) cpu_threads_set(2 + n / 5000);
    memset(&j, 0, sizeof j);
    j.number = n;
    if (n % 2) parallel_for(count, 1000000, body, &j);
    else parallel_for_backwards(count, 1000000, body, &j);
    failures += check(&j, count);
  }
  printf("%d jobs, %d failures\n", JOBS, failures);
  return failures != 0;
}
