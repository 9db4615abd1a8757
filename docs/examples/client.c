/* SPDX-License-Identifier: LGPL-2.1-or-later
 * A client of the JetKVM audio protocol (../protocol.md) in C, without GStreamer or libopus.
 *
 *     cc -o client client.c
 *     ./client receive SOCKET FILE [PACKETS]   receives the device's audio (socket of jkvmipcsink)
 *     ./client send SOCKET FILE                sends a microphone (socket of jkvmipcsrc)
 *
 * FILE contains Opus packets in the format of opus_demo: for each packet its length and a final
 * range of 0, both as 32-bit big-endian integers, then the packet. "-" is standard input or
 * output. `opus_demo -d 48000 2 FILE pcm` decodes it, `opus_demo -e audio 48000 2 96000 pcm FILE`
 * writes one.
 *
 * `receive` stops after PACKETS packets, or with SIGINT; it reconnects if the server ends. `send`
 * sends each packet when it is due, and Stop at the end. Both wait for a missing server.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The dialect v1, which is the default of jkvmipcsink and which jkvmipcsrc recognises. */
enum {
    HEADER_SIZE = 17,
    MAX_PAYLOAD = 4096,
    OUTPUT_MAGIC = 0x4A4B4F55,     /* "JKOU" */
    MICROPHONE_MAGIC = 0x4A4B4D49, /* "JKMI" */
};
enum message_type { OPUS_FRAME = 0, CONFIG = 1, STOP = 2 };

static const int64_t NS_PER_S = 1000000000;
static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

static int fail(const char *what)
{
    fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
    return EXIT_FAILURE;
}

static int64_t now(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * NS_PER_S + time.tv_nsec;
}

static void sleep_until(int64_t deadline) /* CLOCK_MONOTONIC */
{
    const struct timespec time = {.tv_sec = deadline / NS_PER_S, .tv_nsec = deadline % NS_PER_S};
    while (!is_interrupted && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
        continue;
}

static void put_le(uint8_t *bytes, uint64_t value, int size)
{
    for (int i = 0; i < size; ++i)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_le32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* Returns a connected socket. "@NAME" is an abstract socket. Tries again every 100 ms while there
 * is no server; returns -1 after a signal, or on another error. */
static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t length = strlen(path);
    if (length == 0 || length >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(address.sun_path, path, length);
    socklen_t size = sizeof address;
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
        size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    }
    while (!is_interrupted) {
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *)&address, size) == 0)
            return fd;
        const int error = errno;
        close(fd);
        errno = error;
        if (error != ENOENT && error != ECONNREFUSED && error != EAGAIN && error != EINTR)
            return -1;
        sleep_until(now(CLOCK_MONOTONIC) + NS_PER_S / 10);
    }
    errno = EINTR;
    return -1;
}

/* Returns 1, 0 at the end of the stream, or -1 on an error. A read may end within a message. */
static int read_exactly(int fd, uint8_t *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t count = read(fd, bytes, size);
        if (count == 0)
            return 0;
        if (count < 0 && (errno != EINTR || is_interrupted))
            return -1;
        if (count > 0) {
            bytes += count;
            size -= (size_t)count;
        }
    }
    return 1;
}

/* A started message has to be completed, otherwise the receiver cannot find the next one. */
static int send_exactly(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t count = send(fd, bytes, size, MSG_NOSIGNAL);
        if (count < 0 && (errno != EINTR || is_interrupted))
            return -1;
        if (count > 0) {
            bytes += count;
            size -= (size_t)count;
        }
    }
    return 0;
}

/* `timestamp`: of a frame, the capture time of its first sample; ns since the epoch. */
static int send_message(int fd, enum message_type type, int64_t timestamp, const void *payload,
                        uint32_t length)
{
    uint8_t message[HEADER_SIZE + MAX_PAYLOAD];
    put_le(message, MICROPHONE_MAGIC, 4);
    message[4] = (uint8_t)type;
    put_le(message + 5, length, 4);
    put_le(message + 9, (uint64_t)timestamp, 8);
    if (length > 0)
        memcpy(message + HEADER_SIZE, payload, length);
    return send_exactly(fd, message, HEADER_SIZE + length);
}

static int write_packet(FILE *file, const uint8_t *packet, uint32_t length)
{
    const uint8_t prefix[8] = {0, 0, (uint8_t)(length >> 8), (uint8_t)length}; /* range 0 */
    const int is_written = fwrite(prefix, sizeof prefix, 1, file) == 1 &&
                           fwrite(packet, length, 1, file) == 1 && fflush(file) == 0;
    return is_written ? 0 : -1;
}

/* Returns the length of the packet, 0 at the end of the file, and -1 on an error. */
static int read_packet(FILE *file, uint8_t *packet)
{
    uint8_t prefix[8];
    const size_t count = fread(prefix, 1, sizeof prefix, file);
    if (count == 0)
        return ferror(file) ? -1 : 0;
    const uint32_t length = (uint32_t)prefix[0] << 24 | (uint32_t)prefix[1] << 16 |
                            (uint32_t)prefix[2] << 8 | prefix[3];
    errno = EBADMSG;
    if (count < sizeof prefix || length == 0 || length > MAX_PAYLOAD ||
        fread(packet, length, 1, file) != 1)
        return -1;
    return (int)length;
}

/* Returns the duration of an Opus packet in ns (RFC 6716, section 3.1). */
static int64_t duration_of(const uint8_t *packet, int length)
{
    static const int silk_frames_us[] = {10000, 20000, 40000, 60000};
    const int config = packet[0] >> 3;
    int frame_us = 2500 << (config & 3); /* CELT */
    if (config < 12)
        frame_us = silk_frames_us[config & 3];
    else if (config < 16) /* hybrid */
        frame_us = config & 1 ? 20000 : 10000;
    const int code = packet[0] & 3;
    const int frames = code == 0 ? 1 : code < 3 ? 2 : length > 1 ? packet[1] & 63 : 0;
    return (int64_t)frames * frame_us * 1000;
}

/* Returns 1 at the end of the connection, 0 when enough packets were written, -1 on an error. */
static int receive_packets(int fd, FILE *file, long *wanted)
{
    uint8_t header[HEADER_SIZE];
    uint8_t payload[MAX_PAYLOAD];
    while (*wanted != 0) {
        const int has_header = read_exactly(fd, header, sizeof header);
        if (has_header <= 0)
            return has_header == 0 || errno == ECONNRESET ? 1 : -1;
        const uint32_t length = get_le32(header + 5);
        if (get_le32(header) != OUTPUT_MAGIC || length > MAX_PAYLOAD) {
            errno = EPROTO; /* the next message cannot be found */
            return -1;
        }
        const int has_payload = read_exactly(fd, payload, length);
        if (has_payload <= 0)
            return has_payload == 0 || errno == ECONNRESET ? 1 : -1;
        if (header[4] != OPUS_FRAME || length == 0)
            continue; /* other messages are skipped */
        if (write_packet(file, payload, length) < 0)
            return -1;
        if (*wanted > 0)
            --*wanted;
    }
    return 0;
}

/* wanted < 0: no limit. */
static int receive(const char *path, const char *file_name, FILE *file, long wanted)
{
    int result = 1;
    while (result > 0) {
        const int fd = connect_to(path);
        if (fd < 0)
            return is_interrupted ? EXIT_SUCCESS : fail(path);
        result = receive_packets(fd, file, &wanted);
        if (result < 0 && !is_interrupted)
            fail(ferror(file) ? file_name : path);
        close(fd);
        if (result > 0) /* pause, in case the server turns clients away */
            sleep_until(now(CLOCK_MONOTONIC) + NS_PER_S / 10);
    }
    return result == 0 || is_interrupted ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int send_packets(int fd, FILE *file)
{
    uint8_t config[12];
    put_le(config, 48000, 4);   /* sample rate */
    put_le(config + 4, 2, 4);   /* channels */
    put_le(config + 8, 960, 4); /* samples in a frame */
    if (send_message(fd, CONFIG, now(CLOCK_REALTIME), config, sizeof config) < 0)
        return -1;
    uint8_t packet[MAX_PAYLOAD];
    uint8_t unread[256];
    int length = 0;
    int64_t due = now(CLOCK_MONOTONIC);
    while (!is_interrupted && (length = read_packet(file, packet)) > 0) {
        const int64_t duration = duration_of(packet, length);
        due += duration; /* a frame can be sent when its last sample has been captured */
        sleep_until(due);
        if (send_message(fd, OPUS_FRAME, now(CLOCK_REALTIME) - duration, packet, (uint32_t)length) <
            0)
            return -1;
        while (recv(fd, unread, sizeof unread, MSG_DONTWAIT) > 0)
            continue; /* acknowledgements of the receiver */
    }
    if (length < 0 && !is_interrupted)
        return -1;
    return send_message(fd, STOP, now(CLOCK_REALTIME), NULL, 0);
}

static int send_file(const char *path, const char *file_name, FILE *file)
{
    const int fd = connect_to(path);
    if (fd < 0)
        return is_interrupted ? EXIT_SUCCESS : fail(path);
    const int result = send_packets(fd, file);
    const char *culprit = ferror(file) || errno == EBADMSG ? file_name : path;
    close(fd);
    return result < 0 ? fail(culprit) : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    const int is_receiving = argc >= 4 && strcmp(argv[1], "receive") == 0;
    const long wanted = argc == 5 ? atol(argv[4]) : -1;
    if (argc < 4 || argc > 4 + is_receiving || (argc == 5 && wanted <= 0) ||
        (!is_receiving && strcmp(argv[1], "send") != 0)) {
        fputs("usage: client receive|send SOCKET FILE [PACKETS]\n", stderr);
        return EXIT_FAILURE;
    }
    const struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);

    FILE *file = is_receiving ? stdout : stdin;
    if (strcmp(argv[3], "-") != 0)
        file = fopen(argv[3], is_receiving ? "wb" : "rb");
    if (file == NULL)
        return fail(argv[3]);
    const int result = is_receiving ? receive(argv[2], argv[3], file, wanted)
                                    : send_file(argv[2], argv[3], file);
    if (fclose(file) != 0)
        return fail(argv[3]);
    return result;
}
