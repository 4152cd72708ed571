// What the machine and the kernel can do: the floor under every mechanism, and
// the queues of the system.
#include "bench.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

// One word for each channel, on cache lines of their own.
static struct word {
	_Alignas(128) uint32_t value;
} *words;
static uint32_t seen[2];

static void words_setup(void) { words = shared_memory(4096); }

static void line_send(int ch, const char *msg) {
	(void)msg;
	__atomic_store_n(&words[ch].value, words[ch].value + 1, __ATOMIC_RELEASE);
}

static void line_recv(int ch, char *msg) {
	(void)msg;
	unsigned turns = 0;
	while (__atomic_load_n(&words[ch].value, __ATOMIC_ACQUIRE) == seen[ch])
		spin_on(&turns);
	seen[ch]++;
}

static void futex_send(int ch, const char *msg) {
	line_send(ch, msg);
	syscall(SYS_futex, &words[ch].value, FUTEX_WAKE, 1, 0, 0, 0);
}

static void futex_recv(int ch, char *msg) {
	(void)msg;
	while (__atomic_load_n(&words[ch].value, __ATOMIC_ACQUIRE) == seen[ch])
		syscall(SYS_futex, &words[ch].value, FUTEX_WAIT, seen[ch], 0, 0, 0);
	seen[ch]++;
}

// One producer, one consumer: each side has its cursor on a cache line of its
// own and a copy of the other's.
//
//	tail <= head <= tail + slots
static struct ring {
	_Alignas(128) uint64_t head;
	_Alignas(128) uint64_t tail;
	_Alignas(128) char data[];
} *rings[2];
static uint64_t slots, stride, mine[2], other[2], published[2];

static void ring_setup(void) {
	stride = (size + 63) & ~63;
	// 1 MiB in all: smaller and both sides fight for lines, larger and they
	// miss the cache. A power of two.
	for (slots = 16; slots * stride < 1 << 20;)
		slots *= 2;
	for (int ch = 0; ch < 2; ch++)
		rings[ch] = shared_memory(sizeof(struct ring) + slots * stride);
}

static void ring_flush(int ch) {
	published[ch] = mine[ch];
	__atomic_store_n(&rings[ch]->head, mine[ch], __ATOMIC_RELEASE);
}

static void ring_send(int ch, const char *msg) {
	unsigned turns = 0;
	if (mine[ch] - other[ch] == slots && published[ch] != mine[ch])
		ring_flush(ch);
	while (mine[ch] - other[ch] == slots) {
		other[ch] = __atomic_load_n(&rings[ch]->tail, __ATOMIC_ACQUIRE);
		if (mine[ch] - other[ch] == slots)
			spin_on(&turns);
	}
	memcpy(rings[ch]->data + (mine[ch] & (slots - 1)) * stride, msg, size);
	mine[ch]++;
	if (!batched || mine[ch] - published[ch] == 64)
		ring_flush(ch);
}

static void ring_recv(int ch, char *msg) {
	unsigned turns = 0;
	while (other[ch] == mine[ch]) {
		if (published[ch] != mine[ch]) {
			__atomic_store_n(&rings[ch]->tail, mine[ch], __ATOMIC_RELEASE);
			published[ch] = mine[ch];
		}
		other[ch] = __atomic_load_n(&rings[ch]->head, __ATOMIC_ACQUIRE);
		if (other[ch] == mine[ch])
			spin_on(&turns);
	}
	memcpy(msg, rings[ch]->data + (mine[ch] & (slots - 1)) * stride, size);
	mine[ch]++;
	if (!batched || mine[ch] - published[ch] == 64) {
		__atomic_store_n(&rings[ch]->tail, mine[ch], __ATOMIC_RELEASE);
		published[ch] = mine[ch];
	}
}

// Many producers, many consumers: a sequence number in every slot says whose
// turn it is (D. Vyukov). A process that dies inside stops it for ever.
struct slot {
	uint64_t turn;
	char data[];
};
static struct mpmc {
	_Alignas(128) uint64_t head;
	_Alignas(128) uint64_t tail;
	_Alignas(128) char slots[];
} *mpmc;

static struct slot *slot_at(uint64_t position) { return (struct slot *)(mpmc->slots + (position & (slots - 1)) * stride); }

static void mpmc_setup(void) {
	slots = 1024;
	stride = (sizeof(struct slot) + size + 63) & ~63;
	mpmc = shared_memory(sizeof *mpmc + slots * stride);
	for (uint64_t i = 0; i < slots; i++)
		slot_at(i)->turn = i;
}

static struct slot *mpmc_claim(uint64_t *cursor, uint64_t ahead, uint64_t *position) {
	unsigned turns = 0;
	*position = __atomic_load_n(cursor, __ATOMIC_RELAXED);
	for (;;) {
		struct slot *s = slot_at(*position);
		int64_t diff = __atomic_load_n(&s->turn, __ATOMIC_ACQUIRE) - (*position + ahead);
		if (diff == 0 && __atomic_compare_exchange_n(cursor, position, *position + 1, 1, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
			return s;
		if (diff < 0)
			spin_on(&turns);
		if (diff != 0)
			*position = __atomic_load_n(cursor, __ATOMIC_RELAXED);
	}
}

static void mpmc_send(int ch, const char *msg) {
	(void)ch;
	uint64_t position;
	struct slot *s = mpmc_claim(&mpmc->head, 0, &position);
	memcpy(s->data, msg, size);
	__atomic_store_n(&s->turn, position + 1, __ATOMIC_RELEASE);
}

static void mpmc_recv(int ch, char *msg) {
	(void)ch;
	uint64_t position;
	struct slot *s = mpmc_claim(&mpmc->tail, 1, &position);
	memcpy(msg, s->data, size);
	__atomic_store_n(&s->turn, position + slots, __ATOMIC_RELEASE);
}

// Streams of bytes; a batch of 64 KiB goes out with one write.
static int fds[2][2]; // of each channel, the end to read and the end to write
static int polls; // who reads does not sleep
static char *pending;
static size_t pending_len, got_from, got_to;
enum { BATCH = 64 << 10 };

static void unix_setup(void) {
	for (int ch = 0; ch < 2; ch++)
		if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds[ch]) < 0)
			die("socketpair");
	pending = malloc(BATCH);
}

static void polled_unix_setup(void) {
	polls = MSG_DONTWAIT;
	unix_setup();
}

static void pipe_setup(void) {
	for (int ch = 0; ch < 2; ch++)
		if (pipe(fds[ch]) < 0)
			die("pipe");
	pending = malloc(BATCH);
}

static void write_all(int fd, const char *p, size_t n) {
	while (n > 0) {
		ssize_t k = write(fd, p, n);
		if (k < 0)
			die("write");
		p += k;
		n -= k;
	}
}

static void stream_flush(int ch) {
	write_all(fds[ch][1], pending, pending_len);
	pending_len = 0;
}

static void stream_send(int ch, const char *msg) {
	if (!batched) {
		write_all(fds[ch][1], msg, size);
		return;
	}
	if (pending_len + size > BATCH)
		stream_flush(ch);
	memcpy(pending + pending_len, msg, size);
	pending_len += size;
}

// read_some reads what is there, at least a byte.
static ssize_t read_some(int fd, char *p, size_t n) {
	unsigned turns = 0;
	for (;;) {
		ssize_t k = polls ? recv(fd, p, n, polls) : read(fd, p, n);
		if (k > 0)
			return k;
		if (k == 0 || errno != EAGAIN)
			die("read");
		spin_on(&turns);
	}
}

static void stream_recv(int ch, char *msg) {
	for (int n = 0; n < size;) {
		if (!batched) {
			n += read_some(fds[ch][0], msg + n, size - n);
			continue;
		}
		if (got_from == got_to) {
			got_from = 0;
			got_to = read_some(fds[ch][0], pending, BATCH);
		}
		size_t k = got_to - got_from < (size_t)(size - n) ? got_to - got_from : (size_t)(size - n);
		memcpy(msg + n, pending + got_from, k);
		got_from += k;
		n += k;
	}
}

// POSIX message queues, unlinked at once.
static mqd_t mq[2];

static void mq_setup(void) {
	for (int ch = 0; ch < 2; ch++) {
		char name[64];
		snprintf(name, sizeof name, "/bench-%d-%d", getpid(), ch);
		struct mq_attr a = {.mq_maxmsg = 10, .mq_msgsize = size};
		mq[ch] = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &a);
		if (mq[ch] == (mqd_t)-1)
			die("mq_open (limits: /proc/sys/fs/mqueue)");
		mq_unlink(name);
	}
}

static void mq_put(int ch, const char *msg) {
	if (mq_send(mq[ch], msg, size, 0) < 0)
		die("mq_send");
}

static void mq_take(int ch, char *msg) {
	if (mq_receive(mq[ch], msg, size, 0) < 0)
		die("mq_receive");
}

// System V message queues.
static int msq[2];

static void sysv_remove(void) {
	for (int ch = 0; ch < 2; ch++)
		msgctl(msq[ch], IPC_RMID, 0);
}

static void sysv_timeout(int sig) {
	(void)sig;
	sysv_remove(); // which also ends the processes that wait
	_exit(1);
}

static void sysv_setup(void) {
	for (int ch = 0; ch < 2; ch++)
		if ((msq[ch] = msgget(IPC_PRIVATE, 0600)) < 0)
			die("msgget");
	signal(SIGALRM, sysv_timeout);
	alarm(10 + 2 * millis / 1000);
}

static void sysv_send(int ch, const char *msg) {
	static struct {
		long type;
		char data[];
	} *m;
	if (!m)
		m = malloc(sizeof *m + size);
	m->type = 1;
	memcpy(m->data, msg, size);
	if (msgsnd(msq[ch], m, size, 0) < 0) {
		fprintf(stderr, "msgsnd (limits: /proc/sys/kernel/msgmax, msgmnb): %s\n", strerror(errno));
		sysv_remove(); // after that, since the receiver's end ends us too
		exit(1);
	}
}

static void sysv_recv(int ch, char *msg) {
	static struct {
		long type;
		char data[];
	} *m;
	if (!m)
		m = malloc(sizeof *m + size);
	if (msgrcv(msq[ch], m, size, 0, 0) < 0) {
		if (errno == EIDRM || errno == EINVAL) // it was removed
			_exit(1); // the sender says why
		die("msgrcv");
	}
	memcpy(msg, m->data, size);
}

static int copies(void) {
	char *from = shared_memory(size), *to = shared_memory(size);
	int64_t end = now() + millis * (int64_t)1000000, start = now(), n = 0;
	memset(from, 1, size);
	while (now() < end)
		for (int k = 0; k < 16; k++, n++) {
			memcpy(to, from, size);
			__asm__ volatile("" : : "r"(to) : "memory");
		}
	printf("{\"rate\":%.1f,\"count\":%lld}\n", n / ((now() - start) / 1e9), (long long)n);
	return 0;
}

static const struct mechanism all[] = {
	{"c-line", words_setup, 0, line_send, line_recv, 0, 0},
	{"c-futex", words_setup, 0, futex_send, futex_recv, 0, 0},
	{"c-ring", ring_setup, 0, ring_send, ring_recv, ring_flush, 0},
	{"c-mpmc", mpmc_setup, 0, mpmc_send, mpmc_recv, 0, 0},
	{"c-unix", unix_setup, 0, stream_send, stream_recv, stream_flush, 0},
	{"c-unix-polled", polled_unix_setup, 0, stream_send, stream_recv, stream_flush, 0},
	{"c-pipe", pipe_setup, 0, stream_send, stream_recv, stream_flush, 0},
	{"posix-mq", mq_setup, 0, mq_put, mq_take, 0, 0},
	{"sysv-msg", sysv_setup, 0, sysv_send, sysv_recv, 0, sysv_remove},
	{"c-memcpy", 0, 0, 0, 0, 0, 0},
};

// The lives of the system's queues.
static mqd_t mq_made, mq_opened;

static void mq_create(const char *name) {
	struct mq_attr a = {.mq_maxmsg = 10, .mq_msgsize = size / 16};
	if ((mq_made = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &a)) == (mqd_t)-1)
		die("mq_open");
}

static void mq_again(const char *name) {
	if ((mq_opened = mq_open(name, O_RDWR)) == (mqd_t)-1)
		die("mq_open");
}

static void mq_let_go(void) { mq_close(mq_opened); }

static void mq_remove(const char *name) {
	mq_close(mq_made);
	mq_unlink(name);
}

static void msq_create(const char *name) {
	if ((msq[0] = msgget(getpid(), IPC_CREAT | IPC_EXCL | 0600)) < 0)
		die("msgget");
	(void)name;
}

static void msq_again(const char *name) {
	if (msgget(getpid(), 0) < 0)
		die("msgget");
	(void)name;
}

static void msq_remove(const char *name) {
	msgctl(msq[0], IPC_RMID, 0);
	(void)name;
}

static const struct object objects[] = {
	{"posix-mq", mq_create, mq_again, mq_let_go, mq_remove},
	{"sysv-msg", msq_create, msq_again, 0, msq_remove},
};

int main(int argc, char **argv) {
	const struct mechanism *m = begin(argc, argv, all, sizeof all / sizeof *all);
	if (strcmp(work, "memcpy") == 0)
		return copies();
	if (strcmp(work, "objects") != 0)
		return measure(m);
	for (unsigned i = 0; i < sizeof objects / sizeof *objects; i++)
		if (strcmp(objects[i].name, m->name) == 0) {
			lives(&objects[i]);
			return 0;
		}
	fprintf(stderr, "no object %s\n", m->name);
	return 2;
}
