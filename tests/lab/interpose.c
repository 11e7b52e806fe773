/* Stands between a process and its disk: notes every change to files below one folder in the order
 * in which it happened, and makes chosen calls fail. Built by the tests, loaded with LD_PRELOAD.
 *
 *   OUTLAST_LAB_DIR    the folder that is watched
 *   OUTLAST_LAB_TRACE  the file the notes go to
 *   OUTLAST_LAB_FAULT  CLASS:N:WHAT[:COUNT], which call fails and how:
 *                      CLASS  write, sync, name (create, rename, link, unlink, mkdir) or any
 *                      N      the first call of the class that fails, from 1
 *                      WHAT   eio, enospc, short, kill-before, kill-after, hang, drop
 *                      COUNT  how many calls in a row fail, 1 if not said
 *
 * `short` writes half of the first call and then finds the disk full; `drop` says that a sync
 * worked without making it. A sync that fails loses what was not written yet, as Linux does.
 * One call is made at a time, so the notes are in the order of the calls.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct note {
    uint8_t op;
    uint8_t unused[7];
    uint64_t inode, offset;
    uint32_t from, to;
    uint64_t data;
};

enum class { WRITE, SYNC, NAME, CLASSES };
enum what { NOTHING, EIO_, ENOSPC_, SHORT, KILL_BEFORE, KILL_AFTER, HANG, DROP };

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static char folder[PATH_MAX];
static size_t folder_bytes;
static int trace = -1;
static int fault_class = -1, fault_any;
static long fault_first, fault_count = 1, counts[CLASSES], count_any;
static enum what fault;

static void put(const void *bytes, size_t count) {
    const char *at = bytes;
    while (count > 0) {
        long wrote = syscall(SYS_write, trace, at, count);
        if (wrote <= 0) abort();
        at += wrote;
        count -= (size_t)wrote;
    }
}

static void note(char op, uint64_t inode, uint64_t offset, const char *from, const char *to,
                 const void *data, size_t bytes) {
    if (trace < 0) return;
    struct note note = {.op = (uint8_t)op, .inode = inode, .offset = offset, .data = bytes};
    note.from = (uint32_t)strlen(from);
    note.to = (uint32_t)strlen(to);
    put(&note, sizeof note);
    put(from, note.from);
    put(to, note.to);
    put(data, bytes);
}

static int named(const char *const *names, const char *name) {
    for (int n = 0; names[n]; n++)
        if (!strcmp(names[n], name)) return n;
    fprintf(stderr, "interpose: unknown %s\n", name);
    abort();
}

__attribute__((constructor)) static void begin(void) {
    static const char *const classes[] = {"write", "sync", "name", "any", 0};
    static const char *const whats[] = {"nothing",     "eio",        "enospc", "short",
                                        "kill-before", "kill-after", "hang",   "drop", 0};
    const char *dir = getenv("OUTLAST_LAB_DIR"), *out = getenv("OUTLAST_LAB_TRACE");
    const char *spec = getenv("OUTLAST_LAB_FAULT");
    if (!dir || !realpath(dir, folder)) return;
    folder_bytes = strlen(folder);
    if (out) {
        long opened = syscall(SYS_openat, AT_FDCWD, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        if (opened < 0) abort();
        trace = (int)syscall(SYS_fcntl, opened, F_DUPFD_CLOEXEC, 10);
        syscall(SYS_close, opened);
    }
    if (spec) {
        char class[16], what[16];
        int parts = sscanf(spec, "%15[^:]:%ld:%15[^:]:%ld", class, &fault_first, what, &fault_count);
        if (parts < 3) abort();
        fault_class = named(classes, class);
        fault_any = fault_class == CLASSES;
        fault = (enum what)named(whats, what);
    }
}

static int below(const char *path) {
    return folder_bytes && !strncmp(path, folder, folder_bytes) && path[folder_bytes] == '/';
}

/* The path behind a descriptor if it is a file or folder that is watched, with its inode. */
static int watched(int fd, char *path, uint64_t *inode) {
    char link[64];
    struct stat about;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t bytes = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (bytes <= 0) return 0;
    path[bytes] = 0;
    if (!below(path) && strcmp(path, folder)) return 0;
    if (fstat(fd, &about)) return 0;
    *inode = about.st_ino;
    return 1;
}

/* A path as the notes have it; 0 if it is not watched. */
static int resolved(int at, const char *path, char *whole) {
    char base[PATH_MAX], parent[PATH_MAX];
    if (path[0] == '/') {
        snprintf(base, sizeof base, "%s", path);
    } else {
        char link[64];
        snprintf(link, sizeof link, at == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", at);
        ssize_t bytes = syscall(SYS_readlinkat, AT_FDCWD, link, parent, sizeof parent - 1);
        if (bytes <= 0) return 0;
        parent[bytes] = 0;
        if (snprintf(base, sizeof base, "%s/%s", parent, path) >= (int)sizeof base) return 0;
    }
    char *slash = strrchr(base, '/');
    if (!slash || slash == base) return 0;
    *slash = 0;
    if (!realpath(base, parent)) return 0;
    if (snprintf(whole, PATH_MAX, "%s/%s", parent, slash + 1) >= PATH_MAX) return 0;
    return below(whole);
}

static void die(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;) pause();
}

/* Whether this call fails, and how. Kills before the call if that was asked for. */
static enum what next(enum class class) {
    long n = fault_any ? ++count_any : ++counts[class];
    if (!fault || (!fault_any && fault_class != (int)class)) return NOTHING;
    if (n < fault_first || n >= fault_first + fault_count) return NOTHING;
    if (fault == KILL_BEFORE) die();
    if (fault == HANG) {
        pthread_mutex_unlock(&one_at_a_time);
        for (;;) pause();
    }
    if (fault == SHORT) return n == fault_first ? SHORT : ENOSPC_;
    return fault;
}

static long failed(enum what what) {
    errno = what == EIO_ ? EIO : ENOSPC;
    return -1;
}

static long leave(long result, enum what what) {
    int kept = errno;
    if (what == KILL_AFTER) die();
    pthread_mutex_unlock(&one_at_a_time);
    errno = kept;
    return result;
}

static int is_fault(enum what what) { return what == EIO_ || what == ENOSPC_; }

/* One write, of one piece. `offset` is -1 for the place the descriptor stands at. */
static long written(int fd, const void *bytes, size_t count, off_t offset) {
    char path[PATH_MAX];
    uint64_t inode;
    pthread_mutex_lock(&one_at_a_time);
    if (fd == 1 && offset < 0) {
        note('A', 0, 0, "", "", bytes, count);
        return leave(syscall(SYS_write, fd, bytes, count), NOTHING);
    }
    if (!watched(fd, path, &inode)) {
        pthread_mutex_unlock(&one_at_a_time);
        return offset < 0 ? syscall(SYS_write, fd, bytes, count)
                          : syscall(SYS_pwrite64, fd, bytes, count, offset);
    }
    enum what what = next(WRITE);
    if (is_fault(what)) return leave(failed(what), what);
    if (what == SHORT) count = (count + 1) / 2;
    off_t place = offset;
    if (offset < 0) {
        struct stat about;
        int appends = fcntl(fd, F_GETFL) & O_APPEND;
        place = appends && !fstat(fd, &about) ? about.st_size : lseek(fd, 0, SEEK_CUR);
    }
    long wrote = offset < 0 ? syscall(SYS_write, fd, bytes, count)
                            : syscall(SYS_pwrite64, fd, bytes, count, offset);
    if (wrote > 0) note('W', inode, (uint64_t)place, path, "", bytes, (size_t)wrote);
    return leave(wrote, what);
}

ssize_t write(int fd, const void *bytes, size_t count) { return written(fd, bytes, count, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) {
    return written(fd, bytes, count, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t at) {
    return written(fd, bytes, count, at);
}

/* As one write of the first piece that is not empty: callers go on after a short write. */
static ssize_t gathered(int fd, const struct iovec *pieces, int count, off_t at) {
    for (int n = 0; n < count; n++)
        if (pieces[n].iov_len) return written(fd, pieces[n].iov_base, pieces[n].iov_len, at);
    return 0;
}
ssize_t writev(int fd, const struct iovec *pieces, int count) {
    return gathered(fd, pieces, count, -1);
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at) {
    return gathered(fd, pieces, count, at);
}
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off_t at) {
    return gathered(fd, pieces, count, at);
}

static int synced(int fd, long number) {
    char path[PATH_MAX];
    uint64_t inode;
    pthread_mutex_lock(&one_at_a_time);
    if (!watched(fd, path, &inode)) {
        pthread_mutex_unlock(&one_at_a_time);
        return (int)syscall(number, fd);
    }
    enum what what = next(SYNC);
    if (is_fault(what)) {
        note('F', inode, 0, path, "", "", 0);
        return (int)leave(failed(what), what);
    }
    if (what == DROP) return (int)leave(0, what);
    long result = syscall(number, fd);
    if (!result) note('S', inode, 0, path, "", "", 0);
    return (int)leave(result, what);
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }

static int truncated(int fd, off_t bytes) {
    char path[PATH_MAX];
    uint64_t inode;
    pthread_mutex_lock(&one_at_a_time);
    int ours = watched(fd, path, &inode);
    enum what what = ours ? next(WRITE) : NOTHING;
    if (is_fault(what) || what == SHORT) return (int)leave(failed(what), what);
    long result = syscall(SYS_ftruncate, fd, bytes);
    if (ours && !result) note('T', inode, (uint64_t)bytes, path, "", "", 0);
    return (int)leave(result, what);
}

int ftruncate(int fd, off_t bytes) { return truncated(fd, bytes); }
int ftruncate64(int fd, off_t bytes) { return truncated(fd, bytes); }

static int opened(int at, const char *path, int flags, mode_t mode) {
    char whole[PATH_MAX];
    struct stat about;
    if (!(flags & (O_CREAT | O_TRUNC)) || !resolved(at, path, whole))
        return (int)syscall(SYS_openat, at, path, flags, mode);
    pthread_mutex_lock(&one_at_a_time);
    int creates = flags & O_CREAT && access(whole, F_OK);
    enum what what = creates ? next(NAME) : NOTHING;
    if (is_fault(what) || what == SHORT) return (int)leave(failed(what), what);
    int fd = (int)syscall(SYS_openat, at, path, flags, mode);
    if (fd >= 0 && !fstat(fd, &about)) {
        if (creates) note('O', about.st_ino, 0, whole, "", "", 0);
        else if (flags & O_TRUNC) note('T', about.st_ino, 0, whole, "", "", 0);
    }
    return (int)leave(fd, what);
}

#define MODE(flags, mode)                        \
    mode_t mode = 0;                             \
    if ((flags) & (O_CREAT | O_TMPFILE)) {       \
        va_list rest;                            \
        va_start(rest, flags);                   \
        mode = va_arg(rest, mode_t);             \
        va_end(rest);                            \
    }

int open(const char *path, int flags, ...) {
    MODE(flags, mode)
    return opened(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...) {
    MODE(flags, mode)
    return opened(AT_FDCWD, path, flags | O_LARGEFILE, mode);
}
int openat(int at, const char *path, int flags, ...) {
    MODE(flags, mode)
    return opened(at, path, flags, mode);
}
int openat64(int at, const char *path, int flags, ...) {
    MODE(flags, mode)
    return opened(at, path, flags | O_LARGEFILE, mode);
}

/* A call that changes names: `op` notes it once it worked. */
#define RENAMED(op, from, to, call)                              \
    do {                                                         \
        pthread_mutex_lock(&one_at_a_time);                      \
        enum what what = next(NAME);                             \
        if (is_fault(what)) return (int)leave(failed(what), what); \
        long result = (call);                                    \
        if (!result) note(op, 0, 0, from, to, "", 0);            \
        return (int)leave(result, what);                         \
    } while (0)

int renameat(int from_at, const char *from, int to_at, const char *to) {
    char old[PATH_MAX], new[PATH_MAX];
    if (!resolved(from_at, from, old) || !resolved(to_at, to, new))
        return (int)syscall(SYS_renameat, from_at, from, to_at, to);
    RENAMED('R', old, new, syscall(SYS_renameat, from_at, from, to_at, to));
}
int rename(const char *from, const char *to) { return renameat(AT_FDCWD, from, AT_FDCWD, to); }
int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    char old[PATH_MAX], new[PATH_MAX];
    if (!resolved(from_at, from, old) || !resolved(to_at, to, new))
        return (int)syscall(SYS_linkat, from_at, from, to_at, to, flags);
    RENAMED('L', old, new, syscall(SYS_linkat, from_at, from, to_at, to, flags));
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
int unlinkat(int at, const char *path, int flags) {
    char old[PATH_MAX];
    if (!resolved(at, path, old)) return (int)syscall(SYS_unlinkat, at, path, flags);
    RENAMED(flags & AT_REMOVEDIR ? 'D' : 'U', old, "", syscall(SYS_unlinkat, at, path, flags));
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int mkdirat(int at, const char *path, mode_t mode) {
    char new[PATH_MAX];
    if (!resolved(at, path, new)) return (int)syscall(SYS_mkdirat, at, path, mode);
    RENAMED('M', new, "", syscall(SYS_mkdirat, at, path, mode));
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
