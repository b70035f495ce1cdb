/* The asking side of the bench where it is about streams: many at once, and how late each event comes.

   Usage: streams PORT CONNECTIONS SECONDS PER_SECOND FILE. FILE holds the bytes of one request, head and all. Opens so
   many connections, PER_SECOND of them each second, with a stream on each, one after another; none begins after
   SECONDS, and those that run are read to their end. Says "open" when all have their first event, then one line of
   JSON at the end. How late: from the nanosecond that upstream.c wrote into a delta to the one when it was read here,
   of the deltas while all were open. Used by bench/load.py, which compiles it. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { KEPT = 64, DELAYS_MAX = 8000000, PATIENCE_MS = 20000 };

typedef struct stream {
  int fd, begun;
  size_t to_send, tail;
  char kept[KEPT]; /* the last bytes of what was read, where a mark may be cut in two */
} stream;

/* As a text begins in either format. */
static const char MARK[] = "\":\"T", END[] = "\r\n0\r\n\r\n";
static int loop_fd, port, running, begun, all;
static char *request;
static size_t request_length;
static uint64_t until_ns, events, ended, failed, count;
static uint32_t *delays;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void leave(stream *s) { close(s->fd); free(s); running--; }

static void ask(stream *s) {
  while (s->to_send) {
    ssize_t n = send(s->fd, request + request_length - s->to_send, s->to_send, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) { failed++; leave(s); return; }
    s->to_send -= (size_t)n;
  }
  struct epoll_event event = {.events = EPOLLIN | (s->to_send ? EPOLLOUT : 0), .data.ptr = s};
  epoll_ctl(loop_fd, EPOLL_CTL_MOD, s->fd, &event);
}

static void open_one(void) {
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  stream *s = calloc(1, sizeof *s);
  int one = 1;
  if (!s || (s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)) < 0) abort();
  setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  running++;
  s->to_send = request_length;
  if (connect(s->fd, (struct sockaddr *)&where, sizeof where) && errno != EINPROGRESS) { failed++; leave(s); return; }
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = s};
  epoll_ctl(loop_fd, EPOLL_CTL_ADD, s->fd, &event);
}

static void note(stream *s, uint64_t written_ns) {
  events++;
  if (!s->begun) {
    s->begun = 1;
    if (++begun == all) { puts("open"); fflush(stdout); }
  }
  uint64_t now = now_ns();
  if (begun >= all && !ended && count < DELAYS_MAX) delays[count++] = (uint32_t)((now - written_ns) / 1000u);
}

static void readable(stream *s) {
  static char buffer[KEPT + (1 << 16) + 1];
  memcpy(buffer, s->kept, s->tail);
  ssize_t got = recv(s->fd, buffer + s->tail, 1 << 16, 0);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0 || (s->tail == 0 && strncmp(buffer, "HTTP/1.1 200", 12))) { failed++; leave(s); return; }
  size_t length = s->tail + (size_t)got;
  char *from = buffer, *mark;
  buffer[length] = 0;
  while ((mark = memmem(from, length - (size_t)(from - buffer), MARK, sizeof MARK - 1))) {
    if (mark + sizeof MARK - 1 + 19 > buffer + length) { from = mark; break; }
    note(s, strtoull(mark + sizeof MARK - 1, NULL, 10));
    from = mark + sizeof MARK - 1 + 19;
  }
  if (length >= sizeof END - 1 && !memcmp(buffer + length - (sizeof END - 1), END, sizeof END - 1)) {
    ended++;
    s->tail = 0;
    if (now_ns() >= until_ns) { leave(s); return; }
    s->to_send = request_length;
    ask(s);
    return;
  }
  s->tail = length - (size_t)(from - buffer);
  if (s->tail > KEPT - 32) s->tail = KEPT - 32;
  memcpy(s->kept, buffer + length - s->tail, s->tail);
}

static int by_size(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}
static uint32_t of(double part) { return count ? delays[(uint64_t)((double)(count - 1) * part)] : 0; }

int main(int words_count, char **words) {
  if (words_count != 6) return 2;
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  port = atoi(words[1]);
  all = atoi(words[2]);
  double per_second = atof(words[4]);
  FILE *file = fopen(words[5], "rb");
  if (!file || fseek(file, 0, SEEK_END)) return 1;
  request_length = (size_t)ftell(file);
  rewind(file);
  if (!(request = malloc(request_length)) || fread(request, 1, request_length, file) != request_length) return 1;
  if (!(delays = malloc(sizeof *delays * DELAYS_MAX))) return 1;
  loop_fd = epoll_create1(0);
  struct epoll_event ready[512];
  uint64_t started = now_ns(), heard = started;
  until_ns = started + (uint64_t)(atof(words[3]) * 1e9);
  int opened = 0;
  while (opened < all || running) {
    uint64_t now = now_ns();
    for (; opened < all && (double)(now - started) * per_second >= (double)opened * 1e9; opened++) open_one();
    int found = epoll_wait(loop_fd, ready, 512, opened < all ? 1 : 1000);
    now = now_ns();
    if (found > 0) heard = now;
    else if (now - heard > PATIENCE_MS * 1000000ull) { failed += (uint64_t)running; break; }
    for (int i = 0; i < found; i++) {
      stream *s = ready[i].data.ptr;
      if (s->to_send && (ready[i].events & EPOLLOUT)) ask(s);
      else readable(s);
    }
  }
  qsort(delays, count, sizeof *delays, by_size);
  printf("{\"streams\":%lu,\"events\":%lu,\"failed\":%lu,\"p50\":%u,\"p99\":%u,\"worst\":%u}\n", ended, events, failed,
         of(0.5), of(0.99), of(1.0));
  return 0;
}
