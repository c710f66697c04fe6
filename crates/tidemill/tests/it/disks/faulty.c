/* A disk that fails, and a wall clock that steps, for one process: built by a test and loaded with LD_PRELOAD.
 *
 * From the FAULTY_FROM-th call of fsync to the FAULTY_TO-th it fails with EIO, and a file then loses what was written since
 * it was synced last, as Linux marks pages clean that it could not write. FAULTY_SLOW_US is how long a sync takes.
 * FAULTY_STEP names a file with seconds, by which the wall clock is ahead as soon as the file is there. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define KNOWN 4096

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct { dev_t device; ino_t inode; off_t size; } synced[KNOWN];
static int known, calls;

static long number(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text ? atol(text) : otherwise;
}

static off_t *synced_size(const struct stat *file) {
    int at = 0;
    while (at < known && (synced[at].device != file->st_dev || synced[at].inode != file->st_ino)) at++;
    if (at == known && known < KNOWN - 1) known++;
    synced[at].device = file->st_dev;
    synced[at].inode = file->st_ino;
    return &synced[at].size;
}

int fsync(int fd) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    long slow = number("FAULTY_SLOW_US", 0);
    if (slow > 0) usleep(slow);
    pthread_mutex_lock(&lock);
    struct stat file;
    fstat(fd, &file);
    off_t *size = synced_size(&file);
    /* The number of a file that was deleted may come again. */
    if (*size > file.st_size) *size = 0;
    int call = ++calls, result;
    if (call >= number("FAULTY_FROM", 0) && call <= number("FAULTY_TO", 0)) {
        if (S_ISREG(file.st_mode) && ftruncate(fd, *size) != 0) abort();
        fprintf(stderr, "faulty: sync %d fails\n", call);
        errno = EIO;
        result = -1;
    } else {
        result = real(fd);
        *size = file.st_size;
    }
    pthread_mutex_unlock(&lock);
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    const char *path = getenv("FAULTY_STEP");
    if (clock != CLOCK_REALTIME || !path) return result;
    FILE *step = fopen(path, "r");
    long seconds = 0;
    if (step && fscanf(step, "%ld", &seconds) == 1) time->tv_sec += seconds;
    if (step) fclose(step);
    return result;
}
