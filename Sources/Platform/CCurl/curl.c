#include "CCurl.h"

#include <curl/curl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

struct curl_client {
    CURL *handle;
    const char *authority;
    struct curl_patience patience;
    /// The socket opened last: the connection's, as a client has one at a time.
    curl_socket_t socket;
    bool goes_by_rate;
};

/// What the callbacks need of the exchange under way.
struct progress {
    curl_client *client;
    CURL *handle;
    struct curl_exchange *exchange;
    size_t sent;
    bool overflow, begun, slow;
    /// When the span at hand began, and what had moved by then.
    int64_t since;
    curl_off_t moved;
    /// Packets that were sent again when TCP was last asked, and for how many times in a row there were more of them.
    uint32_t resent;
    int losing;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void initialize(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

curl_client *curl_client_make(const char *authority, struct curl_patience patience) {
    pthread_once(&once, initialize);
    curl_client *client = calloc(1, sizeof *client);
    if (!client) return NULL;
    client->handle = curl_easy_init();
    client->authority = authority ? strdup(authority) : NULL;
    client->patience = patience;
    client->socket = CURL_SOCKET_BAD;
    if (!client->handle || (authority && !client->authority)) {
        curl_client_free(client);
        return NULL;
    }
    return client;
}

void curl_client_free(curl_client *client) {
    if (!client) return;
    if (client->handle) curl_easy_cleanup(client->handle);
    free((void *)client->authority);
    free(client);
}

// MARK: - Callbacks

static bool is_success(CURL *handle) {
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context) {
    struct progress *progress = context;
    struct curl_exchange *exchange = progress->exchange;
    size_t length = size * count;
    if (is_success(progress->handle)) {
        if (length > exchange->content_capacity - exchange->content_count) {
            progress->overflow = true;
            return 0;
        }
        memcpy((char *)exchange->content + exchange->content_count, bytes, length);
        exchange->content_count += length;
    } else {
        size_t room = exchange->problem_capacity - exchange->problem_count;
        size_t taken = length < room ? length : room;
        memcpy(exchange->problem + exchange->problem_count, bytes, taken);
        exchange->problem_count += taken;
        // The beginning of an error says enough; the connection goes with what is left of it.
        if (taken < length) return 0;
    }
    return length;
}

/// A server that writes an answer in pieces and waits for the first to be acknowledged (Ceph's gateway does, unless told
/// otherwise) stands still for the 40 ms that Linux holds an acknowledgement back. With the first line it is sent at once;
/// the option lasts for that one.
static void acknowledge(curl_socket_t socket) {
    int yes = 1;
    if (socket != CURL_SOCKET_BAD) setsockopt(socket, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes);
}

static int take_socket(void *context, curl_socket_t socket, curlsocktype purpose) {
    (void)purpose;
    ((curl_client *)context)->socket = socket;
    ((curl_client *)context)->goes_by_rate = false;
    return CURL_SOCKOPT_OK;
}

/// Keeps the value of a header line that has the name (with its colon), unless it is too long.
static void keep_header(const char *line, size_t length, const char *name, char *room, size_t size) {
    size_t skip = strlen(name);
    if (length <= skip || strncasecmp(line, name, skip) != 0) return;
    const char *at = line + skip, *end = line + length;
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    while (end > at && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ')) end--;
    if ((size_t)(end - at) >= size) return;
    memcpy(room, at, end - at);
    room[end - at] = 0;
}

static size_t take_header(char *bytes, size_t size, size_t count, void *context) {
    struct progress *progress = context;
    struct curl_exchange *exchange = progress->exchange;
    size_t length = size * count;
    if (length > 5 && memcmp(bytes, "HTTP/", 5) == 0) acknowledge(progress->client->socket);
    keep_header(bytes, length, "etag:", exchange->etag, sizeof exchange->etag);
    keep_header(bytes, length, "x-amz-version-id:", exchange->version, sizeof exchange->version);
    keep_header(bytes, length, "x-amz-object-lock-mode:", exchange->lock_mode, sizeof exchange->lock_mode);
    keep_header(
        bytes, length, "x-amz-object-lock-retain-until-date:", exchange->lock_until, sizeof exchange->lock_until);
    return length;
}

/// Cubic, which kernels take unless told otherwise, holds each lost packet for the sign of a full line: where one in a
/// hundred is lost on the way it falls to a twentieth of what the line carries. BBR goes by the rate that arrives; but
/// several of it fill a line until it drops what is too much. So a connection goes over to BBR only on a line that loses
/// packets all the time, where the kernel has it and gives it to this user, and stays as it is elsewhere. A full line makes
/// cubic lose some now and then, and none for a long time after.
static void mind_losses(struct progress *progress) {
    enum { looks = 4 };
    static const char control[] = "bbr";
    curl_client *client = progress->client;
    if (client->goes_by_rate || client->socket == CURL_SOCKET_BAD) return;
    struct tcp_info info;
    socklen_t size = sizeof info;
    if (!progress->exchange->is_lossy && getsockopt(client->socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0) {
        progress->losing = info.tcpi_total_retrans > progress->resent ? progress->losing + 1 : 0;
        progress->resent = info.tcpi_total_retrans;
        progress->exchange->is_lossy = progress->losing > looks;
    }
    if (!progress->exchange->is_lossy) return;
    setsockopt(client->socket, IPPROTO_TCP, TCP_CONGESTION, control, sizeof control - 1);
    client->goes_by_rate = true;
}

static size_t give_body(char *room, size_t size, size_t count, void *context) {
    struct progress *progress = context;
    mind_losses(progress);
    size_t left = progress->exchange->body_count - progress->sent;
    size_t length = size * count < left ? size * count : left;
    memcpy(room, (const char *)progress->exchange->body + progress->sent, length);
    progress->sent += length;
    return length;
}

/// A kept connection may turn out to be closed after the first bytes were written to it: libcurl then begins again.
static int rewind_body(void *context, curl_off_t offset, int origin) {
    struct progress *progress = context;
    if (origin != SEEK_SET || offset < 0 || (size_t)offset > progress->exchange->body_count) return CURL_SEEKFUNC_FAIL;
    progress->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

/// libcurl sends a request anew, and says nothing, when a kept connection turns out to be dead before the first byte of an
/// answer. The server may have carried the first out: whoever puts if absent would lose against himself, unknowing.
static int begin(void *context, char *to, char *from, int to_port, int from_port) {
    (void)to, (void)from, (void)to_port, (void)from_port;
    struct progress *progress = context;
    if (progress->begun && progress->exchange->once) return CURL_PREREQFUNC_ABORT;
    progress->begun = true;
    return CURL_PREREQFUNC_OK;
}

static int64_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/// A server that lets a byte drip now and then is never idle, and an exchange with it would never end. libcurl asks here once a
/// second, whatever moves.
static int mind_rate(
    void *context, curl_off_t to_come, curl_off_t come, curl_off_t to_go, curl_off_t gone) {
    (void)to_come, (void)to_go;
    struct progress *progress = context;
    const struct curl_patience *patience = &progress->client->patience;
    int64_t now = milliseconds();
    curl_off_t moved = come + gone;
    // What is sent anew is counted anew.
    if (moved < progress->moved) progress->moved = 0;
    if (now - progress->since < patience->span_seconds * 1000) return 0;
    progress->slow = moved - progress->moved < patience->span_bytes;
    progress->since = now;
    progress->moved = moved;
    return progress->slow;
}

// MARK: - The exchange

static enum curl_outcome outcome_of(CURLcode code, const struct progress *progress, int status) {
    switch (code) {
    case CURLE_OK: return curl_answered;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR: return progress->begun ? curl_broken : curl_not_connected;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR: return curl_not_trusted;
    case CURLE_WRITE_ERROR:
        if (progress->overflow) return curl_too_long;
        // A long error was cut short on purpose.
        return status >= 300 ? curl_answered : curl_broken;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_OUT_OF_MEMORY:
    case CURLE_BAD_FUNCTION_ARGUMENT: return curl_impossible;
    case CURLE_OPERATION_TIMEDOUT:
        return progress->begun ? curl_broken : curl_not_connected;
    default:
        // The server may answer an error and close while the request is still being sent: that answer counts.
        return status >= 400 && (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR) ? curl_answered : curl_broken;
    }
}

void curl_client_perform(curl_client *client, struct curl_exchange *exchange) {
    CURL *handle = client->handle;
    struct progress progress = {.client = client, .handle = handle, .exchange = exchange, .since = milliseconds()};
    exchange->content_count = exchange->problem_count = 0;
    exchange->status = 0;
    exchange->announced = -1;
    exchange->etag[0] = exchange->version[0] = exchange->lock_mode[0] = exchange->lock_until[0] = 0;
    exchange->reason[0] = 0;

    // Options go, connections stay.
    curl_easy_reset(handle);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, exchange->reason);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(handle, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L);
    if (client->authority) {
        curl_easy_setopt(handle, CURLOPT_CAINFO, client->authority);
        curl_easy_setopt(handle, CURLOPT_CAPATH, NULL);
    }
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, client->patience.connect_seconds);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(handle, CURLOPT_LOW_SPEED_TIME, client->patience.idle_seconds);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, mind_rate);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, &progress);
    curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, 128L << 10);
    curl_easy_setopt(handle, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "breakwater");
    curl_easy_setopt(handle, CURLOPT_URL, exchange->url);
    // The path is signed as it is written.
    curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &progress);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &progress);
    curl_easy_setopt(handle, CURLOPT_SOCKOPTFUNCTION, take_socket);
    curl_easy_setopt(handle, CURLOPT_SOCKOPTDATA, client);
    curl_easy_setopt(handle, CURLOPT_PREREQFUNCTION, begin);
    curl_easy_setopt(handle, CURLOPT_PREREQDATA, &progress);

    if (strcmp(exchange->method, "HEAD") == 0) {
        curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    } else if (strcmp(exchange->method, "PUT") == 0 || strcmp(exchange->method, "POST") == 0) {
        curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(handle, CURLOPT_INFILESIZE_LARGE, (curl_off_t)exchange->body_count);
        curl_easy_setopt(handle, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(handle, CURLOPT_READDATA, &progress);
        curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, rewind_body);
        curl_easy_setopt(handle, CURLOPT_SEEKDATA, &progress);
        curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, exchange->method);
    } else {
        curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, exchange->method);
    }

    // No wait for "100 Continue": what is refused early costs its connection and nothing else.
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    for (size_t index = 0; headers && index < exchange->header_count; index++) {
        struct curl_slist *longer = curl_slist_append(headers, exchange->headers[index]);
        if (!longer) curl_slist_free_all(headers);
        headers = longer;
    }
    CURLcode code = CURLE_OUT_OF_MEMORY;
    if (headers) {
        curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
        code = curl_easy_perform(handle);
    }

    long status = 0;
    curl_off_t announced = -1;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &announced);
    exchange->status = (int)status;
    exchange->announced = announced;
    exchange->outcome = outcome_of(code, &progress, exchange->status);
    if (progress.slow) {
        snprintf(
            exchange->reason, sizeof exchange->reason, "fewer than %lld bytes came or went in %ld seconds",
            (long long)client->patience.span_bytes, client->patience.span_seconds);
    } else if (code != CURLE_OK && exchange->reason[0] == 0) {
        strncpy(exchange->reason, curl_easy_strerror(code), sizeof exchange->reason - 1);
        exchange->reason[sizeof exchange->reason - 1] = 0;
    }
    curl_easy_reset(handle);
    curl_slist_free_all(headers);

    // What of a refused body the server has not read would be taken for the next request: no connection is kept after
    // an error to a request that had one.
    if (exchange->body_count > 0 && (exchange->outcome != curl_answered || exchange->status >= 300)) {
        CURL *fresh = curl_easy_init();
        if (fresh) {
            curl_easy_cleanup(handle);
            client->handle = fresh;
            client->socket = CURL_SOCKET_BAD;
        }
    }
}
