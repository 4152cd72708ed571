// The frame of every program in C and C++ here: it forks the other processes,
// lets all begin at once, measures, and prints one line of JSON.
//
//	usage: program mechanism work size producers consumers milliseconds dir anywhere|apart
//
// A mechanism is a struct of functions over two channels, 0 there and 1 back.
// All messages have the same size; the first byte of the last one is LAST.
#ifndef BENCH_H
#define BENCH_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LAST = 0xff, SENDS = 1, RECEIVES = 2, PROCESSES = 128, PAUSE = 300000 /* ns, before a round trip to a process that sleeps */ };

struct mechanism {
	const char *name;
	void (*setup)(void);                            // before the fork; may be 0
	void (*open)(int channel, int how);             // after it, receivers first; may be 0
	void (*send)(int channel, const char *message); // of size bytes
	void (*recv)(int channel, char *message);
	void (*flush)(int channel); // what send held back; may be 0
	void (*remove)(void);       // at the end; may be 0
};

static const char *work, *dir;
static int size, producers, consumers, millis, batched, apart;

static struct shared {
	int step[8]; // how many processes have reached a point
	int sending; // producers that have not finished
	int finished;
	int64_t start[PROCESSES], end[PROCESSES], count[PROCESSES], sent[PROCESSES];
} *shared;

static inline void die(const char *what) {
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static inline int64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * (int64_t)1000000000 + t.tv_nsec;
}

static inline void cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

// spin_on is one turn of a loop that waits for another process: it gives the
// CPU away now and then, as there may be more processes than CPUs.
static inline void spin_on(unsigned *turns) {
	if ((++*turns & 1023) == 0)
		sched_yield();
	else
		cpu_relax();
}

static inline void *shared_memory(size_t n) {
	void *p = mmap(0, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

// meet waits until n processes are at the same point.
static inline void meet(int point, int n) {
	unsigned turns = 0;
	__atomic_add_fetch(&shared->step[point], 1, __ATOMIC_ACQ_REL);
	while (__atomic_load_n(&shared->step[point], __ATOMIC_ACQUIRE) < n) {
		sched_yield();
		if (++turns > 1000)
			usleep(100);
	}
}

static inline pid_t child(void) {
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

// stay keeps this process on the first CPU, or on the last one.
static inline void stay(int last) {
	cpu_set_t all, one;
	int n, chosen = -1;
	if (!apart)
		return;
	if (sched_getaffinity(0, sizeof all, &all) < 0)
		die("sched_getaffinity");
	for (n = 0; n < CPU_SETSIZE; n++)
		if (CPU_ISSET(n, &all) && (last || chosen < 0))
			chosen = n;
	CPU_ZERO(&one);
	CPU_SET(chosen, &one);
	if (sched_setaffinity(0, sizeof one, &one) < 0)
		die("sched_setaffinity");
}

static int by_value(const void *a, const void *b) {
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
	return (x > y) - (x < y);
}

static inline int64_t percentile(const int64_t *sorted, long n, double p) {
	long rank = (long)(p * n);
	if (rank < p * n)
		rank++;
	if (rank < 1)
		rank = 1;
	return sorted[(rank > n ? n : rank) - 1];
}

static inline void round_trips(const struct mechanism *m) {
	char *message = (char *)malloc(size), *answer = (char *)malloc(size);
	memset(message, 1, size);
	memset(answer, 1, size);
	pid_t pid = child();
	stay(pid == 0);
	if (m->open)
		m->open(pid ? 1 : 0, RECEIVES);
	meet(0, 2);
	if (m->open)
		m->open(pid ? 0 : 1, SENDS);
	meet(1, 2);
	int asleep = strcmp(work, "asleep") == 0;
	int64_t pause = asleep || strcmp(work, "paced") == 0 ? PAUSE : 0, think = asleep ? PAUSE : 0;
	if (pid == 0) {
		for (;;) {
			m->recv(0, answer);
			for (int64_t from = now(); asleep && now() < from + think;)
				;
			m->send(1, answer);
			if (m->flush)
				m->flush(1);
		}
	}
	const long most = 1 << 20;
	int64_t *samples = (int64_t *)malloc(most * sizeof *samples);
	memset(samples, 1, most * sizeof *samples);
	int64_t warm = now() + millis * (int64_t)200000, end = warm + millis * (int64_t)1000000;
	long n = 0;
	for (int64_t t = now(); n < most && (n == 0 || t < end);) {
		int64_t from = t;
		while (from < t + pause)
			from = now();
		m->send(0, message);
		if (m->flush)
			m->flush(0);
		m->recv(1, answer);
		t = now();
		if (t > warm)
			samples[n++] = t - from - think;
	}
	kill(pid, SIGKILL);
	waitpid(pid, 0, 0);
	qsort(samples, n, sizeof *samples, by_value);
	printf("{\"p50\":%lld,\"p99\":%lld,\"p999\":%lld,\"count\":%ld}\n", (long long)percentile(samples, n, 0.5),
	       (long long)percentile(samples, n, 0.99), (long long)percentile(samples, n, 0.999), n);
}

static inline void one_way(const struct mechanism *m) {
	int all = producers + consumers;
	char *message = (char *)malloc(size);
	memset(message, 1, size);
	pid_t pids[PROCESSES];
	shared->sending = producers;
	for (int i = 0; i < all; i++) {
		if ((pids[i] = child()) != 0)
			continue;
		stay(i < consumers);
		if (i < consumers) {
			if (m->open)
				m->open(0, RECEIVES);
			meet(0, all + 1);
			int64_t n = 0;
			for (m->recv(0, message); (unsigned char)message[0] != LAST; m->recv(0, message))
				n++;
			shared->count[i] = n;
			shared->end[i] = now();
			__atomic_add_fetch(&shared->finished, 1, __ATOMIC_ACQ_REL);
			_exit(0);
		}
		meet(0, all + 1);
		if (m->open)
			m->open(0, SENDS);
		meet(1, producers + 1);
		int64_t end = now() + millis * (int64_t)1000000, n = 0;
		shared->start[i] = now();
		int burst = size < 16 << 10 ? 64 : 4;
		while (now() < end)
			for (int k = 0; k < burst; k++, n++)
				m->send(0, message);
		if (m->flush)
			m->flush(0);
		shared->sent[i] = n;
		if (__atomic_sub_fetch(&shared->sending, 1, __ATOMIC_ACQ_REL) == 0) {
			message[0] = (char)LAST;
			for (int c = 0; c < consumers; c++)
				m->send(0, message);
			if (m->flush)
				m->flush(0);
		}
		// Libraries with threads of their own lose what a process that ends
		// has not sent yet.
		while (__atomic_load_n(&shared->finished, __ATOMIC_ACQUIRE) < consumers)
			usleep(1000);
		_exit(0);
	}
	meet(0, all + 1);
	meet(1, producers + 1);
	int64_t start = INT64_MAX, end = 0, n = 0, sent = 0;
	for (int i = 0; i < all; i++) {
		int status;
		waitpid(pids[i], &status, 0);
		if (status != 0) {
			for (int k = i + 1; k < all; k++)
				kill(pids[k], SIGKILL);
			if (m->remove)
				m->remove();
			exit(1);
		}
	}
	for (int i = 0; i < all; i++) {
		n += shared->count[i];
		sent += shared->sent[i];
		if (i >= consumers && shared->start[i] < start)
			start = shared->start[i];
		if (shared->end[i] > end)
			end = shared->end[i];
	}
	if (n != sent) {
		fprintf(stderr, "%lld messages were sent and %lld arrived\n", (long long)sent, (long long)n);
		if (m->remove)
			m->remove();
		exit(1);
	}
	printf("{\"rate\":%.1f,\"count\":%lld}\n", n / ((end - start) / 1e9), (long long)n);
}

// alone sends and receives in one process, with nobody else there.
static inline void alone(const struct mechanism *m) {
	enum { ROUND = 512 };
	char *message = (char *)malloc(size), *answer = (char *)malloc(size);
	memset(message, 1, size);
	memset(answer, 1, size);
	const long most = 1 << 16;
	int64_t *samples = (int64_t *)malloc(most * sizeof *samples), end = now() + millis * (int64_t)1000000;
	long n = 0;
	for (int64_t t = now(); n < most && t < end; n++) {
		int64_t from = t;
		for (int k = 0; k < ROUND; k++) {
			m->send(0, message);
			m->recv(0, answer);
		}
		samples[n] = (t = now()) - from;
	}
	qsort(samples, n, sizeof *samples, by_value);
	printf("{\"p50\":%.1f,\"p99\":%.1f,\"count\":%ld}\n", percentile(samples, n, 0.5) / (double)ROUND,
	       percentile(samples, n, 0.99) / (double)ROUND, n * ROUND);
}

// An object that processes make to reach each other. The functions die if they
// can't.
struct object {
	const char *name;
	void (*create)(const char *name);
	void (*open)(const char *name); // beside its maker; 0: there is nothing to open
	void (*close)(void);            // what was opened; 0: nothing to close
	void (*remove)(const char *name); // and let go of it
};

// lives makes, opens, closes and removes an object, again and again.
static inline void lives(const struct object *o) {
	enum { CREATE, OPEN, CLOSE, REMOVE, STEPS };
	const long most = 1 << 14;
	int64_t *samples[STEPS], end = now() + millis * (int64_t)1000000;
	char name[64];
	long n = 0;
	snprintf(name, sizeof name, "/bench-%d", getpid());
	for (int k = 0; k < STEPS; k++)
		samples[k] = (int64_t *)malloc(most * sizeof **samples);
	for (; n < most && (n < 4 || now() < end); n++) {
		int64_t t[STEPS + 1];
		t[CREATE] = now();
		o->create(name);
		t[OPEN] = now();
		if (o->open)
			o->open(name);
		t[CLOSE] = now();
		if (o->close)
			o->close();
		t[REMOVE] = now();
		o->remove(name);
		t[STEPS] = now();
		for (int k = 0; k < STEPS; k++)
			samples[k][n] = t[k + 1] - t[k];
	}
	double p[STEPS], all = 0;
	for (int k = 0; k < STEPS; k++) {
		qsort(samples[k], n, sizeof **samples, by_value);
		p[k] = (k == OPEN && !o->open) || (k == CLOSE && !o->close) ? 0 : percentile(samples[k], n, 0.5);
		all += p[k];
	}
	printf("{\"p50\":%.1f,\"count\":%ld,\"steps\":{\"create\":%.1f,\"open\":%.1f,\"close\":%.1f,\"remove\":%.1f}}\n",
	       all, n, p[CREATE], p[OPEN], p[CLOSE], p[REMOVE]);
}

static inline const struct mechanism *begin(int argc, char **argv, const struct mechanism *all, int n) {
	if (argc != 9) {
		fprintf(stderr, "usage: %s mechanism work size producers consumers milliseconds dir anywhere|apart\n", argv[0]);
		exit(2);
	}
	work = argv[2];
	size = atoi(argv[3]);
	producers = atoi(argv[4]);
	consumers = atoi(argv[5]);
	millis = atoi(argv[6]);
	dir = argv[7];
	apart = strcmp(argv[8], "apart") == 0;
	batched = strcmp(work, "batched") == 0;
	shared = (struct shared *)shared_memory(sizeof *shared);
	for (int i = 0; i < n; i++)
		if (strcmp(all[i].name, argv[1]) == 0)
			return &all[i];
	fprintf(stderr, "no mechanism %s\n", argv[1]);
	exit(2);
}

static inline int measure(const struct mechanism *m) {
	signal(SIGPIPE, SIG_IGN);
	if (m->setup)
		m->setup();
	if (strcmp(work, "ping-pong") == 0 || strcmp(work, "paced") == 0 || strcmp(work, "asleep") == 0)
		round_trips(m);
	else if (strcmp(work, "uncontended") == 0)
		alone(m);
	else
		one_way(m);
	if (m->remove)
		m->remove();
	return 0;
}
#endif
