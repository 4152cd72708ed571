// nng: PUSH and PULL over ipc://.
#include "bench.h"
#include <nng/nng.h>
#include <nng/protocol/pipeline0/pull.h>
#include <nng/protocol/pipeline0/push.h>

static nng_socket sockets[2];

static void check(int err, const char *what) {
	if (err == 0)
		return;
	fprintf(stderr, "%s: %s\n", what, nng_strerror(err));
	exit(1);
}

static void open_(int ch, int how) {
	char address[300];
	snprintf(address, sizeof address, "ipc://%s/%d", dir, ch);
	check(how == SENDS ? nng_push0_open(&sockets[ch]) : nng_pull0_open(&sockets[ch]), "open");
	// Without buffers each short message waits for the thread that sends it. Long ones, from
	// 1 KiB on, are slower with them.
	if (strcmp(work, "one-way") == 0 && size < 1 << 10)
		check(nng_socket_set_int(sockets[ch], how == SENDS ? NNG_OPT_SENDBUF : NNG_OPT_RECVBUF, 1024), "buffer");
	check(how == SENDS ? nng_dial(sockets[ch], address, 0, 0) : nng_listen(sockets[ch], address, 0, 0), address);
}

static void put(int ch, const char *msg) { check(nng_send(sockets[ch], (void *)msg, size, 0), "nng_send"); }

static void take(int ch, char *msg) {
	size_t n = size;
	check(nng_recv(sockets[ch], msg, &n, 0), "nng_recv");
}

static const struct mechanism all[] = {{"nng", 0, open_, put, take, 0, 0}};

int main(int argc, char **argv) { return measure(begin(argc, argv, all, 1)); }
