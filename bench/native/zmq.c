// libzmq: PUSH and PULL over ipc://.
#include "bench.h"
#include <zmq.h>

static void *context, *sockets[2];

static void open_(int ch, int how) {
	char address[300];
	snprintf(address, sizeof address, "ipc://%s/%d", dir, ch);
	if (!context)
		context = zmq_ctx_new();
	sockets[ch] = zmq_socket(context, how == SENDS ? ZMQ_PUSH : ZMQ_PULL);
	if ((how == SENDS ? zmq_connect : zmq_bind)(sockets[ch], address) < 0)
		die(address);
}

static void put(int ch, const char *msg) {
	if (zmq_send(sockets[ch], msg, size, 0) < 0)
		die("zmq_send");
}

static void take(int ch, char *msg) {
	if (zmq_recv(sockets[ch], msg, size, 0) < 0)
		die("zmq_recv");
}

static const struct mechanism all[] = {{"libzmq", 0, open_, put, take, 0, 0}};

int main(int argc, char **argv) { return measure(begin(argc, argv, all, 1)); }
