/* Counts the calls of a process that write to files, and lets the n-th of them fail or kill the process.
 *
 * Loaded with LD_PRELOAD. `fault_arm(n, error, for_ever)` starts counting at 1: call n fails with `error` (an errno), or kills the
 * process (error -1); with `for_ever` all later calls fail too, as on a full disk, whose first failing write takes half of its
 * bytes. n = 0 only counts. Writes to pipes, sockets and terminals are not counted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static long calls, strike_at, struck;
static int error_code, for_ever, armed;

void fault_arm(long at, int error, int always)
{
    calls = 0; struck = 0; strike_at = at; error_code = error; for_ever = always; armed = 1;
}
long fault_calls(void) { return calls; }
long fault_struck(void) { return struck; }

static int strikes(void)
{
    if (!armed)
        return 0;
    calls++;
    if (!strike_at || calls < strike_at || (calls > strike_at && !for_ever))
        return 0;
    if (error_code < 0) {
        kill(getpid(), SIGKILL);
        pause();
    }
    struck++;
    errno = error_code;
    return 1;
}

static int is_file(int fd)
{
    struct stat found;
    return armed && fstat(fd, &found) == 0 && S_ISREG(found.st_mode);
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)
#define PLAIN(result, name, parameters, arguments) \
    result name parameters { REAL(name); return strikes() ? (result)-1 : real arguments; }
#define ON_FILE(result, name, parameters, arguments) \
    result name parameters { REAL(name); return is_file(fd) && strikes() ? (result)-1 : real arguments; }

ssize_t write(int fd, const void *data, size_t size)
{
    REAL(write);
    if (!is_file(fd) || !strikes())
        return real(fd, data, size);
    if (for_ever && struck == 1 && size > 1)
        return real(fd, data, size / 2);
    return -1;
}
ON_FILE(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count))
ON_FILE(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t at), (fd, data, size, at))
ON_FILE(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t at), (fd, data, size, at))
ON_FILE(int, fsync, (int fd), (fd))
ON_FILE(int, fdatasync, (int fd), (fd))
ON_FILE(int, ftruncate, (int fd, off_t size), (fd, size))
ON_FILE(int, ftruncate64, (int fd, off64_t size), (fd, size))
ON_FILE(int, fchmod, (int fd, mode_t mode), (fd, mode))
ON_FILE(int, fchown, (int fd, uid_t user, gid_t group), (fd, user, group))
PLAIN(int, rename, (const char *from, const char *to), (from, to))
PLAIN(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
PLAIN(int, renameat2, (int a, const char *from, int b, const char *to, unsigned flags), (a, from, b, to, flags))
PLAIN(int, link, (const char *from, const char *to), (from, to))
PLAIN(int, linkat, (int a, const char *from, int b, const char *to, int flags), (a, from, b, to, flags))
PLAIN(int, symlink, (const char *to, const char *from), (to, from))
PLAIN(int, unlink, (const char *path), (path))
PLAIN(int, unlinkat, (int fd, const char *path, int flags), (fd, path, flags))
PLAIN(int, mkdir, (const char *path, mode_t mode), (path, mode))
PLAIN(int, mkdirat, (int fd, const char *path, mode_t mode), (fd, path, mode))
PLAIN(int, rmdir, (const char *path), (path))
PLAIN(int, chmod, (const char *path, mode_t mode), (path, mode))

static int creates(int flags) { return (flags & (O_CREAT | O_TRUNC)) && strikes(); }
#define OPENS(name, parameters, last, arguments) \
    int name parameters { \
        REAL(name); mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, last); mode = va_arg(rest, mode_t); va_end(rest); } \
        return creates(flags) ? -1 : real arguments; }
OPENS(open, (const char *path, int flags, ...), flags, (path, flags, mode))
OPENS(open64, (const char *path, int flags, ...), flags, (path, flags, mode))
OPENS(openat, (int fd, const char *path, int flags, ...), flags, (fd, path, flags, mode))
OPENS(openat64, (int fd, const char *path, int flags, ...), flags, (fd, path, flags, mode))
