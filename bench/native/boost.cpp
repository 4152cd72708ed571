// Boost.Interprocess: message_queue, unlinked as soon as it exists.
#include "bench.h"
#include <algorithm>
#include <boost/interprocess/ipc/message_queue.hpp>
#include <string>

using boost::interprocess::message_queue;

static message_queue *queues[2];

// As many as our queue holds, see mech_queue.go.
static size_t capacity(size_t size) { return std::min<size_t>(1024, std::max<size_t>(16, (1 << 20) / size)); }

static void setup() {
	for (int ch = 0; ch < 2; ch++) {
		std::string name = "bench-" + std::to_string(getpid()) + "-" + std::to_string(ch);
		queues[ch] = new message_queue(boost::interprocess::create_only, name.c_str(), capacity(size), size);
		message_queue::remove(name.c_str());
	}
}

static void put(int ch, const char *msg) { queues[ch]->send(msg, size, 0); }

static void take(int ch, char *msg) {
	message_queue::size_type n;
	unsigned priority;
	queues[ch]->receive(msg, size, n, priority);
}

static const struct mechanism all[] = {{"boost-mq", setup, 0, put, take, 0, 0}};

// The life of a queue of 16 messages.
static message_queue *made, *opened;

static void create(const char *name) { made = new message_queue(boost::interprocess::create_only, name + 1, 16, size / 16); }

static void open_(const char *name) { opened = new message_queue(boost::interprocess::open_only, name + 1); }

static void close_() { delete opened; }

static void remove_(const char *name) {
	delete made;
	message_queue::remove(name + 1);
}

static const struct object life = {"boost-mq", create, open_, close_, remove_};

int main(int argc, char **argv) {
	const struct mechanism *m = begin(argc, argv, all, 1);
	if (strcmp(work, "objects") != 0)
		return measure(m);
	lives(&life);
}
