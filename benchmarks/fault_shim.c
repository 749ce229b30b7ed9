/* A clock that is set wrong and a disk that is slow, for the processes into which this library is loaded first
 * (LD_PRELOAD): a stand-in for what a machine does, below the program, which knows nothing of it.
 *
 * The file named by FAULT_CONTROL holds two doubles: the seconds by which the wall clock is wrong, and the seconds that
 * each order to bring a file to the disk takes longer. It is read through a mapping, so that both hold at once.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile const double *control;

__attribute__((constructor)) static void attach(void) {
  const char *path = getenv("FAULT_CONTROL");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *at = mmap(NULL, 2 * sizeof(double), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (at != MAP_FAILED) control = at;
}

static void shift(struct timespec *moment) {
  double wrong = control ? control[0] : 0.0;
  time_t whole = (time_t)floor(wrong);
  moment->tv_sec += whole;
  moment->tv_nsec += (long)((wrong - (double)whole) * 1e9);
  if (moment->tv_nsec >= 1000000000L) {
    moment->tv_nsec -= 1000000000L;
    moment->tv_sec += 1;
  }
}

int clock_gettime(clockid_t clock, struct timespec *moment) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int outcome = real(clock, moment);
  if (!outcome && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) shift(moment);
  return outcome;
}

int gettimeofday(struct timeval *restrict moment, void *restrict zone) {
  struct timespec now;
  (void)zone;
  int outcome = clock_gettime(CLOCK_REALTIME, &now);
  moment->tv_sec = now.tv_sec;
  moment->tv_usec = now.tv_nsec / 1000;
  return outcome;
}

time_t time(time_t *moment) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (moment) *moment = now.tv_sec;
  return now.tv_sec;
}

static void wait_for_disk(void) {
  double slow = control ? control[1] : 0.0;
  if (slow <= 0.0) return;
  struct timespec span = {(time_t)slow, (long)((slow - floor(slow)) * 1e9)};
  nanosleep(&span, NULL);
}

int fsync(int file) {
  wait_for_disk();
  return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
  wait_for_disk();
  return (int)syscall(SYS_fdatasync, file);
}
