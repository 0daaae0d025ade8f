// wanlink NEAR FAR MBIT MILLISECONDS QUEUE_KIB: a line between two network namespaces, for kernels that have no netem.
//
// In each namespace stands a TUN device `wan0`; what one is given comes out of the other, in order, as a line would bring
// it: at MBIT million bits a second, after so many milliseconds one way, with a queue of so many KiB before it, whose end
// drops what does not fit. Both directions are alike and do not touch each other.
//
// A line "LOSS SEED" on standard input sets how many packets of a million are lost on the way, and which ones. It is answered
// by one line of what each direction carried since the last: packets and bytes that were given to it, bytes of TCP's payload
// that arrived, packets that were lost, and packets that the queue dropped. The link ends with its standard input.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { packet_room = 1500, ring = 1 << 14, burst = 64 };

struct packet {
    uint64_t due;
    uint16_t length;
    uint8_t bytes[packet_room];
};

struct direction {
    int from, to;
    struct packet *packets;
    // Counted up for ever; the place in the ring is what is left over.
    uint64_t first, end;
    // When the line has sent what it was given so far.
    uint64_t idle_at;
    uint64_t given, bytes, payload, lost, dropped;
};

static uint64_t dice;

static void fail(const char *what) {
    fprintf(stderr, "wanlink: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/// Xorshift: the same seed loses the same packets of a sequence.
static uint64_t throw_dice(void) {
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return dice;
}

static int open_device(const char *namespace, int home) {
    char path[256];
    snprintf(path, sizeof path, "/run/netns/%s", namespace);
    int there = open(path, O_RDONLY | O_CLOEXEC);
    if (there < 0 || setns(there, CLONE_NEWNET) < 0) fail(path);
    close(there);
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (device < 0) fail("/dev/net/tun");
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    strcpy(request.ifr_name, "wan0");
    if (ioctl(device, TUNSETIFF, &request) < 0) fail("wan0");
    if (setns(home, CLONE_NEWNET) < 0) fail("/proc/self/ns/net");
    return device;
}

/// Bytes that TCP carries in an IPv4 packet.
static unsigned payload_of(const uint8_t *packet, unsigned length) {
    if (length < 20 || packet[0] >> 4 != 4 || packet[9] != 6) return 0;
    unsigned header = (packet[0] & 15) * 4u;
    if (length < header + 20) return 0;
    header += (packet[header + 12] >> 4) * 4u;
    return length > header ? length - header : 0;
}

/// Lets go of what has arrived.
static void deliver(struct direction *direction, uint64_t time) {
    while (direction->first != direction->end) {
        struct packet *packet = &direction->packets[direction->first % ring];
        if (packet->due > time) return;
        if (write(direction->to, packet->bytes, packet->length) < 0 && errno == EAGAIN) return;
        direction->first++;
    }
}

static void take(struct direction *direction, double bits_per_nanosecond, uint64_t delay, uint64_t room, uint64_t loss) {
    for (int count = 0; count < burst && direction->end - direction->first < ring; count++) {
        struct packet *packet = &direction->packets[direction->end % ring];
        ssize_t length = read(direction->from, packet->bytes, sizeof packet->bytes);
        if (length <= 0) return;
        direction->given++;
        direction->bytes += (uint64_t)length;
        uint64_t time = now();
        uint64_t start = direction->idle_at > time ? direction->idle_at : time;
        // What waits for the line is in the queue; what is on its way is not.
        if ((double)(start - time) * bits_per_nanosecond / 8 + (double)length > (double)room) {
            direction->dropped++;
            continue;
        }
        direction->idle_at = start + (uint64_t)((double)length * 8 / bits_per_nanosecond);
        // It is lost on the way, so that it takes its time of the line.
        if (throw_dice() % 1000000 < loss) {
            direction->lost++;
            continue;
        }
        direction->payload += payload_of(packet->bytes, (unsigned)length);
        packet->due = direction->idle_at + delay;
        packet->length = (uint16_t)length;
        direction->end++;
    }
}

int main(int count, char **words) {
    if (count != 6) {
        fprintf(stderr, "usage: wanlink NEAR FAR MBIT MILLISECONDS QUEUE_KIB\n");
        return 2;
    }
    double rate = atof(words[3]) / 1000;
    uint64_t delay = (uint64_t)(atof(words[4]) * 1e6), room = (uint64_t)atoll(words[5]) << 10, loss = 0;
    if (rate <= 0 || room < packet_room) {
        fprintf(stderr, "wanlink: nothing fits through that\n");
        return 2;
    }
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0) fail("/proc/self/ns/net");
    int near = open_device(words[1], home), far = open_device(words[2], home);
    struct direction directions[2] = {{.from = near, .to = far}, {.from = far, .to = near}};
    for (int index = 0; index < 2; index++) {
        directions[index].packets = calloc(ring, sizeof(struct packet));
        if (!directions[index].packets) fail("memory");
    }
    // A wake-up 50 us late, which is Linux's habit, is half a packet's time.
    prctl(PR_SET_TIMERSLACK, 1UL);
    dice = 1;
    printf("ready\n");
    fflush(stdout);

    for (;;) {
        uint64_t time = now(), next = UINT64_MAX;
        for (int index = 0; index < 2; index++) {
            struct direction *direction = &directions[index];
            deliver(direction, time);
            if (direction->first == direction->end) continue;
            uint64_t due = direction->packets[direction->first % ring].due;
            // The device had no room for one that is due: soon.
            if (due <= time) due = time + 100000;
            if (due < next) next = due;
        }
        struct pollfd waits[3] = {{near, POLLIN, 0}, {far, POLLIN, 0}, {0, POLLIN, 0}};
        uint64_t pause = next == UINT64_MAX ? 0 : next - time;
        struct timespec timeout = {(time_t)(pause / 1000000000), (long)(pause % 1000000000)};
        ppoll(waits, 3, next == UINT64_MAX ? NULL : &timeout, NULL);
        for (int index = 0; index < 2; index++) {
            if (waits[index].revents) take(&directions[index], rate, delay, room, loss);
        }
        if (!waits[2].revents) continue;
        char line[128];
        ssize_t length = read(0, line, sizeof line - 1);
        if (length <= 0) return 0;
        line[length] = 0;
        uint64_t seed = 0;
        if (sscanf(line, "%" SCNu64 " %" SCNu64, &loss, &seed) != 2) {
            fprintf(stderr, "wanlink: not understood: %s", line);
            return 2;
        }
        dice = seed * 0x9e3779b97f4a7c15u | 1;
        for (int index = 0; index < 2; index++) {
            struct direction *direction = &directions[index];
            printf(
                "%s%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, index ? " " : "", direction->given,
                direction->bytes, direction->payload, direction->lost, direction->dropped);
            direction->given = direction->bytes = direction->payload = direction->lost = direction->dropped = 0;
        }
        printf("\n");
        fflush(stdout);
    }
}
